/** What a client is told of a disk's failure. Pure. */
import { assertNever } from "../../runtime/invariant.ts";
import type { DiskFailure } from "../../volume/block_device.ts";
import type { VolumeErrorKind } from "../../volume/volume_request.ts";

/** A full disk has its own error number; everything else that gets here is an I/O error. */
export function clientErrorOf(failure: DiskFailure): VolumeErrorKind {
  switch (failure.kind) {
    case "no_space":
    case "out_of_range":
    case "not_supported":
      return failure.kind;
    case "io_error":
    case "closed":
      return "io_error";
    default:
      return assertNever(failure.kind);
  }
}

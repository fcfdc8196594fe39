/**
 * Reads, and questions about what is allocated: the half of a request's way that changes nothing. A read goes straight
 * into the space of the reply where the door offers it.
 */
import { invariant } from "../../runtime/invariant.ts";
import type { BlockDevice, DiskFailure, DiskOutcome, Extent } from "../../volume/block_device.ts";
import type { Operation } from "./operation.ts";

export interface ReadResult {
  readonly failure: DiskFailure | null;
  readonly found: { readonly data?: Uint8Array; readonly extents?: readonly Extent[] };
}

/** Calls `done` once: within this call, or later through `guard`. The range must hold still until then. */
export function readFrom(
  device: BlockDevice,
  { operation, guard, done }: {
    operation: Operation;
    guard: <A extends unknown[]>(work: (...args: A) => void) => (...args: A) => void;
    done: (result: ReadResult) => void;
  },
): void {
  const { request, offset, length } = operation;
  invariant(request !== null, "a read has somebody who asked");
  if (request.kind === "block_status") {
    const told = (extents: readonly Extent[]): void => done({ failure: null, found: { extents } });
    const extents = device.extents(offset, length);
    if (extents instanceof Promise) void extents.then(guard(told));
    else told(extents);
    return;
  }
  const data = request.replySpace?.() ?? new Uint8Array(length);
  const read = (failure: DiskOutcome): void => done({ failure, found: { data } });
  const outcome = device.read(offset, data);
  if (outcome instanceof Promise) void outcome.then(guard(read));
  else read(outcome);
}

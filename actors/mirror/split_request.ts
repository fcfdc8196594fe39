/**
 * A trim or write_zeroes may span 4 GiB; the intent log makes hot at most half its capacity at once, and one huge
 * range would lock the whole volume. So such a request goes through the mirror in parts, and is complete when all are.
 */
import type { VolumeErrorKind, VolumeRequest } from "../../volume/volume_request.ts";

/** Also the largest span of one frame: a target never works longer than this before it looks up. */
export const PART_BYTES_MAX = 32 * 1024 * 1024;

/** The parts in order, each at most `PART_BYTES_MAX`; the request itself when it is short enough, or no trim or write_zeroes. */
export function splitRequest(request: VolumeRequest): readonly VolumeRequest[] {
  if (request.length <= PART_BYTES_MAX || request.kind === "write" || request.kind === "read") {
    return [request];
  }
  const count = Math.ceil(request.length / PART_BYTES_MAX);
  let left = count;
  let firstError: VolumeErrorKind | null = null;
  const complete = (error: VolumeErrorKind | null): void => {
    firstError ??= error;
    left -= 1;
    if (left === 0) request.complete(firstError);
  };
  return Array.from({ length: count }, (_, index) => {
    const offset = request.offset + index * PART_BYTES_MAX;
    const length = Math.min(PART_BYTES_MAX, request.offset + request.length - offset);
    return { ...request, offset, length, complete };
  });
}

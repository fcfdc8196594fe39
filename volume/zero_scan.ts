/**
 * Is a disk all zero? A disk that is may be used as it is, and replicas that all are equal each other from birth. A
 * disk that is not holds something, and what is not known to be ours is not overwritten.
 *
 * Holes are skipped, so a sparse file of any size costs nothing. Data is read in megabytes, which go to a thread
 * (`file_device.ts`), up to a bound: a raw device of many terabytes is not read from end to end before its node starts.
 */
import { Buffer } from "node:buffer";
import type { BlockDevice, DiskFailure } from "./block_device.ts";

/** Default bytes read before giving up: half a minute on a fast device. */
export const SCAN_BYTES_MAX = 64 * 1024 ** 3;
const PIECE_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(PIECE_BYTES);

export type ZeroScan =
  | { readonly kind: "zero" }
  /** A byte that is not zero lies in the megabyte at `offset`. */
  | { readonly kind: "data"; readonly offset: number }
  /** Nothing was found, and not everything was read. */
  | { readonly kind: "unknown" }
  | { readonly kind: "failed"; readonly failure: DiskFailure };

export async function scanForData(
  device: BlockDevice,
  options: { bytesMax?: number } = {},
): Promise<ZeroScan> {
  const bytesMax = options.bytesMax ?? SCAN_BYTES_MAX;
  const piece = Buffer.alloc(PIECE_BYTES);
  let scanned = 0;
  for (let at = 0; at < device.size;) {
    const extents = await device.extents(at, device.size - at);
    if (extents.length === 0) return { kind: "unknown" };
    for (const extent of extents) {
      const end = extent.offset + extent.length;
      for (let offset = extent.offset; offset < end && !extent.hole; offset += PIECE_BYTES) {
        if (scanned >= bytesMax) return { kind: "unknown" };
        const length = Math.min(PIECE_BYTES, end - offset);
        const bytes = piece.subarray(0, length);
        const failure = await device.read(offset, bytes);
        if (failure !== null) return { kind: "failed", failure };
        if (!bytes.equals(ZEROS.subarray(0, length))) return { kind: "data", offset };
        scanned += length;
      }
      at = end;
    }
  }
  return { kind: "zero" };
}

/**
 * The hot set's record: which large regions may have writes in flight. Pure; `record_file.ts` keeps it in two
 * alternating copies of sealed sectors (magic "HFhs").
 *
 * ```text
 * offset  bytes
 *      0      4  flags: bit 0: closed cleanly (then no region follows)
 *      4      4  log2 of the region's bytes
 *      8      4  number of regions
 *     12      4  each: region index
 * ```
 * All numbers are little endian. The region size is in the record and not only in the superblock: after a change of
 * configuration the regions of the last run still mean what they meant.
 */
import { invariant } from "../runtime/invariant.ts";

export const HOT_SET_FORMAT_VERSION = 1;
export const HOT_SET_MAGIC = "HFhs";
/** The most regions that the format has room for. */
export const HOT_CAPACITY_MAX = 4096;
export const HOT_SET_PAYLOAD_MAX = 12 + 4 * HOT_CAPACITY_MAX;
const CLEAN = 1;

export interface HotSetRecord {
  readonly clean: boolean;
  /** A power of two. */
  readonly hotRegionBytes: number;
  readonly regions: readonly number[];
}

export function encodeHotSet(record: HotSetRecord): Uint8Array {
  const shift = Math.log2(record.hotRegionBytes);
  invariant(Number.isInteger(shift), "a hot region is a power of two");
  invariant(record.regions.length <= HOT_CAPACITY_MAX, "a hot set fits its record");
  invariant(!record.clean || record.regions.length === 0, "nothing is hot after a clean close");
  const bytes = new Uint8Array(12 + 4 * record.regions.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, record.clean ? CLEAN : 0, true);
  view.setUint32(4, shift, true);
  view.setUint32(8, record.regions.length, true);
  for (const [index, region] of record.regions.entries()) view.setUint32(12 + 4 * index, region, true);
  return bytes;
}

/** Null: not a record of this version, though its checksums are right. */
export function decodeHotSet(bytes: Uint8Array): HotSetRecord | null {
  if (bytes.length < 12) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const flags = view.getUint32(0, true);
  const shift = view.getUint32(4, true);
  const count = view.getUint32(8, true);
  if ((flags & ~CLEAN) !== 0 || shift < 9 || shift > 52 || bytes.length !== 12 + 4 * count) return null;
  const clean = flags === CLEAN;
  if (clean && count > 0) return null;
  const regions = Array.from({ length: count }, (_, index) => view.getUint32(12 + 4 * index, true));
  return { clean, hotRegionBytes: 2 ** shift, regions };
}

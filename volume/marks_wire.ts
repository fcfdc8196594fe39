/**
 * A bitmap on the wire: runs of marked regions as pairs of variable-length numbers (regions skipped, regions marked),
 * cut into chunks that fit a message. Pure.
 *
 * Bitmaps of healthy mirrors are nearly empty and those of absent legs come in runs, so runs beat bits on both; a
 * bitmap in which every second region is marked is the worst case and costs two bytes per run.
 */
import type { DirtyBitmap } from "./dirty_bitmap.ts";

/** Bytes per chunk: well below what one message may carry. */
export const MARKS_CHUNK_BYTES = 128 * 1024;
/** A variable-length number of at most 2^32 takes at most this many bytes. */
const NUMBER_BYTES_MAX = 5;

/** The marks as chunks, each of which can be read by itself; none for a clean bitmap. */
export function* marksOf(marks: DirtyBitmap): Generator<Uint8Array> {
  let chunk = new Uint8Array(MARKS_CHUNK_BYTES);
  let used = 0;
  let at = 0;
  for (let run = marks.nextRun(0); run !== null; run = marks.nextRun(run.first + run.count)) {
    if (used + 2 * NUMBER_BYTES_MAX > MARKS_CHUNK_BYTES) {
      yield chunk.subarray(0, used);
      chunk = new Uint8Array(MARKS_CHUNK_BYTES);
      used = 0;
      at = 0;
    }
    used = writeNumber(chunk, { at: used, value: run.first - at });
    used = writeNumber(chunk, { at: used, value: run.count });
    at = run.first + run.count;
  }
  if (used > 0) yield chunk.subarray(0, used);
}

/** Adds a chunk to `into`. False when it is not well-formed or reaches beyond the volume; `into` may then be partly marked. */
export function readMarks(into: DirtyBitmap, chunk: Uint8Array): boolean {
  let used = 0;
  let region = 0;
  while (used < chunk.byteLength) {
    const skipped = readNumber(chunk, used);
    if (skipped === null) return false;
    const count = readNumber(chunk, skipped.end);
    if (count === null || count.value === 0) return false;
    used = count.end;
    region += skipped.value;
    if (region + count.value > into.regionCount) return false;
    into.markRun(region, count.value);
    region += count.value;
  }
  return true;
}

function writeNumber(bytes: Uint8Array, options: { at: number; value: number }): number {
  let { at, value } = options;
  while (value >= 0x80) {
    bytes[at++] = (value & 0x7f) | 0x80;
    value = Math.floor(value / 128);
  }
  bytes[at++] = value;
  return at;
}

function readNumber(bytes: Uint8Array, at: number): { value: number; end: number } | null {
  let value = 0;
  for (let index = 0; index < NUMBER_BYTES_MAX; index += 1) {
    const byte = bytes[at + index];
    if (byte === undefined) return null;
    value += (byte & 0x7f) * 128 ** index;
    if (byte < 0x80) return value <= 0xffff_ffff ? { value, end: at + index + 1 } : null;
  }
  return null;
}

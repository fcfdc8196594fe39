/**
 * A dirty bitmap on its way to another replica: runs of marked regions in chunks of bounded size. Pure.
 *
 * Both sides of a rejoin exchange their marks (design §4.6). Marks come in runs, so a run costs two short numbers: the
 * distance from the end of the run before it, and its length, each as a variable-length integer (seven bits a byte,
 * lowest first, as in LEB128). A chunk begins with the region that its distances count from, so chunks can be applied
 * in any order and a lost one is noticed by its sender's cursor, not guessed at by the receiver.
 */
import { DirtyBitmap } from "./dirty_bitmap.ts";

/** Default bytes of a chunk: far below the bound of a control message. */
export const RUNS_CHUNK_BYTES = 64 * 1024;
/** The longest number: 32 bits in groups of seven. */
const NUMBER_BYTES_MAX = 5;

export interface RunsChunk {
  readonly bytes: Uint8Array;
  /** Where the next chunk begins; null: this was the last. */
  readonly next: number | null;
}

/** The marks from region `from` on, as many as fit `bytesMax` (at least 15). */
export function encodeRuns(bitmap: DirtyBitmap, options: { from: number; bytesMax?: number }): RunsChunk {
  const bytesMax = options.bytesMax ?? RUNS_CHUNK_BYTES;
  const bytes: number[] = [];
  putNumber(bytes, options.from);
  let at = options.from;
  for (let run = bitmap.nextRun(at); run !== null; run = bitmap.nextRun(at)) {
    if (bytes.length + 2 * NUMBER_BYTES_MAX > bytesMax) return { bytes: Uint8Array.from(bytes), next: at };
    putNumber(bytes, run.first - at);
    putNumber(bytes, run.count);
    at = run.first + run.count;
  }
  return { bytes: Uint8Array.from(bytes), next: null };
}

/**
 * Marks in `bitmap` what a chunk names. Null: done. Otherwise what is wrong with the chunk, which came from another
 * node; marks before the fault stay (a mark too many costs a copy, never a block).
 */
export function applyRuns(bitmap: DirtyBitmap, bytes: Uint8Array): string | null {
  let at = 0;
  const number = (): number | null => {
    let value = 0;
    for (let i = 0; i < NUMBER_BYTES_MAX; i += 1) {
      const byte = bytes[at];
      if (byte === undefined) return null;
      at += 1;
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    return null;
  };
  let region = number();
  if (region === null) return "a chunk of marks begins with a region number";
  while (at < bytes.length) {
    const distance = number();
    const count = distance === null ? null : number();
    if (distance === null || count === null) return `the chunk of marks breaks off at byte ${at}`;
    const first: number = region + distance;
    if (count === 0) return `the chunk of marks has an empty run at region ${first}`;
    if (first + count > bitmap.regionCount) {
      return `the chunk of marks names region ${first + count - 1} of ${bitmap.regionCount}`;
    }
    bitmap.markRun(first, count);
    region = first + count;
  }
  return null;
}

function putNumber(bytes: number[], number: number): void {
  let rest = number;
  while (rest >= 0x80) {
    bytes.push(rest % 128 + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
}

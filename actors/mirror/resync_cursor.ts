/**
 * Which blocks a resync copies next, and how far it is. Pure.
 *
 * At the start of a window the marks of a leg are copied into this cursor: what is in it is still to be copied, what
 * has left it was shipped or is being read while it holds still. A live write to regions that are all still in it
 * need not be shipped, since the copy will bring it; any other must be, and goes out behind the copy (I7). Marks on the
 * intent log clear later and by themselves, when the copies are stable.
 */
import { DirtyBitmap } from "../../volume/dirty_bitmap.ts";
import type { ResyncKind, ResyncProgress } from "./messages.ts";

/** Bytes read and shipped as one copy: large enough to stream, small enough that a turn stays short. */
export const COPY_BYTES_MAX = 512 * 1024;

export interface CopyRange {
  readonly volume: number;
  readonly offset: number;
  readonly length: number;
}

export class ResyncCursor {
  readonly kind: ResyncKind;
  readonly #left: readonly DirtyBitmap[];
  readonly #startedAt: number;
  readonly #totalBytes: number;
  #volume = 0;
  #region = 0;
  #reading = 0;
  #copiedBytes = 0;

  /** @param marks one bitmap per volume, copied · `now` monotonic ms */
  constructor(options: { kind: ResyncKind; marks: readonly DirtyBitmap[]; now: number }) {
    this.kind = options.kind;
    this.#startedAt = options.now;
    this.#left = options.marks.map((marks) => {
      const copy = new DirtyBitmap({ size: marks.size, regionBytes: marks.regionBytes });
      copy.union(marks);
      return copy;
    });
    this.#totalBytes = this.leftBytes;
  }

  get leftBytes(): number {
    return this.#left.reduce((sum, marks) => sum + marks.dirtyBytes, 0);
  }
  get copiedBytes(): number {
    return this.#copiedBytes;
  }
  /** Nothing is left to be read or being read. */
  get finished(): boolean {
    return this.#reading === 0 && this.#left.every((marks) => marks.count === 0);
  }

  /** The next range to copy, or `null` when all are copied or being read. It is to be given back by `copied`. */
  next(): CopyRange | null {
    for (let tried = 0; tried <= this.#left.length; tried += 1) {
      const marks = this.#left[this.#volume];
      if (marks === undefined) return null;
      const run = marks.nextRun(this.#region, Math.max(1, Math.floor(COPY_BYTES_MAX / marks.regionBytes)));
      if (run !== null) {
        this.#region = run.first + run.count;
        this.#reading += 1;
        marks.clearRun(run.first, run.count);
        const offset = run.first * marks.regionBytes;
        const length = Math.min(run.count * marks.regionBytes, marks.size - offset);
        return { volume: this.#volume, offset, length };
      }
      this.#region = 0;
      this.#volume = (this.#volume + 1) % this.#left.length;
    }
    return null;
  }

  /** The range was read and goes out in this very turn. */
  copied(range: CopyRange): void {
    this.#reading -= 1;
    this.#copiedBytes += range.length;
  }

  /** True when a live write lies in regions that are all still to be copied: the copy will bring it. */
  willBring(range: CopyRange): boolean {
    const marks = this.#left[range.volume];
    if (marks === undefined || marks.count === 0) return false;
    const last = Math.floor((range.offset + range.length - 1) / marks.regionBytes);
    for (let region = Math.floor(range.offset / marks.regionBytes); region <= last; region += 1) {
      if (!marks.has(region)) return false;
    }
    return true;
  }

  progress(now: number): ResyncProgress {
    const seconds = Math.max(0.001, (now - this.#startedAt) / 1000);
    const rate = this.#copiedBytes / seconds;
    const left = Math.max(0, this.#totalBytes - this.#copiedBytes);
    return {
      kind: this.kind,
      doneBytes: Math.min(this.#copiedBytes, this.#totalBytes),
      totalBytes: this.#totalBytes,
      bytesPerSecond: Math.round(rate),
      etaSeconds: rate > 0 ? left / rate : null,
    };
  }
}

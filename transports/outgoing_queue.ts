/**
 * Pure: what a socket still has to write, and how a turn's many small pieces become one gathered write.
 *
 * Small pieces (frame headers, acks, 4 KiB blocks) are copied next to each other into a staging buffer; large ones
 * go as they are. That sounds wrong for a path that must not copy, and is measured: the runtimes spend about a
 * microsecond per buffer of a gathered write, a 4 KiB copy costs a fifth of that, and the slab that held the bytes
 * is free again at once instead of when the kernel took them. From 16 KiB on the copy is the dearer one.
 *
 * A batch has a bound, so that a write of hundreds of megabytes releases its memory piece by piece.
 */

/** Pieces up to this size are copied together. */
export const COPY_BYTES_MAX = 8 * 1024;
/** At most this much is copied per batch. */
export const STAGING_BYTES = 512 * 1024;
/** A batch is closed when it holds at least this much, or this many large pieces. */
export const BATCH_BYTES_MAX = 4 * 1024 * 1024;
export const BATCH_PIECES_MAX = 256;

/** What goes to the kernel in one gathered write. */
export interface Batch {
  /** In order. Runs of small pieces are views of the staging buffer. */
  readonly pieces: Uint8Array[];
  readonly byteLength: number;
  /** Callbacks of the large pieces: theirs must not change before the kernel has them. */
  readonly releasedLater: (() => void)[];
  /** Callbacks of the copied pieces: free now. */
  readonly releasedNow: (() => void)[];
}

export class OutgoingQueue {
  #bytes: Uint8Array[] = [];
  #released: ((() => void) | undefined)[] = [];
  #head = 0;
  #byteLength = 0;

  get byteLength(): number {
    return this.#byteLength;
  }

  get isEmpty(): boolean {
    return this.#head === this.#bytes.length;
  }

  push(bytes: Uint8Array, released: (() => void) | undefined): void {
    this.#bytes.push(bytes);
    this.#released.push(released);
    this.#byteLength += bytes.byteLength;
  }

  /** The next batch; `staging` belongs to the batch until it is written. Never called on an empty queue. */
  takeBatch(staging: Uint8Array): Batch {
    const pieces: Uint8Array[] = [];
    const releasedLater: (() => void)[] = [];
    const releasedNow: (() => void)[] = [];
    let byteLength = 0;
    let staged = 0;
    let runStart = 0;
    while (
      this.#head < this.#bytes.length && byteLength < BATCH_BYTES_MAX && pieces.length < BATCH_PIECES_MAX
    ) {
      const bytes = this.#bytes[this.#head] as Uint8Array;
      const released = this.#released[this.#head];
      if (bytes.byteLength <= COPY_BYTES_MAX) {
        if (staged + bytes.byteLength > staging.byteLength) break;
        staging.set(bytes, staged);
        staged += bytes.byteLength;
        if (released !== undefined) releasedNow.push(released);
      } else {
        if (staged > runStart) pieces.push(staging.subarray(runStart, staged));
        runStart = staged;
        pieces.push(bytes);
        if (released !== undefined) releasedLater.push(released);
      }
      byteLength += bytes.byteLength;
      this.#head += 1;
    }
    if (staged > runStart) pieces.push(staging.subarray(runStart, staged));
    this.#byteLength -= byteLength;
    this.#compact();
    return { pieces, byteLength, releasedLater, releasedNow };
  }

  /** Drops what is left and gives its callbacks. */
  clear(): (() => void)[] {
    const released = this.#released.slice(this.#head).filter((callback) => callback !== undefined);
    this.#bytes = [];
    this.#released = [];
    this.#head = 0;
    this.#byteLength = 0;
    return released;
  }

  /** Forgets the taken front: at once when all is taken, else when it is the larger part. */
  #compact(): void {
    if (this.#head === this.#bytes.length) {
      this.#bytes.length = 0;
      this.#released.length = 0;
      this.#head = 0;
    } else if (this.#head > 1_024 && this.#head * 2 > this.#bytes.length) {
      this.#bytes = this.#bytes.slice(this.#head);
      this.#released = this.#released.slice(this.#head);
      this.#head = 0;
    }
  }
}

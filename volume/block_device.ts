/**
 * A block device is where a replica's bytes are: a file, a raw device, or memory that can lose its cache.
 *
 * Two things are unusual. Outcomes are values, because a disk error is the world misbehaving and not a bug. And
 * an operation may finish at once (`null` or a failure) or later (a promise of the same): a write into the page
 * cache takes two microseconds, and a promise for it would cost more than the write.
 *
 * Offsets and lengths are bytes, any alignment, up to 2^53 − 1 (beyond 2^32 certainly).
 */

/** What a disk can answer. `no_space` is its own kind: it is no sign of a failing disk (design §4.3 rule 7). */
export interface DiskFailure {
  readonly kind: "io_error" | "no_space" | "out_of_range" | "closed" | "not_supported";
  /** For people: operation, file, offset, the system's error. */
  readonly detail: string;
}

export type DiskOutcome = DiskFailure | null;
export type MaybeLater<T> = T | Promise<T>;

/** A stretch of a device. `hole` reads as zeros and takes no space. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
  readonly hole: boolean;
}

export interface BlockDevice {
  /** For people: the path. */
  readonly name: string;
  /** Bytes, constant while open. */
  readonly size: number;
  /** Fills `into` from `offset`. */
  read(offset: number, into: Uint8Array): MaybeLater<DiskOutcome>;
  /** Writes all of `bytes`; they must not change until the outcome is there. Not stable before `flush`. */
  write(offset: number, bytes: Uint8Array): MaybeLater<DiskOutcome>;
  /** The range reads as zeros afterwards. `punch` lets the space go, where the device can; else it stays allocated. */
  writeZeroes(offset: number, length: number, options: { punch: boolean }): MaybeLater<DiskOutcome>;
  /**
   * Makes everything that was written before this call stable. Never inside the turn: the answer always comes
   * later. After one failure every further flush fails: Linux reports a lost writeback once (design §4.3 rule 7).
   */
  flush(): Promise<DiskOutcome>;
  /** The allocation of a range, in order and without gaps; a device that cannot tell answers one extent that is no hole. */
  extents(offset: number, length: number): MaybeLater<readonly Extent[]>;
  /** Callable twice. Does not flush. */
  close(): Promise<void>;
}

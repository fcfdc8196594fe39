/**
 * The intent log of one volume: the durable record of the regions that may differ between this replica and each
 * other one (design §4.3). This file is its contract; `open_intent_log.ts` makes one.
 *
 * The intuition. A mark must be stable before the write that it covers, and a stable mark costs an fdatasync, so
 * marks are kept in two levels. The *hot set* names the large regions (4 MiB) in which writes may be in flight; a
 * write to a hot region costs no I/O here at all. The *bitmap* of each peer names the fine regions (64 KiB) that
 * differ; it lives in memory and reaches the disk only when its region cools down. After a crash all that was hot
 * counts as dirty, so what was in memory only is never missed.
 *
 * A fine bit is in one of three conditions towards a peer:
 *
 * ```text
 *            mark while shipping                stableUpTo, local and peer
 *   clear ──────────────────────────▶ in flight ──────────────────────────▶ clear
 *     │                                  │ setShipping(false), markOwed
 *     │ mark while not shipping          ▼
 *     └───────────────────────────────▶ owed ──clearResynced / clearAllUpTo──▶ clear
 * ```
 *
 * *In flight*: the write went out on the peer's stream, so the peer's stable seq proves it. *Owed*: the peer was not
 * sent it (it was away, or the region waits for its resync), so a seq proves nothing (a resync window may jump over
 * it): only copied data, or the peer's being up to date as a whole, clears it. After open every bit is owed.
 *
 * How the mirror (and the target) uses it, per write:
 *
 * ```text
 *   tryPin(offset, length) ── true ──▶ mark(offset, length, seq) ─▶ write and ship ─▶ unpin(offset, length)
 *           └─ false ─▶ heat([{offset, length}], done) ─ done(null): pinned ─▶ mark …
 * ```
 */
import type { DiskOutcome } from "./block_device.ts";
import type { DirtyBitmap } from "./dirty_bitmap.ts";

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** A clear bit that a resync earned. */
export interface ResyncedRange extends ByteRange {
  /** The seq of this replica's newest write when the copy was read: later writes are not in the copy. */
  readonly version: number;
  /**
   * True when every write to the range after `version` was shipped behind the copy: such a region then counts as in
   * flight and clears by `stableUpTo`. False: it stays owed and is copied again.
   */
  readonly rewritesShipped: boolean;
}

export interface IntentLogFigures {
  readonly hotRegions: number;
  readonly hotCapacity: number;
  readonly commits: number;
  readonly evictions: number;
  /** Heat requests that wait for a commit or for a slot. */
  readonly waiting: number;
  readonly bitmapPagesWritten: number;
  readonly seqPages: number;
}

export interface IntentLog {
  /** Bytes of the volume. */
  readonly size: number;
  /** Bytes of a fine region. */
  readonly regionBytes: number;
  /** Bytes of a hot region. */
  readonly hotRegionBytes: number;
  /** The longest range that `heat` takes at once, at any offset (about 2 GiB by default). Longer trims go in parts. */
  readonly heatBytesMax: number;
  readonly peers: readonly string[];
  /** Set once a write or flush of the log's own files failed: nothing can be heated any more (rule 7). */
  readonly failure: DiskOutcome;

  /**
   * Somebody else uses the log from here on: the one before is dead, however it ended. Its pins end, what it waited for
   * is not answered any more, and nothing is being shipped to anybody. Marks stay.
   */
  takeOver(): void;

  /** True when a write there needs no metadata I/O now. Allocates nothing. */
  isHot(offset: number, length: number): boolean;
  /** `isHot`, and if so pins the range: it stays hot until `unpin`. Allocates nothing. Zero-length ranges are hot. */
  tryPin(offset: number, length: number): boolean;
  /** Ends one pin of exactly this range, once the write's local outcome is known. */
  unpin(offset: number, length: number): void;
  /**
   * Makes ranges hot. `done(null)`: they are stable in the hot set and pinned, each as by `tryPin`. `done(failure)`:
   * nothing is pinned, and the writes must not be performed. Never called inside this call. All that one turn asks
   * for, and all that comes while a commit runs, shares one commit. All ranges of one call together may not be longer
   * than `heatBytesMax` nor touch more than half the hot set's regions: best one call per request. When too many
   * regions are pinned it waits, first come first served, for pins to end.
   */
  heat(ranges: readonly ByteRange[], done: (outcome: DiskOutcome) => void): void;

  /**
   * Marks towards all peers, before the write of `seq` goes anywhere. The range must be pinned (I3, asserted).
   * Remembers `seq` as the newest of its fine regions.
   */
  mark(offset: number, length: number, seq: number): void;
  /** This write was not, or will not be, shipped to `peer`: only a resync clears it. After `mark`, same range. */
  markOwed(peer: string, range: ByteRange): void;
  /**
   * Whether marks towards `peer` are in flight (true: a leg in `replicating` or `resyncing` ships them) or owed. To
   * false turns all its bits to owed. False for every peer after open.
   */
  setShipping(peer: string, shipping: boolean): void;
  /** Everything up to `seq` is stable on this replica (every disk of the group is flushed up to it). Only grows. */
  localStableUpTo(seq: number): void;
  /**
   * The peer holds everything that was shipped to it up to `seq`, stable. Clears in-flight bits whose newest write is
   * ≤ seq and locally stable too, now or as soon as it is.
   */
  stableUpTo(peer: string, seq: number): void;
  /**
   * The peer is `up_to_date` and stable at `seq`: its blocks equal ours of that moment. Also clears what is owed,
   * except regions written after `seq` or not yet locally stable.
   */
  clearAllUpTo(peer: string, seq: number): void;
  /** A copied range is stable on the peer. Inward rounding; a region written after `version` keeps its bit (I7). */
  clearResynced(peer: string, range: ResyncedRange): void;
  /**
   * Seqs begin anew below ones already marked (a tail was rolled back): all bits become owed, and the seqs known so far
   * no longer clear anything. Calls of `localStableUpTo` and `stableUpTo` count from here again. The data disk has been
   * flushed before: what was written so far counts as locally stable.
   */
  forgetSeqs(): void;

  /** Everything differs (or may). Not stable before `persist` answers. */
  markAll(peer: string): void;
  /** The union with another replica's marks, as owed. Not stable before `persist` answers. */
  mergeInto(peer: string, marks: DirtyBitmap): void;
  /** Marks a range towards one peer as owed, e.g. what a rollback will restore. Not stable before `persist` answers. */
  markRange(peer: string, range: ByteRange): void;
  /** All current bits of every peer are stable when it answers null; also what was cleared leaves the disk. */
  persist(): Promise<DiskOutcome>;

  /** Bytes marked towards `peer`, cleared as far as the known seqs allow. */
  dirtyBytes(peer: string): number;
  /** The peer's marks, to read and to iterate; only this log changes them. */
  bitmap(peer: string): DirtyBitmap;
  /** True when any region of the range is owed to the peer: a live write there is left to the resync. */
  isOwed(peer: string, range: ByteRange): boolean;

  /**
   * Keeps marks for another replica from now on; its bitmap file is created. `marks`: `all` unless both disks are
   * known to be equal. Stable when it answers null, but found again at the next open only if the superblock names the
   * peer: callers use `GroupStore.addPeer`, which sees to both.
   */
  addPeer(peer: string, options: { marks: "all" | "none" }): Promise<DiskOutcome>;
  /** Forgets the peer and its marks. Its file is left where it is. */
  removePeer(peer: string): void;

  /** For metrics and inspection. */
  figures(): IntentLogFigures;
  /**
   * After a clean close nothing is hot. The caller has flushed the data disk before (else it reports what is not
   * stable by not closing cleanly). Waits for a running commit; refuses what still waits with `closed`.
   */
  closeClean(): Promise<DiskOutcome>;
  /** Lets the files go as they are: the next open treats it as a crash. */
  abandon(): Promise<void>;
}

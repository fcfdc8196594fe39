/**
 * What a replica of a group keeps on this node: for each volume its disk, and beside the disk the superblock, the
 * intent log and one bitmap per other replica. This file is the contract; `open_group_store.ts` opens them and knows
 * what must be refused.
 *
 * A group moves as one, yet its disks are written one after the other. So a change of generation, position or state
 * can be cut in the middle by a crash, and the group as a whole is believed only as far as all disks agree: the
 * worst disk state, the lowest position, the history that all have in common.
 */
import type { BlockDevice, DiskOutcome } from "./block_device.ts";
import type { IntentLog } from "./intent_log.ts";
import type { DiskState, Superblock } from "./superblock_format.ts";
import type { History, Position } from "../protocol/position.ts";
import type { GroupRecord } from "../protocol/member_set.ts";

/** What all disks of the group agree on. */
export interface GroupView {
  /** Null: never born. */
  readonly groupId: string | null;
  readonly history: History;
  readonly position: Position;
  readonly disk: DiskState;
  /** Every disk is known to be all zero. */
  readonly zero: boolean;
  /** The newest record that any disk knows. */
  readonly record: GroupRecord | null;
  /** Every disk was closed cleanly before this open. */
  readonly cleanBefore: boolean;
}

/** What of a superblock changes by itself; identity and geometry do not. */
export type SuperblockChange = Partial<
  Pick<Superblock, "groupId" | "diskState" | "zero" | "history" | "stable" | "record" | "resync">
>;

export interface VolumeStore {
  /** Index in the group, as in `VolumeRequest.volume`. */
  readonly index: number;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** The data disk: exactly `size` bytes wide through this handle. */
  readonly device: BlockDevice;
  readonly intentLog: IntentLog;
  /** As last stored (or read). */
  readonly superblock: Superblock;
}

export interface GroupStore {
  readonly group: string;
  readonly node: string;
  /** In the order of configuration. */
  readonly volumes: readonly VolumeStore[];
  /** Things found at open that cost a resync but no refusal, for the log: each names its file. */
  readonly notes: readonly string[];
  view(): GroupView;
  /**
   * Stores the change in both copies of every superblock, each flushed (rule 8). Null: it is stable everywhere. A
   * failure: it may be stable on some disks; the view shows what all of them are known to have. Calls run one after
   * the other; a change asked for while one runs is merged with others that wait.
   */
  update(change: SuperblockChange): Promise<DiskOutcome>;
  /**
   * Keeps marks for another replica from now on, on every volume. `marks`: `all` unless its disks are known to equal
   * ours. Null: the bitmaps are there and the superblocks name them.
   */
  addPeer(peer: string, options: { marks: "all" | "none" }): Promise<DiskOutcome>;
  /** Forgets another replica and its marks; should it come back, everything counts as dirty. */
  removePeer(peer: string): Promise<DiskOutcome>;
  /** Flushes every data disk; the first failure wins. */
  flush(): Promise<DiskOutcome>;
  /**
   * Flushes the data disks, closes the intent logs cleanly, notes it in the superblocks. Any failure leaves the rest
   * as after a crash. Everything is closed afterwards, whatever the outcome.
   */
  closeClean(): Promise<DiskOutcome>;
  /** Closes all files as they are. */
  abandon(): Promise<void>;
}

/**
 * What the intent_log actor of a group is asked: to lend its store.
 *
 * The store is a handle, not a copy: the mirror and the target mark, read and write through it inside their own turns,
 * since a message per block would cost more than the block. It is lent to one borrower at a time, and `closed` once
 * its owner has died; the group's supervisor (rest_for_one) then restarts the borrower anyway.
 */
import type { DiskFailure, DiskOutcome } from "../../volume/block_device.ts";
import type { GroupStore, GroupView, SuperblockChange, VolumeStore } from "../../volume/group_store.ts";
import type { Position } from "../../protocol/position.ts";
import type { ReplyTo } from "../../runtime/mod.ts";

export interface ReplicaStore {
  readonly volumes: readonly VolumeStore[];
  /** What all disks agree on; durable. */
  view(): GroupView;
  /**
   * Where the replica stands: what was applied, as long as its process went on running; after a restart the last
   * stable position that was recorded.
   */
  readonly position: Position;
  /** False while `position` is only a lower bound: more may lie on the disk, all of it marked. */
  readonly positionExact: boolean;
  /** The mirror or target moved the position. Not durable: `recordStable` is. Exact from here on. */
  stands(position: Position): void;
  /** `stands` within the same generation, without an object. */
  advance(seq: number): void;
  update(change: SuperblockChange): Promise<DiskOutcome>;
  /**
   * Records a position that is stable on all disks, and lets the marks that were cleared since leave the disk: until then a
   * crash brings them back, and the resync after it copies what has long been equal.
   */
  recordStable(stable: Position): Promise<DiskOutcome>;
  flush(): Promise<DiskOutcome>;
  /** Set at the first error of a data disk or of the log: from then on the replica is given up (design §4.3 rule 7). */
  readonly failure: DiskFailure | null;
  fail(failure: DiskFailure): void;
  /** Since when the oldest disk operation under way has been waiting, in ms of the monotonic clock; null when none is. */
  readonly waitingSince: number | null;
  readonly closed: boolean;
}

export type StoreAnswer =
  | { readonly ok: true; readonly store: ReplicaStore }
  /** A person must act: the wrong disk, no permission, no space. */
  | { readonly ok: false; readonly cause: string; readonly remedy: string };

export interface IntentLogStatus {
  readonly state: "opening" | "open" | "refused" | "failed";
  readonly cause: string | null;
  readonly remedy: string | null;
  readonly notes: readonly string[];
}

/** Per peer a strip of cells (`volume/heat_strip.ts`). */
export interface VolumeHeat {
  readonly volume: string;
  readonly size: number;
  readonly towards: Readonly<Record<string, readonly number[]>>;
}

export type IntentLogMessage =
  /** Answered when the store is open, or is known not to open. */
  | { readonly kind: "store_requested"; readonly reply: ReplyTo<StoreAnswer> }
  | { readonly kind: "status_requested"; readonly reply: ReplyTo<IntentLogStatus> }
  /** For people: where the marks towards each other replica lie. `null`: the store is not open. */
  | {
    readonly kind: "heat_requested";
    readonly cells: number;
    readonly reply: ReplyTo<readonly VolumeHeat[] | null>;
  }
  | { readonly kind: "opened"; readonly store: GroupStore }
  /** What the former borrower had asked of the disks is done. */
  | { readonly kind: "settled" }
  | { readonly kind: "refused"; readonly cause: string; readonly remedy: string };

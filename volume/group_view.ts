/**
 * What the superblocks of a group's disks tell together. Pure.
 *
 * They are written one after the other, so a crash leaves them different, and a replaced disk knows nothing. The group
 * is believed only as far as all of them agree.
 */
import { compareRecords, type GroupRecord } from "../protocol/member_set.ts";
import { comparePositions, type History, type HistoryEntry, sameGeneration } from "../protocol/position.ts";
import { invariant } from "../runtime/invariant.ts";
import type { GroupView } from "./group_store.ts";
import type { DiskState, Superblock } from "./superblock_format.ts";

/** Worst first. */
const BY_TRUST: readonly DiskState[] = ["empty", "inconsistent", "consistent", "up_to_date"];

export function viewOf(superblocks: readonly Superblock[], cleanBefore: boolean): GroupView {
  const [first] = superblocks;
  invariant(first !== undefined, "a group has at least one volume");
  const positions = superblocks.map((superblock) => superblock.stable).sort(comparePositions);
  return {
    groupId: superblocks.find((superblock) => superblock.groupId !== null)?.groupId ?? null,
    history: superblocks.map((superblock) => superblock.history).reduce(commonHistory),
    position: positions[0] ?? first.stable,
    disk: worstState(superblocks.map((superblock) => superblock.diskState)),
    zero: superblocks.every((superblock) => superblock.zero),
    record: superblocks.map((superblock) => superblock.record).reduce(newerRecord),
    cleanBefore,
  };
}

/** Two different ids: disks of different groups. Null: none, or all the same. */
export function conflictingGroupIds(superblocks: readonly Superblock[]): readonly [string, string] | null {
  const ids = superblocks.flatMap((superblock) => superblock.groupId === null ? [] : [superblock.groupId]);
  const other = ids.find((id) => id !== ids[0]);
  return ids[0] === undefined || other === undefined ? null : [ids[0], other];
}

/** A group of which some disks are empty and others are not is no empty one: it is a mixture. */
export function worstState(states: readonly DiskState[]): DiskState {
  const worst = BY_TRUST.find((state) => states.includes(state)) ?? "empty";
  return worst === "empty" && states.some((state) => state !== "empty") ? "inconsistent" : worst;
}

/** The entries that both have, from the oldest on. */
export function commonHistory(a: History, b: History): History {
  const different = a.findIndex((entry, index) => !sameEntry(entry, b[index]));
  return different < 0 ? a : a.slice(0, different);
}

function sameEntry(a: HistoryEntry, b: HistoryEntry | undefined): boolean {
  return b !== undefined && sameGeneration(a.generation, b.generation) && a.baseSeq === b.baseSeq;
}

function newerRecord(a: GroupRecord | null, b: GroupRecord | null): GroupRecord | null {
  if (a === null || b === null) return a ?? b;
  return compareRecords(a, b) < 0 ? b : a;
}

/**
 * Opening the gate: what must be durable before the first request is taken (I11), and when an opening is no good. Pure.
 *
 * An opening is a permission to open one gate once. A mirror that was restarted finds its generation in the history
 * already, and must not use it again: the same (generation, seq) would then name two different writes. So it stays
 * closed and says so, and failover mints a new one.
 */
import type { Opening } from "../failover/messages.ts";
import { extendHistory } from "../../protocol/position.ts";
import type { GroupView, SuperblockChange } from "../../volume/group_store.ts";
import type { Position } from "../../protocol/position.ts";

/** Why the gate stays closed; `null` when it may open. */
export function refusal(
  { view, position, opening }: { view: GroupView; position: Position; opening: Opening },
): string | null {
  const last = view.history.at(-1);
  if (last !== undefined && last.generation.number >= opening.generation.number) {
    return `I1: generation ${opening.generation.number} was opened before; a new promotion is needed`;
  }
  if (view.disk === "inconsistent") return "I12: the disk was interrupted in a resync";
  const birth = view.groupId === null;
  if (birth && opening.entry.baseSeq !== 0) {
    return "I6: the disk is empty, and the group has been born already";
  }
  if (!birth && view.groupId !== opening.record.groupId) return "the disk belongs to another group's data";
  if (position.seq !== opening.entry.baseSeq) {
    return `the disk stands at seq ${position.seq}, the promotion was for seq ${opening.entry.baseSeq}`;
  }
  return null;
}

/** What every superblock of the group says from here on. The data up to `baseSeq` is flushed by then. */
export function openingChange({ view, opening }: { view: GroupView; opening: Opening }): SuperblockChange {
  return {
    groupId: opening.record.groupId,
    history: extendHistory(view.history, opening.entry),
    stable: { generation: opening.generation.number, seq: opening.entry.baseSeq },
    record: opening.record,
    diskState: "up_to_date",
    zero: false,
    resync: null,
  };
}

/**
 * True when this gate is the group's first and the disk is all zero: then the marks, clean so far, will name everything
 * that is written, towards every replica that has not joined yet. One that is empty and all zero when it comes needs
 * just that; any other empty replica needs everything.
 */
export function isFounding(view: GroupView): boolean {
  return view.groupId === null && view.zero;
}

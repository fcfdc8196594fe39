/**
 * Generations and positions: how two replicas that meet find out which of them knows more.
 *
 * A generation is minted each time a source opens its gate. Its number is the fencing token (higher wins, lower is
 * refused everywhere); its random id tells two rivals with equal numbers apart. A position is (generation, seq).
 * Seq goes on counting through generations, so that each history entry's `baseSeq` says where the generation before
 * it ended, and the distance of two positions is a number of writes.
 */
import { invariant } from "../runtime/invariant.ts";

export interface Generation {
  /** ≥ 1; 0 is «before the group was born». */
  readonly number: number;
  /** 32 hexadecimal digits. */
  readonly id: string;
}

/** One opened gate: the generation, who opened it, and the seq at which it took over. */
export interface HistoryEntry {
  readonly generation: Generation;
  readonly source: string;
  /** The last seq of the history before it: this generation's first operation has seq `baseSeq + 1`. */
  readonly baseSeq: number;
  /**
   * True when every completed write of the generations before is in it: it was opened by a member of the recorded
   * member set that was bound to hold them. False after a commit-mode or forced promotion.
   */
  readonly lossless: boolean;
}

/** Oldest first; the last entry is the generation the replica is in. Empty: the replica never belonged to a group. */
export type History = readonly HistoryEntry[];

export interface Position {
  readonly generation: number;
  readonly seq: number;
}

/** The number of history entries kept; older ones are dropped (a replica older than all of them needs a full resync). */
export const HISTORY_ENTRIES_MAX = 64;

export function samePosition(a: Position, b: Position): boolean {
  return a.generation === b.generation && a.seq === b.seq;
}

/** Negative when a is behind b. A higher generation is ahead whatever its seq. */
export function comparePositions(a: Position, b: Position): number {
  return a.generation === b.generation ? a.seq - b.seq : a.generation - b.generation;
}

export function sameGeneration(a: Generation, b: Generation): boolean {
  return a.number === b.number && a.id === b.id;
}

/** The history after a new gate; numbers only grow (I1). */
export function extendHistory(history: History, entry: HistoryEntry): History {
  const last = history.at(-1);
  invariant(
    last === undefined || entry.generation.number > last.generation.number,
    "I1: generation numbers only grow",
  );
  invariant(
    last === undefined || entry.baseSeq >= last.baseSeq,
    "a generation begins at or after the one before it",
  );
  return [...history, entry].slice(-HISTORY_ENTRIES_MAX);
}

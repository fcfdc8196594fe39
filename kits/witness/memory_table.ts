/**
 * Is this witness still the voter that was enrolled? One row decides; its name goes to log and status. Pure.
 *
 * A store that was wiped or set back looks healthy and would vote again on what it voted on before. So whoever asks brings
 * along what is known of it: the incarnation from its enrolment, and the highest version that anybody saw.
 *
 * | row | found | votes |
 * |---|---|---|
 * | unreachable | no answer | no, until it answers |
 * | damaged | something that is no vote | no: a person looks, or it is enrolled again |
 * | not_enrolled | nothing, and nothing was expected | no, until the source enrols it |
 * | wiped | nothing, though it was enrolled | no: enrol it again |
 * | stranger | another incarnation than the one enrolled, or a vote where none was expected | no: enrol it again |
 * | rolled_back | a lower version than somebody saw | no: enrol it again |
 * | may_have_forgotten | the store restarted without having kept every write | no: enrol it again |
 * | remembers | what was expected, or later | yes |
 */
import type { WitnessRead } from "./witness_register.ts";

export interface KnownWitness {
  readonly incarnation: string;
  /** The highest version seen of this incarnation; 0: none yet. */
  readonly version: number;
}

export type MemoryRow =
  | "unreachable"
  | "damaged"
  | "not_enrolled"
  | "wiped"
  | "stranger"
  | "rolled_back"
  | "may_have_forgotten"
  | "remembers";

export interface MemoryVerdict {
  readonly row: MemoryRow;
  /** Its word counts. */
  readonly votes: boolean;
}

/** `known`: null when no witness was enrolled there. */
export function judgeMemory(read: WitnessRead, known: KnownWitness | null): MemoryVerdict {
  const row = rowOf(read, known);
  return { row, votes: row === "remembers" };
}

function rowOf(read: WitnessRead, known: KnownWitness | null): MemoryRow {
  switch (read.kind) {
    case "unreachable":
    case "damaged":
      return read.kind;
    case "empty":
      return known === null ? "not_enrolled" : "wiped";
    case "found":
      if (known === null || read.vote.incarnation !== known.incarnation) return "stranger";
      if (read.version < known.version) return "rolled_back";
      return read.doubtful ? "may_have_forgotten" : "remembers";
  }
}

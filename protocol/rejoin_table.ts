/**
 * The rejoin table: when a source and a target meet, who knows what, and what must happen to the target's blocks.
 *
 * Pure, and symmetric (I14): both ends put the same two views into it, get the same row, and end the session when the
 * rows differ. The row's label is what the log, the status and `why` print. It is a table because the conditions are
 * many and each was somebody's lost data: a tail taken for nothing, a rival taken for an ancestor, an empty disk
 * taken for a fresh one.
 *
 * What moves is never decided here: every verdict but the refusals copies the union of both sides' marked regions,
 * and a mark is cleared by data movement only, never by a verdict (design §4.3 rule 6).
 */
import { assertNever } from "../runtime/invariant.ts";
import type { History, Position } from "./position.ts";
import { sameGeneration } from "./position.ts";

/** What one end says of its replica. */
export interface ReplicaView {
  /** `null`: the disk never belonged to a group. */
  readonly groupId: string | null;
  readonly history: History;
  readonly position: Position;
  /** False after a crash: the position is then the last stable one, and more may lie on the disk (all of it marked). */
  readonly positionExact: boolean;
  readonly disk: "empty" | "inconsistent" | "consistent" | "up_to_date";
  /** Every byte is known to be zero. */
  readonly zero: boolean;
}

/** The labels of the rows. */
export const REJOIN_RULES = [
  "founding_replica",
  "target_empty",
  "unrelated_group",
  "history_too_old",
  "target_inconsistent",
  "same_position",
  "target_behind",
  "unacknowledged_tail",
  "rival_without_writes",
  "lost_acknowledged_tail",
  "split_brain",
  "source_behind",
] as const;
export type RejoinRule = typeof REJOIN_RULES[number];

/** `resync`: copy the marked union. `full`: copy everything. `refuse`: touch nothing, say why. */
export type RejoinAction = "resync" | "full" | "refuse";

export interface RejoinVerdict {
  readonly rule: RejoinRule;
  readonly action: RejoinAction;
  /** For people. */
  readonly explanation: string;
  /** Writes the target holds and the source does not; 0 where that is not the question. */
  readonly tailWrites: number;
}

/** How the target's last generation stands to the source's history. */
type Relation =
  | {
    readonly kind: "ancestor";
    /** The last seq that the source's history kept of that generation. */
    readonly endSeq: number;
    /** Every generation since was opened by somebody bound to hold all that was completed. */
    readonly lossless: boolean;
    /** It is the source's own, open generation. */
    readonly current: boolean;
  }
  | {
    /** The target followed a generation that the source never saw. */
    readonly kind: "rival";
    /** The target's generation is higher than the source's own: the source is the stale one. */
    readonly newer: boolean;
    /**
     * Every generation of the source since was opened by somebody bound to hold all that was completed, in the target's
     * generation too: a promotion hears of every recorded generation before it, opened or not, seen or not.
     */
    readonly lossless: boolean;
    /** The same number with two ids: both were minted without hearing of the other. */
    readonly sameNumber: boolean;
    readonly wroteNothing: boolean;
    readonly tailWrites: number;
  }
  | { readonly kind: "descendant" }
  | { readonly kind: "older_than_history" };

/**
 * The verdict for a source that has opened its gate and a target that wants its stream.
 *
 * `founding` is the source's claim that its disk was all zero at seq 0 of this, the group's first generation, and that
 * its marks towards the target name everything written since.
 *
 * Every combination of inputs meets exactly one row; the order of the questions is the order of safety.
 */
export function judgeRejoin(
  { source, target, founding }: { source: ReplicaView; target: ReplicaView; founding: boolean },
): RejoinVerdict {
  if (founding && target.groupId === null && target.disk === "empty" && target.zero) {
    return verdict(
      "founding_replica",
      "resync",
      "the group was born on disks of zeros, and the target's is one still",
    );
  }
  if (target.groupId === null || target.disk === "empty") {
    return verdict("target_empty", "full", "the target's disk is empty");
  }
  if (target.groupId !== source.groupId) {
    return verdict("unrelated_group", "refuse", "the target's disk belongs to another group's data");
  }
  const relation = relate(source, target);
  switch (relation.kind) {
    case "older_than_history":
      return verdict(
        "history_too_old",
        "full",
        "the target left before the oldest generation that is remembered",
      );
    case "descendant":
      return verdict("source_behind", "refuse", "the target has seen a generation that the source has not");
    case "rival":
      return judgeRival(relation, target);
    case "ancestor":
      return judgeAncestor({ source, target, relation });
    default:
      return assertNever(relation);
  }
}

function judgeRival(relation: Extract<Relation, { kind: "rival" }>, target: ReplicaView): RejoinVerdict {
  const { tailWrites } = relation;
  if (relation.newer) {
    return verdict(
      "source_behind",
      "refuse",
      "the target has seen a higher generation than the source",
      tailWrites,
    );
  }
  if (relation.lossless) {
    const explanation =
      "the target was in a generation whose writes, if any were completed, the source holds";
    return verdict("unacknowledged_tail", "resync", explanation, tailWrites);
  }
  if (relation.wroteNothing && target.positionExact) {
    return verdict("rival_without_writes", "resync", "the target's own last generation completed no write");
  }
  if (relation.sameNumber) {
    return verdict("split_brain", "refuse", "both sides completed writes in rival generations", tailWrites);
  }
  const explanation =
    "the target completed writes in a generation that the source took over from without them";
  return verdict("lost_acknowledged_tail", "refuse", explanation, tailWrites);
}

function judgeAncestor(
  { source, target, relation }: {
    source: ReplicaView;
    target: ReplicaView;
    relation: Extract<Relation, { kind: "ancestor" }>;
  },
): RejoinVerdict {
  // A window takes the source's history at its beginning and the position at its end: between them neither says anything.
  if (target.disk === "inconsistent") {
    return verdict("target_inconsistent", "resync", "the target was interrupted in a resync");
  }
  const ahead = target.position.seq - relation.endSeq;
  if (ahead > 0 && relation.current) {
    return verdict(
      "source_behind",
      "refuse",
      "the target is ahead of the source in the source's own generation",
      ahead,
    );
  }
  if (ahead > 0) {
    return relation.lossless
      ? verdict("unacknowledged_tail", "resync", "the target applied writes that were never completed", ahead)
      : verdict(
        "lost_acknowledged_tail",
        "refuse",
        "the target holds completed writes that the source lost",
        ahead,
      );
  }
  if (target.position.seq === source.position.seq) {
    return verdict("same_position", "resync", "both stand at the same position");
  }
  return verdict("target_behind", "resync", "the target missed writes");
}

function relate(source: ReplicaView, target: ReplicaView): Relation {
  const targetLast = target.history.at(-1);
  if (targetLast === undefined) return { kind: "older_than_history" };
  const index = source.history.findIndex((entry) => sameGeneration(entry.generation, targetLast.generation));
  if (index >= 0) {
    const after = source.history.slice(index + 1);
    const next = after[0];
    return {
      kind: "ancestor",
      endSeq: next === undefined ? source.position.seq : next.baseSeq,
      lossless: after.every((entry) => entry.lossless),
      current: next === undefined,
    };
  }
  const sourceLast = source.history.at(-1);
  if (
    sourceLast !== undefined &&
    target.history.some((e) => sameGeneration(e.generation, sourceLast.generation))
  ) {
    return { kind: "descendant" };
  }
  const shared = target.history.findLastIndex((entry) =>
    source.history.some((known) => sameGeneration(known.generation, entry.generation))
  );
  const sourceFirst = source.history[0];
  if (
    shared < 0 && sourceFirst !== undefined && targetLast.generation.number < sourceFirst.generation.number
  ) {
    return { kind: "older_than_history" };
  }
  // The first entry past the shared part is where each history went its own way; seq grows through generations.
  const fork = target.history[shared + 1];
  const sharedEntry = target.history[shared];
  const sharedAtSource = sharedEntry === undefined
    ? -1
    : source.history.findIndex((entry) => sameGeneration(entry.generation, sharedEntry.generation));
  const since = source.history.slice(sharedAtSource + 1);
  const tailWrites = fork === undefined ? 0 : Math.max(0, target.position.seq - fork.baseSeq);
  const ownWay = target.history.slice(shared + 1).map((entry) => entry.generation.number);
  const sameNumber = shared < 0 || since.some((entry) => ownWay.includes(entry.generation.number));
  return {
    kind: "rival",
    newer: sourceLast === undefined || targetLast.generation.number > sourceLast.generation.number,
    lossless: !sameNumber && since.length > 0 && since.every((entry) => entry.lossless),
    sameNumber,
    wroteNothing: shared >= 0 && tailWrites === 0,
    tailWrites,
  };
}

function verdict(rule: RejoinRule, action: RejoinAction, explanation: string, tailWrites = 0): RejoinVerdict {
  return { rule, action, explanation, tailWrites };
}

/**
 * The rules of a voter, each as one table: may this be promised, recorded, granted? Pure.
 *
 * A voter is asked three things and each answer binds it. A *promise* of a generation ends every lower one here: no
 * lease, no record of a lower number afterwards, and it is given only when the lease granted to the old source
 * cannot run any more on this voter's own clock. A *record* says who is source and who holds every completed write.
 * A *lease* lets the recorded source complete requests for a while. Any two majorities share a voter, and that voter's
 * bindings are what makes two sources impossible (I1, I6).
 *
 * The first row that applies decides; its label goes to the log. A request may be repeated: rows that repeat an
 * answer already given come before the rows that would refuse it.
 */
import { compareRecords, type GroupRecord } from "../../protocol/member_set.ts";
import { type Generation, sameGeneration } from "../../protocol/position.ts";
import {
  BIRTHS_MAX,
  type LeaseRefusal,
  type PromiseRefusal,
  type Purpose,
  type RecordRefusal,
} from "./remote_messages.ts";
import type { Vote } from "./vote_format.ts";

/** A lease given away. In memory only: that is why a restarted voter waits. */
export interface Grant {
  readonly holder: string;
  /** Of the holder's process: a later process of that node holds nothing. */
  readonly incarnation: string;
  readonly generation: Generation;
  readonly expiresAtMs: number;
}

/** Everything a voter's answer may depend on. */
export interface VoterView {
  readonly node: string;
  readonly vote: Vote;
  readonly grant: Grant | null;
  /** Until then leases of a former process of this voter may run. */
  readonly quietUntilMs: number;
  /** This node's own gate is open or may still be. */
  readonly serving: boolean;
  /** The id of the last generation that resigned here. */
  readonly resignedId: string | null;
  readonly leaseMs: number;
  readonly nowMs: number;
}

export interface Asker {
  readonly node: string;
  readonly incarnation: string;
}

export interface PromiseQuestion {
  readonly generation: Generation;
  readonly purpose: Purpose;
  readonly groupId: string | null;
}

export type PromiseVerdict =
  | { readonly kind: "promise"; readonly vote: Vote; readonly changed: boolean }
  | {
    readonly kind: "refuse";
    readonly reason: PromiseRefusal;
    readonly number: number;
    readonly remainingMs: number;
  };

export function judgePromise(view: VoterView, asker: Asker, question: PromiseQuestion): PromiseVerdict {
  const { vote, grant, nowMs } = view;
  const number = question.generation.number;
  const promised = vote.promised?.generation ?? null;
  const recorded = vote.record?.generation.number ?? 0;
  const refuse = (reason: PromiseRefusal, inTheWay = 0, remainingMs = 0): PromiseVerdict => ({
    kind: "refuse",
    reason,
    number: inTheWay,
    remainingMs: Math.max(0, remainingMs),
  });

  if (question.purpose === "birth" && vote.record !== null) return refuse("already_born", recorded);
  // I1: generation numbers only grow.
  if (number <= recorded) return refuse("lower_than_record", Math.max(recorded, promised?.number ?? 0));
  if (promised !== null && sameGeneration(promised, question.generation)) {
    return { kind: "promise", vote, changed: false };
  }
  // I1: one number is promised to one candidacy only.
  if (promised !== null && number <= promised.number) return refuse("higher_promised", promised.number);
  // I6: a forgotten lease of a former process may run. Its holder can only have been the recorded source.
  if (mayHaveForgotten(view, asker)) return refuse("restarted", 0, view.quietUntilMs - nowMs);
  // I6: the old source may complete requests until the lease ends on this clock. A process that asks for a new generation
  // has closed its old gate, and an earlier process of the same node is dead.
  if (grant !== null && grant.expiresAtMs > nowMs && grant.holder !== asker.node) {
    return refuse("lease_runs", 0, grant.expiresAtMs - nowMs);
  }
  if (view.serving && asker.node !== view.node) return refuse("still_source", recorded);
  return {
    kind: "promise",
    changed: true,
    vote: {
      ...vote,
      births: birthsWith(vote, question.groupId),
      promised: { generation: question.generation, candidate: asker.node },
    },
  };
}

/**
 * A promise given after the last record ended that source's leases here before the restart, and leases of a former
 * process of the asker died with it.
 */
function mayHaveForgotten(view: VoterView, asker: Asker): boolean {
  const { record, promised } = view.vote;
  if (view.nowMs >= view.quietUntilMs || record === null || record.source === asker.node) return false;
  return promised === null || promised.generation.number <= record.generation.number;
}

function birthsWith(vote: Vote, groupId: string | null): readonly string[] {
  if (groupId === null || vote.record !== null || vote.births.includes(groupId)) return vote.births;
  return [...vote.births, groupId].slice(-BIRTHS_MAX);
}

export type RecordVerdict =
  | { readonly kind: "store"; readonly vote: Vote }
  /** This version or a later one of the same generation is held already. */
  | { readonly kind: "held"; readonly version: number }
  | { readonly kind: "refuse"; readonly reason: RecordRefusal; readonly number: number };

/**
 * A record is sent only by a candidate that a majority has promised, so that a voter which promised the same number to
 * the loser of that election, or nobody at all, follows it: otherwise it would be out of the quorum until the next one.
 */
export function judgeRecord(view: VoterView, record: GroupRecord): RecordVerdict {
  const { vote } = view;
  const number = record.generation.number;
  const promised = vote.promised?.generation.number ?? 0;
  const held = vote.record;
  if (!remembers(vote, record.groupId)) return { kind: "refuse", reason: "forgotten", number: promised };
  // I1: lower generations are refused everywhere.
  if (number < promised) return { kind: "refuse", reason: "higher_promised", number: promised };
  if (held !== null && held.generation.number > number) {
    return { kind: "refuse", reason: "higher_promised", number: held.generation.number };
  }
  if (held !== null && held.generation.number === number && held.generation.id !== record.generation.id) {
    return { kind: "refuse", reason: "rival", number };
  }
  if (held !== null && compareRecords(held, record) >= 0) return { kind: "held", version: held.version };
  return {
    kind: "store",
    vote: {
      ...vote,
      births: [],
      promised: { generation: record.generation, candidate: record.source },
      record,
    },
  };
}

/**
 * A voter counts for a group only if it was there when it was born: it holds a record, or it promised that very
 * birth. One that lost its memory may have forgotten a promise or a record, and would make a majority of less.
 */
export function remembers(vote: Pick<Vote, "births" | "record">, groupId: string): boolean {
  return vote.record === null ? vote.births.includes(groupId) : vote.record.groupId === groupId;
}

export type LeaseVerdict =
  | { readonly kind: "grant"; readonly grant: Grant }
  | { readonly kind: "refuse"; readonly reason: LeaseRefusal; readonly number: number };

export function judgeLease(view: VoterView, asker: Asker, generation: Generation): LeaseVerdict {
  const { vote, grant, nowMs, leaseMs } = view;
  const promised = vote.promised?.generation.number ?? 0;
  const refuse = (reason: LeaseRefusal, number = 0): LeaseVerdict => ({ kind: "refuse", reason, number });
  // I1: once a higher generation is promised, no lower one is served.
  if (promised > generation.number) return refuse("higher_promised", promised);
  const recorded = vote.record?.generation ?? null;
  if (recorded !== null && recorded.number > generation.number) {
    return refuse("higher_promised", recorded.number);
  }
  // I11: a voter backs only the source whose record it holds durably, so a lease of a majority is a record of a majority.
  if (vote.record === null || !sameGeneration(vote.record.generation, generation)) {
    return refuse("record_missing");
  }
  if (vote.record.source !== asker.node) return refuse("not_the_source");
  if (view.resignedId === generation.id) return refuse("resigned");
  // The wait after a restart is as long as the longest lease that this voter has on record.
  if (vote.leaseMs < leaseMs) return refuse("unavailable");
  const sameHolder = grant !== null && sameGeneration(grant.generation, generation) &&
    grant.incarnation === asker.incarnation;
  if (grant !== null && grant.expiresAtMs > nowMs && !sameHolder) return refuse("lease_runs");
  return {
    kind: "grant",
    grant: { holder: asker.node, incarnation: asker.incarnation, generation, expiresAtMs: nowMs + leaseMs },
  };
}

/**
 * May this candidate become source, given what the voters promised? One table of rows; the first that applies decides
 * (design §4.8). Pure. The same table judges a canvass (nothing promised yet) and an election.
 *
 * | row | when | then |
 * |---|---|---|
 * | two_groups | the records found belong to two groups | blocked: foreign data |
 * | data_without_record | no record anywhere, but a replica holds data | blocked: a vote was lost |
 * | birth_waits | no record anywhere, somebody has not answered | wait for all |
 * | yield | no record anywhere, all answered the canvass, all empty, somebody comes first in the configuration | offer it |
 * | birth | no record anywhere, all promised, all empty | promote |
 * | birth_again | a birth was recorded, but everybody answers and every replica is still empty: no gate opened | promote |
 * | no_majority | fewer voters that remember the group than a majority | wait |
 * | not_member | the highest record does not name this node | wait for a member |
 * | disk_unfit | own disk empty, inconsistent or of another group | wait for a member |
 * | diverged | a member holds a rival generation | blocked: a person |
 * | yield | a better member answered, and was not offered it in vain | offer it the candidacy |
 * | sync_member_missing | commit-mode candidate, a sync member besides the source not heard | wait for it |
 * | promote_sync, promote_source | bound to hold every completed write | promote, lossless |
 * | promote_commit | commit member, no sync member but the lost source | promote, not lossless |
 *
 * Better is whoever is *bound* to hold every completed write (a sync member, and the last source itself), and among
 * equals in that the higher position. Why not the position alone: after a restart a position is the last stable one, a lower
 * bound, so that a sync member that restarted may report less than a commit member and still hold more.
 *
 * The highest record counts even if only one voter holds it: it may have been acknowledged by a majority of which the
 * others are gone. Rejected: electing the highest position among all replicas (a replica outside the member set may be
 * ahead in a tail that never completed, and miss writes that did).
 */
import {
  compareRecords,
  type GroupRecord,
  isMember,
  majorityOf,
  type Member,
} from "../../protocol/member_set.ts";
import { comparePositions, sameGeneration, samePosition } from "../../protocol/position.ts";
import type { ReplicaFacts, ReplicaPlan } from "./messages.ts";
import { remembers } from "./voter.ts";

export interface PromiseFound {
  readonly record: GroupRecord | null;
  readonly births: readonly string[];
  readonly facts: ReplicaFacts;
}

export interface Candidacy {
  readonly node: string;
  /** In the order of priority. */
  readonly replicas: readonly ReplicaPlan[];
  /** By node; the candidate's own is among them, or it is not judged. */
  readonly promises: ReadonlyMap<string, PromiseFound>;
  /** The group to be born, if none is found. */
  readonly groupId: string;
  /** Nodes that were offered the candidacy and did not take it: who is bound no longer waits for them. */
  readonly passedOver: ReadonlySet<string>;
  /** The replicas were sealed before they answered. Otherwise positions may be old, and nobody yields to one. */
  readonly sealed: boolean;
}

export type Verdict =
  | {
    readonly kind: "promote";
    readonly row: "birth" | "birth_again" | "promote_sync" | "promote_source" | "promote_commit";
    readonly groupId: string;
    readonly voters: readonly string[];
    readonly replicas: readonly string[];
    readonly members: readonly Member[];
    readonly baseSeq: number;
    readonly lossless: boolean;
  }
  | { readonly kind: "yield"; readonly row: "yield"; readonly to: string }
  /** Not now; `nodes` are those that would change it. */
  | {
    readonly kind: "wait";
    readonly row:
      | "two_groups"
      | "data_without_record"
      | "birth_waits"
      | "no_majority"
      | "not_member"
      | "disk_unfit"
      | "diverged"
      | "sync_member_missing";
    readonly nodes: readonly string[];
    readonly record: GroupRecord | null;
  };

export function judgeCandidacy(candidacy: Candidacy): Verdict {
  const { promises } = candidacy;
  const records = [...promises.values()].flatMap((promise) =>
    promise.record === null ? [] : [promise.record]
  );
  const highest = records.reduce<GroupRecord | null>(
    (best, record) => best === null || compareRecords(record, best) > 0 ? record : best,
    null,
  );
  if (highest === null) return judgeBirth(candidacy);
  if (records.some((record) => record.groupId !== highest.groupId)) {
    const nodes = [...promises].filter(([, promise]) =>
      promise.record !== null && promise.record.groupId !== highest.groupId
    );
    return { kind: "wait", row: "two_groups", nodes: nodes.map(([node]) => node), record: highest };
  }
  return judgePromotion(candidacy, highest);
}

function judgeBirth({ node, replicas, promises, groupId, passedOver, sealed }: Candidacy): Verdict {
  const withData = [...promises].filter(([, { facts }]) => facts.disk !== "empty" || facts.groupId !== null);
  if (withData.length > 0) {
    return { kind: "wait", row: "data_without_record", nodes: withData.map(([name]) => name), record: null };
  }
  const absent = replicas.filter((replica) => !promises.has(replica.node)).map((replica) => replica.node);
  if (absent.length > 0) return { kind: "wait", row: "birth_waits", nodes: absent, record: null };
  // All are equal now, so the order that a person gave decides; one that was asked and did not stand is passed over.
  const first = replicas.find((replica) => replica.node === node || !passedOver.has(replica.node));
  if (!sealed && first !== undefined && first.node !== node) {
    return { kind: "yield", row: "yield", to: first.node };
  }
  const names = replicas.map((replica) => replica.node);
  const members = membersAtBirth({ node, replicas, promises });
  return {
    kind: "promote",
    row: "birth",
    groupId,
    voters: names,
    replicas: names,
    members,
    baseSeq: 0,
    lossless: true,
  };
}

/** Equal only if both are known to be zero; any other replica joins by a resync. */
function membersAtBirth(
  { node, replicas, promises }: Pick<Candidacy, "node" | "replicas" | "promises">,
): Member[] {
  const members: Member[] = [{ node, mode: "sync" }];
  if (promises.get(node)?.facts.zero !== true) return members;
  for (const replica of replicas) {
    if (
      replica.node === node || replica.mode === "async" || promises.get(replica.node)?.facts.zero !== true
    ) continue;
    members.push({ node: replica.node, mode: replica.mode });
  }
  return members;
}

/**
 * A source makes its history durable before its first completion, so if every replica is empty none ever completed
 * anything. A later version or a missing voter means that somebody may have.
 */
function isHalfBorn(record: GroupRecord, { promises }: Candidacy): boolean {
  return record.version === 1 && [...record.voters, ...record.replicas].every((name) => {
    const promise = promises.get(name);
    return promise !== undefined && remembers(promise, record.groupId) && promise.facts.disk === "empty" &&
      promise.facts.groupId === null;
  });
}

function judgePromotion(candidacy: Candidacy, record: GroupRecord): Verdict {
  const { node, replicas, promises, passedOver, sealed } = candidacy;
  const wait = (row: (Verdict & { kind: "wait" })["row"], nodes: readonly string[]): Verdict => ({
    kind: "wait",
    row,
    nodes,
    record,
  });
  if (isHalfBorn(record, candidacy)) {
    const { groupId, voters, replicas: names } = record;
    const members = membersAtBirth(candidacy);
    return {
      kind: "promote",
      row: "birth_again",
      groupId,
      voters,
      replicas: names,
      members,
      baseSeq: 0,
      lossless: true,
    };
  }
  const counted = record.voters.filter((voter) => {
    const promise = promises.get(voter);
    return promise !== undefined && remembers(promise, record.groupId);
  });
  if (counted.length < majorityOf(record.voters.length)) {
    return wait("no_majority", record.voters.filter((voter) => !counted.includes(voter)));
  }
  const others = record.members.filter((member) => member.node !== node).map((member) => member.node);
  if (!isMember(record, node)) return wait("not_member", others);
  const own = promises.get(node)?.facts;
  if (own === undefined || !isFit(own, record)) return wait("disk_unfit", others);

  const present = record.members.flatMap((member) => {
    const facts = promises.get(member.node)?.facts;
    return facts !== undefined && isFit(facts, record) ? [{ ...member, facts }] : [];
  });
  const rivals = present.filter(({ facts }) => isRival(facts, own));
  if (rivals.length > 0) return wait("diverged", rivals.map((rival) => rival.node));
  const bound = record.members.find((member) => member.node === node)?.mode === "sync";
  const better = present.filter((member) => {
    if (member.node === node || (bound && passedOver.has(member.node))) return false;
    if (bound !== (member.mode === "sync")) return !bound;
    return sealed && comparePositions(member.facts.position, own.position) > 0;
  });
  better.sort((a, b) =>
    Number(b.mode === "sync") - Number(a.mode === "sync") ||
    comparePositions(b.facts.position, a.facts.position)
  );
  const best = better[0];
  if (best !== undefined) return { kind: "yield", row: "yield", to: best.node };

  const missing = record.members.filter((member) =>
    member.mode === "sync" && member.node !== record.source &&
    !present.some((other) => other.node === member.node)
  );
  if (!bound && missing.length > 0) return wait("sync_member_missing", missing.map((member) => member.node));
  return {
    kind: "promote",
    row: !bound ? "promote_commit" : record.source === node ? "promote_source" : "promote_sync",
    groupId: record.groupId,
    voters: record.voters,
    replicas: record.replicas,
    members: membersAt(own, { node, replicas, promises, record }),
    baseSeq: own.position.seq,
    lossless: bound && !continuesLoss(record, node, own),
  };
}

/**
 * A source that took over with a loss and died before its gate opened has no history entry that says so, only the record;
 * what it lacked it still lacks.
 */
function continuesLoss(record: GroupRecord, node: string, own: ReplicaFacts): boolean {
  const opened = own.history.some((entry) => sameGeneration(entry.generation, record.generation));
  return record.source === node && record.lossless === false && !opened;
}

/** I12: an empty or inconsistent disk is never a source. */
function isFit(facts: ReplicaFacts, record: GroupRecord): boolean {
  return facts.groupId === record.groupId && (facts.disk === "up_to_date" || facts.disk === "consistent");
}

/** Both opened or followed a generation of one number with two ids. */
function isRival(a: ReplicaFacts, b: ReplicaFacts): boolean {
  return a.history.some((entry) =>
    b.history.some((other) =>
      other.generation.number === entry.generation.number &&
      !sameGeneration(other.generation, entry.generation)
    )
  );
}

/**
 * The new source and every replica that is exactly where it is. The candidate's own position may be a lower bound, with
 * completed writes beyond it on its disk; so a replica counts as `sync` at once only if it was bound to hold
 * those as well. Others join again, which takes them a moment.
 */
function membersAt(
  own: ReplicaFacts,
  from: Pick<Candidacy, "node" | "replicas" | "promises"> & { readonly record: GroupRecord },
): Member[] {
  const members: Member[] = [{ node: from.node, mode: "sync" }];
  for (const replica of from.replicas) {
    const facts = from.promises.get(replica.node)?.facts;
    if (replica.node === from.node || replica.mode === "async" || facts === undefined) continue;
    if (!from.record.replicas.includes(replica.node)) continue;
    if (!isFit(facts, from.record) || !samePosition(facts.position, own.position)) continue;
    const before = from.record.members.find((member) => member.node === replica.node)?.mode;
    if (replica.mode === "sync" && before !== "sync") continue;
    const last = facts.history.at(-1)?.generation;
    const ownLast = own.history.at(-1)?.generation;
    if (last === undefined || ownLast === undefined || !sameGeneration(last, ownLast)) continue;
    members.push({ node: replica.node, mode: replica.mode });
  }
  return members;
}

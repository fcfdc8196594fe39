/**
 * Everything that may be said to the failover actor of a node, and what it says to the mirror and to its peers.
 *
 * One failover actor per node holds one machine per group. Messages of the same node are trusted and typed; what
 * comes from another node arrives as `remote` and is checked field by field (`remote_messages.ts`) before a machine
 * sees it. Why a message carries a whole `Generation` where a number would seem to do: two candidacies may carry
 * equal numbers after a crash, and only the random id keeps the answer to one from counting for the other.
 */
import type { ReplyTo } from "../../runtime/mod.ts";
import type { GroupRecord, LegMode, Member } from "../../protocol/member_set.ts";
import type { Generation, History, HistoryEntry, Position } from "../../protocol/position.ts";

export type ReplicaRole = "source" | "target" | "none";
export type ReplicaDisk = "empty" | "inconsistent" | "consistent" | "up_to_date";

/** What a replica knows of itself. In a promise it is final: the replica was sealed before it was asked. */
export interface ReplicaFacts {
  readonly groupId: string | null;
  readonly history: History;
  readonly position: Position;
  readonly disk: ReplicaDisk;
  /** Every byte of the disk is known to be zero. */
  readonly zero: boolean;
  readonly role: ReplicaRole;
}

/** A replica as the configuration names it. The order of a list of these is priority. */
export interface ReplicaPlan {
  readonly node: string;
  readonly mode: LegMode;
}

/** What a node says of a group in its heartbeats. A hint for ranking and for status, never a proof. */
export interface GroupSummary {
  readonly group: string;
  readonly role: ReplicaRole;
  /** The number of the generation that the replica is in; 0 before birth. */
  readonly generation: number;
  readonly position: Position;
  /** Who this node takes for the source. */
  readonly source: string | null;
}

// ---- what the mirror of a group is told -----------------------------------------------------------------------

export type FailoverToMirror =
  /**
   * The gate may complete requests while `clock.now() < untilMs` AND `clock.wall() < untilWallMs`: the second clock
   * runs through a suspend. Check both last before each reply. A smaller `untilMs` than before takes a lease back.
   */
  | {
    readonly kind: "lease";
    readonly generation: Generation;
    readonly untilMs: number;
    readonly untilWallMs: number;
  }
  /** A majority has this record. Also the answer to the `record_change` that asked for it. */
  | { readonly kind: "record_in_force"; readonly record: GroupRecord }
  /** Somebody was promised a higher generation: close the gate for good. */
  | { readonly kind: "higher_generation"; readonly number: number }
  /**
   * Hold new requests, finish those in flight, put a barrier on every leg, then answer `drained` (nothing completes
   * after it) or `drain_refused`. `to`: the leg of that node must be replicating; null: any end is as good.
   */
  | { readonly kind: "drain"; readonly to: string | null }
  /** The drain is off: serve again. */
  | { readonly kind: "drain_cancelled"; readonly reason: string };

// ---- answers --------------------------------------------------------------------------------------------------

export type RecordChangeOutcome =
  | { readonly kind: "recorded"; readonly record: GroupRecord }
  /** A later change took its place before a majority had it; the later one answers for both. */
  | { readonly kind: "superseded"; readonly by: number }
  /** This node is no longer the source. Whether the change was made is unknown: an addition counts as made. */
  | { readonly kind: "lost"; readonly cause: string };

export type SwitchoverOutcome =
  | { readonly ok: true; readonly source: string; readonly generation: number }
  | { readonly ok: false; readonly reason: string; readonly remedy: string };

export interface StopOutcome {
  /** Groups that were handed over in good order, and those whose lease merely runs out. */
  readonly resigned: readonly string[];
  readonly abandoned: readonly string[];
}

export type FailoverState =
  | "watching"
  | "suspecting"
  | "electing"
  | "fencing"
  | "promoting"
  | "in_service"
  | "blocked"
  | "demoting";

/** `cause` and `remedy` are null when all is fine. */
export interface Explanation {
  readonly state: FailoverState;
  readonly cause: string | null;
  readonly remedy: string | null;
}

export interface FailoverStatus extends Explanation {
  readonly group: string;
  /** Who is source, as far as this node knows; itself only with an open gate. */
  readonly source: string | null;
  /** The highest generation number known here; 0 before birth. */
  readonly generation: number;
  readonly record: GroupRecord | null;
  /** `held`: reachable voters are a majority, and for a source its lease runs. */
  readonly quorum: {
    readonly held: boolean;
    readonly votes: number;
    readonly of: number;
    readonly needed: number;
  };
  /** A source: milliseconds of lease left (≤ 0: none). Others: null. */
  readonly leaseLeftMs: number | null;
}

// ---- the mailbox ----------------------------------------------------------------------------------------------

export type FailoverMessage =
  // from the mirror of the same node
  /** The generation's history entry is durable and requests are taken. */
  | { readonly kind: "gate_opened"; readonly group: string; readonly generation: Generation }
  /** Nothing completes any more in this generation, whoever closed it and why. Say it once the gate IS closed. */
  | {
    readonly kind: "gate_closed";
    readonly group: string;
    readonly generation: Generation;
    readonly cause: string;
  }
  /** The mirror's actor ended, whatever the reason: like `gate_closed`, also when it is going to be restarted. */
  | { readonly kind: "mirror_down"; readonly group: string; readonly cause: string }
  /** The member set that the mirror wants recorded; the source itself must be in it. A newer change supersedes. */
  | {
    readonly kind: "record_change";
    readonly group: string;
    readonly members: readonly Member[];
    readonly reply: ReplyTo<RecordChangeOutcome>;
  }
  | { readonly kind: "drained"; readonly group: string; readonly position: Position }
  | { readonly kind: "drain_refused"; readonly group: string; readonly reason: string }
  /** A target starts (again) and does not know which streams to refuse: failover answers with `seal`. */
  | { readonly kind: "target_started"; readonly group: string }
  // from the local target or mirror, whenever they change (throttled)
  | { readonly kind: "replica_facts"; readonly group: string; readonly facts: ReplicaFacts }
  /** From the local target: its disks must not be opened as they are; a person has to do something. */
  | {
    readonly kind: "replica_refused";
    readonly group: string;
    readonly cause: string;
    readonly remedy: string;
  }
  // from the peers. After `peer_up` nothing of an earlier process of that node is delivered any more, and no earlier
  // `peer_up` either: a lease that an earlier process held is taken for free.
  | { readonly kind: "peer_up"; readonly node: string; readonly incarnation: string }
  | { readonly kind: "peer_suspected"; readonly node: string }
  | { readonly kind: "peer_down"; readonly node: string; readonly cause: string }
  | { readonly kind: "remote"; readonly from: string; readonly incarnation: string; readonly body: unknown }
  | { readonly kind: "heartbeat_summary"; readonly from: string; readonly groups: readonly GroupSummary[] }
  // from a person or the node
  | {
    readonly kind: "switchover";
    readonly group: string;
    readonly to: string;
    readonly reply: ReplyTo<SwitchoverOutcome>;
  }
  | { readonly kind: "stop_gracefully"; readonly reply: ReplyTo<StopOutcome> }
  | { readonly kind: "status_requested"; readonly reply: ReplyTo<readonly FailoverStatus[]> }
  // outcomes of its own effects; nobody else sends these
  | OwnMessage;

/** What the actor tells itself when an effect has an outcome. */
export type OwnMessage =
  | { readonly kind: "wake"; readonly group: string }
  | { readonly kind: "vote_opened"; readonly group: string; readonly opened: VoteOpened }
  | { readonly kind: "vote_stored"; readonly group: string; readonly failure: string | null }
  | { readonly kind: "sealed"; readonly group: string; readonly number: number; readonly answer: SealAnswer }
  | { readonly kind: "became_target"; readonly group: string };

/** The vote file of a group; its `store` outcome comes as `vote_stored`. */
export interface VoteFile {
  /** What was stored last; null: nothing ever. */
  readonly payload: Uint8Array | null;
  /** Durable when it resolves to null; else what failed. One call at a time. */
  store(bytes: Uint8Array): Promise<{ readonly detail: string } | null>;
}

export type VoteOpened =
  | { readonly ok: true; readonly file: VoteFile }
  /** Foreign, newer or damaged: named with file and remedy; this voter then answers nothing. */
  | { readonly ok: false; readonly cause: string; readonly remedy: string };

export type SealAnswer =
  | { readonly ok: true; readonly facts: ReplicaFacts }
  | { readonly ok: false; readonly reason: string };

/** What the new source opens its gate with. */
export interface Opening {
  readonly generation: Generation;
  /** Appended to the replica's history, durable before the first completion (I11). */
  readonly entry: HistoryEntry;
  /** Recorded by a majority, version 1. Its members hold every completed write from the first one on. */
  readonly record: GroupRecord;
  readonly leaseUntilMs: number;
  readonly leaseUntilWallMs: number;
}

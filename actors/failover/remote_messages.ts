/**
 * What failover actors of different nodes say to each other. Pure; `remote_shapes.ts` checks it on arrival.
 *
 * Messages may be lost, late, doubled and reordered, so every answer says which question it answers: promises by the
 * generation's random id, records by (generation, version), leases by the round. Nothing is counted by position in
 * a conversation.
 */
import type { GroupRecord } from "../../protocol/member_set.ts";
import type { Generation } from "../../protocol/position.ts";
import type { ReplicaFacts } from "./messages.ts";

export const VOTERS_MAX = 32;
export const BIRTHS_MAX = 8;

export type Purpose = "birth" | "promotion";

export type PromiseRefusal =
  /** A lease that this voter granted still runs: `remainingMs`. */
  | "lease_runs"
  /** Somebody was promised `number`, which is not lower, for another candidacy. */
  | "higher_promised"
  /** This voter restarted and may have forgotten a lease: `remainingMs`. */
  | "restarted"
  /** The group lives in generation `number` already. */
  | "lower_than_record"
  /** This voter's own node has an open gate and is about to close it. */
  | "still_source"
  /** A birth was asked for, and this voter remembers the group in generation `number`. */
  | "already_born"
  /** The vote file or the replica does not answer. */
  | "unavailable";

export type RecordRefusal = "higher_promised" | "rival" | "forgotten" | "unavailable";
export type LeaseRefusal =
  | "higher_promised"
  | "record_missing"
  | "not_the_source"
  | "resigned"
  | "lease_runs"
  | "unavailable";

export type RemoteFailover =
  /** `probe`: would you? Nothing is made durable, sealed or promised. `groupId`: the one to be born; else null. */
  | {
    readonly kind: "promise_requested";
    readonly group: string;
    readonly generation: Generation;
    readonly purpose: Purpose;
    readonly groupId: string | null;
    readonly probe: boolean;
  }
  | {
    readonly kind: "promised";
    readonly group: string;
    readonly generation: Generation;
    readonly probe: boolean;
    readonly record: GroupRecord | null;
    /** Births this voter took part in and of which it has no record. */
    readonly births: readonly string[];
    readonly facts: ReplicaFacts;
  }
  | {
    readonly kind: "promise_refused";
    readonly group: string;
    readonly generation: Generation;
    readonly probe: boolean;
    readonly reason: PromiseRefusal;
    /** The number that stands in the way, or 0. */
    readonly number: number;
    /** How long it stands in the way, or 0 when that is not known. */
    readonly remainingMs: number;
  }
  | { readonly kind: "record_requested"; readonly group: string; readonly record: GroupRecord }
  /** This voter durably holds `version` of that generation, which may be later than the one asked for. */
  | {
    readonly kind: "recorded";
    readonly group: string;
    readonly generation: Generation;
    readonly version: number;
  }
  | {
    readonly kind: "record_refused";
    readonly group: string;
    readonly generation: Generation;
    readonly reason: RecordRefusal;
    readonly number: number;
  }
  | {
    readonly kind: "lease_requested";
    readonly group: string;
    readonly generation: Generation;
    readonly round: number;
  }
  | {
    readonly kind: "lease_granted";
    readonly group: string;
    readonly generation: Generation;
    readonly round: number;
    readonly durationMs: number;
  }
  | {
    readonly kind: "lease_refused";
    readonly group: string;
    readonly generation: Generation;
    readonly round: number;
    readonly reason: LeaseRefusal;
    readonly number: number;
  }
  /** The gate of that generation is closed for good. Others than `successor` hold back for a while. */
  | {
    readonly kind: "resigned";
    readonly group: string;
    readonly generation: Generation;
    readonly successor: string | null;
  }
  /** Stand for election, with a number above this one: you hold more than I do, or you were chosen. */
  | { readonly kind: "candidacy_offered"; readonly group: string; readonly number: number };

/**
 * What failover actors of different nodes say to each other, and the check of each field on arrival. Pure.
 *
 * Messages may be lost, late, doubled and reordered, so every answer says which question it answers: promises by the
 * generation's random id, records by (generation, version), leases by the round. Nothing is counted by position in
 * a conversation. A message that does not fit its shape is refused whole and reported with the field that is wrong.
 */
import type { GroupRecord, Member } from "../../protocol/member_set.ts";
import type { Generation, HistoryEntry } from "../../protocol/position.ts";
import { HISTORY_ENTRIES_MAX } from "../../protocol/position.ts";
import type { ReplicaFacts } from "./messages.ts";

export const VOTERS_MAX = 32;
export const BIRTHS_MAX = 8;
const NAME_LENGTH_MAX = 128;
const REASON_LENGTH_MAX = 512;

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

export interface ShapeProblem {
  readonly kind: "malformed";
  /** Field and what is wrong with it. */
  readonly problem: string;
}

/** A field that does not fit; caught in `parseRemote` alone. */
class Misfit extends Error {}

type Fields = Readonly<Record<string, unknown>>;

/** The message in `body`, rebuilt from its known fields only; or what is wrong with it. Never throws. */
export function parseRemote(body: unknown): RemoteFailover | ShapeProblem {
  try {
    return readRemote(fieldsOf(body, "message"));
  } catch (error) {
    if (error instanceof Misfit) return { kind: "malformed", problem: error.message };
    throw error;
  }
}

function readRemote(from: Fields): RemoteFailover {
  const group = text(from, "group");
  switch (from.kind) {
    case "promise_requested": {
      const purpose = oneOf(from, "purpose", ["birth", "promotion"] as const);
      const groupId = orNull(from, "groupId", hex);
      if ((purpose === "birth") !== (groupId !== null)) {
        throw new Misfit("groupId: given for a birth and only then");
      }
      return {
        kind: from.kind,
        group,
        generation: generation(from),
        purpose,
        groupId,
        probe: flag(from, "probe"),
      };
    }
    case "promised":
      return {
        kind: from.kind,
        group,
        generation: generation(from),
        probe: flag(from, "probe"),
        record: from.record === null ? null : readRecord(from.record),
        births: list(from, "births", BIRTHS_MAX).map((_, index, all) => hex({ birth: all[index] }, "birth")),
        facts: readFacts(from.facts),
      };
    case "promise_refused":
      return {
        kind: from.kind,
        group,
        generation: generation(from),
        probe: flag(from, "probe"),
        reason: oneOf(from, "reason", PROMISE_REFUSALS),
        number: count(from, "number"),
        remainingMs: duration(from, "remainingMs"),
      };
    case "record_requested":
      return { kind: from.kind, group, record: readRecord(from.record) };
    case "recorded":
      return { kind: from.kind, group, generation: generation(from), version: count(from, "version") };
    case "record_refused":
      return {
        kind: from.kind,
        group,
        generation: generation(from),
        reason: oneOf(from, "reason", RECORD_REFUSALS),
        number: count(from, "number"),
      };
    case "lease_requested":
      return { kind: from.kind, group, generation: generation(from), round: count(from, "round") };
    case "lease_granted":
      return {
        kind: from.kind,
        group,
        generation: generation(from),
        round: count(from, "round"),
        durationMs: duration(from, "durationMs"),
      };
    case "lease_refused":
      return {
        kind: from.kind,
        group,
        generation: generation(from),
        round: count(from, "round"),
        reason: oneOf(from, "reason", LEASE_REFUSALS),
        number: count(from, "number"),
      };
    case "resigned":
      return {
        kind: from.kind,
        group,
        generation: generation(from),
        successor: orNull(from, "successor", text),
      };
    case "candidacy_offered":
      return { kind: from.kind, group, number: count(from, "number") };
    default:
      throw new Misfit(`kind: ${String(from.kind).slice(0, 40)} is not a message of failover`);
  }
}

const PROMISE_REFUSALS = [
  "lease_runs",
  "higher_promised",
  "restarted",
  "lower_than_record",
  "still_source",
  "already_born",
  "unavailable",
] as const;
const RECORD_REFUSALS = ["higher_promised", "rival", "forgotten", "unavailable"] as const;
const LEASE_REFUSALS = [
  "higher_promised",
  "record_missing",
  "not_the_source",
  "resigned",
  "lease_runs",
  "unavailable",
] as const;

/** Also used by the vote's codec: what is on the disk is checked as what is on the wire. Throws on a misfit. */
export function readRecord(value: unknown): GroupRecord {
  const from = fieldsOf(value, "record");
  const source = text(from, "source");
  const members = list(from, "members", VOTERS_MAX).map((each): Member => {
    const member = fieldsOf(each, "member");
    return { node: text(member, "node"), mode: oneOf(member, "mode", ["sync", "commit"] as const) };
  });
  if (!members.some((member) => member.node === source)) {
    throw new Misfit("members: the source is in its own member set");
  }
  const record: GroupRecord = {
    groupId: hex(from, "groupId"),
    generation: generation(from),
    source,
    version: count(from, "version"),
    members,
    voters: names(from, "voters"),
    replicas: names(from, "replicas"),
  };
  if (record.version < 1) throw new Misfit("version: at least 1");
  if (record.voters.length === 0) throw new Misfit("voters: at least one");
  return record;
}

export function readGeneration(value: unknown): Generation {
  const from = fieldsOf(value, "generation");
  const number = count(from, "number");
  if (number < 1) throw new Misfit("generation.number: at least 1");
  return { number, id: hex(from, "id") };
}

function readFacts(value: unknown): ReplicaFacts {
  const from = fieldsOf(value, "facts");
  const position = fieldsOf(from.position, "position");
  return {
    groupId: orNull(from, "groupId", hex),
    history: list(from, "history", HISTORY_ENTRIES_MAX).map((each): HistoryEntry => {
      const entry = fieldsOf(each, "history");
      return {
        generation: generation(entry),
        source: text(entry, "source"),
        baseSeq: count(entry, "baseSeq"),
        lossless: flag(entry, "lossless"),
      };
    }),
    position: { generation: count(position, "generation"), seq: count(position, "seq") },
    disk: oneOf(from, "disk", ["empty", "inconsistent", "consistent", "up_to_date"] as const),
    zero: flag(from, "zero"),
    role: oneOf(from, "role", ["source", "target", "none"] as const),
  };
}

function generation(from: Fields): Generation {
  return readGeneration(from.generation);
}

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Misfit(`${what}: a set of fields`);
  }
  return value as Fields;
}

function text(from: Fields, field: string): string {
  const value = from[field];
  if (typeof value !== "string" || value.length === 0 || value.length > NAME_LENGTH_MAX) {
    throw new Misfit(`${field}: 1 to ${NAME_LENGTH_MAX} characters`);
  }
  return value;
}

function hex(from: Fields, field: string): string {
  const value = from[field];
  if (typeof value !== "string" || !/^[0-9a-f]{32}$/.test(value)) {
    throw new Misfit(`${field}: 32 hexadecimal digits`);
  }
  return value;
}

function count(from: Fields, field: string): number {
  const value = from[field];
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw new Misfit(`${field}: a whole number`);
  }
  return value;
}

function duration(from: Fields, field: string): number {
  const value = from[field];
  if (typeof value !== "number" || !(value >= 0 && value <= 3_600_000)) {
    throw new Misfit(`${field}: at most an hour`);
  }
  return value;
}

function flag(from: Fields, field: string): boolean {
  const value = from[field];
  if (typeof value !== "boolean") throw new Misfit(`${field}: true or false`);
  return value;
}

function list(from: Fields, field: string, lengthMax: number): readonly unknown[] {
  const value = from[field];
  if (!Array.isArray(value) || value.length > lengthMax) {
    throw new Misfit(`${field}: a list of at most ${lengthMax}`);
  }
  return value;
}

function names(from: Fields, field: string): readonly string[] {
  return list(from, field, VOTERS_MAX).map((name) => text({ [field]: name }, field));
}

function oneOf<const T extends string>(from: Fields, field: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === from[field]);
  if (found === undefined) {
    throw new Misfit(`${field}: one of ${choices.join(", ")}`.slice(0, REASON_LENGTH_MAX));
  }
  return found;
}

function orNull<T>(from: Fields, field: string, read: (from: Fields, field: string) => T): T | null {
  return from[field] === null ? null : read(from, field);
}

/** For the vote's codec: the outcome of a reader as a value. */
export function attempt<T>(read: () => T): T | ShapeProblem {
  try {
    return read();
  } catch (error) {
    if (error instanceof Misfit) return { kind: "malformed", problem: error.message };
    throw error;
  }
}

export function readVoteParts(value: unknown): {
  births: readonly string[];
  promised: { generation: Generation; candidate: string } | null;
  record: GroupRecord | null;
  leaseMs: number;
} {
  const from = fieldsOf(value, "vote");
  const promised = from.promised === null ? null : fieldsOf(from.promised, "promised");
  return {
    births: list(from, "births", BIRTHS_MAX).map((birth) => hex({ birth }, "birth")),
    promised: promised === null
      ? null
      : { generation: generation(promised), candidate: text(promised, "candidate") },
    record: from.record === null ? null : readRecord(from.record),
    leaseMs: duration(from, "leaseMs"),
  };
}

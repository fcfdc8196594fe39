/**
 * The shape of every message between failover actors, and of what their votes hold. Pure.
 *
 * A message that does not fit is refused whole and reported with the field that is wrong: a peer that speaks nonsense is
 * not a voter one wants to count. The vote on the disk is checked by the same shapes.
 */
import type { GroupRecord } from "../../protocol/member_set.ts";
import { type Generation, HISTORY_ENTRIES_MAX } from "../../protocol/position.ts";
import {
  aBoolean,
  aName,
  hexText,
  integer,
  listOf,
  nullable,
  number,
  oneOf,
  optional,
  record,
  type Shape,
  ShapeFailure,
  variantOf,
} from "../../protocol/shape.ts";
import type { ReplicaFacts } from "./messages.ts";
import { BIRTHS_MAX, type RemoteFailover, VOTERS_MAX } from "./remote_messages.ts";

/** An hour: no lease, and no wait for one, is longer. */
const DURATION_MAX_MS = 3_600_000;

/** The message in `body`, or which field is wrong. Never throws. */
export function parseRemote(body: unknown): RemoteFailover | ShapeFailure {
  return REMOTE_FAILOVER.check(body, "");
}

const anId = hexText(32);
const aDuration = number({ min: 0, max: DURATION_MAX_MS });
const names = listOf(aName, { lengthMax: VOTERS_MAX });

export const GENERATION: Shape<Generation> = record({ number: integer({ min: 1 }), id: anId });

export const BIRTHS: Shape<readonly string[]> = listOf(anId, { lengthMax: BIRTHS_MAX });

export const DURATION_MS = aDuration;

export const GROUP_RECORD: Shape<GroupRecord> = where(
  record({
    groupId: anId,
    generation: GENERATION,
    source: aName,
    version: integer({ min: 1 }),
    members: listOf(record({ node: aName, mode: oneOf("sync", "commit") }), { lengthMax: VOTERS_MAX }),
    voters: names,
    replicas: names,
    lossless: optional(aBoolean),
  }),
  "members",
  "a set with the source in it, of recorded replicas",
  ({ source, members, voters, replicas }) =>
    voters.length > 0 && members.some((member) => member.node === source) &&
    members.every((member) => replicas.includes(member.node)),
);

const FACTS: Shape<ReplicaFacts> = record({
  groupId: nullable(anId),
  history: listOf(
    record({ generation: GENERATION, source: aName, baseSeq: integer(), lossless: aBoolean }),
    { lengthMax: HISTORY_ENTRIES_MAX },
  ),
  position: record({ generation: integer(), seq: integer() }),
  disk: oneOf("empty", "inconsistent", "consistent", "up_to_date"),
  zero: aBoolean,
  role: oneOf("source", "target", "none"),
});

const REMOTE_FAILOVER: Shape<RemoteFailover> = variantOf({
  promise_requested: where(
    record({
      kind: oneOf("promise_requested"),
      group: aName,
      generation: GENERATION,
      purpose: oneOf("birth", "promotion"),
      groupId: nullable(anId),
      probe: aBoolean,
    }),
    "groupId",
    "given for a birth and only then",
    ({ purpose, groupId }) => (purpose === "birth") === (groupId !== null),
  ),
  promised: record({
    kind: oneOf("promised"),
    group: aName,
    generation: GENERATION,
    probe: aBoolean,
    record: nullable(GROUP_RECORD),
    births: BIRTHS,
    facts: FACTS,
  }),
  promise_refused: record({
    kind: oneOf("promise_refused"),
    group: aName,
    generation: GENERATION,
    probe: aBoolean,
    reason: oneOf(
      "lease_runs",
      "higher_promised",
      "restarted",
      "lower_than_record",
      "still_source",
      "already_born",
      "unavailable",
    ),
    number: integer(),
    remainingMs: aDuration,
  }),
  record_requested: record({ kind: oneOf("record_requested"), group: aName, record: GROUP_RECORD }),
  recorded: record({
    kind: oneOf("recorded"),
    group: aName,
    generation: GENERATION,
    version: integer({ min: 1 }),
  }),
  record_refused: record({
    kind: oneOf("record_refused"),
    group: aName,
    generation: GENERATION,
    reason: oneOf("higher_promised", "rival", "forgotten", "unavailable"),
    number: integer(),
  }),
  lease_requested: record({
    kind: oneOf("lease_requested"),
    group: aName,
    generation: GENERATION,
    round: integer(),
  }),
  lease_granted: record({
    kind: oneOf("lease_granted"),
    group: aName,
    generation: GENERATION,
    round: integer(),
    durationMs: aDuration,
  }),
  lease_refused: record({
    kind: oneOf("lease_refused"),
    group: aName,
    generation: GENERATION,
    round: integer(),
    reason: oneOf(
      "higher_promised",
      "record_missing",
      "not_the_source",
      "resigned",
      "lease_runs",
      "unavailable",
    ),
    number: integer(),
  }),
  resigned: record({
    kind: oneOf("resigned"),
    group: aName,
    generation: GENERATION,
    successor: nullable(aName),
  }),
  candidacy_offered: record({ kind: oneOf("candidacy_offered"), group: aName, number: integer() }),
});

/** What a shape alone cannot say: how fields of one record belong together. */
function where<T>(shape: Shape<T>, field: string, expected: string, holds: (value: T) => boolean): Shape<T> {
  return {
    check(value, path) {
      const found = shape.check(value, path);
      if (found instanceof ShapeFailure || holds(found)) return found;
      return new ShapeFailure(path === "" ? field : `${path}.${field}`, expected);
    },
  };
}

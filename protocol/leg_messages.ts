/**
 * The conversation of one leg: a source and a target, on a data connection of their own. Pure.
 *
 * ```text
 * source                                  target
 * leg_open    my replica, my volumes   →
 *                                      ←  leg_state   my replica        (or leg_refused)
 * leg_plan    the row that I judged    →              ends the session unless it judges the same (I14)
 *                                      ←  marks …     what I may hold and you may not, per volume
 *                                      ←  marks_end
 * resync_begin  if anything is marked  →              persists «inconsistent» before it applies what follows (I12)
 * copy, write, trim, barrier …         →
 *                                      ←  ack         frames applied, frames stable
 * marks …, resync_end                  →              flushes, merges the marks, persists «up_to_date»
 *                                      ←  up_to_date
 * write, trim, barrier …, report …     →
 *                                      ←  ack
 * ```
 *
 * The messages travel in the same ordered stream as the data, so that each means exactly the point at which it stands.
 * A `report` says which replicas hold the whole stream stable up to which seq: the only thing that clears a target's
 * marks towards the others.
 */
import type { History, Position } from "./position.ts";
import { HISTORY_ENTRIES_MAX } from "./position.ts";
import { REJOIN_RULES, type RejoinRule, type ReplicaView } from "./rejoin_table.ts";
import {
  aBoolean,
  aName,
  byteString,
  hexText,
  integer,
  listOf,
  nullable,
  oneOf,
  record,
  type Shape,
  text,
  tuple,
  variantOf,
} from "./shape.ts";

const VOLUMES_MAX = 256;
const REPLICAS_MAX = 64;
const MARKS_BYTES_MAX = 256 * 1024;

const aPosition: Shape<Position> = record({ generation: integer(), seq: integer() });
const aGeneration = record({ number: integer({ min: 1 }), id: hexText(32) });
const aHistory: Shape<History> = listOf(
  record({ generation: aGeneration, source: aName, baseSeq: integer(), lossless: aBoolean }),
  { lengthMax: HISTORY_ENTRIES_MAX },
);
const aView: Shape<ReplicaView> = record({
  groupId: nullable(hexText(32)),
  history: aHistory,
  position: aPosition,
  positionExact: aBoolean,
  disk: oneOf("empty", "inconsistent", "consistent", "up_to_date"),
  zero: aBoolean,
});

export interface LegVolume {
  readonly name: string;
  readonly size: number;
  readonly regionBytes: number;
}

export type LegToTarget =
  | {
    readonly kind: "leg_open";
    readonly group: string;
    readonly view: ReplicaView;
    /** See `judgeRejoin`. */
    readonly founding: boolean;
    /** Everything will be copied, whatever is marked: a person asked for it. */
    readonly full: boolean;
    /** In the order of the frames' volume numbers. */
    readonly volumes: readonly LegVolume[];
  }
  | { readonly kind: "leg_plan"; readonly rule: RejoinRule }
  | {
    readonly kind: "resync_begin";
    readonly resync: "partial" | "full" | "hash";
    readonly totalBytes: number;
  }
  /** The source's own marks towards a third replica: the target is to have them too before it is up to date. */
  | { readonly kind: "marks"; readonly volume: number; readonly peer: string; readonly runs: Uint8Array }
  | { readonly kind: "resync_end"; readonly seq: number }
  | { readonly kind: "report"; readonly stable: readonly (readonly [node: string, seq: number])[] };

export type LegFromTarget =
  | { readonly kind: "leg_refused"; readonly reason: LegRefusal; readonly detail: string }
  | { readonly kind: "leg_state"; readonly view: ReplicaView }
  | { readonly kind: "marks"; readonly volume: number; readonly runs: Uint8Array }
  | { readonly kind: "marks_end" }
  | { readonly kind: "up_to_date"; readonly seq: number };

export type LegRefusal = "lower_generation" | "not_ready" | "other_volumes" | "disk_failed" | "still_source";

export const legToTarget: Shape<LegToTarget> = variantOf({
  leg_open: record({
    kind: oneOf("leg_open"),
    group: aName,
    view: aView,
    founding: aBoolean,
    full: aBoolean,
    volumes: listOf(record({ name: aName, size: integer({ min: 1 }), regionBytes: integer({ min: 512 }) }), {
      lengthMax: VOLUMES_MAX,
    }),
  }),
  leg_plan: record({ kind: oneOf("leg_plan"), rule: oneOf(...REJOIN_RULES) }),
  resync_begin: record({
    kind: oneOf("resync_begin"),
    resync: oneOf("partial", "full", "hash"),
    totalBytes: integer(),
  }),
  marks: record({
    kind: oneOf("marks"),
    volume: integer({ max: VOLUMES_MAX }),
    peer: aName,
    runs: byteString({ lengthMax: MARKS_BYTES_MAX }),
  }),
  resync_end: record({ kind: oneOf("resync_end"), seq: integer() }),
  report: record({
    kind: oneOf("report"),
    stable: listOf(tuple(aName, integer()), { lengthMax: REPLICAS_MAX }),
  }),
});

export const legFromTarget: Shape<LegFromTarget> = variantOf({
  leg_refused: record({
    kind: oneOf("leg_refused"),
    reason: oneOf("lower_generation", "not_ready", "other_volumes", "disk_failed", "still_source"),
    detail: text({ lengthMax: 1024 }),
  }),
  leg_state: record({ kind: oneOf("leg_state"), view: aView }),
  marks: record({
    kind: oneOf("marks"),
    volume: integer({ max: VOLUMES_MAX }),
    runs: byteString({ lengthMax: MARKS_BYTES_MAX }),
  }),
  marks_end: record({ kind: oneOf("marks_end") }),
  up_to_date: record({ kind: oneOf("up_to_date"), seq: integer() }),
});

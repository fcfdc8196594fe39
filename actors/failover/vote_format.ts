/**
 * The durable vote of one group as bytes: what this voter promised, what it recorded, which births it took part in,
 * and the longest lease it may have granted. Pure; the record file around it (two checksummed copies) is `volume/`'s.
 *
 * Canonical JSON rather than a binary layout: a vote is small, written a few times a day, and the first thing a
 * person wants to read when a cluster will not elect anybody. The record file carries magic, format version and
 * checksum, so that what arrives here is whole; it is checked field by field all the same, because a vote that is
 * misread is two sources.
 */
import type { GroupRecord } from "../../protocol/member_set.ts";
import type { Generation } from "../../protocol/position.ts";
import { aName, nullable, record, type Shape, ShapeFailure } from "../../protocol/shape.ts";
import { BIRTHS, DURATION_MS, GENERATION, GROUP_RECORD } from "./remote_shapes.ts";

/** For the record file. */
export const VOTE_FORMAT_VERSION = 1;
/** 32 voters with names of 64 characters, three lists of them, and room. */
export const VOTE_PAYLOAD_MAX = 32_768;

export interface Vote {
  /** Group ids of births promised while no record was held, oldest first, at most `BIRTHS_MAX`. */
  readonly births: readonly string[];
  readonly promised: { readonly generation: Generation; readonly candidate: string } | null;
  readonly record: GroupRecord | null;
  /** The longest lease that may have been granted and forgotten; a restarted voter waits that long. */
  readonly leaseMs: number;
}

export const BLANK_VOTE: Vote = { births: [], promised: null, record: null, leaseMs: 0 };

const VOTE: Shape<Vote> = record({
  births: BIRTHS,
  promised: nullable(record({ generation: GENERATION, candidate: aName })),
  record: nullable(GROUP_RECORD),
  leaseMs: DURATION_MS,
});

export function encodeVote({ births, promised, record: held, leaseMs }: Vote): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ births, promised, record: held, leaseMs }));
}

/** The vote, or which field is wrong: a damaged vote is never guessed at. */
export function decodeVote(bytes: Uint8Array): Vote | ShapeFailure {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    return new ShapeFailure("", `JSON (${error instanceof Error ? error.message : "unreadable"})`);
  }
  return VOTE.check(parsed, "");
}

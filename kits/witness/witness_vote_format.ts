/**
 * How a vote is written in a foreign store: one line of JSON behind its checksum. Pure.
 *
 * JSON, since a person with `redis-cli`, `etcdctl` or `cat` should be able to read what a witness believes; the
 * checksum, since a file server may hand back half of it. What is read is checked field by field: a store that others can
 * write is no more trusted than a peer.
 *
 *     holdfast-vote 1 <crc32, 8 hexadecimal digits> {"incarnation":…}
 */
import { crc32 } from "node:zlib";
import {
  aBoolean,
  aName,
  hexText,
  integer,
  isShapeFailure,
  listOf,
  nullable,
  oneOf,
  optional,
  record,
} from "../../protocol/shape.ts";
import type { WitnessVote } from "./witness_register.ts";

/** Longer ones are refused: a vote of hundreds of voters would still fit. */
export const VOTE_BYTES_MAX = 64 * 1024;

const generation = record({ number: integer(), id: hexText(32) });
const names = listOf(aName, { lengthMax: 256 });
const vote = record({
  incarnation: hexText(32),
  promised: generation,
  record: nullable(record({
    groupId: hexText(32),
    generation,
    source: aName,
    version: integer({ min: 1 }),
    members: listOf(record({ node: aName, mode: oneOf("sync", "commit") }), { lengthMax: 256 }),
    lossless: optional(aBoolean),
    voters: names,
    replicas: names,
  })),
  lease: nullable(record({ holder: aName, generation, counter: integer() })),
  writeId: hexText(32),
});

export function encodeVote(value: WitnessVote): string {
  const json = JSON.stringify(value);
  return `holdfast-vote 1 ${checksum(json)} ${json}\n`;
}

/** The vote, or why the text is none. */
export function decodeVote(text: string): WitnessVote | { readonly cause: string } {
  if (text.length > VOTE_BYTES_MAX) return { cause: "it is too long to be a vote" };
  const [, version, sum, json = ""] = /^holdfast-vote (\d+) ([0-9a-f]{8}) (.*)\n$/.exec(text) ?? [];
  if (version === undefined) return { cause: "it is no vote" };
  if (version !== "1") return { cause: `it is a vote of format ${version}, this version knows 1` };
  if (checksum(json) !== sum) return { cause: "its checksum is wrong" };
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    return { cause: `it is no JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
  const checked = vote.check(value, "vote");
  return isShapeFailure(checked) ? { cause: checked.detail } : checked;
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, "0");
}

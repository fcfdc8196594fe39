/** Positions and records: one order that everybody computes alike, and histories that only grow. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { compareRecords, type GroupRecord, isMember, majorityOf } from "../../protocol/member_set.ts";
import {
  comparePositions,
  extendHistory,
  type History,
  HISTORY_ENTRIES_MAX,
  samePosition,
} from "../../protocol/position.ts";
import { InvariantError } from "../../runtime/invariant.ts";

function entry(number: number, baseSeq: number): History[number] {
  return { generation: { number, id: "0".repeat(32) }, source: "alpha", baseSeq, lossless: true };
}

test("position: a higher generation is ahead whatever its seq, within one the seq decides", () => {
  assert.ok(comparePositions({ generation: 2, seq: 1 }, { generation: 1, seq: 1_000 }) > 0);
  assert.ok(comparePositions({ generation: 2, seq: 1 }, { generation: 2, seq: 2 }) < 0);
  assert.equal(comparePositions({ generation: 2, seq: 2 }, { generation: 2, seq: 2 }), 0);
  assert.ok(samePosition({ generation: 2, seq: 2 }, { generation: 2, seq: 2 }));
});

test("position: I1, a history takes only higher generations that begin at or after the last", () => {
  const history = extendHistory([entry(3, 100)], entry(5, 100));
  assert.deepEqual(history.map(({ generation }) => generation.number), [3, 5]);
  assert.throws(() => extendHistory(history, entry(5, 200)), InvariantError);
  assert.throws(() => extendHistory(history, entry(4, 200)), InvariantError);
  assert.throws(() => extendHistory(history, entry(6, 99)), InvariantError);
});

test("position: a history keeps its newest entries", () => {
  let history: History = [];
  for (let number = 1; number <= HISTORY_ENTRIES_MAX + 10; number += 1) {
    history = extendHistory(history, entry(number, number));
  }
  assert.equal(history.length, HISTORY_ENTRIES_MAX);
  assert.equal(history.at(-1)?.generation.number, HISTORY_ENTRIES_MAX + 10);
});

test("member set: (generation, version) orders all records; a majority is more than half", () => {
  const record = (number: number, version: number): GroupRecord => ({
    groupId: "0".repeat(32),
    generation: { number, id: "0".repeat(32) },
    source: "alpha",
    version,
    members: [{ node: "alpha", mode: "sync" }],
    voters: ["alpha"],
    replicas: ["alpha"],
  });
  assert.ok(compareRecords(record(2, 1), record(1, 9)) > 0);
  assert.ok(compareRecords(record(2, 1), record(2, 2)) < 0);
  assert.ok(isMember(record(1, 1), "alpha") && !isMember(record(1, 1), "beta"));
  assert.deepEqual([1, 2, 3, 4, 5].map(majorityOf), [1, 2, 2, 3, 3]);
});

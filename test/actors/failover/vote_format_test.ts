/** What is on the disk and what comes over the wire: read back whole, or refused with the field that is wrong. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RemoteFailover } from "../../../actors/failover/remote_messages.ts";
import { parseRemote } from "../../../actors/failover/remote_shapes.ts";
import {
  BLANK_VOTE,
  decodeVote,
  encodeVote,
  type Vote,
  VOTE_PAYLOAD_MAX,
} from "../../../actors/failover/vote_format.ts";
import type { GroupRecord } from "../../../protocol/member_set.ts";
import { isShapeFailure } from "../../../protocol/shape.ts";

const ID = "0123456789abcdef0123456789abcdef";

function record(nodes: readonly string[] = ["alpha", "beta"]): GroupRecord {
  return {
    groupId: ID,
    generation: { number: 7, id: ID },
    source: nodes[0] ?? "alpha",
    version: 3,
    members: nodes.map((node, index) => ({ node, mode: index === 0 ? "sync" : "commit" })),
    voters: nodes,
    replicas: nodes,
  };
}

const VOTE: Vote = {
  births: [],
  promised: { generation: { number: 8, id: ID }, candidate: "beta" },
  record: record(),
  leaseMs: 2_000,
};

test("vote: the bytes of version 1, to the letter", () => {
  assert.equal(
    new TextDecoder().decode(encodeVote(VOTE)),
    `{"births":[],"promised":{"generation":{"number":8,"id":"${ID}"},"candidate":"beta"},` +
      `"record":{"groupId":"${ID}","generation":{"number":7,"id":"${ID}"},"source":"alpha","version":3,` +
      `"members":[{"node":"alpha","mode":"sync"},{"node":"beta","mode":"commit"}],` +
      `"voters":["alpha","beta"],"replicas":["alpha","beta"]},"leaseMs":2000}`,
  );
});

test("vote: read back as it was written", () => {
  for (const vote of [VOTE, BLANK_VOTE, { ...BLANK_VOTE, births: [ID, ID], leaseMs: 1.5 }]) {
    assert.deepEqual(decodeVote(encodeVote(vote)), vote);
  }
});

test("vote: the largest one fits its file", () => {
  const nodes = Array.from({ length: 32 }, (_, index) => `${index}-`.padEnd(64, "n"));
  const vote = { ...VOTE, births: Array.from({ length: 8 }, () => ID), record: record(nodes) };
  assert.ok(encodeVote(vote).length <= VOTE_PAYLOAD_MAX, `${encodeVote(vote).length}`);
});

test("vote: a damaged one is refused with its field, never guessed at", () => {
  const broken: [unknown, RegExp][] = [
    [{}, /births/],
    [{ ...VOTE, births: 3 }, /births/],
    [{ ...VOTE, births: ["x"] }, /birth/],
    [{ ...VOTE, leaseMs: -1 }, /leaseMs/],
    [{ ...VOTE, promised: { candidate: "beta" } }, /generation/],
    [{ ...VOTE, promised: { generation: { number: 0, id: ID }, candidate: "beta" } }, /number/],
    [{ ...VOTE, record: { ...record(), version: 0 } }, /version/],
    [{ ...VOTE, record: { ...record(), source: "gamma" } }, /members/],
    [{ ...VOTE, record: { ...record(), voters: [] } }, /record/],
    [{ ...VOTE, record: { ...record(), members: [{ node: "alpha", mode: "async" }] } }, /mode/],
    [[], /the message/],
  ];
  for (const [value, problem] of broken) {
    const decoded = decodeVote(new TextEncoder().encode(JSON.stringify(value)));
    assert.ok(isShapeFailure(decoded));
    assert.match(decoded.detail, problem);
  }
  const torn = decodeVote(encodeVote(VOTE).subarray(0, 60));
  assert.ok(isShapeFailure(torn));
});

const generation = fc.record({
  number: fc.integer({ min: 1, max: 2 ** 50 }),
  id: fc.constant(ID),
});
const group = fc.constant("db");
const messages: fc.Arbitrary<RemoteFailover> = fc.oneof(
  fc.record({
    kind: fc.constant("promise_requested" as const),
    group,
    generation,
    purpose: fc.constant("birth" as const),
    groupId: fc.constant(ID),
    probe: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant("promised" as const),
    group,
    generation,
    probe: fc.boolean(),
    record: fc.constantFrom(null, record()),
    births: fc.constantFrom([], [ID]),
    facts: fc.record({
      groupId: fc.constantFrom(null, ID),
      history: fc.array(fc.record({ generation, source: group, baseSeq: fc.nat(), lossless: fc.boolean() }), {
        maxLength: 4,
      }),
      position: fc.record({ generation: fc.nat(), seq: fc.nat() }),
      disk: fc.constantFrom("empty" as const, "consistent" as const),
      zero: fc.boolean(),
      role: fc.constantFrom("target" as const, "none" as const),
    }),
  }),
  fc.record({ kind: fc.constant("record_requested" as const), group, record: fc.constant(record()) }),
  fc.record({ kind: fc.constant("lease_requested" as const), group, generation, round: fc.nat() }),
  fc.record({
    kind: fc.constant("resigned" as const),
    group,
    generation,
    successor: fc.constantFrom(null, "beta"),
  }),
  fc.record({ kind: fc.constant("candidacy_offered" as const), group, number: fc.nat() }),
);

test("remote: what is sent is understood, and nothing more", () => {
  fc.assert(
    fc.property(messages, (message) => {
      assert.deepEqual(parseRemote(structuredClone(message)), structuredClone(message));
    }),
    { seed: 1, numRuns: 500 },
  );
});

test("remote: any value at all is either a message or a named problem, and never a throw", () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      const parsed = parseRemote(value);
      assert.ok(isShapeFailure(parsed));
    }),
    { seed: 2, numRuns: 2_000 },
  );
});

test("remote: one field replaced by rubbish is noticed", () => {
  const rubbish = fc.constantFrom<unknown>(undefined, -1, 1.5, NaN, "", "x".repeat(10_000), [], {}, Infinity);
  fc.assert(
    fc.property(messages, fc.nat(), rubbish, (message, pick, value) => {
      const fields = Object.keys(message);
      const field = fields[pick % fields.length] ?? "kind";
      const parsed = parseRemote({ ...message, [field]: value });
      const allowed = (field === "births" || field === "group") &&
        (Array.isArray(value) || typeof value === "string");
      if (!allowed) assert.ok(isShapeFailure(parsed), `${field} ${String(value).slice(0, 20)}`);
    }),
    { seed: 3, numRuns: 2_000 },
  );
});

/** Envelopes: packed and unpacked the same, through the codec too; anything else is refused with its place. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeMessage, encodeMessage } from "../../protocol/codec.ts";
import { type Envelope, packEnvelope, unpackEnvelope } from "../../protocol/messages.ts";
import { isShapeFailure } from "../../protocol/shape.ts";

const ENVELOPES: readonly Envelope[] = [
  {
    kind: "tell",
    to: "failover",
    from: "beta/failover",
    body: { kind: "lease_requested", group: "db", seq: 2 ** 53 - 1 },
  },
  { kind: "link", body: ["watch", "groups/group:db/mirror", 7] },
  {
    kind: "heartbeat",
    sentAt: 12_345.678,
    seq: 42,
    groups: [
      {
        group: "db",
        role: "source",
        generation: 3,
        position: { generation: 3, seq: 2 ** 40 },
        source: "alpha",
      },
      { group: "web", role: "none", generation: 0, position: { generation: 0, seq: 0 }, source: null },
    ],
  },
  { kind: "heartbeat_ack", sentAt: 12_345.678, seq: 42 },
];

const MISFITS: readonly { value: unknown; says: string }[] = [
  { value: null, says: "the message is not a list" },
  { value: { kind: "tell" }, says: "the message is not a list" },
  { value: [], says: "[0] is not the number of a known envelope" },
  { value: [9, 1], says: "[0] is not the number of a known envelope" },
  { value: [1, "a", "b"], says: "tell is not a list of 4" },
  { value: [1, "x".repeat(257), "b", 0], says: "tell[1] is not text of at most 256 characters" },
  { value: [3, -1, 1, []], says: "heartbeat[1] is not a number from 0 to 9007199254740991" },
  {
    value: [3, 1, 1, [["db", "boss", 1, 1, 1, null]]],
    says: `heartbeat[3][0][1] is not one of "source", "target", "none"`,
  },
  { value: [4, 1, 1.5], says: "heartbeat_ack[2] is not a whole number from 0 to 9007199254740991" },
];

test("envelopes: every kind travels through the codec and comes back equal", () => {
  for (const envelope of ENVELOPES) {
    assert.deepEqual(unpackEnvelope(decodeMessage(encodeMessage(packEnvelope(envelope)))), envelope);
  }
});

for (const { value, says } of MISFITS) {
  test(`envelopes: ${says}`, () => {
    const failure = unpackEnvelope(value);
    assert.ok(isShapeFailure(failure));
    assert.equal(failure.detail, says);
  });
}

test("envelopes: no value makes unpacking throw", () => {
  fc.assert(
    fc.property(fc.anything(), fc.integer({ min: 0, max: 5 }), (value, tag) => {
      unpackEnvelope(value);
      unpackEnvelope([tag, value, value, value]);
      unpackEnvelope([tag, 1, 1, [value]]);
    }),
    { numRuns: 2_000, seed: 20_261_122 },
  );
});

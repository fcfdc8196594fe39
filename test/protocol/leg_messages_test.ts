/** The words of a leg's conversation: each goes through the codec and its shape unharmed, and whatever is off is named. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeMessage, encodeMessage } from "../../protocol/codec.ts";
import {
  type LegFromTarget,
  legFromTarget,
  type LegToTarget,
  legToTarget,
} from "../../protocol/leg_messages.ts";
import { isShapeFailure } from "../../protocol/shape.ts";

const VIEW = {
  groupId: "a".repeat(32),
  history: [{ generation: { number: 1, id: "b".repeat(32) }, source: "alpha", baseSeq: 0, lossless: true }],
  position: { generation: 1, seq: 2 ** 40 },
  positionExact: true,
  disk: "up_to_date",
  zero: false,
} as const;

const TO_TARGET: readonly LegToTarget[] = [
  {
    kind: "leg_open",
    group: "db",
    view: VIEW,
    founding: false,
    full: true,
    volumes: [{ name: "v", size: 2 ** 45, regionBytes: 65_536 }],
  },
  { kind: "leg_plan", rule: "same_position" },
  { kind: "resync_begin", resync: "partial", totalBytes: 4096 },
  { kind: "marks", volume: 3, peer: "gamma", runs: new Uint8Array([0, 1, 2]) },
  { kind: "resync_end", seq: 77 },
  { kind: "report", stable: [["alpha", 5], ["gamma", 0]] },
];
const FROM_TARGET: readonly LegFromTarget[] = [
  { kind: "leg_refused", reason: "lower_generation", detail: "generation 1 is below 2" },
  { kind: "leg_state", view: { ...VIEW, groupId: null, history: [], disk: "empty", zero: true } },
  { kind: "marks", volume: 0, runs: new Uint8Array() },
  { kind: "marks_end" },
  { kind: "up_to_date", seq: 9 },
];

/** Bytes may arrive as any kind of byte array. */
const plain = (value: unknown): unknown => structuredClone(value);

test("leg messages: each word arrives as it was said", () => {
  for (const message of TO_TARGET) {
    assert.deepEqual(plain(legToTarget.check(decodeMessage(encodeMessage(message)), "")), plain(message));
  }
  for (const message of FROM_TARGET) {
    assert.deepEqual(plain(legFromTarget.check(decodeMessage(encodeMessage(message)), "")), plain(message));
  }
});

test("leg messages: every field is looked at: missing, of another kind, or out of its range", () => {
  const bad: unknown[] = [undefined, null, -1, 1.5, 2 ** 60, "x".repeat(5_000), [], {}, true];
  for (const [shape, messages] of [[legToTarget, TO_TARGET], [legFromTarget, FROM_TARGET]] as const) {
    for (const message of messages) {
      for (const field of Object.keys(message)) {
        const { [field]: value, ...without } = message as unknown as Record<string, unknown>;
        assert.ok(isShapeFailure(shape.check(without, "")), `${message.kind} without ${field}`);
        const refused = bad.filter((each) => isShapeFailure(shape.check({ ...message, [field]: each }, "")));
        // Of nine values that are off at most two fit any one field by accident: a list or a boolean.
        assert.ok(
          refused.length >= bad.length - 2,
          `${message.kind}.${field} (${typeof value}) took too much`,
        );
      }
    }
  }
});

test("leg messages: words of the other direction are no words here", () => {
  for (const message of FROM_TARGET) {
    if (message.kind !== "marks") assert.ok(isShapeFailure(legToTarget.check(message, "")), message.kind);
  }
  for (const message of TO_TARGET) {
    if (message.kind !== "marks") assert.ok(isShapeFailure(legFromTarget.check(message, "")), message.kind);
  }
});

test("leg messages: lists and bytes have bounds (I8)", () => {
  const tooMany: unknown[] = [
    { kind: "report", stable: Array.from({ length: 65 }, (_, index) => [`n${index}`, 1]) },
    { kind: "marks", volume: 0, peer: "gamma", runs: new Uint8Array(256 * 1024 + 1) },
    {
      ...TO_TARGET[0],
      volumes: Array.from({ length: 257 }, (_, index) => ({ name: `v${index}`, size: 1, regionBytes: 512 })),
    },
    { ...TO_TARGET[0], view: { ...VIEW, history: Array.from({ length: 65 }, () => VIEW.history[0]) } },
  ];
  for (const message of tooMany) assert.ok(isShapeFailure(legToTarget.check(message, "")));
});

test("leg messages (property): nothing at all makes a shape throw", () => {
  fc.assert(fc.property(fc.anything(), (value) => {
    legToTarget.check(value, "");
    legFromTarget.check(value, "");
  }));
});

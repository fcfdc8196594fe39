import assert from "node:assert/strict";
import { test } from "node:test";
import { formatEvent, mergeEvents, sinceOf } from "../../cli/event_order.ts";
import type { EventLine } from "../../protocol/admin_messages.ts";

function event(node: string, seq: number, at: string): EventLine {
  return {
    node,
    seq,
    at: `2026-11-22T13:00:0${at}Z`,
    kind: "leg_changed",
    group: "db",
    cause: null,
    fields: {},
  };
}

test("events: histories are merged by time, and within a node its own order holds though its clock went back", () => {
  const alpha = [event("alpha", 2, "2.000"), event("alpha", 1, "3.000"), event("alpha", 3, "9.000")];
  const beta = [event("beta", 7, "1.000"), event("beta", 8, "5.000")];
  assert.deepEqual(mergeEvents([alpha, beta]).map(({ node, seq }) => `${node}${seq}`), [
    "beta7",
    "alpha1",
    "alpha2",
    "beta8",
    "alpha3",
  ]);
});

test("events: one line says when, where, what and why", () => {
  const line = formatEvent({
    ...event("alpha", 1, "2.000"),
    fields: { to: "beta", legs: 2 },
    cause: "a person asked for it",
  });
  assert.equal(line, "2026-11-22T13:00:02.000Z alpha db leg_changed to=beta legs=2: a person asked for it");
});

test("events: since a while ago, since a moment, or neither", () => {
  const nowMs = Date.parse("2026-11-22T13:00:00Z");
  assert.equal(sinceOf("10min", { nowMs, durationMs: 600_000 }), "2026-11-22T12:50:00.000Z");
  assert.equal(
    sinceOf("2026-11-22T12:00:00+01:00", { nowMs, durationMs: undefined }),
    "2026-11-22T11:00:00.000Z",
  );
  assert.equal(sinceOf("yesterday-ish", { nowMs, durationMs: undefined }), undefined);
});

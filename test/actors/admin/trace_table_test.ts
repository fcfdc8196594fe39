/** Traces that doors arm: each ends by itself, whoever forgets it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TRACES_MAX, TraceTable, UNREAD_MS_MAX } from "../../../actors/admin/trace_table.ts";
import type { TraceEntry } from "../../../runtime/mod.ts";

function situation() {
  const sinks = new Map<string, (entry: TraceEntry) => void>();
  const world = { nowMs: 0, disarmed: 0, minted: 0 };
  const table = new TraceTable({
    node: "alpha",
    now: () => world.nowMs,
    mint: () => `t${++world.minted}`,
    arm: (path, _caps, sink) => {
      if (path === "nobody") return null;
      sinks.set(path, sink);
      return () => void (world.disarmed += 1);
    },
  });
  const mail = (path: string, message: string) => sinks.get(path)?.({ at: 0, path, incarnation: 1, message });
  return { table, world, mail };
}

const CAPS = { messages: 3, ms: 60_000 };

test("traces: lines come once each, and the trace says when its caps are reached", () => {
  const { table, mail } = situation();
  const started = table.start("a", CAPS);
  assert.ok(started !== null && started !== "full");
  for (const message of ["1", "2", "3"]) mail("a", message);
  const first = table.read(started.trace, 0);
  assert.deepEqual(first?.lines.map((line) => line.message), ["1", "2", "3"]);
  assert.equal(first?.armed, false);
  assert.deepEqual(table.read(started.trace, 3)?.lines, []);
});

test("traces: one that nobody reads is disarmed", () => {
  const { table, world } = situation();
  table.start("a", CAPS);
  world.nowMs = UNREAD_MS_MAX + 1;
  table.forgetUnread();
  assert.deepEqual([table.size, world.disarmed], [0, 1]);
});

test("traces: there is a bound, and nobody can be traced where nobody is", () => {
  const { table, world } = situation();
  assert.equal(table.start("nobody", CAPS), null);
  for (let count = 0; count < TRACES_MAX; count += 1) table.start("a", CAPS);
  assert.equal(table.start("a", CAPS), "full");
  table.stopAll();
  assert.equal(world.disarmed, TRACES_MAX);
});

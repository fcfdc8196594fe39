/** A log line is one line, bounded, whatever is put into it. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { createLog, jsonLine, type LogEntry, logfmtLine, memoryLog, preview } from "../../runtime/mod.ts";

const entry = (fields: Record<string, unknown>): LogEntry => ({
  at: 0,
  level: "info",
  event: "happened",
  fields,
});

test("log: JSON and logfmt lines carry time, level, event and fields", () => {
  const one = entry({ node: "alpha", count: 2, text: "two words", gone: undefined });
  assert.deepEqual(JSON.parse(jsonLine(one)), {
    at: "1970-01-01T00:00:00.000Z",
    level: "info",
    event: "happened",
    node: "alpha",
    count: 2,
    text: "two words",
  });
  assert.equal(logfmtLine(one), '1970-01-01T00:00:00.000Z info happened node=alpha count=2 text="two words"');
});

test("log: any fields make one line of at most 4 096 characters; JSON stays JSON", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.anything({ withBigInt: true, withDate: true, withMap: true })),
      (fields) => {
        for (const line of [jsonLine(entry(fields)), logfmtLine(entry(fields))]) {
          assert.ok(line.length <= 4_096 && !line.includes("\n"));
        }
        assert.equal(JSON.parse(jsonLine(entry(fields))).event, "happened");
      },
    ),
  );
  const huge = entry({
    small: 1,
    ...Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`f${index}`, "x".repeat(5_000)])),
  });
  const line = JSON.parse(jsonLine(huge));
  assert.deepEqual([line.cut, line.small], [true, 1]);
  assert.equal(logfmtLine(huge).length, 4_096);
});

test("log: a child adds its fields, a line's own win, and lines below the level are dropped", () => {
  const log = memoryLog({ level: "warn" });
  const child = log.child({ actor: "a", lane: "control" });
  child.info("unheard");
  child.warn("heard", { lane: "data" });
  assert.deepEqual(log.entries.map(({ event, fields }) => [event, fields]), [["heard", {
    actor: "a",
    lane: "data",
  }]]);
});

test("log: the memory sink keeps the newest", () => {
  const log = memoryLog({ entriesMax: 2 });
  for (const event of ["1", "2", "3"]) log.info(event);
  assert.deepEqual(log.entries.map(({ event }) => event), ["2", "3"]);
});

test("log: a sink gets entries with the time of the given wall clock", () => {
  const entries: LogEntry[] = [];
  createLog({ sink: (one) => void entries.push(one), wall: () => 77 }).error("x");
  assert.equal(entries[0]?.at, 77);
});

test("preview: cycles, depth, width, bytes, errors and getters that throw are all bounded text", () => {
  const cycle: Record<string, unknown> = { name: "loop" };
  cycle.self = cycle;
  assert.ok(preview(cycle).length <= 256);
  assert.equal(preview({ bytes: new Uint8Array(4_096) }), '{"bytes":"[4096 bytes]"}');
  assert.equal(preview({ error: new TypeError("no") }), '{"error":"TypeError: no"}');
  assert.match(preview(Array.from({ length: 100 }, () => 1), 1_000), /68 more/);
  assert.match(
    preview({
      get bad() {
        throw new Error("hidden");
      },
    }),
    /unreadable/,
  );
  assert.equal(preview(10n), '"10"');
  assert.equal(preview(undefined), "undefined");
});

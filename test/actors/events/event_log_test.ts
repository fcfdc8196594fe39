/** The history of a node as a pure machine: what is kept, where, and what a damaged file costs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EVENT_LINE_BYTES_MAX, formatEvent, parseEvents } from "../../../actors/events/event_format.ts";
import { EventLog, segmentName, segmentsAmong } from "../../../actors/events/event_log.ts";
import type { HistoryEvent } from "../../../actors/events/messages.ts";

const LIMITS = { tailMax: 10, segmentBytesMax: 400, segmentsMax: 3 };
const WALL_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

/** A folder: performs the effects of a log on a map of files. */
function keep(log: EventLog, files: Map<string, string>, kinds: readonly string[]): void {
  for (const [index, kind] of kinds.entries()) {
    const { effects } = log.append(kind, { group: "db", cause: "a test", index }, WALL_MS + index);
    for (const effect of effects) {
      if (effect.kind === "remove") files.delete(effect.segment);
      else files.set(effect.segment, (files.get(effect.segment) ?? "") + effect.text);
    }
  }
}

function reopened(files: Map<string, string>): { log: EventLog; damagedLines: number } {
  const log = new EventLog({ node: "alpha", limits: LIMITS });
  const damagedLines = log.restore(
    segmentsAmong([...files.keys()]).map((name) => ({ name, text: files.get(name) ?? null })),
  );
  return { log, damagedLines };
}

const sample: HistoryEvent = {
  seq: 7,
  at: "2026-01-02T03:04:05.000Z",
  node: "alpha",
  kind: "leg_changed",
  group: "db",
  cause: "the connection was reset",
  fields: { leg: "beta", to: "offline" },
};

test("event format: what is written is read", () => {
  assert.deepEqual(parseEvents(formatEvent(sample)), { events: [sample], damagedLines: 0 });
});

test("event format: an event too large keeps its kind and cause, and stays one bounded line", () => {
  const line = formatEvent({ ...sample, fields: { text: "x".repeat(1_000_000) } });
  assert.ok(line.length <= EVENT_LINE_BYTES_MAX);
  const [event] = parseEvents(line).events;
  assert.equal(event?.kind, "leg_changed");
  assert.equal(event?.cause, "the connection was reset");
});

test("event format: fields that are no JSON cost the fields, not the event", () => {
  assert.equal(parseEvents(formatEvent({ ...sample, fields: { count: 1n } })).events[0]?.seq, 7);
});

test("event log: the fields group and cause are lifted out", () => {
  const log = new EventLog({ node: "alpha", limits: LIMITS });
  const { event } = log.append("leg_changed", { group: "db", cause: "reset", leg: "beta" }, WALL_MS);
  assert.deepEqual(event, {
    seq: 1,
    at: "2026-01-02T03:04:05.000Z",
    node: "alpha",
    kind: "leg_changed",
    group: "db",
    cause: "reset",
    fields: { leg: "beta" },
  });
});

test("event log: a restart goes on counting and shows what was before", () => {
  const files = new Map<string, string>();
  keep(new EventLog({ node: "alpha", limits: LIMITS }), files, ["one", "two"]);
  const { log } = reopened(files);
  keep(log, files, ["three"]);
  assert.deepEqual(log.query({}).events.map(({ seq, kind }) => `${seq} ${kind}`), [
    "1 one",
    "2 two",
    "3 three",
  ]);
  assert.deepEqual([...files.keys()], [segmentName(1), segmentName(3)]);
});

test("event log: a torn last line is skipped and nothing is ever appended behind it", () => {
  const files = new Map<string, string>();
  keep(new EventLog({ node: "alpha", limits: LIMITS }), files, ["one", "two"]);
  files.set(segmentName(1), (files.get(segmentName(1)) ?? "").slice(0, -20));
  const { log, damagedLines } = reopened(files);
  keep(log, files, ["three"]);
  assert.equal(damagedLines, 1);
  assert.deepEqual(reopened(files).log.query({}).events.map(({ kind }) => kind), ["one", "three"]);
});

test("event log: an unreadable segment costs its events and no number is used twice", () => {
  const log = new EventLog({ node: "alpha", limits: LIMITS });
  log.restore([{ name: segmentName(40), text: null }]);
  assert.equal(log.append("after", {}, WALL_MS).event.seq, 41);
});

test("event log: files are bounded, the oldest goes first", () => {
  const files = new Map<string, string>();
  keep(
    new EventLog({ node: "alpha", limits: LIMITS }),
    files,
    Array.from({ length: 50 }, (_, index) => `e${index}`),
  );
  assert.equal(files.size, LIMITS.segmentsMax);
  for (const text of files.values()) assert.ok(text.length <= LIMITS.segmentBytesMax + EVENT_LINE_BYTES_MAX);
  assert.equal(reopened(files).log.lastSeq, 50);
});

test("event log: memory is bounded, and an answer says when older events were forgotten", () => {
  const log = new EventLog({ node: "alpha", limits: LIMITS });
  keep(log, new Map(), Array.from({ length: 100 }, () => "e"));
  const answer = log.query({});
  assert.ok(answer.events.length < LIMITS.tailMax * 2);
  assert.equal(answer.truncated, true);
  assert.equal(answer.lastSeq, 100);
});

test("event log: a query takes the newest that match", () => {
  const log = new EventLog({ node: "alpha", limits: LIMITS });
  keep(log, new Map(), ["a", "b", "c", "d"]);
  const seqs = (query: Parameters<EventLog["query"]>[0]) => log.query(query).events.map(({ seq }) => seq);
  assert.deepEqual(seqs({ afterSeq: 2 }), [3, 4]);
  assert.deepEqual(seqs({ sinceMs: WALL_MS + 1 }), [2, 3, 4]);
  assert.deepEqual(seqs({ limit: 1 }), [4]);
  assert.deepEqual(seqs({ afterSeq: 4 }), []);
});

test("event log: files of others in the folder are none of ours", () => {
  assert.deepEqual(segmentsAmong(["events-1.ndjson", "notes.txt", segmentName(2), segmentName(1)]), [
    segmentName(1),
    segmentName(2),
  ]);
});

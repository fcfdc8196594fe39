/** One screen of the cluster at work, out of two looks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Look, renderTop } from "../../cli/top_view.ts";
import { widthOf } from "../../cli/paint.ts";
import { group, up } from "./sample_status.ts";

function look(atMs: number, requests: number, messages: number): Look {
  const status = { cluster: "demo", at: "2026-11-22T13:00:00Z", nodes: { alpha: up }, groups: { db: group } };
  const io = [{ volume: "data", op: "write", requests, errors: 0, bytes: requests * 4096 }];
  const load = { node: "alpha", atMs, io, latency: [], wireBytes: {} };
  const depth = { system: 0, control: 3, data: 0 };
  const line = { kind: "actor", state: "open", depth, restarts: 0, lastError: null, since: "" } as const;
  const actors = [{ ...line, path: "node/idle", messages: 5 }, { ...line, path: "node/busy", messages }];
  return {
    atMs,
    status,
    loads: new Map([["alpha", load]]),
    actors: new Map([["alpha", { node: "alpha", actors }]]),
  };
}

test("top: rates are what grew between two looks, and the busiest actor is first", () => {
  const text = renderTop(look(3_000, 300, 900), look(1_000, 100, 100), {
    columns: 100,
    rows: 30,
    colour: false,
  });
  assert.ok(text.some((line) => /write 400 KiB\/s, 100\/s/.test(line)), text.join("\n"));
  const [first, second] = text.filter((line) => line.startsWith("alpha"));
  assert.match(first ?? "", /busy +open +400 +3/);
  assert.match(second ?? "", /idle/);
});

test("top: fits any terminal, also before there was a second look", () => {
  for (const columns of [40, 80, 200]) {
    const lines = renderTop(look(1, 1, 1), null, { columns, rows: 10, colour: false });
    assert.ok(lines.slice(3).every((line) => widthOf(line) <= columns), lines.join("\n"));
  }
});

/** What is said of a group: the own failover first, then the highest generation heard of. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { GroupSummary } from "../../../actors/failover/messages.ts";
import { GroupBoard } from "../../../actors/node/group_board.ts";
import { nbdUris } from "../../../actors/node/nbd_uris.ts";

function summary(generation: number, source: string | null): GroupSummary {
  return { group: "db", role: "target", generation, position: { generation, seq: 0 }, source };
}

test("group board: the own failover's word comes first", () => {
  const board = new GroupBoard();
  board.publish(summary(3, "alpha"));
  board.heard("beta", [summary(4, "beta")]);
  assert.equal(board.source("db"), "alpha");
});

test("group board: without one, the highest generation that was heard of speaks", () => {
  const board = new GroupBoard();
  board.heard("beta", [summary(3, "beta")]);
  board.heard("gamma", [summary(4, "gamma")]);
  assert.equal(board.source("db"), "gamma");
});

test("group board: a source of a lower generation than one's own is none", () => {
  const board = new GroupBoard();
  board.publish(summary(5, null));
  board.heard("beta", [summary(4, "beta")]);
  assert.equal(board.source("db"), null);
});

test("group board: what a node that is down said last is forgotten", () => {
  const board = new GroupBoard();
  board.heard("beta", [summary(3, "beta")]);
  board.silent("beta");
  assert.equal(board.source("db"), null);
});

test("nbd uris: as clients type them, for every kind of address", () => {
  const addresses = ["tcp://127.0.0.1:10801", "tcp://[::1]:10801", "unix:/run/alpha nbd.sock", "nonsense"];
  assert.deepEqual(nbdUris(addresses, "data 1"), [
    "nbd://127.0.0.1:10801/data%201",
    "nbd://[::1]:10801/data%201",
    "nbd+unix:///data%201?socket=/run/alpha%20nbd.sock",
  ]);
});

/** Who stands first: only an order of attempts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fractionFor, rankOf } from "../../../actors/failover/rank.ts";
import type { ReplicaPlan } from "../../../actors/failover/messages.ts";
import type { GroupRecord } from "../../../protocol/member_set.ts";
import type { Position } from "../../../protocol/position.ts";

const REPLICAS: ReplicaPlan[] = ["alpha", "beta", "gamma", "delta"].map((node) => ({ node, mode: "sync" }));

const RECORD: GroupRecord = {
  groupId: "9".repeat(32),
  generation: { number: 3, id: "a".repeat(32) },
  source: "alpha",
  version: 1,
  members: [{ node: "alpha", mode: "sync" }, { node: "beta", mode: "commit" }, {
    node: "gamma",
    mode: "sync",
  }],
  voters: ["alpha", "beta", "gamma", "delta"],
  replicas: ["alpha", "beta", "gamma", "delta"],
};

function order(
  options: { record: GroupRecord | null; seqs?: Record<string, number>; down?: string[] },
): string {
  const positions = new Map<string, Position>();
  for (const [node, seq] of Object.entries(options.seqs ?? {})) positions.set(node, { generation: 3, seq });
  const down = new Set(options.down ?? []);
  const ranks = REPLICAS.filter(({ node }) => !down.has(node)).map(({ node }) => ({
    node,
    rank: rankOf({ node, replicas: REPLICAS, record: options.record, positions, down }),
  }));
  return ranks.sort((a, b) => a.rank - b.rank).map(({ node, rank }) => `${rank}:${node}`).join(" ");
}

test("rank: before birth the configured order", () => {
  assert.equal(order({ record: null }), "0:alpha 1:beta 2:gamma 3:delta");
});

test("rank: members first, sync before commit, then the position, then the configured order", () => {
  assert.equal(order({ record: RECORD }), "0:alpha 1:gamma 2:beta 3:delta");
  const seqs = { alpha: 4, beta: 9, gamma: 5, delta: 9 };
  assert.equal(order({ record: RECORD, seqs }), "0:gamma 1:alpha 2:beta 3:delta");
});

test("rank: a node that is down holds nobody up", () => {
  assert.equal(order({ record: RECORD, down: ["alpha"] }), "0:gamma 1:beta 2:delta");
});

test("rank: a node whose position nobody heard of comes after those that were heard", () => {
  assert.equal(order({ record: RECORD, seqs: { gamma: 0 } }), "0:gamma 1:alpha 2:beta 3:delta");
});

test("rank: the jitter is spread, and differs by node and by attempt", () => {
  const all: number[] = [];
  for (const node of ["alpha", "beta", "gamma"]) {
    for (let attempt = 0; attempt < 300; attempt += 1) all.push(fractionFor(node, attempt));
  }
  assert.ok(all.every((fraction) => fraction >= 0 && fraction < 1));
  assert.ok(new Set(all).size > 890);
  for (let tenth = 0; tenth < 10; tenth += 1) {
    const share = all.filter((fraction) => Math.floor(fraction * 10) === tenth).length / all.length;
    assert.ok(share > 0.06 && share < 0.14, `${tenth}: ${share}`);
  }
});

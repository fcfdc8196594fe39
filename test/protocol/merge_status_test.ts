import assert from "node:assert/strict";
import { test } from "node:test";
import { mergeStatus } from "../../protocol/merge_status.ts";
import type { NodeReport } from "../../protocol/admin_messages.ts";
import { group, replica, reportOf, up } from "../cli/sample_status.ts";

function merged(reports: readonly NodeReport[], unreachable: Record<string, string> = {}) {
  return mergeStatus(reports, {
    nodes: ["alpha", "beta", "gamma"],
    unreachable: new Map(Object.entries(unreachable)),
  });
}

test("merge: the highest generation speaks, though a cut-off source still believes in itself", () => {
  const stale = reportOf("alpha");
  const fresh = reportOf("beta", {
    group: { generation: 4, source: "beta", state: "degraded", memberSet: ["beta"] },
  });
  for (const reports of [[stale, fresh], [fresh, stale]]) {
    const db = merged(reports).groups["db"];
    assert.deepEqual([db?.generation, db?.source, db?.state], [4, "beta", "degraded"]);
  }
});

test("merge: among equal generations the source itself speaks, since it alone knows its legs", () => {
  const source = reportOf("alpha", { group: { state: "degraded", cause: "the leg to beta is paused" } });
  const target = reportOf("beta");
  assert.equal(merged([target, source]).groups["db"]?.cause, "the leg to beta is paused");
});

test("merge: without a source each replica's own node tells its disk, and nobody tells a leg", () => {
  const seen = {
    ...group.replicas,
    beta: { ...replica, disk: "unknown", leg: null },
    gamma: { ...replica, disk: "unknown", leg: null },
  } as const;
  const speaker = reportOf("alpha", { group: { state: "electing", source: null, replicas: seen } });
  const other = reportOf("beta", { group: { state: "electing", source: null, generation: 2 } });
  const db = merged([speaker, other]).groups["db"];
  assert.deepEqual([db?.replicas["beta"]?.disk, db?.replicas["beta"]?.leg], ["up_to_date", null]);
  assert.equal(db?.replicas["gamma"]?.disk, "unknown");
});

test("merge: the node of a leg that is out of touch tells its own disk and position, the source all the rest", () => {
  const paused = { ...replica, disk: "unknown", leg: "paused", position: { generation: 0, seq: 0 } } as const;
  const source = reportOf("alpha", { group: { replicas: { ...group.replicas, beta: paused } } });
  const beta = merged([source, reportOf("beta")]).groups["db"]?.replicas["beta"];
  const own = reportOf("beta").groups["db"]?.replicas["beta"];
  assert.deepEqual([beta?.leg, beta?.disk, beta?.position], ["paused", "up_to_date", own?.position]);
});

const nodeRows: readonly [string, NodeReport[], Record<string, string>, string, string | null][] = [
  ["answers", [reportOf("alpha"), reportOf("beta")], {}, "up", null],
  [
    "answers while another cannot reach it",
    [reportOf("alpha", { nodes: { beta: { ...up, state: "suspected" } } }), reportOf("beta")],
    {},
    "up",
    "alpha cannot reach it",
  ],
  [
    "is silent, and others suspect it",
    [reportOf("alpha", { nodes: { beta: { ...up, state: "suspected", cause: "nothing heard for 2 s" } } })],
    { beta: "nobody listens there" },
    "suspected",
    "nothing heard for 2 s",
  ],
  [
    "is silent, and one of two calls it down",
    [reportOf("alpha"), reportOf("gamma", { nodes: { beta: { ...up, state: "down", cause: "gone" } } })],
    { beta: "nobody listens there" },
    "down",
    "gone",
  ],
  [
    "is silent to us alone",
    [reportOf("alpha")],
    { beta: "nobody listens there" },
    "up",
    "nobody listens there",
  ],
];
for (const [name, reports, unreachable, state, cause] of nodeRows) {
  test(`merge: a node that ${name} is ${state}`, () => {
    const beta = merged(reports, unreachable).nodes["beta"];
    assert.deepEqual([beta?.state, beta?.cause ?? null], [state, cause]);
  });
}

test("merge: a configured node that nobody knows is unknown, with what would start it", () => {
  const report = reportOf("alpha");
  const { alpha } = report.nodes;
  assert.ok(alpha !== undefined);
  const beta = merged([{ ...report, nodes: { alpha } }], { beta: "nobody listens there" }).nodes["beta"];
  assert.deepEqual([beta?.state, beta?.remedy], ["unknown", "holdfast node start --node beta"]);
});

test("merge: the order of the answers never matters", () => {
  const reports = [
    reportOf("alpha"),
    reportOf("beta", {
      group: { generation: 4, source: "beta" },
      nodes: { gamma: { ...up, state: "down" } },
    }),
    reportOf("gamma", { group: { generation: 4, source: "beta", state: "degraded" } }),
  ] as const;
  const [a, b, c] = reports;
  const expected = JSON.stringify(merged([a, b, c]).groups);
  for (const order of [[a, c, b], [b, a, c], [b, c, a], [c, a, b], [c, b, a]]) {
    assert.equal(JSON.stringify(merged(order).groups), expected);
  }
});

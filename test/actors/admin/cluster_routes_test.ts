/** Any node answers for all: questions through the admin actors of three simulated nodes, and browsers at the door. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ActorsReport, EventsReport } from "../../../protocol/admin_messages.ts";
import type { ClusterReport, RegionsReport, TraceReport } from "../../../protocol/admin_questions.ts";
import { SimulatedCluster } from "../node/simulated_cluster.ts";

async function three(): Promise<SimulatedCluster> {
  const cluster = new SimulatedCluster({ alpha: "sync", beta: "sync", gamma: "async" });
  for (const node of ["alpha", "beta", "gamma"]) cluster.start(node);
  await cluster.until("alpha", (report) => report.groups["db"]?.state === "in_service");
  return cluster;
}

test("cluster: one node tells the word of all, with its age", async () => {
  const cluster = await three();
  const report = await (await cluster.http("gamma", "/api/v1/cluster")).json() as ClusterReport;
  assert.equal(report.servedBy, "gamma");
  assert.equal(report.status.groups["db"]?.source, "alpha");
  assert.equal(
    report.status.groups["db"]?.replicas["beta"]?.leg,
    "replicating",
    "as the source alone knows it",
  );
  for (const { ageMs, cause } of Object.values(report.sources)) {
    assert.ok(ageMs !== null && ageMs < 1_000);
    assert.equal(cause, null);
  }
});

test("cluster: a node answers about another one: its actors, its events, its marks", async () => {
  const cluster = await three();
  const about = async <T>(question: string): Promise<T> =>
    await (await cluster.http("alpha", `/api/v1/nodes/gamma/${question}`)).json() as T;
  const { node, actors } = await about<ActorsReport>("actors");
  assert.equal(node, "gamma");
  assert.ok(actors.some(({ path }) => path === "node/peers/peer:alpha"));
  assert.ok((await about<EventsReport>("events?limit=3")).events.every((event) => event.node === "gamma"));
  const { volumes } = await about<RegionsReport>("regions?group=db&cells=16");
  assert.deepEqual(Object.keys(volumes[0]?.towards ?? {}), ["alpha", "beta"]);
});

test("cluster: a trace of another node's actor is armed, read and stopped through any node", async () => {
  const cluster = await three();
  const post = (path: string, body: unknown) =>
    cluster.http("alpha", path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  const traces = "/api/v1/nodes/beta/traces";
  const armed = await (await post(traces, { path: "node/health", messages: 2, ms: 60_000 }))
    .json() as TraceReport;
  await cluster.advance(2_000);
  const path = `/api/v1/nodes/beta/trace?trace=${armed.trace}`;
  const read = await (await cluster.http("alpha", path)).json() as TraceReport;
  assert.deepEqual([read.lines.length, read.armed], [2, false]);
  assert.deepEqual(await (await post(`${traces}/stop`, { trace: armed.trace })).json(), { stopped: true });
  assert.equal((await cluster.http("alpha", path)).status, 404);
});

test("cluster: what is not there is said, with what to do", async () => {
  const cluster = await three();
  const status = async (path: string) => (await cluster.http("alpha", path)).status;
  assert.equal(await status("/api/v1/nodes/delta/actors"), 404);
  assert.equal(await status("/api/v1/nodes/beta/kill"), 400);
  assert.equal(
    await status("/api/v1/nodes/beta/trace_start?path=node&messages=1&ms=1"),
    400,
    "no GET arms a trace",
  );
  assert.equal(await status("/api/v1/nodes/beta/state?path=node/nobody"), 404);
  assert.equal(await status("/api/v1/nodes/beta/regions?group=x&cells=4"), 404);
});

test("cluster: pages of others give no orders, and ours none without its header", async () => {
  const cluster = await three();
  const order = async (headers: Record<string, string>) => {
    const body = JSON.stringify({ kind: "mirror_pause", group: "db", leg: "gamma" });
    const all = { "content-type": "application/json", ...headers };
    return (await cluster.http("alpha", "/api/v1/commands", { method: "POST", headers: all, body })).status;
  };
  assert.equal(await order({ origin: "https://evil.example", "x-holdfast-door": "dashboard" }), 403);
  assert.equal(await order({ origin: "http://127.0.0.1" }), 403);
  assert.equal(await order({ origin: "http://127.0.0.1", "x-holdfast-door": "dashboard" }), 200);
});

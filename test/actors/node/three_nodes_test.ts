/** Three nodes in virtual time: a volume survives its source, and any node can be asked and commanded. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeReport } from "../../../protocol/admin_messages.ts";
import { SimulatedCluster, VOLUME_BYTES } from "./simulated_cluster.ts";

const BYTES = new Uint8Array(4096).fill(5);
const inService = (report: NodeReport) => report.groups["db"]?.state === "in_service";
const sourceIs = (node: string) => (report: NodeReport) => report.groups["db"]?.source === node;

async function running(seed = 1): Promise<SimulatedCluster> {
  const cluster = new SimulatedCluster({ alpha: "sync", beta: "sync", gamma: "async" }, { seed });
  cluster.startAll();
  await cluster.until("alpha", inService);
  return cluster;
}

test("nodes: three empty nodes give birth to the group, and the first in priority serves it", async () => {
  const cluster = await running();
  const { groups, nodes } = await cluster.status("alpha");
  assert.equal(groups["db"]?.source, "alpha");
  assert.deepEqual(groups["db"]?.memberSet, ["alpha", "beta"]);
  assert.deepEqual(Object.values(nodes).map(({ state }) => state), ["up", "up", "up"]);
});

test("nodes: a client of a node that is not the source is told where to go", async () => {
  const cluster = await running();
  assert.match(String(await cluster.connect("gamma")), /served by alpha: memory:\/\/alpha\/nbd\/data/);
});

for (const seed of [1, 2, 3, 4, 5, 6]) {
  test(`nodes: an acknowledged write survives the source, which returns as target (seed ${seed})`, async () => {
    const cluster = await running(seed);
    const before = await cluster.client("alpha");
    assert.ok((await cluster.during(before.write(8192, BYTES))).ok);
    cluster.kill("alpha");
    await cluster.until("beta", sourceIs("beta"));
    const after = await cluster.client("beta");
    assert.deepEqual(await cluster.during(after.read(8192, BYTES.length)), { ok: true, value: BYTES });
    assert.ok((await cluster.during(after.write(0, BYTES))).ok);
    cluster.start("alpha");
    const report = await cluster.until("beta", inService);
    const replica = report.groups["db"]?.replicas["alpha"];
    assert.equal(replica?.role, "target");
    assert.ok((replica?.lastResync?.copiedBytes ?? VOLUME_BYTES) < VOLUME_BYTES, "a partial resync");
  });
}

test("nodes: while the source is down every state that is not fine has its cause and remedy", async () => {
  const cluster = await running();
  cluster.kill("alpha");
  for (let step = 0; step < 30; step++) {
    await cluster.advance(250);
    for (const name of ["beta", "gamma"]) {
      const { groups, nodes } = await cluster.status(name);
      for (const [what, status] of [...Object.entries(groups), ...Object.entries(nodes)]) {
        if (status.state === "in_service" || status.state === "up") continue;
        assert.ok(status.cause, `${what} is ${status.state} without a cause`);
        assert.ok(status.remedy, `${what} is ${status.state} without a remedy`);
      }
    }
  }
});

test("nodes: any node takes a switchover and passes it on to the source", async () => {
  const cluster = await running();
  const client = await cluster.client("alpha");
  assert.ok((await cluster.during(client.write(0, BYTES))).ok);
  const answer = await cluster.command("gamma", { kind: "switchover", group: "db", to: "beta" });
  assert.ok(answer.ok, JSON.stringify(answer));
  assert.equal(answer.result["source"], "beta");
  const moved = await cluster.client("beta");
  assert.deepEqual(await cluster.during(moved.read(0, BYTES.length)), { ok: true, value: BYTES });
  assert.equal(
    (await cluster.during(client.write(0, BYTES))).ok,
    false,
    "the old source's exports are closed",
  );
});

test("nodes: a paused leg is left behind and caught up by a partial resync", async () => {
  const cluster = await running();
  const paused = await cluster.command("beta", { kind: "mirror_pause", group: "db", leg: "gamma" });
  assert.equal(paused.ok, true, JSON.stringify(paused));
  await cluster.until("alpha", (report) => report.groups["db"]?.replicas["gamma"]?.leg === "paused");
  const client = await cluster.client("alpha");
  assert.ok((await cluster.during(client.write(0, BYTES))).ok);
  const resumed = await cluster.command("alpha", { kind: "mirror_resume", group: "db", leg: "gamma" });
  assert.equal(resumed.ok, true, JSON.stringify(resumed));
  const report = await cluster.until("alpha", inService);
  assert.equal(report.groups["db"]?.replicas["gamma"]?.lastResync?.kind, "partial");
});

test("nodes: an orderly stop of the source is a short pause, not a wait for its lease", async () => {
  const cluster = await running();
  const stopped = cluster.node("alpha").stop();
  const fromMs = cluster.world.clock.now();
  await cluster.until("beta", sourceIs("beta"));
  assert.ok(cluster.world.clock.now() - fromMs < 2_000);
  await cluster.during(stopped);
});

test("nodes: a source that is cut off completes nothing while the other side serves (I1)", async () => {
  const cluster = await running();
  const old = await cluster.client("alpha");
  assert.ok((await cluster.during(old.write(0, BYTES))).ok);
  cluster.network.isolate("alpha", ["beta", "gamma"]);
  await cluster.until("beta", sourceIs("beta"));
  let completed = false;
  const late = old.write(0, new Uint8Array(512)).then((outcome) => completed = outcome.ok);
  await cluster.advance(5_000);
  assert.equal(completed, false);
  const now = await cluster.client("beta");
  assert.deepEqual(await cluster.during(now.read(0, BYTES.length)), { ok: true, value: BYTES });
  cluster.network.heal();
  await cluster.during(late);
  assert.equal(completed, false);
  await cluster.until("beta", inService);
});

test("nodes: the source learns at once that a target's actor died, and takes it back by a partial resync", async () => {
  const cluster = await running();
  const client = await cluster.client("alpha");
  assert.ok((await cluster.during(client.write(0, BYTES))).ok);
  assert.equal(cluster.node("beta").parts.world.system.kill("node/groups/group:db/target"), true);
  assert.ok((await cluster.during(client.write(8192, BYTES), 3_000)).ok, "a write waits no longer than that");
  await cluster.until("alpha", inService, 3_000);
});

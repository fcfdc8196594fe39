/** One node in virtual time: what a group with one replica promises, and that every actor of it may die. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SimulatedCluster } from "./simulated_cluster.ts";

test("node: a group with one replica serves at once", async () => {
  const cluster = new SimulatedCluster({ alpha: "sync" });
  cluster.start("alpha");
  await cluster.advance(100);
  const client = await cluster.client("alpha");
  const bytes = new Uint8Array(4096).fill(7);
  assert.deepEqual(await cluster.during(client.write(512, bytes, { fua: true })), { ok: true, value: null });
  const read = await cluster.during(client.read(512, 4096));
  assert.deepEqual(read, { ok: true, value: bytes });
  const report = await cluster.status("alpha");
  assert.equal(report.groups["db"]?.state, "in_service");
  assert.equal(report.groups["db"]?.source, "alpha");
  assert.deepEqual(report.groups["db"]?.volumes["data"]?.nbd, ["memory://alpha/nbd/data"]);
});

test("node: its doors are open once it says that it is ready", async () => {
  const cluster = new SimulatedCluster({ alpha: "sync" });
  const outcome = await cluster.during(cluster.start("alpha").ready());
  assert.ok(outcome.ok);
  assert.deepEqual(outcome.ready.listen, ["memory://alpha"]);
  assert.deepEqual(outcome.ready.nbd, ["memory://alpha/nbd"]);
});

test("node: what was written and flushed is there after a kill and a restart, in a higher generation", async () => {
  const cluster = new SimulatedCluster({ alpha: "sync" });
  cluster.start("alpha");
  await cluster.advance(100);
  const bytes = new Uint8Array(512).fill(9);
  const before = await cluster.client("alpha");
  await cluster.during(before.write(0, bytes, { fua: true }));
  cluster.kill("alpha");
  cluster.start("alpha");
  await cluster.until("alpha", (report) => report.groups["db"]?.source === "alpha");
  const after = await cluster.client("alpha");
  assert.deepEqual(await cluster.during(after.read(0, 512)), { ok: true, value: bytes });
  assert.ok(((await cluster.status("alpha")).groups["db"]?.generation ?? 0) > 1);
});

const ACTORS = [
  "node/events",
  "node/health",
  "node/failover_group/roles",
  "node/failover_group/failover",
  "node/groups/group:db/intent_log",
  "node/groups/group:db/mirror",
  "node/groups/group:db/export",
  "node/listener",
  "node/nbd_listener",
  "node/admin",
  "node/failover_group",
  "node/groups/group:db",
];

for (const path of ACTORS) {
  test(`node: ${path} may be killed at any moment, and the volume is served again with what was flushed`, async () => {
    const cluster = new SimulatedCluster({ alpha: "sync" });
    const { system } = cluster.start("alpha").parts.world;
    await cluster.advance(100);
    const bytes = new Uint8Array(512).fill(3);
    const before = await cluster.client("alpha");
    assert.ok((await cluster.during(before.write(1024, bytes, { fua: true }))).ok);
    assert.equal(system.kill(path), true);
    await cluster.advance(10_000);
    await cluster.until("alpha", (report) => report.groups["db"]?.state === "in_service");
    const after = await cluster.client("alpha");
    assert.deepEqual(await cluster.during(after.read(1024, 512)), { ok: true, value: bytes });
    assert.ok((await cluster.during(after.write(0, bytes))).ok);
    const crashed = (await (await cluster.http("alpha", "/api/v1/events")).json() as {
      events: { kind: string; fields: Record<string, unknown> }[];
    }).events.filter(({ kind, fields }) => kind === "actor_crashed" && fields["actor"] === path);
    assert.equal(crashed.length, 1, "the crash is an event, once");
  });
}

test("node: a group whose local recovery failed says so, and is started again as target", async () => {
  const cluster = new SimulatedCluster({ alpha: "sync" });
  const { system } = cluster.start("alpha").parts.world;
  await cluster.advance(100);
  for (let kills = 0; kills < 6; kills++) {
    system.kill("node/groups/group:db/export");
    await cluster.advance(10);
  }
  await cluster.until("alpha", (report) => report.groups["db"]?.state === "in_service");
  const { events } = await (await cluster.http("alpha", "/api/v1/events")).json() as {
    events: { kind: string; cause: string | null }[];
  };
  const failed = events.find(({ kind }) => kind === "local_recovery_failed");
  assert.match(failed?.cause ?? "", /export was restarted too often/);
});

test("node: a stop hands over, closes the doors and leaves nothing running", async () => {
  const cluster = new SimulatedCluster({ alpha: "sync" });
  const node = cluster.start("alpha");
  await cluster.advance(100);
  const client = await cluster.client("alpha");
  const outcome = await cluster.during(node.stop());
  assert.deepEqual(outcome, { resigned: ["db"], abandoned: [] });
  const late = await cluster.during(client.write(0, new Uint8Array(512)));
  assert.equal(late.ok, false);
  assert.deepEqual(node.parts.world.system.inspect().filter(({ state }) => state === "running"), []);
});

/** Any actor of any node may be killed at any time (design §1.5, I9): the group comes back whole, and nothing is lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SimulatedCluster } from "./simulated_cluster.ts";

const NODES = ["alpha", "beta", "gamma"];
const BYTES = new Uint8Array(4096).fill(5);

function pathsOn(node: string): string[] {
  const other = node === "alpha" ? "beta" : "alpha";
  const role = node === "alpha" ? "mirror" : "target";
  return [
    "node/events",
    "node/health",
    "node/failover_group",
    "node/failover_group/roles",
    "node/failover_group/failover",
    "node/groups",
    "node/groups/group:db",
    "node/groups/group:db/intent_log",
    `node/groups/group:db/${role}`,
    "node/groups/group:db/export",
    "node/peers",
    `node/peers/peer:${other}`,
    "node/listener",
    "node/nbd_listener",
    "node/admin",
  ];
}

/** Who serves, once all legs replicate again. */
async function sourceOfWhole(cluster: SimulatedCluster): Promise<string> {
  for (let waitedMs = 0; waitedMs < 60_000; waitedMs += 250) {
    for (const name of NODES) {
      const { groups } = await cluster.status(name);
      if (groups["db"]?.source === name && groups["db"]?.state === "in_service") return name;
    }
    await cluster.advance(250);
  }
  assert.fail("the group did not become whole again");
}

for (const node of NODES) {
  for (const path of pathsOn(node)) {
    test(`nodes: ${path} of ${node} is killed, and the group becomes whole again with every acknowledged write`, async () => {
      const cluster = new SimulatedCluster({ alpha: "sync", beta: "sync", gamma: "async" }, { seed: 7 });
      cluster.startAll();
      await cluster.until("alpha", ({ groups }) => groups["db"]?.state === "in_service");
      const before = await cluster.client("alpha");
      assert.ok((await cluster.during(before.write(8192, BYTES))).ok);
      assert.equal(cluster.node(node).parts.world.system.kill(path), true);
      await cluster.advance(3_000);
      const after = await cluster.client(await sourceOfWhole(cluster));
      assert.deepEqual(await cluster.during(after.read(8192, BYTES.length)), { ok: true, value: BYTES });
      assert.ok((await cluster.during(after.write(0, BYTES))).ok);
    });
  }
}

test("nodes: a node whose whole tree is killed says that it fell, for the process to end", async () => {
  const cluster = new SimulatedCluster({ alpha: "sync" });
  const node = cluster.start("alpha");
  await cluster.advance(100);
  node.parts.world.system.kill("node");
  assert.equal(await cluster.during(node.fallen), "killed");
});

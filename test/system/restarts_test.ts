/**
 * Actors and nodes ended under load, one after the other, and all at once: nothing acknowledged is lost, no position is
 * used twice, and nobody who is behind overwrites one who is ahead.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GROUP, TestCluster, until } from "./support/cluster.ts";
import { Load } from "./support/load.ts";

async function underLoad(work: (cluster: TestCluster, load: Load) => Promise<void>): Promise<void> {
  const cluster = await TestCluster.inService();
  const load = new Load(cluster);
  try {
    load.start();
    await load.progress();
    await work(cluster, load);
    await load.finish();
    await assertEveryGateIsItsOwn(cluster);
  } finally {
    await cluster.close();
  }
}

/** A position is (generation, seq), and seq begins anew with each gate: so no two gates may share a generation. */
async function assertEveryGateIsItsOwn(cluster: TestCluster): Promise<void> {
  const events = (await Promise.all(cluster.nodes.map((node) => cluster.events(node)))).flat();
  const gates = events.filter(({ kind }) => kind === "gate_opened");
  const generations = gates.map(({ fields }) => Number(fields["generation"]));
  assert.ok(generations.length > 0);
  const times = gates.map(({ node, at, fields }) => `${fields["generation"]} at ${node} ${at}`).sort().join(
    ", ",
  );
  assert.equal(new Set(generations).size, generations.length, `a generation was used twice: ${times}`);
}

/** Ended as by a bug of its own, and its node has noticed; then writes go on and all legs replicate again. */
async function killAndHeal(
  cluster: TestCluster,
  load: Load,
  { node, path }: { readonly node: string; readonly path: string },
): Promise<string> {
  const crashes = async () =>
    (await cluster.events(node)).filter(({ kind, fields }) =>
      kind === "actor_crashed" && fields["actor"] === path
    ).length;
  const before = await crashes();
  const startedAt = performance.now();
  await cluster.killActor(node, path);
  await until(async () => await crashes() > before, `${node} to tell of the death of ${path}`);
  await load.progress(100);
  const { source } = await cluster.whole();
  return `${path} of ${node}: healed after ${Math.round(performance.now() - startedAt)} ms, source ${source}`;
}

const ACTORS_OF_THE_SOURCE = [
  `node/groups/group:${GROUP}/mirror`,
  `node/groups/group:${GROUP}/export`,
  `node/groups/group:${GROUP}/intent_log`,
  "node/failover_group/failover",
  "node/nbd_listener",
  "node/admin",
];

test("restarts: any actor of the source may be killed under load, again and again", async (context) => {
  await underLoad(async (cluster, load) => {
    for (const path of [...ACTORS_OF_THE_SOURCE, "peer"]) {
      const source = await cluster.source();
      const peer = cluster.nodes.find((node) => node !== source) ?? "";
      const whole = path === "peer" ? `node/peers/peer:${peer}` : path;
      context.diagnostic(await killAndHeal(cluster, load, { node: source, path: whole }));
    }
  });
});

test("restarts: any actor of a target may be killed under load, and its node is never restarted for it", async (context) => {
  await underLoad(async (cluster, load) => {
    const source = await cluster.source();
    const target = cluster.nodes.find((node) => node !== source) ?? "";
    const paths = [
      `node/groups/group:${GROUP}/target`,
      `node/groups/group:${GROUP}/intent_log`,
      "node/failover_group/failover",
      `node/peers/peer:${source}`,
      "node/listener",
    ];
    for (const path of paths) {
      context.diagnostic(await killAndHeal(cluster, load, { node: target, path }));
      assert.equal(await cluster.source(), source, `the death of ${path} of a target moves nothing`);
    }
    assert.ok(cluster.process(target).running);
  });
});

test("restarts: the source node alone is killed and started at once, three times", async () => {
  await underLoad(async (cluster, load) => {
    for (let round = 0; round < 3; round += 1) {
      const source = await cluster.source();
      await cluster.kill(source);
      await cluster.start(source);
      await load.progress(100);
      const group = await cluster.whole();
      const back = group.replicas[source];
      assert.ok((back?.lastResync?.copiedBytes ?? 0) < cluster.sizeBytes / 2, JSON.stringify(back));
    }
  });
});

for (const order of [["alpha", "beta", "gamma"], ["gamma", "beta", "alpha"]]) {
  test(`restarts: after the death of all, started in the order ${order.join(", ")}, it comes back by itself`, async () => {
    await underLoad(async (cluster, load) => {
      await Promise.all(cluster.nodes.map((node) => cluster.kill(node)));
      for (const node of order) await cluster.start(node);
      await load.progress(100);
      await cluster.whole();
    });
  });
}

test("restarts: a returning source that missed writes waits for the one that has them", async () => {
  await underLoad(async (cluster, load) => {
    const first = await cluster.source();
    await cluster.kill(first);
    await load.progress(100);
    const second = await cluster.sourceOtherThan(first);
    const third = cluster.nodes.find((node) => node !== first && node !== second) ?? "";
    await load.stop();
    await Promise.all([cluster.kill(second), cluster.kill(third)]);
    // A majority of voters, but only one of them knows all that was acknowledged, and it is not there.
    await Promise.all([cluster.start(first), cluster.start(third)]);
    const blocked = await cluster.waitFor(
      "the group to be blocked",
      ({ state, cause }) => state === "blocked" && cause?.includes(second) === true,
    );
    assert.equal(blocked.source, null);
    assert.ok(blocked.remedy, "a blocked group has a remedy");
    await cluster.start(second);
    const { client } = await load.verify();
    await client.disconnect();
    load.start();
    await load.progress();
    await cluster.whole();
  });
});

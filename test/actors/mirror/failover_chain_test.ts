/** Several replicas, several failures, any order of return: only what differs is copied (promise 3, design §4.6). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster, MIB } from "./support/cluster.ts";

const THREE = { alpha: "sync", beta: "sync", gamma: "sync" } as const;

/** Fills 8 MiB, so that a copy of everything would show. */
async function filled(): Promise<Cluster> {
  const cluster = await Cluster.born({ replicas: THREE, volumeBytes: 8 * MIB, hotRegionBytes: 64 * 1024 });
  for (let sector = 0; sector < 16_000; sector += 64) {
    cluster.client.write({ sector, sectors: 64 });
    if (sector % 1024 === 0) await cluster.pass(20);
  }
  await cluster.pass(8_000);
  await cluster.checkHealed();
  return cluster;
}

test("failover chain: each source dies in turn and returns as target; every resync is partial and small", async () => {
  const cluster = await filled();
  for (let round = 0; round < 5; round += 1) {
    const old = cluster.source ?? "";
    for (let count = 0; count < 5; count += 1) {
      cluster.client.write({ sector: 100 * count + round, sectors: 2 });
    }
    await cluster.pass(0.3);
    cluster.crash(old, round % 2 === 0 ? "power_lost" : "killed");
    await cluster.pass(50);
    assert.equal(await cluster.failOver(), true, `round ${round}`);
    assert.notEqual(cluster.source, old);
    for (let count = 0; count < 5; count += 1) cluster.client.write({ sector: 9_000 + count + round * 10 });
    await cluster.pass(100);
    await cluster.start(old);
    await cluster.inSync();
    for (const leg of (await cluster.status())?.legs ?? []) {
      assert.equal(
        leg.lastResync?.kind,
        "partial",
        `round ${round}: ${leg.node}: ${leg.lastResync?.verdict}`,
      );
      const copied = leg.lastResync?.copiedBytes ?? 0;
      // What was hot when a process died counts as different: 32 regions of 64 KiB at most.
      assert.ok(copied <= 2.2 * MIB, `round ${round}: ${leg.node} got ${copied} bytes`);
    }
    await cluster.checkHealed();
    cluster.checkPromises();
  }
});

test("failover chain: a third replica that was away during two promotions gets what it missed, and no more", async () => {
  const cluster = await filled();
  cluster.crash("gamma", "killed");
  await cluster.until("gamma left the set", () => cluster.record?.members.length === 2);
  cluster.client.write({ sector: 1_000, sectors: 8 });
  await cluster.pass(50);
  cluster.crash("alpha", "killed");
  await cluster.pass(50);
  assert.equal(await cluster.failOver(), true);
  assert.equal(cluster.source, "beta");
  await cluster.start("alpha");
  await cluster.inSync();
  cluster.client.write({ sector: 2_000, sectors: 8 });
  await cluster.pass(50);
  cluster.crash("beta", "power_lost");
  await cluster.pass(50);
  assert.equal(await cluster.failOver(), true);
  assert.equal(cluster.source, "alpha");
  await cluster.start("gamma");
  await cluster.start("beta");
  await cluster.inSync();
  const gamma = cluster.leg(await cluster.status(), "gamma").lastResync;
  assert.equal(gamma?.kind, "partial");
  assert.ok((gamma?.copiedBytes ?? 0) <= 3 * MIB, `${gamma?.copiedBytes} bytes`);
  await cluster.checkHealed();
});

test("failover chain: the volumes of a group move as one: one stream, one flush, one position", async () => {
  const cluster = await Cluster.born({ volumes: 3 });
  const { client } = cluster;
  for (let count = 0; count < 60; count += 1) {
    client.write({ sector: count * 9, sectors: 4, volume: count % 3 });
  }
  await cluster.pass(20);
  const flush = client.flush();
  await cluster.pass(50);
  assert.equal(flush.answered, true);
  for (const index of [0, 1, 2]) {
    assert.equal(cluster.node("beta").disk(index).unstableSectors, 0, `volume ${index}`);
  }
  for (let count = 0; count < 30; count += 1) {
    client.write({ sector: count * 9, sectors: 4, volume: count % 3 });
  }
  await cluster.pass(0.2);
  cluster.crash("alpha", "power_lost");
  await cluster.pass(50);
  assert.equal(await cluster.failOver(), true);
  await cluster.start("alpha");
  await cluster.checkHealed();
  cluster.checkPromises();
});

test("failover chain: with every member's power lost at once, all that a flush covered is there", async () => {
  for (let seed = 1; seed <= 8; seed += 1) {
    const cluster = await Cluster.born({ seed });
    for (let count = 0; count < 40; count += 1) cluster.client.write({ sector: count * 5, sectors: 5 });
    await cluster.pass(5);
    cluster.client.flush();
    await cluster.pass(5);
    for (let count = 0; count < 40; count += 1) cluster.client.write({ sector: count * 7, sectors: 5 });
    await cluster.pass(0.3);
    cluster.crash("alpha", "power_lost");
    cluster.crash("beta", "power_lost");
    await cluster.pass(10);
    await cluster.start("alpha");
    await cluster.start("beta");
    assert.equal(await cluster.failOver(), true, "I13 is checked in it");
    await cluster.checkHealed();
  }
});

test("failover chain: I4: a full resync that its source did not live to finish is finished by the next source", async () => {
  const cluster = await filled();
  cluster.crash("gamma", "killed");
  await cluster.pass(300);
  for (const path of [...cluster.node("gamma").shelf.disks.keys()]) cluster.node("gamma").shelf.remove(path);
  await cluster.node("gamma").start();
  await cluster.pass(20);
  const disk = cluster.node("gamma").disk();
  disk.later = (work, operation) =>
    void (operation === "write" ? cluster.world.clock.after(100, work) : work());
  cluster.node("alpha").toMirror({ kind: "peer_up", node: "gamma" });
  await cluster.until("some of it is copied", () => disk.allocatedBytes > MIB, 5_000);
  assert.equal(cluster.node("gamma").store?.view().disk, "inconsistent");
  disk.later = undefined;
  cluster.crash("alpha", "killed");
  await cluster.pass(50);
  assert.equal(await cluster.failOver(), true);
  assert.equal(cluster.source, "beta");
  await cluster.start("alpha");
  await cluster.checkHealed();
  cluster.checkPromises("completed", "gamma");
});

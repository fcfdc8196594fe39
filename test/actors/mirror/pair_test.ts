/** A mirror and its targets, real actors over simulated disks and network: what completes when, and what is never lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster, MIB } from "./support/cluster.ts";

test("pair: a sync write completes, is on both disks, and its marks clear without a client's flush", async () => {
  const cluster = await Cluster.born();
  const asked = cluster.client.write({ sector: 8, sectors: 16 });
  await cluster.pass(5);
  assert.equal(asked.answered, true);
  cluster.checkPromises("completed", "alpha");
  cluster.checkPromises("completed", "beta");
  await cluster.pass(5_000);
  await cluster.checkHealed();
});

test("pair: I10: a resync of more regions than can be hot on the target goes through", async () => {
  const cluster = new Cluster({ volumeBytes: 4 * MIB, hotRegionBytes: 32 * 1024, hotCapacity: 36 });
  await cluster.node("alpha").start();
  await cluster.pass(20);
  await cluster.promote("alpha");
  await cluster.pass(3_100);
  // Every second hot region of 128, then every one of them: the target gets them all at once, with half of them hot.
  for (const step of [128, 64]) {
    for (let sector = 0; sector < 8192; sector += step) cluster.client.write({ sector, sectors: 16 });
    await cluster.pass(50);
  }
  await cluster.start("beta");
  await cluster.inSync(5_000);
  await cluster.checkHealed();
});

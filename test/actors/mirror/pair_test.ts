/** A mirror and its targets, real actors over simulated disks and network: what completes when, and what is never lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster } from "./support/cluster.ts";

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

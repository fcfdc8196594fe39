/** Legs that are lost, hang, return and join: the member set first, completions after (design §4.5, I2, I11). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster, MIB } from "./support/cluster.ts";

const members = (cluster: Cluster) => cluster.record?.members.map((member) => member.node).join(" ");

test("legs: I11: a lost sync leg holds completions until the set without it is recorded, then they go on", async () => {
  for (const fault of ["cut", "killed", "power_lost"] as const) {
    const cluster = await Cluster.born();
    cluster.records = false;
    if (fault === "cut") cluster.cut("alpha", "beta");
    else cluster.crash("beta", fault);
    const write = cluster.client.write({ sector: 1 });
    const flush = cluster.client.flush();
    await cluster.pass(20_000);
    assert.deepEqual([write.answered, flush.answered], [false, false], fault);
    const status = await cluster.status();
    assert.match(String(status?.heldBecause), /majority of voters to record the member set alpha/);
    assert.equal(members(cluster), "alpha beta");
    cluster.records = true;
    await cluster.pass(100);
    assert.deepEqual([write.answered, flush.answered], [true, true], fault);
    assert.equal(members(cluster), "alpha");
    assert.equal((await cluster.status())?.heldBecause, null);
  }
});

test("legs: a lost commit leg holds flushes only", async () => {
  const cluster = await Cluster.born({ replicas: { alpha: "sync", beta: "commit" } });
  cluster.records = false;
  cluster.crash("beta", "killed");
  const write = cluster.client.write({ sector: 1 });
  const flush = cluster.client.flush();
  await cluster.pass(1_000);
  assert.deepEqual([write.answered, flush.answered], [true, false]);
  cluster.records = true;
  await cluster.pass(100);
  assert.equal(flush.answered, true);
});

test("legs: a lost async leg holds nothing and changes no set", async () => {
  const cluster = await Cluster.born({ replicas: { alpha: "sync", beta: "async" } });
  cluster.records = false;
  cluster.crash("beta", "killed");
  const asked = [cluster.client.write({ sector: 1 }), cluster.client.flush()];
  await cluster.pass(100);
  assert.deepEqual(asked.map((each) => each.answered), [true, true]);
  assert.equal(cluster.heardOf("record_change").length, 0);
});

test("legs: an addition whose answer is lost counts as made: completions wait for the leg even if it dies at once", async () => {
  const cluster = await Cluster.born();
  cluster.crash("beta", "killed");
  await cluster.until("the set is alpha alone", () => members(cluster) === "alpha");
  await cluster.start("beta");
  cluster.records = false;
  await cluster.until("the addition is asked for", () => cluster.pending !== null);
  assert.equal(cluster.pending?.members.length, 2);
  cluster.crash("beta", "killed");
  await cluster.pass(100);
  const write = cluster.client.write({ sector: 1 });
  await cluster.pass(3_000);
  assert.equal(write.answered, false, "beta may be in the recorded set");
  cluster.records = true;
  await cluster.pass(200);
  assert.equal(write.answered, true);
  assert.equal(members(cluster), "alpha", "first the addition, then the removal");
});

test("legs: a joining leg holds completions before it is recorded, and never the other way round", async () => {
  const cluster = await Cluster.born();
  cluster.crash("beta", "killed");
  await cluster.until("the set is alpha alone", () => members(cluster) === "alpha");
  await cluster.start("beta");
  cluster.records = false;
  await cluster.until("the addition is asked for", () => cluster.pending !== null);
  assert.equal(members(cluster), "alpha");
  // beta is up to date and not yet recorded: what completes now must be on beta too.
  const write = cluster.client.write({ sector: 7, sectors: 3 });
  await cluster.pass(50);
  assert.equal(write.answered, true);
  cluster.checkPromises("completed", "beta");
});

test("legs: a connection that breaks comes back by itself, with little copied, and the bits clear (I4, I10)", async () => {
  const cluster = await Cluster.born({ volumeBytes: 4 * MIB });
  for (let sector = 0; sector < 4_000; sector += 100) cluster.client.write({ sector, sectors: 50 });
  await cluster.pass(3_000);
  cluster.network.resetBetween("alpha", "beta");
  cluster.client.write({ sector: 10, sectors: 3 });
  await cluster.inSync();
  const leg = cluster.leg(await cluster.status(), "beta");
  assert.equal(leg.lastResync?.kind, "partial");
  assert.ok(
    (leg.lastResync?.copiedBytes ?? 0) <= 128 * 1024,
    `${leg.lastResync?.copiedBytes} bytes were copied`,
  );
  await cluster.checkHealed();
});

test("legs: I14: a target that goes silent without a word is given up after a while, and writes go on", async () => {
  const cluster = await Cluster.born();
  cluster.network.stop("beta");
  const write = cluster.client.write({ sector: 1 });
  await cluster.pass(9_000);
  assert.equal(write.answered, false);
  await cluster.pass(3_000);
  assert.equal(write.answered, true);
  assert.equal(members(cluster), "alpha");
});

test("legs: I14: a target whose disk stops flushing is given up after a while, and flushes go on", async () => {
  const cluster = await Cluster.born();
  const disk = cluster.node("beta").disk();
  disk.later = (work, operation) => operation === "flush" ? undefined : work();
  cluster.client.write({ sector: 1 });
  const flush = cluster.client.flush();
  await cluster.pass(5_000);
  assert.equal(flush.answered, false);
  await cluster.pass(40_000);
  assert.equal(flush.answered, true);
  assert.equal(members(cluster), "alpha");
});

test("legs: I14: a target that dies between the end of its window and its last word is tried again", async () => {
  const cluster = await Cluster.born();
  cluster.crash("beta", "killed");
  await cluster.until("the set is alpha alone", () => members(cluster) === "alpha");
  const disk = cluster.node("beta").disk();
  disk.later = (work, operation) => operation === "flush" ? undefined : work();
  cluster.client.write({ sector: 1 });
  await cluster.node("beta").start();
  disk.later = undefined;
  await cluster.pass(20);
  cluster.reached("beta");
  cluster.node("beta").kill("target");
  await cluster.inSync(30_000);
  await cluster.checkHealed();
});

test("legs: nothing is marked and a write comes just as the leg attaches: the session goes on", async () => {
  const cluster = await Cluster.born();
  await cluster.checkHealed();
  const log = cluster.node("alpha").store?.volumes[0]?.intentLog;
  assert.ok(log !== undefined);
  const persist = log.persist.bind(log);
  let writes = 0;
  log.persist = () => {
    const persisted = persist();
    // The session attaches a few microtasks after this; the write comes before the turn that closes the window.
    void persisted.then(async () => {
      for (let task = 0; task < 8; task += 1) await null;
      writes += 1;
      cluster.client.write({ sector: 1 });
    });
    return persisted;
  };
  cluster.network.resetBetween("alpha", "beta");
  const ended = cluster.node("beta").eventsOf("target_session_ended").length + 1;
  await cluster.pass(2_000);
  assert.ok(writes > 0);
  assert.equal(cluster.node("beta").eventsOf("target_session_ended").length, ended, await cluster.explain());
  await cluster.checkHealed();
});

test("legs: pause, resume and a resync by command: each says what it does, and a full one copies everything", async () => {
  const cluster = await Cluster.born();
  const node = cluster.node("alpha");
  const ask = async (message: Record<string, unknown>) => {
    const outcomes: unknown[] = [];
    node.toMirror(
      { ...message, reply: { reply: (outcome: unknown) => void outcomes.push(outcome) } } as never,
    );
    await cluster.pass(10);
    return outcomes;
  };
  assert.deepEqual(await ask({ kind: "leg_pause_requested", node: "beta" }), [{ ok: true }]);
  await cluster.pass(1_000);
  const paused = cluster.leg(await cluster.status(), "beta");
  assert.deepEqual([paused.leg, paused.isMember], ["paused", false]);
  assert.equal(paused.remedy, "holdfast mirror resume");
  const write = cluster.client.write({ sector: 50, sectors: 2 });
  await cluster.pass(10);
  assert.equal(write.answered, true);
  assert.deepEqual(await ask({ kind: "leg_resume_requested", node: null }), [{ ok: true }]);
  await cluster.inSync(1_000);
  assert.deepEqual(await ask({ kind: "leg_resync_requested", node: "beta", full: true }), [{ ok: true }]);
  await cluster.until("it is resynchronised", async () => {
    const leg = cluster.leg(await cluster.status(), "beta");
    return leg.leg === "replicating" && leg.lastResync?.kind === "full";
  }, 300);
  assert.equal(cluster.leg(await cluster.status(), "beta").lastResync?.copiedBytes, 2 * MIB);
  const [unknown] = await ask({ kind: "leg_pause_requested", node: "delta" }) as [
    { ok: boolean; message: string },
  ];
  assert.match(unknown.message, /delta is no leg of the group; its legs are beta/);
  await cluster.checkHealed();
});

test("legs: an empty replica gets a full resync, holes as holes; one born with the group gets what was written", async () => {
  const cluster = new Cluster({ volumeBytes: 16 * MIB, memberGraceMs: 200 });
  await cluster.node("alpha").start();
  await cluster.node("beta").start();
  await cluster.pass(20);
  await cluster.promote("alpha");
  await cluster.inSync();
  const born = cluster.leg(await cluster.status(), "beta");
  assert.ok((born.lastResync?.copiedBytes ?? 0) < 64 * 1024);
  cluster.client.write({ sector: 100, sectors: 8 });
  cluster.crash("beta", "killed");
  await cluster.pass(300);
  for (const path of [...cluster.node("beta").shelf.disks.keys()]) cluster.node("beta").shelf.remove(path);
  await cluster.start("beta");
  await cluster.inSync();
  const leg = cluster.leg(await cluster.status(), "beta");
  assert.deepEqual([leg.lastResync?.kind, leg.lastResync?.verdict], ["full", "target_empty"]);
  assert.equal(leg.lastResync?.copiedBytes, 16 * MIB);
  assert.ok(cluster.node("beta").disk().allocatedBytes <= MIB, "holes stay holes");
  await cluster.checkHealed();
});

test("legs: I7: a write that comes while its block is being read for a copy goes out behind the copy", async () => {
  const cluster = await Cluster.born();
  cluster.crash("beta", "killed");
  await cluster.until("the set is alpha alone", () => members(cluster) === "alpha");
  cluster.client.write({ sector: 0, sectors: 8 });
  await cluster.pass(50);
  const disk = cluster.node("alpha").disk();
  const reads: (() => void)[] = [];
  disk.later = (work, operation) => operation === "read" ? void reads.push(work) : work();
  await cluster.start("beta");
  await cluster.until("the copy is being read", () => reads.length > 0, 2_000);
  const newer = cluster.client.write({ sector: 2, sectors: 2 });
  await cluster.pass(100);
  disk.later = undefined;
  for (const work of reads) work();
  await cluster.until("the newer write is done", () => newer.answered, 2_000);
  await cluster.checkHealed();
  cluster.checkPromises("completed", "beta");
});

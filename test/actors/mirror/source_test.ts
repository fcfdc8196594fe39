/** Who may answer: leases, generations, drains, and a source whose disk or actors fail (I1, I6, I9, I12). */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Opening } from "../../../actors/failover/messages.ts";
import { Cluster } from "./support/cluster.ts";

test("source: I1: a lease that ran out between the work and the reply: nothing is answered until it runs again", async () => {
  const cluster = await Cluster.born({ latencyMs: 40 });
  const { client } = cluster;
  cluster.renews = false;
  cluster.renewNow();
  await cluster.pass(cluster.leaseMs - 10);
  const asked = [
    client.write({ sector: 1 }),
    client.flush(),
    client.read({ sector: 900 }),
    client.read({ sector: 1 }),
  ];
  // The read of another sector needs nobody and was answered in time.
  await cluster.pass(5);
  assert.deepEqual(asked.map((each) => each.answered), [false, false, true, false]);
  await cluster.pass(5_000);
  asked.push(client.read({ sector: 901 }));
  await cluster.pass(50);
  assert.deepEqual(asked.map((each) => each.answered), [false, false, true, false, false]);
  assert.match(String((await cluster.status())?.heldBecause), /lease has run out/);
  cluster.checkPromises("completed", "beta");
  cluster.renewNow();
  await cluster.pass(5);
  assert.deepEqual(asked.map((each) => each.answered), [true, true, true, true, true]);
  assert.deepEqual(client.wrongReads, []);
});

test("source: onBlocked error: without a lease for too long everybody who waits is told an error, and nothing else", async () => {
  const cluster = await Cluster.born({ errorsAfterMs: 500 });
  const { client } = cluster;
  cluster.renews = false;
  cluster.renewNow();
  await cluster.pass(cluster.leaseMs + 10);
  const asked = [client.write({ sector: 1 }), client.flush(), client.read({ sector: 1 })];
  await cluster.pass(200);
  assert.deepEqual(asked.map((each) => each.answered), [false, false, false]);
  await cluster.pass(800);
  assert.deepEqual(asked.map((each) => each.error), ["io_error", "io_error", "io_error"]);
  cluster.renewNow();
  await cluster.pass(10);
  const after = client.write({ sector: 2 });
  await cluster.pass(50);
  assert.deepEqual([after.answered, after.error], [true, null], "with a lease it goes on");
  cluster.checkPromises("completed", "beta");
});

test("source: onBlocked error: a member that is gone and a set that nobody records end waiting writes with errors", async () => {
  const cluster = await Cluster.born({ errorsAfterMs: 500 });
  cluster.records = false;
  await cluster.node("beta").stop();
  const asked = cluster.client.write({ sector: 1 });
  await cluster.pass(2_000);
  assert.deepEqual([asked.answered, asked.error], [true, "io_error"]);
});

test("source: I1: the wall clock runs on while a host is suspended: that ends the lease too", async () => {
  const cluster = await Cluster.born();
  cluster.renews = false;
  cluster.renewNow();
  cluster.world.clock.jumpWall(cluster.leaseMs + 1);
  const asked = cluster.client.read({ sector: 1 });
  await cluster.pass(100);
  assert.equal(asked.answered, false);
  cluster.renewNow();
  await cluster.pass(1);
  assert.equal(asked.answered, true);
});

test("source: I1: a lease of another generation, and one that is taken back, answer nothing", async () => {
  const cluster = await Cluster.born();
  cluster.renews = false;
  await cluster.pass(cluster.leaseMs + 200);
  const asked = cluster.client.read({ sector: 1 });
  const foreign = { number: 1, id: "f".repeat(32) };
  const [untilMs, untilWallMs] = [cluster.now + 10_000, cluster.world.clock.wall() + 10_000];
  cluster.node("alpha").toMirror({ kind: "lease", generation: foreign, untilMs, untilWallMs });
  await cluster.pass(10);
  assert.equal(asked.answered, false);
  cluster.node("alpha").toMirror({ kind: "lease", generation: cluster.generation, untilMs, untilWallMs });
  cluster.node("alpha").toMirror({ kind: "lease", generation: cluster.generation, untilMs: 0, untilWallMs });
  await cluster.pass(1);
  const late = cluster.client.read({ sector: 2 });
  await cluster.pass(100);
  assert.deepEqual([asked.answered, late.answered], [true, false]);
});

test("source: I1: a higher generation drops what waits, for good, and no later lease brings it back", async () => {
  const cluster = await Cluster.born();
  cluster.renews = false;
  await cluster.pass(cluster.leaseMs + 10);
  const write = cluster.client.write({ sector: 1 });
  await cluster.pass(100);
  const { port } = cluster.client;
  cluster.node("alpha").toMirror({ kind: "higher_generation", number: 9 });
  await cluster.pass(10);
  cluster.renewNow();
  await cluster.pass(5_000);
  assert.equal(write.answered, false);
  assert.equal(cluster.client.port, null, "the export was told");
  assert.match(String(cluster.heardOf("gate_closed").at(-1)?.cause), /generation 9/);
  cluster.client.port = port;
  const late = cluster.client.read({ sector: 1 });
  await cluster.pass(10);
  assert.equal(late.error, "shutting_down", "what comes after is refused, not done");
});

test("source: I1: a mirror that was killed comes back closed: its generation is not used twice", async () => {
  const cluster = await Cluster.born();
  cluster.client.write({ sector: 1 });
  await cluster.pass(50);
  const write = cluster.client.write({ sector: 2 });
  cluster.node("alpha").kill("mirror");
  await cluster.pass(3_000);
  assert.equal(write.answered, false);
  assert.match(
    String(cluster.heardOf("gate_closed", "alpha").at(-1)?.cause),
    /I1: generation 1 was opened before/,
  );
  const status = await cluster.node("alpha").mirrorStatus();
  assert.equal(status.gate, "closed");
  cluster.client.port = null;
  assert.equal(await cluster.failOver(), true);
  await cluster.checkHealed();
});

test("source: I9: killed actors, source and target, one after the other: everything is rebuilt from what is durable", async () => {
  for (
    const [name, actor] of [
      ["alpha", "intent_log"],
      ["alpha", "mirror"],
      ["beta", "intent_log"],
      ["beta", "target"],
    ] as const
  ) {
    const cluster = await Cluster.born();
    for (let sector = 0; sector < 400; sector += 7) cluster.client.write({ sector, sectors: 3 });
    await cluster.pass(1);
    cluster.node(name).kill(actor);
    // The other side hears of it with the next report, not after a silence.
    await cluster.pass(1_000);
    if (name === "alpha") {
      cluster.client.port = null;
      assert.equal(await cluster.failOver(), true, `${name} ${actor}`);
    }
    await cluster.inSync(2_000);
    const write = cluster.client.write({ sector: 1 });
    await cluster.pass(50);
    assert.equal(write.answered, true, `${name} ${actor}`);
    await cluster.checkHealed();
    cluster.checkPromises();
  }
});

function openingOf(cluster: Cluster, more: Partial<Opening["entry"]>): Opening {
  const generation = { number: cluster.generation.number + 1, id: "e".repeat(32) };
  assert.ok(cluster.record !== null);
  return {
    generation,
    entry: { generation, source: "alpha", baseSeq: 0, lossless: true, ...more },
    record: { ...cluster.record, generation, version: 1 },
    leaseUntilMs: cluster.now + 1_000,
    leaseUntilWallMs: cluster.world.clock.wall() + 1_000,
  };
}

test("source: a promotion for another position than the disk's opens no gate", async () => {
  const cluster = await Cluster.born();
  cluster.client.write({ sector: 1 });
  await cluster.pass(50);
  await cluster.node("alpha").becomeTarget();
  await cluster.node("alpha").becomeMirror(openingOf(cluster, { baseSeq: 0 }));
  await cluster.pass(50);
  assert.match(
    String(cluster.heardOf("gate_closed").at(-1)?.cause),
    /stands at seq 1, the promotion was for seq 0/,
  );
});

test("source: I12: a source lost in mid-window leaves a target that says inconsistent and opens no gate", async () => {
  const cluster = await Cluster.born();
  for (let sector = 0; sector < 4_000; sector += 8) cluster.client.write({ sector, sectors: 8 });
  cluster.crash("beta", "killed");
  await cluster.until("the set is alpha alone", () => cluster.record?.members.length === 1);
  for (let sector = 0; sector < 4_000; sector += 8) cluster.client.write({ sector, sectors: 8 });
  await cluster.pass(100);
  await cluster.node("beta").start();
  await cluster.pass(20);
  // A slow disk, so that the source dies in the middle of the window.
  const disk = cluster.node("beta").disk();
  disk.later = (work, operation) =>
    void (operation === "write" ? cluster.world.clock.after(200, work) : work());
  cluster.node("alpha").toMirror({ kind: "peer_up", node: "beta" });
  await cluster.until("a window is open", async () => {
    return (await cluster.node("beta").targetStatus()).state === "window";
  }, 2_000);
  cluster.crash("alpha", "power_lost");
  await cluster.pass(50);
  const facts = await cluster.seal("beta");
  disk.later = undefined;
  assert.equal(facts?.disk, "inconsistent");
  assert.equal(facts?.role, "none");
  assert.equal(await cluster.elect(), null, "beta is in no set, and not fit either");
  await cluster.node("beta").becomeMirror(openingOf(cluster, { baseSeq: facts?.position.seq ?? 0 }));
  await cluster.pass(50);
  assert.match(String(cluster.heardOf("gate_closed", "beta").at(-1)?.cause), /I12/);
  await cluster.node("beta").becomeTarget();
  // After a restart it says the same, and the old source brings it back.
  cluster.crash("beta", "power_lost");
  await cluster.start("beta");
  assert.equal((await cluster.seal("beta"))?.disk, "inconsistent");
  await cluster.start("alpha");
  assert.equal(await cluster.failOver(), true);
  await cluster.checkHealed();
});

test("source: a drain holds what comes, ends at one stable position everywhere, and can be cancelled", async () => {
  const cluster = await Cluster.born({ latencyMs: 10 });
  const { client } = cluster;
  const before = client.write({ sector: 1 });
  cluster.node("alpha").toMirror({ kind: "drain", to: "beta" });
  await cluster.pass(1);
  const held = client.write({ sector: 2 });
  assert.equal(client.port?.writable, false);
  await cluster.pass(200);
  assert.deepEqual([before.answered, held.answered], [true, false]);
  const drained = cluster.heardOf("drained").at(-1);
  assert.deepEqual(drained?.position, (await cluster.node("beta").targetStatus()).position);
  assert.equal(cluster.node("beta").disk().unstableSectors, 0);
  cluster.node("alpha").toMirror({ kind: "drain_cancelled", reason: "the other did not take over" });
  await cluster.pass(100);
  assert.equal(held.answered, true);
  assert.equal(client.port?.writable, true);
  await cluster.checkHealed();
});

test("source: a drain towards a leg that is not in sync is refused with the reason", async () => {
  const cluster = await Cluster.born();
  cluster.crash("beta", "killed");
  await cluster.pass(100);
  cluster.node("alpha").toMirror({ kind: "drain", to: "beta" });
  await cluster.pass(10);
  assert.match(String(cluster.heardOf("drain_refused").at(-1)?.reason), /beta is not in sync/);
  assert.equal((await cluster.status())?.gate, "open");
});

test("source: a planned move loses nothing and copies nothing", async () => {
  const cluster = await Cluster.born();
  for (let sector = 0; sector < 300; sector += 3) cluster.client.write({ sector });
  await cluster.pass(50);
  cluster.node("alpha").toMirror({ kind: "drain", to: "beta" });
  await cluster.until("it is drained", () => cluster.heardOf("drained").length > 0);
  await cluster.node("alpha").becomeTarget();
  await cluster.pass(20);
  await cluster.promote("beta");
  assert.equal(cluster.record?.members.length, 2, "both stand at one position");
  cluster.checkPromises("completed", "beta");
  await cluster.inSync();
  const leg = cluster.leg(await cluster.status(), "alpha");
  assert.equal(leg.lastResync?.verdict, "same_position");
  await cluster.checkHealed();
});

test("source: a failed write, a failed flush, a failed read: the disk is given up at once and for good", async () => {
  for (const broken of ["write", "flush", "read"] as const) {
    const cluster = await Cluster.born();
    const { client } = cluster;
    client.write({ sector: 1 });
    await cluster.pass(20);
    const disk = cluster.node("alpha").disk();
    disk.fault = (operation) => operation === broken ? "io_error" : null;
    const asked = broken === "write"
      ? client.write({ sector: 2 })
      : broken === "flush"
      ? client.flush()
      : client.read({ sector: 1 });
    await cluster.pass(50);
    disk.fault = undefined;
    await cluster.pass(100);
    assert.equal(asked.answered, false, `${broken}: the client must not take it for done`);
    assert.match(String(cluster.heardOf("gate_closed", "alpha").at(-1)?.cause), /the disk failed/);
    // As target it is given up too, even though the disk would answer now.
    await cluster.node("alpha").becomeTarget();
    await cluster.pass(20);
    const status = await cluster.node("alpha").targetStatus();
    assert.deepEqual([status.state, status.disk], ["failed", "failed"], broken);
    assert.equal(await cluster.seal("alpha"), null);
    client.port = null;
    assert.equal(await cluster.failOver(), true);
    assert.equal(cluster.source, "beta");
  }
});

test("source: no space is the client's trouble: it is told so, both disks stay equal, and the gate stays open", async () => {
  for (const diskDelayMs of [0, 1]) {
    const cluster = await Cluster.born({ diskDelayMs });
    const { client } = cluster;
    const first = client.write({ sector: 0, sectors: 64 });
    await cluster.pass(50);
    cluster.node("alpha").disk().spaceBytesMax = cluster.node("alpha").disk().allocatedBytes + 8192;
    const large = client.write({ sector: 1000, sectors: 64 });
    const behind = client.read({ sector: 1000, sectors: 8 });
    const over = client.write({ sector: 0, sectors: 8 });
    await cluster.until("all are answered", () => large.answered && behind.answered && over.answered);
    assert.deepEqual([first.error, large.error, over.error], [null, "no_space", null]);
    const flush = client.flush();
    await cluster.until("a flush goes on", () => flush.answered);
    cluster.node("alpha").disk().spaceBytesMax = Infinity;
    await cluster.checkHealed();
    cluster.checkPromises();
  }
});

test("source: no space on the target ends the session, not the target; with room again it comes back by itself", async () => {
  const cluster = await Cluster.born();
  const disk = cluster.node("beta").disk();
  disk.spaceBytesMax = disk.allocatedBytes;
  const write = cluster.client.write({ sector: 1000, sectors: 64 });
  await cluster.until("the write goes on without beta", () => write.answered, 5_000);
  assert.equal(write.error, null);
  assert.deepEqual(cluster.record?.members.map((member) => member.node), ["alpha"]);
  const status = await cluster.node("beta").targetStatus();
  assert.notEqual(status.state, "failed");
  disk.spaceBytesMax = Infinity;
  await cluster.checkHealed();
});

test("source: a failed disk on the target is final there, and the source goes on without it", async () => {
  for (const broken of ["write", "flush"] as const) {
    const cluster = await Cluster.born();
    const disk = cluster.node("beta").disk();
    disk.fault = (operation) => operation === broken ? "io_error" : null;
    const write = cluster.client.write({ sector: 3 });
    const flush = cluster.client.flush();
    await cluster.until("both go on without beta", () => write.answered && flush.answered, 15_000);
    disk.fault = undefined;
    await cluster.pass(3_000);
    assert.equal((await cluster.node("beta").targetStatus()).state, "failed");
    const leg = cluster.leg(await cluster.status(), "beta");
    assert.equal(leg.leg, "offline");
    assert.match(String(leg.cause), /the disk failed/);
    assert.deepEqual(cluster.node("beta").crashes, []);
  }
});

test("source: I8: a leg with too much before it stops the doors, not the heap; they go on when it has caught up", async () => {
  const cluster = await Cluster.born({
    replicas: { alpha: "sync", beta: "async" },
    backlogBytesMax: 64 * 1024,
  });
  const { client } = cluster;
  cluster.network.stop("beta");
  let told = 0;
  cluster.onWritable = () => told += 1;
  let written = 0;
  while (client.port?.writable === true && written < 1_000) {
    client.write({ sector: written * 8 % 4_000, sectors: 8 });
    written += 1;
    if (written % 4 === 0) await cluster.pass(0.1);
  }
  assert.ok(written <= 20, `${written} writes of 4 KiB were taken`);
  const lag = cluster.leg(await cluster.status(), "beta").lag;
  assert.ok(lag.bytes >= 64 * 1024 && lag.bytes < 80 * 1024, `${lag.bytes} bytes wait`);
  const before = told;
  cluster.network.go("beta");
  await cluster.pass(100);
  assert.ok(told > before);
  assert.equal(client.port?.writable, true);
  await cluster.checkHealed();
});

test("source: I8: a client that never stops is told to, and told when to go on, with no leg at all", async () => {
  const cluster = await Cluster.born({ replicas: { alpha: "sync" } });
  const { client } = cluster;
  cluster.renews = false;
  await cluster.pass(cluster.leaseMs + 10);
  let told = 0;
  cluster.onWritable = () => told += 1;
  let taken = 0;
  while (client.port?.writable === true) {
    client.read({ sector: taken % 4_000 });
    taken += 1;
  }
  assert.equal(taken, 4_096);
  cluster.renewNow();
  await cluster.pass(1);
  assert.equal(told, 1);
  assert.equal(client.port?.writable, true);
});

test("source: I11: no request is taken before generation and record are stable on the disk", async () => {
  const cluster = new Cluster();
  await cluster.node("alpha").start();
  await cluster.node("beta").start();
  await cluster.pass(20);
  const superblock = cluster.node("alpha").shelf.disks.get("/disks/v0.holdfast/superblock");
  assert.ok(superblock !== undefined);
  const held: (() => void)[] = [];
  superblock.later = (work) => void held.push(work);
  const promoted = cluster.promote("alpha");
  for (let step = 0; step < 50 && held.length === 0; step += 1) await cluster.pass(20);
  assert.ok(held.length > 0);
  await cluster.pass(500);
  assert.equal(cluster.client.port, null);
  assert.equal(cluster.heardOf("gate_opened").length, 0);
  superblock.later = undefined;
  for (const work of held) work();
  await promoted;
  assert.deepEqual(cluster.node("alpha").store?.view().history.map((entry) => entry.generation.number), [1]);
});

test("source: I11: a record of another generation is no answer to this one's change", async () => {
  const cluster = await Cluster.born();
  cluster.records = false;
  cluster.crash("beta", "killed");
  await cluster.until("the change is asked for", () => cluster.pending !== null);
  const write = cluster.client.write({ sector: 1 });
  assert.ok(cluster.record !== null);
  const foreign = { ...cluster.record, generation: { number: 1, id: "f".repeat(32) }, version: 99 };
  cluster.node("alpha").toMirror({ kind: "record_in_force", record: foreign });
  await cluster.pass(500);
  assert.equal(write.answered, false);
  cluster.records = true;
  await cluster.pass(100);
  assert.equal(write.answered, true);
});

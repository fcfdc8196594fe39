/** A target and its source's words: judged alike, applied in order, stable when it says so (I5, I12, I13, I14). */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SealAnswer } from "../../../actors/failover/messages.ts";
import type { Cluster } from "../mirror/support/cluster.ts";
import { entryOf, RawSource, sourceView, targetAlone } from "./support/raw_source.ts";

const VIEW = sourceView([entryOf(1)], 0);
const beta = (cluster: Cluster) => cluster.node("beta");
const byteAt = (cluster: Cluster, offset: number) => beta(cluster).disk().peek(offset, 1)[0];
const lastEnd = (cluster: Cluster) => String(beta(cluster).eventsOf("target_session_ended").at(-1)?.cause);

async function replicating(cluster: Cluster): Promise<RawSource> {
  const source = await RawSource.connect(cluster);
  await source.replicate(VIEW);
  return source;
}

async function inWindow(cluster: Cluster): Promise<RawSource> {
  const source = await RawSource.connect(cluster);
  await source.open(VIEW, { founding: true });
  await source.say({ kind: "leg_plan", rule: "founding_replica" });
  await source.say({ kind: "resync_begin", resync: "partial", totalBytes: 4096 });
  return source;
}

async function seal(cluster: Cluster, number: number): Promise<SealAnswer | null> {
  const answers: SealAnswer[] = [];
  beta(cluster).toTarget({
    kind: "seal_requested",
    number,
    reply: { reply: (answer) => void answers.push(answer) },
  });
  await cluster.pass(5);
  return answers[0] ?? null;
}

test("target: a write is applied, acked as applied at once and as stable after a flush", async () => {
  const cluster = await targetAlone();
  const source = await replicating(cluster);
  await source.write({ seq: 1, offset: 4096, byte: 7 });
  assert.equal(byteAt(cluster, 4096), 7);
  const frame = source.channel.lastFrameSent;
  assert.deepEqual(source.acks.at(-1)?.applied, frame);
  assert.ok((source.acks.at(-1)?.stable ?? 0) < frame);
  assert.ok(beta(cluster).disk().unstableSectors > 0);
  await source.frame({ kind: "barrier", seq: 2 });
  assert.deepEqual(source.acks.at(-1), { applied: frame + 1, stable: frame + 1 });
  assert.equal(beta(cluster).disk().unstableSectors, 0);
  assert.deepEqual((await beta(cluster).targetStatus()).position, { generation: 1, seq: 2 });
});

test("target: I5: nothing behind a barrier, or behind a FUA, is applied before all before it is stable", async () => {
  for (const by of ["barrier", "fua"] as const) {
    const cluster = await targetAlone();
    const source = await replicating(cluster);
    const held: (() => void)[] = [];
    beta(cluster).disk().later = (work, operation) => operation === "flush" ? void held.push(work) : work();
    await source.write({ seq: 1, offset: 0, byte: 1, fua: by === "fua" });
    if (by === "barrier") await source.frame({ kind: "barrier", seq: 2 });
    const next = by === "barrier" ? 3 : 2;
    await source.write({ seq: next, offset: 8192, byte: 2 });
    await cluster.pass(500);
    assert.deepEqual([byteAt(cluster, 0), byteAt(cluster, 8192)], [1, 0], by);
    beta(cluster).disk().later = undefined;
    for (const work of held) work();
    await cluster.pass(50);
    assert.equal(byteAt(cluster, 8192), 2, by);
  }
});

test("target: I5: after a power loss it holds a prefix at barrier granularity, and all that it called stable", async () => {
  for (let seed = 1; seed <= 25; seed += 1) {
    const cluster = await targetAlone({ seed });
    const source = await replicating(cluster);
    // Eight writes and a barrier, over and over; the power goes at any moment.
    const perBarrier = 8;
    let seq = 0;
    for (let block = 1; block <= 6; block += 1) {
      for (let count = 0; count < perBarrier; count += 1) {
        seq += 1;
        const payload = new Uint8Array(512).fill(block);
        source.channel.sendFrame({ kind: "write", seq, offset: count * 4096, span: 512 }, payload);
      }
      seq += 1;
      source.channel.sendFrame({ kind: "barrier", seq });
      await cluster.pass(cluster.world.random.float() * 0.3);
    }
    const acked = source.acks.at(-1)?.stable ?? 0;
    const firstFrame = source.channel.lastFrameSent - seq;
    const blocksStable = Math.floor(Math.max(0, acked - firstFrame) / (perBarrier + 1));
    beta(cluster).crash("power_lost");
    const found = Array.from({ length: perBarrier }, (_, count) => byteAt(cluster, count * 4096) ?? 0);
    const newest = Math.max(...found);
    for (const block of found) {
      assert.ok(block >= newest - 1, `seed ${seed}: I5: block ${newest} is there, and ${block} beside it`);
      assert.ok(
        block >= blocksStable,
        `seed ${seed}: I13: block ${blocksStable} was called stable, found ${block}`,
      );
    }
  }
});

test("target: I12: inconsistent is stable before the first block of a window changes", async () => {
  const cluster = await targetAlone();
  const source = await RawSource.connect(cluster);
  await source.open(VIEW, { founding: true });
  await source.say({ kind: "leg_plan", rule: "founding_replica" });
  const superblock = beta(cluster).shelf.disks.get("/disks/v0.holdfast/superblock");
  assert.ok(superblock !== undefined);
  const held: (() => void)[] = [];
  superblock.later = (work) => void held.push(work);
  await source.say({ kind: "resync_begin", resync: "partial", totalBytes: 4096 });
  await source.frame({ kind: "copy", span: 4096, seq: 0, offset: 0 }, new Uint8Array(4096).fill(9));
  await source.write({ seq: 1, offset: 8192, byte: 8 });
  await cluster.pass(100);
  assert.deepEqual([byteAt(cluster, 0), byteAt(cluster, 8192)], [0, 0]);
  superblock.later = undefined;
  for (const work of held) work();
  await cluster.pass(50);
  assert.deepEqual([byteAt(cluster, 0), byteAt(cluster, 8192)], [9, 8]);
  assert.equal(beta(cluster).store?.view().disk, "inconsistent");
  beta(cluster).crash("power_lost");
  await beta(cluster).start();
  await cluster.pass(20);
  assert.equal(beta(cluster).store?.view().disk, "inconsistent");
});

test("target: I12: up to date is stored after the blocks and the marks are stable, and said after that", async () => {
  const cluster = await targetAlone();
  const source = await inWindow(cluster);
  await source.write({ seq: 3, offset: 0, byte: 5 });
  const held: (() => void)[] = [];
  beta(cluster).disk().later = (work, operation) => operation === "flush" ? void held.push(work) : work();
  await source.say({ kind: "resync_end", seq: 3 });
  await source.write({ seq: 4, offset: 512, byte: 6 });
  await cluster.pass(200);
  assert.equal(beta(cluster).store?.view().disk, "inconsistent");
  assert.equal(source.last("up_to_date"), undefined);
  assert.equal(byteAt(cluster, 512), 0, "what follows waits");
  beta(cluster).disk().later = undefined;
  for (const work of held) work();
  await cluster.pass(50);
  assert.equal(source.last("up_to_date")?.seq, 3);
  assert.deepEqual(beta(cluster).store?.view().position, { generation: 1, seq: 3 });
  assert.equal(byteAt(cluster, 512), 6);
});

test("target: I1: until it is told what was promised it takes no stream; then none below it", async () => {
  const cluster = await targetAlone();
  cluster.seals = false;
  beta(cluster).kill("target");
  await cluster.pass(20);
  assert.equal((await beta(cluster).targetStatus()).state, "unsealed");
  const early = await RawSource.connect(cluster);
  await early.open(sourceView([entryOf(9)], 0), { founding: true });
  assert.equal(early.last("leg_refused")?.reason, "not_ready");
  const answer = await seal(cluster, 2);
  assert.equal(answer?.ok, true);
  const low = await RawSource.connect(cluster);
  await low.open(VIEW, { founding: true });
  assert.equal(low.last("leg_refused")?.reason, "lower_generation");
  assert.match(String(low.last("leg_refused")?.detail), /generation 1 is below 2/);
  const equal = await RawSource.connect(cluster);
  await equal.open(sourceView([entryOf(2)], 0), { founding: true });
  assert.equal(equal.last("leg_state")?.kind, "leg_state");
});

test("target: I1: a seal ends the stream below it and its position is final", async () => {
  const cluster = await targetAlone();
  const source = await replicating(cluster);
  await source.write({ seq: 1, offset: 0, byte: 1 });
  const held: (() => void)[] = [];
  beta(cluster).disk().later = (work, operation) => operation === "write" ? void held.push(work) : work();
  source.channel.sendFrame({ kind: "write", seq: 2, offset: 512, span: 512 }, new Uint8Array(512).fill(2));
  source.channel.sendFrame({ kind: "write", seq: 3, offset: 1024, span: 512 }, new Uint8Array(512).fill(3));
  await cluster.pass(5);
  assert.equal(await seal(cluster, 5), null, "a write of that stream is under way");
  beta(cluster).disk().later = undefined;
  for (const work of held) work();
  const answer = await seal(cluster, 5);
  assert.ok(answer?.ok === true);
  assert.equal(answer.facts.position.seq, 1);
  await source.write({ seq: 4, offset: 2048, byte: 4 });
  assert.deepEqual([byteAt(cluster, 1024), byteAt(cluster, 2048)], [0, 0]);
  assert.match(lastEnd(cluster), /generation 5 was promised/);
  assert.deepEqual((await seal(cluster, 5) as { facts: unknown } | null)?.facts, answer.facts);
});

test("target: a seal at or below the stream's generation lets it go on", async () => {
  const cluster = await targetAlone();
  const source = await RawSource.connect(cluster);
  await source.replicate(sourceView([entryOf(4)], 0));
  assert.equal((await seal(cluster, 4))?.ok, true);
  await source.write({ seq: 1, offset: 0, byte: 1 });
  assert.equal(byteAt(cluster, 0), 1);
});

test("target: facts in a window say inconsistent and no role; in a stream up to date and target", async () => {
  const cluster = await targetAlone();
  const source = await inWindow(cluster);
  const inside = await seal(cluster, 1);
  assert.deepEqual(inside?.ok === true && [inside.facts.disk, inside.facts.role], ["inconsistent", "none"]);
  await source.say({ kind: "resync_end", seq: 0 });
  const after = await seal(cluster, 1);
  assert.deepEqual(after?.ok === true && [after.facts.disk, after.facts.role], ["up_to_date", "target"]);
});

test("target: volumes that differ in number, name, size or regions, and another group, are refused by name", async () => {
  const right = { name: "v0", size: 1024 * 1024, regionBytes: 4096 };
  const table: [Record<string, unknown>, RegExp][] = [
    [{ volumes: [] }, /volume/],
    [{ volumes: [{ ...right, name: "v9" }] }, /v9.*v0/],
    [{ volumes: [{ ...right, size: 4096 }] }, /v0.*4096/],
    [{ volumes: [{ ...right, regionBytes: 8192 }] }, /region/],
    [{ group: "other" }, /this is group db/],
  ];
  for (const [wrong, expected] of table) {
    const cluster = await targetAlone();
    const source = await RawSource.connect(cluster);
    await source.sayRaw({
      kind: "leg_open",
      group: "db",
      view: VIEW,
      founding: false,
      full: false,
      volumes: [right],
      ...wrong,
    });
    assert.equal(source.last("leg_refused")?.reason, "other_volumes");
    assert.match(String(source.last("leg_refused")?.detail), expected);
  }
});

test("target: it marks what it applies towards every other replica, and clears by the source's reports only", async () => {
  const cluster = await targetAlone({ replicas: { alpha: "sync", beta: "sync", gamma: "sync" } });
  const source = await replicating(cluster);
  await source.write({ seq: 1, offset: 0, byte: 1 });
  await source.frame({ kind: "barrier", seq: 2 });
  const dirty = () =>
    ["alpha", "gamma"].map((peer) => beta(cluster).store?.volumes[0]?.intentLog.dirtyBytes(peer));
  assert.deepEqual(dirty(), [4096, 4096]);
  await source.say({ kind: "report", stable: [["alpha", 0], ["gamma", 1], ["beta", 2], ["nobody", 9]] });
  assert.deepEqual(dirty(), [4096, 0]);
  await source.say({ kind: "report", stable: [["alpha", 99]] });
  assert.deepEqual(dirty(), [0, 0]);
});

test("target: before it is up to date it has merged the source's marks for the others, durably", async () => {
  const cluster = await targetAlone({ replicas: { alpha: "sync", beta: "sync", gamma: "sync" } });
  const source = await inWindow(cluster);
  // Regions 2 and 3, as runs: from region 0, two on, two long.
  await source.say({ kind: "marks", volume: 0, peer: "gamma", runs: new Uint8Array([0, 2, 2]) });
  await source.say({ kind: "resync_end", seq: 0 });
  assert.equal(source.last("up_to_date")?.seq, 0);
  beta(cluster).crash("power_lost");
  await beta(cluster).start();
  await cluster.pass(20);
  const log = beta(cluster).store?.volumes[0]?.intentLog;
  assert.deepEqual([log?.bitmap("gamma").has(2), log?.bitmap("gamma").has(3)], [true, true]);
});

test("target: I3: no block changes before its intent is stable", async () => {
  const cluster = await targetAlone();
  const source = await replicating(cluster);
  const log = beta(cluster).shelf.disks.get("/disks/v0.holdfast/intent_log");
  assert.ok(log !== undefined);
  const held: (() => void)[] = [];
  log.later = (work) => void held.push(work);
  await source.write({ seq: 1, offset: 512 * 1024, byte: 3 });
  await cluster.pass(100);
  assert.equal(byteAt(cluster, 512 * 1024), 0);
  log.later = undefined;
  for (const work of held) work();
  await cluster.pass(50);
  assert.equal(byteAt(cluster, 512 * 1024), 3);
});

test("target: a second connection takes the place of the first, once its disk work is over", async () => {
  const cluster = await targetAlone();
  const first = await replicating(cluster);
  await first.write({ seq: 1, offset: 0, byte: 1 });
  const second = await RawSource.connect(cluster);
  assert.equal(first.ended, null, "a connection alone takes nobody's place");
  await second.open(sourceView([entryOf(1)], 1));
  assert.notEqual(first.ended, null);
  assert.equal(second.last("leg_state")?.kind, "leg_state");
  await second.say({ kind: "leg_plan", rule: "same_position" });
  await second.say({ kind: "resync_end", seq: 1 });
  await second.write({ seq: 2, offset: 0, byte: 2 });
  assert.equal(byteAt(cluster, 0), 2);
});

test("target: I1: a connection that offers a lower generation is refused and disturbs nobody", async () => {
  const cluster = await targetAlone();
  const inForce = await RawSource.connect(cluster);
  await inForce.replicate(sourceView([entryOf(1), entryOf(2)], 0));
  const stale = await RawSource.connect(cluster);
  await stale.open(sourceView([entryOf(1)], 0));
  const refused = stale.last("leg_refused");
  assert.equal(refused?.kind === "leg_refused" && refused.reason, "lower_generation");
  assert.equal(inForce.ended, null);
  await inForce.write({ seq: 1, offset: 0, byte: 9 });
  assert.equal(byteAt(cluster, 0), 9);
});

test("target: I8: a source that sends faster than the disk takes is held back", async () => {
  const cluster = await targetAlone({ volumeBytes: 32 * 1024 * 1024 });
  const source = await replicating(cluster);
  beta(cluster).disk().later = () => {};
  let sent = 0;
  for (; sent < 64 && !source.channel.congested; sent += 1) {
    const payload = new Uint8Array(1024 * 1024 / 2);
    source.channel.sendFrame({
      kind: "write",
      seq: sent + 1,
      offset: sent * payload.length,
      span: payload.length,
    }, payload);
    await cluster.pass(20);
  }
  assert.equal(source.channel.congested, true, `${sent} writes of 512 KiB were taken`);
  assert.ok(sent <= 40);
});

test("target: a window that closes on the disk after its session is over leaves position and history that belong together", async () => {
  for (const how of ["connection lost", "target killed"] as const) {
    const cluster = await targetAlone();
    const old = await replicating(cluster);
    for (const seq of [1, 2, 3]) await old.write({ seq, offset: 0, byte: seq });
    // A new source that stands at 1: two writes are rolled back.
    const history = [entryOf(1), entryOf(2, 1)];
    const source = await RawSource.connect(cluster);
    await source.open(sourceView(history, 1));
    await source.say({ kind: "leg_plan", rule: "unacknowledged_tail" });
    await source.say({ kind: "resync_begin", resync: "partial", totalBytes: 4096 });
    await source.frame({ kind: "copy", span: 4096, seq: 1, offset: 0 }, new Uint8Array(4096).fill(1));
    const superblock = beta(cluster).shelf.disks.get("/disks/v0.holdfast/superblock");
    assert.ok(superblock !== undefined);
    const held: (() => void)[] = [];
    superblock.later = (work) => void held.push(work);
    await source.say({ kind: "resync_end", seq: 1 });
    if (how === "target killed") beta(cluster).kill("target");
    else source.channel.destroy("lost");
    await cluster.pass(20);
    superblock.later = undefined;
    for (const work of held) work();
    await cluster.pass(20);
    const next = await RawSource.connect(cluster);
    await next.open(sourceView(history, 1));
    const view = next.last("leg_state")?.view as { position: unknown; disk: string } | undefined;
    assert.deepEqual([view?.disk, view?.position], ["up_to_date", { generation: 2, seq: 1 }], how);
    await next.say({ kind: "leg_plan", rule: "same_position" });
    assert.equal(next.last("marks_end")?.kind, "marks_end", how);
  }
});

test("target: frames that wait do not pin every hot region: the first of them finds a place for its own", async () => {
  for (let seed = 1; seed <= 10; seed += 1) {
    const cluster = await targetAlone({
      seed,
      volumeBytes: 8 * 1024 * 1024,
      hotRegionBytes: 64 * 1024,
      hotCapacity: 32,
    });
    const source = await replicating(cluster);
    const hotRegion = (index: number) => index * 64 * 1024;
    let seq = 0;
    const trim = (region: number) => {
      seq += 1;
      source.channel.sendFrame({ kind: "trim", seq, offset: hotRegion(region), span: 512 });
    };
    for (let region = 0; region < 32; region += 1) trim(region);
    await cluster.pass(50);
    // In one go: a cold region, and behind it frames to every region that is hot.
    trim(100);
    for (let region = 0; region < 32; region += 1) trim(region);
    await cluster.pass(200);
    assert.equal(source.acks.at(-1)?.applied, source.channel.lastFrameSent, `seed ${seed}`);
  }
});

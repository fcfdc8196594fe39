/** The rules of design §4.3 one by one, each with the disk that loses its cache. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bitmapFileBytes } from "../../volume/bitmap_file.ts";
import type { DiskOutcome } from "../../volume/block_device.ts";
import type { IntentLog } from "../../volume/intent_log.ts";
import { MemoryDisk } from "../../volume/memory_device.ts";
import { INTENT_LOG_FILE_BYTES, type IntentLogOpened, openIntentLog } from "../../volume/open_intent_log.ts";
import { OpenFailure } from "../../volume/open_failure.ts";

const REGION = 4096;
const HOT = 16 * REGION;
const SIZE = 100 * HOT;

class Disks {
  readonly log = new MemoryDisk({ name: "intent_log", size: INTENT_LOG_FILE_BYTES });
  readonly bitmap = new MemoryDisk({
    name: "bitmap-beta",
    size: bitmapFileBytes({ size: SIZE, regionBytes: REGION }),
  });

  async open(fresh = false): Promise<IntentLogOpened> {
    const opened = await openIntentLog({
      size: SIZE,
      identity: "db/data/alpha",
      logDevice: this.log.open(),
      fresh,
      peers: new Map([["beta", { device: this.bitmap.open(), create: fresh ? "none" : null }]]),
      openBitmap: () =>
        Promise.resolve(new MemoryDisk({ name: "bitmap-gamma", size: this.bitmap.size }).open()),
      regionBytes: REGION,
      hotRegionBytes: HOT,
      hotCapacity: 32,
    });
    assert.ok(!(opened instanceof OpenFailure), String(opened));
    return opened;
  }

  /** Everything unflushed is lost. */
  crash(): void {
    this.log.crash(() => 0);
    this.bitmap.crash(() => 0);
  }
}

function heated(log: IntentLog, offset: number, length: number): Promise<DiskOutcome> {
  return new Promise((resolve) => log.heat([{ offset, length }], resolve));
}

test("intent log: rule 1, I3: heat answers only when the record is stable, and marking without it is a bug", async () => {
  const disks = new Disks();
  const { intentLog } = await disks.open(true);
  assert.throws(() => intentLog.mark(0, 1, 1), /I3: intent is stable before any write that it covers/);
  assert.equal(intentLog.tryPin(0, 1), false);
  assert.equal(await heated(intentLog, HOT - 1, 2), null);
  disks.crash();
  const after = await disks.open();
  assert.equal(after.crashedWithHot, 2);
  assert.equal(after.intentLog.dirtyBytes("beta"), 2 * HOT, "rule 5: all that was hot is dirty");
});

test("intent log: rule 5: what was marked at open is durable before the hot set is forgotten", async () => {
  const disks = new Disks();
  const { intentLog } = await disks.open(true);
  await heated(intentLog, 0, 1);
  disks.crash();
  await disks.open();
  disks.crash();
  const after = await disks.open();
  assert.deepEqual([after.crashedWithHot, after.intentLog.dirtyBytes("beta")], [0, HOT]);
});

test("intent log: a write to a hot region costs no metadata I/O; one batch costs one write and one flush", async () => {
  const disks = new Disks();
  const { intentLog } = await disks.open(true);
  const before = { ...disks.log.counts };
  await Promise.all(Array.from({ length: 20 }, (_, region) => heated(intentLog, region * HOT, 100)));
  assert.deepEqual([disks.log.counts.writes - before.writes, disks.log.counts.flushes - before.flushes], [
    1,
    1,
  ]);
  const warm = [{ ...disks.log.counts }, { ...disks.bitmap.counts }];
  for (let region = 0; region < 20; region += 1) {
    assert.ok(intentLog.tryPin(region * HOT, HOT));
    intentLog.mark(region * HOT, HOT, region + 1);
    intentLog.unpin(region * HOT, HOT);
  }
  assert.deepEqual([{ ...disks.log.counts }, { ...disks.bitmap.counts }], warm);
});

test("intent log: what comes while a commit runs joins the next one", async () => {
  const disks = new Disks();
  const { intentLog } = await disks.open(true);
  const answers: (() => void)[] = [];
  disks.log.later = (work) => answers.push(work);
  const first = heated(intentLog, 0, 1);
  for (let turn = 0; turn < 20; turn += 1) await null;
  const later = [heated(intentLog, HOT, 1), heated(intentLog, 2 * HOT, 1)];
  disks.log.later = undefined;
  for (const answer of answers) answer();
  assert.deepEqual(await Promise.all([first, ...later]), [null, null, null]);
  assert.equal(intentLog.figures().commits, 2);
});

test("intent log: rule 4: what is evicted has its bits on disk, and only then is it no longer hot", async () => {
  const disks = new Disks();
  const { intentLog } = await disks.open(true);
  for (let region = 0; region < 60; region += 1) {
    assert.equal(await heated(intentLog, region * HOT, 1), null);
    intentLog.mark(region * HOT + 3 * REGION, 1, region + 1);
    intentLog.unpin(region * HOT, 1);
  }
  assert.ok(intentLog.figures().evictions >= 28);
  disks.crash();
  const after = (await disks.open()).intentLog.bitmap("beta");
  for (let region = 0; region < 60; region += 1) assert.ok(after.has(region * 16 + 3), `region ${region}`);
  assert.ok(after.count < 60 + 32 * 16, "evicted regions are dirty only where they were written");
});

test("intent log: rule 3: a failed or unacknowledged write leaves its bit set", async () => {
  const disks = new Disks();
  const { intentLog } = await disks.open(true);
  intentLog.setShipping("beta", true);
  await heated(intentLog, 0, REGION);
  intentLog.mark(0, REGION, 1);
  intentLog.unpin(0, REGION);
  intentLog.localStableUpTo(1);
  assert.equal(intentLog.dirtyBytes("beta"), REGION);
});

test("intent log: rule 7: after a failed commit nothing is heated or pinned any more, hot or not", async () => {
  const disks = new Disks();
  const { intentLog } = await disks.open(true);
  await heated(intentLog, 0, 1);
  disks.log.fault = (operation) => operation === "flush" ? "io_error" : null;
  assert.equal((await heated(intentLog, HOT, 1))?.kind, "io_error");
  disks.log.fault = undefined;
  assert.equal(intentLog.tryPin(0, 1), false);
  assert.equal((await heated(intentLog, 0, 1))?.kind, "io_error");
  assert.equal(intentLog.failure?.kind, "io_error");
  disks.crash();
  assert.equal((await disks.open()).intentLog.dirtyBytes("beta"), HOT);
});

test("intent log: a clean close leaves nothing hot and every bit where it was", async () => {
  const disks = new Disks();
  const { intentLog } = await disks.open(true);
  await heated(intentLog, 0, 1);
  intentLog.mark(0, 1, 1);
  intentLog.unpin(0, 1);
  assert.equal(await intentLog.closeClean(), null);
  disks.crash();
  const after = await disks.open();
  assert.deepEqual([after.crashedWithHot, after.intentLog.dirtyBytes("beta")], [null, REGION]);
});

test("intent log: a close with writes in flight is not a clean one, and what waits is refused", async () => {
  const disks = new Disks();
  const { intentLog } = await disks.open(true);
  await heated(intentLog, 0, 1);
  const waiting = heated(intentLog, HOT, 1);
  const closed = intentLog.closeClean();
  assert.equal((await waiting)?.kind, "closed");
  assert.equal((await closed)?.kind, "closed");
  assert.equal((await disks.open()).intentLog.dirtyBytes("beta"), HOT);
});

test("intent log: a damaged or lost hot set makes everything dirty, and says so", async () => {
  const damages: [string, (disks: Disks) => void][] = [
    ["newest copy", (disks) => disks.log.poke(100, new Uint8Array([1, 2]))],
    ["both copies", (disks) => {
      disks.log.poke(100, new Uint8Array([1, 2]));
      disks.log.poke(INTENT_LOG_FILE_BYTES / 2 + 100, new Uint8Array([1, 2]));
    }],
    ["lost", (disks) => disks.log.poke(0, new Uint8Array(INTENT_LOG_FILE_BYTES))],
  ];
  for (const [label, damage] of damages) {
    const disks = new Disks();
    const { intentLog } = await disks.open(true);
    await heated(intentLog, 0, 1);
    await intentLog.abandon();
    const fresh = await disks.open();
    await heated(fresh.intentLog, 0, 1);
    damage(disks);
    const after = await disks.open();
    assert.equal(after.intentLog.dirtyBytes("beta"), SIZE, label);
    assert.match(after.damage.join(), /^intent_log: .*every region counts as dirty$/, label);
    disks.crash();
    assert.deepEqual((await disks.open()).damage, [], `${label}: mended`);
  }
});

test("intent log: a merged or complete set of marks is durable once persisted; a peer can come and go", async () => {
  const disks = new Disks();
  const { intentLog } = await disks.open(true);
  intentLog.markRange("beta", { offset: 5 * REGION, length: 1 });
  intentLog.mergeInto("beta", intentLog.bitmap("beta"));
  assert.equal(await intentLog.persist(), null);
  assert.equal(await intentLog.addPeer("gamma", { marks: "all" }), null);
  assert.equal(intentLog.dirtyBytes("gamma"), SIZE);
  intentLog.removePeer("gamma");
  assert.deepEqual(intentLog.peers, ["beta"]);
  disks.crash();
  assert.equal((await disks.open()).intentLog.dirtyBytes("beta"), REGION);
});

test("intent log: more pinned regions than slots: the request waits, and goes on when pins end", async () => {
  const disks = new Disks();
  const { intentLog } = await disks.open(true);
  await Promise.all(Array.from({ length: 32 }, (_, region) => heated(intentLog, region * HOT, 1)));
  let served: DiskOutcome | "waits" = "waits";
  void heated(intentLog, 40 * HOT, 1).then((outcome) => served = outcome);
  for (let turn = 0; turn < 50; turn += 1) await null;
  assert.equal(served, "waits");
  const drained = Array.from({ length: 32 }, (_, region) => region).filter((region) =>
    !intentLog.isHot(region * HOT, 1)
  );
  assert.equal(drained.length, 1);
  for (const region of drained) intentLog.unpin(region * HOT, 1);
  for (let turn = 0; turn < 50; turn += 1) await null;
  assert.equal(served, null);
});

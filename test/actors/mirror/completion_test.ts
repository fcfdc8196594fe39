/** What a write and a flush wait for, by the mode of each leg (design §4.2): real actors, the network cut open by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { LegMode } from "../../../protocol/member_set.ts";
import { Cluster } from "./support/cluster.ts";

/** A slow network, so that one can look between shipping and ack: 50 to 100 ms each way. */
async function slowPair(mode: LegMode): Promise<Cluster> {
  const cluster = await Cluster.born({ replicas: { alpha: "sync", beta: mode }, latencyMs: 100 });
  cluster.client.write({ sector: 0 });
  await cluster.pass(300);
  return cluster;
}

const TABLE: readonly { mode: LegMode; what: "write" | "flush" | "fua" | "read"; waits: boolean }[] = [
  { mode: "sync", what: "write", waits: true },
  { mode: "sync", what: "flush", waits: true },
  { mode: "sync", what: "fua", waits: true },
  { mode: "sync", what: "read", waits: false },
  { mode: "commit", what: "write", waits: false },
  { mode: "commit", what: "flush", waits: true },
  { mode: "commit", what: "fua", waits: true },
  { mode: "async", what: "write", waits: false },
  { mode: "async", what: "flush", waits: false },
  { mode: "async", what: "fua", waits: false },
];

for (const { mode, what, waits } of TABLE) {
  test(`completion: I2, I13: a ${what} ${waits ? "waits" : "does not wait"} for a ${mode} leg`, async () => {
    const cluster = await slowPair(mode);
    const { client } = cluster;
    const asked = what === "flush"
      ? client.flush()
      : what === "read"
      ? client.read({ sector: 100 })
      : client.write({ sector: 0, fua: what === "fua" });
    await cluster.pass(40);
    assert.equal(asked.answered, !waits);
    await cluster.pass(300);
    assert.equal(asked.answered, true);
    assert.equal(asked.error, null);
  });
}

test("completion: I13: a flush waits until the leg is stable, not merely until it applied", async () => {
  for (const mode of ["sync", "commit"] as const) {
    const cluster = await Cluster.born({ replicas: { alpha: "sync", beta: mode } });
    const disk = cluster.node("beta").disk();
    const held: (() => void)[] = [];
    disk.later = (work, operation) => operation === "flush" ? void held.push(work) : work();
    const write = cluster.client.write({ sector: 0 });
    await cluster.pass(5);
    assert.equal(write.answered, true);
    const flush = cluster.client.flush();
    const fua = cluster.client.write({ sector: 1, fua: true });
    await cluster.pass(5_000);
    assert.deepEqual([flush.answered, fua.answered], [false, false], mode);
    disk.later = undefined;
    for (const work of held) work();
    await cluster.pass(100);
    assert.deepEqual([flush.answered, fua.answered], [true, true], mode);
    assert.equal(disk.unstableSectors, 0);
  }
});

test("completion: a flush waits for the local disk too, whatever the legs say", async () => {
  const cluster = await Cluster.born();
  const disk = cluster.node("alpha").disk();
  const held: (() => void)[] = [];
  disk.later = (work, operation) => operation === "flush" ? void held.push(work) : work();
  cluster.client.write({ sector: 0 });
  const flush = cluster.client.flush();
  await cluster.pass(5_000);
  assert.equal(flush.answered, false);
  disk.later = undefined;
  for (const work of held) work();
  await cluster.pass(100);
  assert.equal(flush.answered, true);
});

test("completion: overlapping writes reach the disk and the leg in the order in which they were asked for", async () => {
  for (const diskDelayMs of [0, 2]) {
    const cluster = await Cluster.born({ diskDelayMs });
    const { client } = cluster;
    client.submit(
      Array.from(
        { length: 40 },
        (_, index) => client.writeRequest({ sector: index % 7, sectors: 1 + index % 5 }),
      ),
    );
    await cluster.until("all are answered", () => client.answers >= 40);
    cluster.checkPromises("completed", "alpha");
    cluster.checkPromises("completed", "beta");
  }
});

test("completion: a read sees no write that is not complete, and every one that is", async () => {
  const cluster = await slowPair("sync");
  const { client } = cluster;
  const write = client.write({ sector: 5, sectors: 4 });
  const read = client.read({ sector: 3, sectors: 4 });
  const apart = client.read({ sector: 9 });
  await cluster.pass(20);
  assert.deepEqual([write.answered, read.answered, apart.answered], [false, false, true]);
  await cluster.pass(300);
  assert.deepEqual([write.answered, read.answered], [true, true]);
  assert.deepEqual(client.wrongReads, []);
});

test("completion: a client that asks again from within an answer keeps positions growing", async () => {
  const cluster = await Cluster.born({ replicas: { alpha: "sync" } });
  const { client } = cluster;
  let left = 50;
  // The first is to a cold region: it and all that follow from it run in a turn of the intent log.
  client.onAnswer = () => {
    left -= 1;
    if (left > 0) client.write({ sector: 2000 + left % 8 });
  };
  client.write({ sector: 2000 });
  await cluster.pass(200);
  const status = await cluster.status();
  assert.equal(client.answers, 50);
  assert.equal(status?.position.seq, 50, "the position is the last write's");
});

test("completion: a write of 32 MiB and a trim of 4 GiB go through, and both disks are equal", async () => {
  const cluster = await Cluster.born({
    volumeBytes: 5 * 2 ** 30,
    regionBytes: 64 * 1024,
    hotRegionBytes: 4 * 2 ** 20,
    hotCapacity: 64,
    backlogBytesMax: 256 * 2 ** 20,
  });
  const { client } = cluster;
  const trim = client.zero({ sector: 0, sectors: 64 });
  const written = client.write({ sector: 2 ** 23 - 32_768, sectors: 65_536 });
  await cluster.until("32 MiB are written", () => written.answered && trim.answered);
  assert.deepEqual([written.error, trim.error], [null, null]);
  const huge = client.trimBytes({ offset: 4096, length: 2 ** 32 - 4096 });
  await cluster.until("4 GiB are trimmed", () => huge.answered);
  assert.equal(huge.error, null);
  for (const name of ["alpha", "beta"]) {
    const disk = cluster.node(name).disk();
    assert.equal(disk.peek(2 ** 32 - 512, 512).some((byte) => byte !== 0), false, name);
    assert.equal(
      disk.peek(2 ** 32, 512).some((byte) => byte !== 0),
      true,
      "what lies behind it is untouched",
    );
  }
});

test("completion: zeroes that must take space are refused where they would have to be fast, and only there", async () => {
  const cluster = await Cluster.born();
  const answers: (string | null)[] = [];
  const zeroes = {
    kind: "write_zeroes",
    volume: 0,
    offset: 0,
    length: 4096,
    fua: false,
    payload: null,
    slab: null,
  } as const;
  const complete = (error: string | null) => void answers.push(error);
  for (
    const flags of [{ noHole: true, fastZero: true }, { noHole: false, fastZero: true }, { noHole: true }]
  ) {
    cluster.client.port?.submit([{ ...zeroes, ...flags, complete }]);
    await cluster.pass(20);
  }
  assert.deepEqual(answers, ["not_supported", null, null]);
});

/**
 * A writer with an account of its own, while source, target or both are killed at seeded random moments, round after
 * round: what was acknowledged is there, replicas heal by partial resync and end up equal.
 *
 * HOLDFAST_KILL_ROUNDS and HOLDFAST_SEED make it longer and different; the seed is in every failure.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type LegMode } from "../../protocol/member_set.ts";
import { MIB, TestCluster } from "./support/cluster.ts";
import { BLOCK_BYTES, filled, NumberedWriter, numberIn, seeded } from "./support/numbered_writer.ts";
import { connectToSource } from "./support/volume.ts";

const ROUNDS = Number(process.env["HOLDFAST_KILL_ROUNDS"] ?? 6);
const SEED = Number(process.env["HOLDFAST_SEED"] ?? 1);
const SIZE_BYTES = 64 * MIB;
/** The writer stays within the first part, so that a partial resync is told apart from a full one. */
const WRITTEN_BYTES = 4 * MIB;
const KILL_WITHIN_MS = 600;
const WRITES_AFTER = 100;
const BEHIND_ROUNDS = Math.ceil(ROUNDS / 3);
/** Less than a lease, so that the target stays a member. */
const STILL_WITHIN_MS = 300;

interface Rounds {
  readonly cluster: TestCluster;
  readonly writer: NumberedWriter;
  readonly random: (limit: number) => number;
  readonly counts: "acknowledged" | "flushed";
}

/** Waits until the writer has so many more acknowledged writes, or has ended. */
async function moreWrites(writer: NumberedWriter, count: number, ended: Promise<unknown>): Promise<void> {
  let over = false;
  void ended.then(() => over = true);
  const wanted = writer.acknowledgedWrites + count;
  const deadline = performance.now() + 40_000;
  while (!over && writer.acknowledgedWrites < wanted) {
    assert.ok(performance.now() < deadline, `no ${count} writes were acknowledged within 40 s`);
    await delay(5);
  }
}

async function oneRound({ cluster, writer, random, counts }: Rounds, round: number): Promise<string> {
  const { node: source, client } = await connectToSource(cluster);
  const targets = cluster.nodes.filter((node) => node !== source);
  const target = targets[random(targets.length)] ?? "";
  const victims = [[source], [target], [source, target], [source]][round % 4] ?? [];
  const writing = writer.run(client);
  await moreWrites(writer, 1, writing);
  await delay(random(KILL_WITHIN_MS));
  await Promise.all(victims.map((victim) => cluster.kill(victim)));
  if (!victims.includes(source)) {
    await moreWrites(writer, WRITES_AFTER, writing);
    writer.stop();
    assert.equal(await writing, true, "a target's death breaks no connection to the source");
    await client.disconnect();
  } else {
    assert.equal(await writing, false);
    client.destroy("its source was killed");
  }
  const restart = () => Promise.all(victims.map((victim) => cluster.start(victim)));
  // Without a majority nobody may serve, so then they come back first.
  const restarted = victims.length > 1 ? restart() : undefined;
  const served = await connectToSource(cluster);
  await writer.verify(served.client, counts);
  const again = writer.run(served.client);
  await moreWrites(writer, WRITES_AFTER, again);
  await (restarted ?? restart());
  await moreWrites(writer, WRITES_AFTER, again);
  writer.stop();
  assert.equal(await again, true, "the return of a node breaks no connection to the source");
  assert.ok(await writer.flush(served.client));
  const group = await cluster.healthy();
  await cluster.assertIdentical();
  await writer.verify(served.client, counts);
  await served.client.disconnect();
  const copied = victims.map((victim) => group.replicas[victim]?.lastResync?.copiedBytes ?? 0);
  for (const bytes of copied) {
    assert.ok(bytes <= 4 * WRITTEN_BYTES, `${bytes} bytes were copied: no partial resync`);
  }
  return `round ${round}: ${victims.join(" and ")} killed, ${served.node} serves, copied ${
    copied.join(" and ")
  } bytes`;
}

async function manyRounds(
  modes: Readonly<Record<string, LegMode>>,
  counts: "acknowledged" | "flushed",
  say: (line: string) => void,
): Promise<void> {
  const cluster = await TestCluster.inService({ modes, sizeBytes: SIZE_BYTES });
  const random = seeded(SEED);
  const ledger = join(cluster.folder, "acknowledged");
  const writer = new NumberedWriter({ ledger, blocks: WRITTEN_BYTES / BLOCK_BYTES, random });
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      say(await oneRound({ cluster, writer, random, counts }, round));
    }
    if (counts === "acknowledged") NumberedWriter.verifyFile(ledger, readFileSync(cluster.disk("alpha")));
    say(
      `${writer.acknowledgedWrites} writes and ${writer.acknowledgedFlushes} flushes acknowledged, none lost`,
    );
  } catch (error) {
    throw new Error(`seed ${SEED}: ${error instanceof Error ? error.stack : String(error)}`);
  } finally {
    writer.close();
    await cluster.close();
  }
}

test("random kills: nothing acknowledged to a sync target is lost, and replicas converge", async (context) => {
  const modes = { alpha: "sync", beta: "sync", gamma: "async" } as const;
  await manyRounds(modes, "acknowledged", (line) => context.diagnostic(line));
});

test("random kills: with commit targets no acknowledged flush is lost", async (context) => {
  const modes = { alpha: "commit", beta: "commit", gamma: "commit" } as const;
  await manyRounds(modes, "flushed", (line) => context.diagnostic(line));
});

/**
 * What a killed process had sent still arrives, and so a target that is quick holds more than it must. Here it stands
 * still while the source writes on, and loses with its life what its kernel had received for it.
 */
const BEHIND = [
  { mode: "sync", counts: "acknowledged" },
  { mode: "commit", counts: "flushed" },
] as const;

for (const { mode, counts } of BEHIND) {
  test(`random kills: a ${mode} target that stood still dies with its source, and alone it holds what was ${counts}`, async () => {
    const modes = { alpha: mode, beta: mode, gamma: "async" } as const;
    const cluster = await TestCluster.inService({ modes, sizeBytes: SIZE_BYTES });
    const random = seeded(SEED);
    const ledger = join(cluster.folder, "acknowledged");
    const writer = new NumberedWriter({
      ledger,
      blocks: WRITTEN_BYTES / BLOCK_BYTES,
      random,
      flushEvery: 10,
    });
    try {
      for (let round = 0; round < BEHIND_ROUNDS; round += 1) {
        const { node: source, client } = await connectToSource(cluster, { except: ["gamma"] });
        const target = source === "alpha" ? "beta" : "alpha";
        // An async target that was ahead would be a tail that a person must decide about.
        await cluster.kill("gamma");
        const writing = writer.run(client);
        await moreWrites(writer, 50, writing);
        cluster.pause(target);
        await delay(100 + random(STILL_WITHIN_MS));
        await cluster.kill(source);
        await cluster.kill(target);
        assert.equal(await writing, false);
        client.destroy("its source was killed");
        await Promise.all([cluster.start(target), cluster.start("gamma")]);
        const served = await connectToSource(cluster);
        assert.equal(served.node, target);
        await writer.verify(served.client, counts);
        await served.client.disconnect();
        await cluster.start(source);
        await cluster.healthy();
        await cluster.assertIdentical();
      }
    } finally {
      writer.close();
      await cluster.close();
    }
  });
}

/** Batch k goes out when the flush after batch k - 1 is acknowledged; write n has block n for itself. */
const BATCH = 8;

for (const how of ["kill", "stop"] as const) {
  test(`random kills: the disk of an async target is a prefix at the granularity of barriers (${how})`, async () => {
    const cluster = await TestCluster.inService({ sizeBytes: SIZE_BYTES });
    const random = seeded(SEED);
    try {
      const { node: source, client } = await connectToSource(cluster);
      const victim = cluster.nodes.find((node) => node === "gamma" && node !== source) ?? "beta";
      let next = 0;
      let stopping = false;
      const writing = (async () => {
        while (!stopping && (next + BATCH) * BLOCK_BYTES < SIZE_BYTES) {
          const writes = Array.from({ length: BATCH }, (_, at) => {
            const bytes = new Uint8Array(BLOCK_BYTES);
            filled(bytes, { number: next + at + 1, block: next + at });
            return client.write((next + at) * BLOCK_BYTES, bytes);
          });
          next += BATCH;
          for (const outcome of await Promise.all([...writes, client.flush()])) assert.ok(outcome.ok);
          // A flush covers what was acknowledged before it, so the barrier between batches is one of its own.
          assert.ok((await client.flush()).ok);
        }
      })();
      await delay(200 + random(KILL_WITHIN_MS));
      if (how === "kill") await cluster.kill(victim);
      else assert.equal(await cluster.stop(victim), 0);
      stopping = true;
      await writing;
      const disk = readFileSync(cluster.disk(victim));
      const batches = Array.from(
        { length: next / BATCH },
        (_, batch) =>
          Array.from({ length: BATCH }, (_, at) => batch * BATCH + at)
            .filter((block) =>
              numberIn(disk.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES), block) === block + 1
            ).length,
      );
      const complete = batches.findIndex((count) => count < BATCH);
      const later = complete === -1 ? [] : batches.slice(complete + 1).filter((count) => count > 0);
      assert.deepEqual(later, [], `batch ${complete} is incomplete, and later ones are there`);
      assert.ok(complete !== 0, "something had arrived");
      await cluster.start(victim);
      await cluster.healthy();
      await cluster.assertIdentical();
      await client.disconnect();
    } finally {
      await cluster.close();
    }
  });
}

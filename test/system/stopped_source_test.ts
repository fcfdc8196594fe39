/**
 * A source that stands still for longer than its lease and then runs on, knowing nothing of it, while another is
 * source already: it completes nothing any more, neither what it had in hand nor what waited at its door.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { NbdOutcome } from "../../volume/nbd/client.ts";
import { MIB, TestCluster } from "./support/cluster.ts";
import { Load } from "./support/load.ts";
import { BLOCK_BYTES } from "./support/numbered_writer.ts";
import { connectTo, connectToSource } from "./support/volume.ts";

/** Beyond what the load writes. */
const STALE_OFFSET = 16 * MIB;
const STALE = new Uint8Array(BLOCK_BYTES).fill(0xee);

function isStopped(pid: number): boolean {
  // The state follows the program's name, which is in parentheses.
  return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.startsWith("T") === true;
}

test("stopped source: it runs on while another is source, and completes no read and no write", async () => {
  const cluster = await TestCluster.inService();
  const load = new Load(cluster);
  try {
    const { node: source, client } = await connectToSource(cluster);
    assert.ok((await client.write(STALE_OFFSET, new Uint8Array(BLOCK_BYTES).fill(1))).ok);
    const idle = await connectTo(cluster, source);
    assert.ok(typeof idle !== "string");

    cluster.pause(source);
    const { pid } = cluster.process(source);
    while (!isStopped(pid)) await delay(1);
    // All of this waits at the door of a process that stands still.
    const outcomes: NbdOutcome<unknown>[] = [];
    const asked: Promise<unknown>[] = [];
    const ask = (question: Promise<NbdOutcome<unknown>>) =>
      asked.push(question.then((outcome) => outcomes.push(outcome)));
    for (let index = 0; index < 8; index += 1) {
      ask(client.write(STALE_OFFSET + index * BLOCK_BYTES, STALE));
      ask(client.read(index * BLOCK_BYTES, BLOCK_BYTES));
      ask(idle.write(STALE_OFFSET + (16 + index) * BLOCK_BYTES, STALE, { fua: true }));
    }
    ask(idle.flush());

    load.start();
    await load.progress();
    assert.deepEqual(outcomes, [], "nothing is answered while it stands still");
    const before = await cluster.group();
    assert.notEqual(before?.source, source);

    cluster.resume(source);
    await load.progress(200);
    const group = await cluster.waitFor(
      "the old source to be a target",
      ({ replicas }) => replicas[source]?.role === "target" && replicas[source].leg === "replicating",
    );
    assert.equal(group.source, before?.source, "its return moves nothing");
    // Requests may hang on a connection that the old source has not closed; closing it here ends them.
    client.destroy("the test is over");
    idle.destroy("the test is over");
    await Promise.all(asked);
    assert.deepEqual(outcomes.filter(({ ok }) => ok), [], "the old source completed requests");
    assert.match(String(await connectTo(cluster, source)), new RegExp(`served by ${before?.source}`));

    await load.stop();
    const served = await load.verify();
    const stale = await served.client.read(STALE_OFFSET, 32 * BLOCK_BYTES);
    assert.ok(stale.ok && !stale.value.includes(0xee), "a write of the old source is on the volume");
    await served.client.disconnect();
    await load.finish();
  } finally {
    await cluster.close();
  }
});

/**
 * The demo's story: a volume on three nodes, real data on it, its source killed in mid-write, and the proof that
 * nothing acknowledged is lost. Every figure printed was measured in this run.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { ClusterStatus, ReplicaStatus } from "../../protocol/admin_messages.ts";
import { clusterStatus } from "../ask_cluster.ts";
import type { NbdClient } from "../../volume/nbd/client.ts";
import { DEMO_GROUP, DEMO_NODES, DEMO_VOLUME, type DemoCluster, type DemoNode } from "./demo_cluster.ts";
import { BLOCK_BYTES, Ledger } from "./ledger.ts";
import { bytesText, type Narrator } from "./narrator.ts";
import type { NodeProcess } from "./node_process.ts";
import type { RealInput } from "./real_input.ts";
import { findVolume, type ServedVolume } from "./volume_client.ts";
import { type NextWrite, writeAll } from "./writer.ts";

const CHUNK_BYTES = 128 * 1024;
const READ_BYTES = 256 * 1024;
const SERVED_WITHIN_MS = 30_000;
const HEALED_WITHIN_MS = 120_000;
const LOOK_EVERY_MS = 100;
/** Written to the new source before the old one returns, so that there is something to resynchronise. */
const WRITES_MEANWHILE = 500;
/** Acknowledged before the source is killed, so that it dies in the middle of a stream. */
const WRITES_BEFORE_KILL = 2_000;

export interface DemoReport {
  readonly held: boolean;
  readonly folder: string;
  readonly input: { readonly name: string; readonly bytes: number; readonly seconds: number };
  readonly killed: DemoNode;
  readonly newSource: DemoNode;
  /** From SIGKILL to the first acknowledged write on the new source. */
  readonly failoverSeconds: number;
  readonly acknowledgedWrites: number;
  readonly blocksChecked: number;
  readonly blocksLost: number;
  readonly volumeBytes: number;
  readonly resync: { readonly verdict: string; readonly copiedBytes: number; readonly seconds: number };
  readonly replicasIdentical: boolean;
  readonly dashboard: string;
}

export interface StoryOptions {
  readonly cluster: DemoCluster;
  readonly input: RealInput;
  readonly narrator: Narrator;
  /** Filled as nodes start, so that whoever started the story can end them. */
  readonly nodes: Map<DemoNode, NodeProcess>;
}

export async function tellStory(options: StoryOptions): Promise<DemoReport> {
  const { cluster, input, narrator, nodes } = options;
  const ledger = new Ledger((bytes) => createHash("sha1").update(bytes).digest("base64"));

  narrator.heading("1. Three nodes, three processes, one volume");
  await Promise.all(DEMO_NODES.map(async (node) => nodes.set(node, await cluster.start(node))));
  narrator.fact(
    `cluster up: ${DEMO_NODES.map((node) => `${node} (process ${nodes.get(node)?.pid})`).join(", ")}`,
  );
  let served = await findVolume(cluster, { withinMs: SERVED_WITHIN_MS });
  const first = served.node;
  const volumeBytes = served.client.served.size;
  narrator.fact(
    `volume ${DEMO_VOLUME}, ${bytesText(volumeBytes)}, served by ${first} at ${uriOf(cluster, first)}`,
  );
  narrator.fact(`dashboard: ${dashboardOf(cluster, first)}`);
  await healed(cluster);

  narrator.heading("2. Real data goes through NBD");
  const writeSeconds = await writeInput(served.client, { input, ledger, narrator });
  narrator.fact(
    `${bytesText(input.bytes.byteLength)} written (${input.name}) in ${writeSeconds.toFixed(2)} s`,
  );

  narrator.heading("3. The source dies in the middle of a stream of writes");
  const journal = new Journal({ from: roundUp(input.bytes.byteLength), to: volumeBytes });
  const dying = await killInMidStream({ served, ledger, journal, node: nodes.get(first) });
  narrator.fact(`${first} killed with SIGKILL after ${ledger.acknowledgedWrites} acknowledged writes`);
  served = await findVolume(cluster, { withinMs: SERVED_WITHIN_MS, except: [first] });
  await writeSome(served.client, { ledger, journal, count: 1 });
  const failoverSeconds = (performance.now() - dying.killedAt) / 1000;
  narrator.fact(
    `${served.node} is the new source; first acknowledged write there after ${failoverSeconds.toFixed(2)} s`,
  );

  narrator.heading("4. Every acknowledged write, one by one");
  const checked = await check(served.client, { ledger, narrator });
  narrator.check(
    `${
      checked.blocks - checked.lost
    } of ${checked.blocks} blocks of ${ledger.acknowledgedWrites} acknowledged writes are there`,
    checked.lost === 0,
  );

  narrator.heading("5. The old source comes back");
  await writeSome(served.client, { ledger, journal, count: WRITES_MEANWHILE });
  nodes.set(first, await cluster.start(first));
  const back = await healed(cluster, first);
  const resync = back.lastResync ?? null;
  const copiedBytes = resync?.copiedBytes ?? 0;
  narrator.fact(
    `${first} is a target again (${resync?.verdict ?? "no verdict"}): ${bytesText(copiedBytes)} of ` +
      `${bytesText(volumeBytes)} copied, ${((copiedBytes / volumeBytes) * 100).toFixed(1)} %`,
  );
  await served.client.flush();
  await healed(cluster);
  const sums = await Promise.all(DEMO_NODES.map((node) => sumOf(cluster.disk(node))));
  const identical = new Set(sums).size === 1;
  narrator.check("all three replicas are byte-identical", identical);
  const again = await check(served.client, { ledger, narrator });
  narrator.check(`all ${ledger.acknowledgedWrites} acknowledged writes are still there`, again.lost === 0);
  await served.client.disconnect();

  return {
    held: checked.lost === 0 && again.lost === 0 && identical && copiedBytes < volumeBytes,
    folder: cluster.folder,
    input: { name: input.name, bytes: input.bytes.byteLength, seconds: writeSeconds },
    killed: first,
    newSource: served.node,
    failoverSeconds,
    acknowledgedWrites: ledger.acknowledgedWrites,
    blocksChecked: again.blocks,
    blocksLost: Math.max(checked.lost, again.lost),
    volumeBytes,
    resync: {
      verdict: resync?.verdict ?? "none",
      copiedBytes,
      seconds: resync === null || resync.bytesPerSecond === 0 ? 0 : copiedBytes / resync.bytesPerSecond,
    },
    replicasIdentical: identical,
    dashboard: dashboardOf(cluster, served.node),
  };
}

/** Every node serves it, for the whole cluster. */
function dashboardOf(cluster: DemoCluster, node: DemoNode): string {
  return `http://127.0.0.1:${cluster.httpPorts.get(node)}/`;
}

export function uriOf(cluster: DemoCluster, node: DemoNode): string {
  return `nbd://127.0.0.1:${cluster.nbdPorts.get(node)}/${DEMO_VOLUME}`;
}

/** How much of the volume the journal goes round in. */
const JOURNAL_BYTES = 8 * 1024 * 1024;

/** Small numbered records behind the input, round and round: what a database's log looks like to a disk. */
class Journal {
  readonly #from: number;
  readonly #records: number;
  #count = 0;

  constructor({ from, to }: { from: number; to: number }) {
    this.#from = from;
    this.#records = Math.floor(Math.min(to - from, JOURNAL_BYTES) / BLOCK_BYTES);
    if (this.#records < 64) {
      throw new Error("Cannot run the demo: the volume is too small (try: a larger --size)");
    }
  }

  next(): NextWrite {
    const number = this.#count++;
    const bytes = new Uint8Array(BLOCK_BYTES);
    const text = `record ${number} of the demo's journal, at ${new Date().toISOString()}\n`;
    for (let at = 0; at < BLOCK_BYTES; at += text.length) {
      bytes.set(new TextEncoder().encode(text).subarray(0, BLOCK_BYTES - at), at);
    }
    return { offset: this.#from + (number % this.#records) * BLOCK_BYTES, bytes };
  }
}

async function writeInput(
  client: NbdClient,
  { input, ledger, narrator }: { input: RealInput; ledger: Ledger; narrator: Narrator },
): Promise<number> {
  const padded = new Uint8Array(roundUp(input.bytes.byteLength));
  padded.set(input.bytes);
  const startedAt = performance.now();
  let at = 0;
  let done = 0;
  const whole = await writeAll({
    client,
    ledger,
    next: () => {
      if (at >= padded.byteLength) return null;
      const offset = at;
      at = Math.min(padded.byteLength, at + CHUNK_BYTES);
      return { offset, bytes: padded.subarray(offset, at) };
    },
    acknowledged: ({ bytes }) => {
      done += bytes.byteLength;
      const seconds = (performance.now() - startedAt) / 1000;
      narrator.progress("writing", { done, total: padded.byteLength, unit: "bytes" }, seconds);
    },
  });
  const flushed = await client.flush();
  if (!whole || !flushed.ok) throw new Error("Cannot write the input: the volume went away");
  return (performance.now() - startedAt) / 1000;
}

async function killInMidStream(
  { served, ledger, journal, node }: {
    served: ServedVolume;
    ledger: Ledger;
    journal: Journal;
    node: NodeProcess | undefined;
  },
): Promise<{ readonly killedAt: number }> {
  let acknowledged = 0;
  let killedAt = 0;
  await writeAll({
    client: served.client,
    ledger,
    next: () => journal.next(),
    acknowledged: () => {
      acknowledged += 1;
      if (acknowledged !== WRITES_BEFORE_KILL) return;
      killedAt = performance.now();
      void node?.kill();
    },
  });
  await node?.kill();
  served.client.destroy("its source was killed");
  return { killedAt };
}

async function writeSome(
  client: NbdClient,
  { ledger, journal, count }: { ledger: Ledger; journal: Journal; count: number },
): Promise<void> {
  let left = count;
  const whole = await writeAll({ client, ledger, next: () => left-- > 0 ? journal.next() : null });
  if (!whole) throw new Error("Cannot write to the new source: the volume went away");
}

/** Reads back every block that was ever acknowledged. */
async function check(
  client: NbdClient,
  { ledger, narrator }: { ledger: Ledger; narrator: Narrator },
): Promise<{ readonly blocks: number; readonly lost: number }> {
  const blocks = ledger.blocks;
  const startedAt = performance.now();
  let lost = 0;
  for (let index = 0; index < blocks.length;) {
    const firstBlock = blocks[index] ?? 0;
    let count = 1;
    while (count < READ_BYTES / BLOCK_BYTES && blocks[index + count] === firstBlock + count) count += 1;
    const outcome = await client.read(firstBlock * BLOCK_BYTES, count * BLOCK_BYTES);
    if (!outcome.ok) throw new Error(`Cannot read the volume back: ${outcome.failure.detail}`);
    for (let at = 0; at < count; at += 1) {
      const bytes = outcome.value.subarray(at * BLOCK_BYTES, (at + 1) * BLOCK_BYTES);
      if (!ledger.holds(firstBlock + at, bytes)) lost += 1;
    }
    index += count;
    const seconds = (performance.now() - startedAt) / 1000;
    const done = index * BLOCK_BYTES;
    narrator.progress("reading back", { done, total: blocks.length * BLOCK_BYTES, unit: "bytes" }, seconds);
  }
  return { blocks: blocks.length, lost };
}

/** Waits until every leg replicates and has nothing left to do; answers how `node` got there. */
async function healed(cluster: DemoCluster, node?: DemoNode): Promise<Pick<ReplicaStatus, "lastResync">> {
  const deadline = performance.now() + HEALED_WITHIN_MS;
  for (;;) {
    const group = await groupOf(cluster);
    const replicas = group === undefined ? [] : DEMO_NODES.flatMap((name) => group.replicas[name] ?? []);
    const targets = replicas.filter((replica) => replica.role !== "source");
    const done = group?.state === "in_service" && replicas.length === DEMO_NODES.length &&
      targets.every((replica) => replica.leg === "replicating" && replica.lag.writes === 0);
    if (done) return node === undefined ? {} : { lastResync: group.replicas[node]?.lastResync ?? null };
    if (performance.now() > deadline) {
      const why = group?.cause ?? JSON.stringify(targets.map(({ leg, cause }) => ({ leg, cause })));
      throw new Error(`Cannot go on: the group did not heal within ${HEALED_WITHIN_MS / 1000} s: ${why}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

async function groupOf(cluster: DemoCluster): Promise<ClusterStatus["groups"][string] | undefined> {
  const shared = {
    config: cluster.config,
    node: undefined,
    admin: undefined,
    json: true,
    yes: true,
    timeoutMs: 2_000,
  };
  return (await clusterStatus(shared, "ask the demo's cluster")).groups[DEMO_GROUP];
}

async function sumOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}

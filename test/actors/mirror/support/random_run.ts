/**
 * One random history of a group, from one seed: writes, flushes, trims and reads under cuts, kills of actors and
 * processes, power losses, lost leases and records that find no majority; then all faults stop, and everything must be
 * equal, promised and clear (I2, I4, I5, I10, I13).
 */
import assert from "node:assert/strict";
import type { LegMode } from "../../../../protocol/member_set.ts";
import { SimulatedRandom } from "../../../../runtime/mod.ts";
import { Cluster } from "./cluster.ts";

/** 65 hot regions on a hot set of 36, so that regions cool down while others are written. */
const SECTORS = 4096;

export interface RandomRunOptions {
  readonly seed: number;
  /** Tells what is done, for whoever looks into a seed that fails. */
  readonly tell?: (line: string) => void;
}

export async function randomRun({ seed, tell = () => {} }: RandomRunOptions): Promise<void> {
  const dice = new SimulatedRandom(seed);
  const pick = (count: number) => dice.uint32() % count;
  const replicas: Readonly<Record<string, LegMode>>[] = [
    { alpha: "sync", beta: "sync" },
    { alpha: "sync", beta: "sync" },
    { alpha: "sync", beta: "sync", gamma: "sync" },
    { alpha: "sync", beta: "commit" },
    { alpha: "sync", beta: "sync", gamma: "async" },
  ];
  const cluster = await Cluster.born({
    seed,
    replicas: replicas[pick(replicas.length)] ?? {},
    volumeBytes: SECTORS * 512 + 4096,
    diskDelayMs: pick(3) === 0 ? 1 : 0,
    regionBytes: 4096,
    hotRegionBytes: 32 * 1024,
    hotCapacity: 36,
    memberGraceMs: 200,
  });
  cluster.recordDelayMs = pick(40);
  const names = [...cluster.nodes.keys()];
  const someNode = () => names[pick(names.length)] as string;

  const work = (): void => {
    const { client } = cluster;
    if (client.port === null) return;
    const kind = pick(12);
    // Half of the work is on a few sectors, so that it overlaps.
    const sector = pick(2) === 0 ? pick(96) : pick(SECTORS);
    const sectors = 1 + pick(Math.min(24, SECTORS - sector));
    if (kind < 6) client.write({ sector, sectors, fua: pick(8) === 0 });
    else if (kind < 7) client.zero({ sector, sectors, kind: pick(2) === 0 ? "trim" : "write_zeroes" });
    else if (kind < 9) client.read({ sector, sectors });
    else if (kind < 10) client.flush();
    else {
      client.submit(Array.from({ length: 6 }, () => client.writeRequest({ sector: pick(SECTORS) })));
    }
  };

  const fault = async (): Promise<void> => {
    const node = cluster.node(someNode());
    const other = cluster.node(someNode());
    switch (pick(10)) {
      case 0:
        if (node !== other) {
          tell(`cut ${node.name} ${other.name}`);
          cluster.cut(node.name, other.name);
        }
        return;
      case 1:
        if (node !== other) {
          tell(`join ${node.name} ${other.name}`);
          cluster.join(node.name, other.name);
        }
        return;
      case 2:
        if (node === other) return;
        tell(`reset ${node.name} ${other.name}`);
        cluster.network.resetBetween(node.name, other.name);
        return;
      case 3: {
        if (!node.running) return;
        const actor = (["intent_log", node.role] as const)[pick(2)] ?? "intent_log";
        tell(`kill actor ${node.name} ${actor}`);
        node.kill(actor);
        return;
      }
      case 4:
      case 5:
        if (!node.running) return;
        {
          const kind = pick(2) === 0 ? "killed" : "power_lost";
          tell(`${kind} ${node.name}`);
          cluster.crash(node.name, kind);
        }
        return;
      case 6:
        if (node.running) return;
        tell(`start ${node.name}`);
        await cluster.start(node.name);
        return;
      case 7: {
        // A disk is replaced by an empty one: only of a replica that no set names.
        const named = [cluster.record, cluster.pending].some((record) =>
          record?.members.some((member) => member.node === node.name)
        );
        if (node.running || named) return;
        tell(`replace ${node.name}`);
        for (const path of [...node.shelf.disks.keys()]) node.shelf.remove(path);
        return;
      }
      case 8:
        cluster.records = pick(3) > 0;
        tell(`records ${cluster.records}`);
        return;
      default:
        cluster.renews = pick(3) > 0;
        tell(`renews ${cluster.renews}`);
    }
  };

  for (let step = 0; step < 40; step += 1) {
    for (let count = pick(6); count > 0; count -= 1) work();
    await cluster.pass(pick(4) === 0 ? pick(300) : pick(6));
    if (pick(3) === 0) await fault();
    if (cluster.client.port === null && pick(2) === 0) {
      const done = await cluster.failOver();
      tell(`fail over: ${done ? cluster.source : "nobody"}`);
    }
  }

  tell("heal");
  cluster.records = true;
  cluster.renews = true;
  for (const one of names) for (const other of names) if (one < other) cluster.join(one, other);
  for (const name of names) if (!cluster.node(name).running) await cluster.start(name);
  await cluster.pass(50);
  if (cluster.client.port === null) {
    assert.ok(await cluster.failOver(), "I10: a member of the set may be source");
  }
  await cluster.inSync();
  const flush = cluster.client.flush();
  await cluster.until("I10: a flush completes", () => flush.answered);
  await cluster.checkHealed();
  cluster.checkPromises();
}

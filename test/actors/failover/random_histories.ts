/**
 * One seed, one history of faults over a simulated group; then the faults stop and the group must come to rest.
 */
import type { LegMode } from "../../../protocol/member_set.ts";
import { type Mutation, SimulatedGroup } from "./simulated_group.ts";

export interface HistoryOptions {
  readonly seed: number;
  readonly mutation?: Mutation;
  /** How long faults go on, in true time. */
  readonly faultsMs?: number;
}

const NAMES = ["alpha", "beta", "gamma", "delta", "epsilon"];

/** Throws with the story when an invariant breaks or the group does not come to rest. */
export function runHistory(options: HistoryOptions): SimulatedGroup {
  const { seed, mutation = null, faultsMs = 6_000 } = options;
  const size = 3 + seed % 3;
  const modes: LegMode[] = seed % 4 === 0
    ? ["sync", "commit", "async"]
    : seed % 4 === 1
    ? ["sync", "commit"]
    : ["sync"];
  const replicas = NAMES.slice(0, size).map((node, index) => ({
    node,
    mode: modes[index % modes.length] ?? "sync",
  }));
  const rough = seed % 2 === 1;
  const group = new SimulatedGroup({
    seed,
    replicas,
    mutation,
    loss: rough ? 0.1 : 0,
    doubled: rough ? 0.1 : 0,
    delayMaxMs: rough ? 150 : 5,
    drift: 0.01,
  });
  for (const { node } of replicas) group.at(group.below(300), () => group.start(node));
  while (group.trueMs < faultsMs) {
    group.run(50 + group.below(500));
    fault(group, replicas.map((replica) => replica.node));
  }
  return group;
}

/** No more faults: exactly one source, everybody follows it, nothing is amiss. */
export function comeToRest(group: SimulatedGroup): void {
  group.loss = 0;
  group.doubled = 0;
  group.delayMaxMs = 5;
  group.heal();
  for (const node of group.nodes.values()) {
    node.healthy = true;
    group.at(Math.max(0, node.stoppedUntil - group.trueMs) + 1, () => group.start(node.name));
  }
  group.until(() => atRest(group), 30_000, "the group comes to rest");
}

function atRest(group: SimulatedGroup): boolean {
  const [source, ...rest] = group.holders();
  if (source === undefined || rest.length > 0) return false;
  const status = group.status(source);
  if (status?.state !== "in_service" || status.cause !== null || status.record === null) return false;
  return [...group.nodes.keys()].every((name) => group.status(name)?.source === source);
}

function fault(group: SimulatedGroup, names: readonly string[]): void {
  const pick = () => names[group.below(names.length)] ?? "alpha";
  const { leaseMs } = group;
  switch (group.below(12)) {
    case 0:
    case 1: {
      const name = group.holders()[0] ?? pick();
      group.kill(name);
      return group.at(group.below(2 * leaseMs), () => group.start(name));
    }
    case 2:
    case 3: {
      const name = pick();
      group.kill(name);
      return group.at(group.below(3 * leaseMs), () => group.start(name));
    }
    case 4:
      return group.pause(group.holders()[0] ?? pick(), group.random() * 2.5 * leaseMs);
    case 5:
      return group.suspend(group.holders()[0] ?? pick(), group.random() * 2.5 * leaseMs);
    case 6:
    case 7:
      return group.cut(pick(), pick());
    case 8: {
      const lonely = group.holders()[0] ?? pick();
      for (const name of names) if (name !== lonely) group.cut(lonely, name);
      return group.at(group.below(3 * leaseMs), () => group.heal());
    }
    case 9:
      for (const name of names) {
        group.kill(name);
        group.at(group.below(leaseMs), () => group.start(name));
      }
      return;
    case 10: {
      const name = group.holders()[0];
      if (name === undefined) return;
      group.give(name, { kind: "switchover", to: pick(), reply: { reply: () => {} } });
      return;
    }
    default:
      return group.heal();
  }
}

/** What a seed makes of a cluster: how many nodes, in which modes, with which leases, clocks and disks. */
import type { Address, ClusterConfig } from "../../../config/cluster_config.ts";
import type { LegMode } from "../../../protocol/member_set.ts";
import type { SimulatedRandom } from "../../../runtime/simulated/random.ts";

export const GROUP = "db";
export const VOLUME = "data";
export const NODE_NAMES = ["alpha", "beta", "gamma", "delta", "epsilon"] as const;

export interface ClusterPlan {
  readonly modes: readonly { readonly node: string; readonly mode: LegMode }[];
  readonly volumeBytes: number;
  readonly intervalMs: number;
  readonly leaseMs: number;
  /** Own milliseconds per true one. */
  readonly rates: readonly number[];
  readonly diskLatencyMs: number;
  readonly diskFlushMs: number;
  readonly networkMs: { readonly minMs: number; readonly maxMs: number };
  readonly backlogBytes: number;
  /** Null: as the product chooses by the volume's size. */
  readonly geometry: {
    readonly regionBytes: number;
    readonly hotRegionBytes: number;
    readonly hotCapacity: number;
  } | null;
}

const MODES: readonly (readonly LegMode[])[] = [
  ["sync", "sync", "sync"],
  ["sync", "sync", "async"],
  ["sync", "commit", "sync"],
  ["sync", "sync"],
  ["commit", "commit", "commit"],
  ["sync", "sync", "sync", "sync"],
  ["sync", "async", "async"],
  ["sync", "sync", "commit", "async", "sync"],
];
/** Three nodes most of all: fewer cannot fail over, and more are slower. */
const MODE_WEIGHTS = [8, 6, 4, 3, 3, 2, 2, 1] as const;
/** What the product's safety margin allows for, with room. */
const DRIFT_MAX = 0.004;

export function planCluster(random: SimulatedRandom): ClusterPlan {
  const modes = MODES[weighted(random, MODE_WEIGHTS)] ?? [];
  const drifts = random.uint32() % 3 === 0;
  const slowDisks = random.uint32() % 2 === 0;
  const farNodes = random.uint32() % 4 === 0;
  const small = random.uint32() % 3 > 0;
  return {
    modes: modes.map((mode, index) => ({ node: NODE_NAMES[index] ?? "alpha", mode })),
    volumeBytes: small ? 4 * 1024 * 1024 : 1024 * 1024,
    intervalMs: 100,
    leaseMs: 800,
    rates: modes.map(() => drifts ? 1 + (random.float() * 2 - 1) * DRIFT_MAX : 1),
    diskLatencyMs: slowDisks ? random.float() * 4 : 0,
    diskFlushMs: slowDisks ? random.float() * 12 : 0,
    networkMs: farNodes ? { minMs: 2, maxMs: 20 } : { minMs: 0.05, maxMs: 0.5 },
    // Regions in which writes meet, and more hot ones than slots, so that they are evicted all the time.
    geometry: small ? { regionBytes: 4096, hotRegionBytes: 64 * 1024, hotCapacity: 32 } : null,
    backlogBytes: random.uint32() % 3 === 0 ? 64 * 1024 : 4 * 1024 * 1024,
  };
}

export function weighted(random: SimulatedRandom, weights: readonly number[]): number {
  let left = random.uint32() % weights.reduce((sum, weight) => sum + weight, 0);
  for (const [index, weight] of weights.entries()) {
    if (left < weight) return index;
    left -= weight;
  }
  return 0;
}

/** The simulated network under the names of the configuration. */
function simulatedAddress(name: string): Address {
  return { scheme: "unix", path: name, text: `memory://${name}` };
}

export function configOf(plan: ClusterPlan): ClusterConfig {
  return {
    cluster: "simulated",
    file: "cluster.yaml",
    nodes: plan.modes.map(({ node }) => ({
      name: node,
      listen: [simulatedAddress(node)],
      nbd: [simulatedAddress(`${node}/nbd`)],
      http: undefined,
    })),
    heartbeat: { intervalMs: plan.intervalMs, leaseMs: plan.leaseMs },
    groups: [{
      name: GROUP,
      volumes: [{ name: VOLUME, sizeBytes: plan.volumeBytes }],
      replicas: plan.modes.map(({ node, mode }) => ({
        node,
        mode,
        disks: [{ volume: VOLUME, path: `/disks/${node}/data.img`, metadata: `/disks/${node}/meta` }],
        backlog: { bytes: plan.backlogBytes, onFull: "throttle" },
      })),
      failover: "auto",
      quorum: "majority",
      onBlocked: "suspend",
    }],
  };
}

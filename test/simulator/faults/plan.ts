/**
 * The faults of one history, drawn before it begins: a list that can be printed, shortened and played again.
 *
 * Profiles weigh them. `swarm` switches whole kinds off by the seed, since a history in which everything goes wrong
 * all the time never gets far enough to be interesting.
 */
import type { SimulatedRandom } from "../../../runtime/simulated/random.ts";
import type { ClusterPlan } from "../world/cluster_plan.ts";
import { weighted } from "../world/cluster_plan.ts";

export const PROFILES = ["swarm", "network", "disk", "failover", "resync"] as const;
export type Profile = typeof PROFILES[number];

export type Fault =
  | { readonly kind: "kill"; readonly node: string; readonly forMs: number }
  | { readonly kind: "power_loss"; readonly nodes: readonly string[]; readonly forMs: number }
  | { readonly kind: "pause"; readonly node: string; readonly forMs: number }
  | { readonly kind: "suspend"; readonly node: string; readonly forMs: number }
  | { readonly kind: "wall_jump"; readonly node: string; readonly byMs: number }
  | {
    readonly kind: "cut";
    readonly from: string;
    readonly to: string;
    readonly oneWay: boolean;
    readonly forMs: number;
  }
  | { readonly kind: "isolate"; readonly node: string; readonly forMs: number }
  | { readonly kind: "reset"; readonly from: string; readonly to: string; readonly afterBytes: number | null }
  | { readonly kind: "kill_actor"; readonly node: string; readonly actor: string }
  | { readonly kind: "disk_stall"; readonly node: string; readonly forMs: number }
  | { readonly kind: "disk_slow"; readonly node: string; readonly forMs: number; readonly latencyMs: number }
  | {
    readonly kind: "disk_error";
    readonly node: string;
    readonly path: string;
    readonly operation: "read" | "write" | "zero" | "flush";
    readonly forMs: number;
  }
  | { readonly kind: "no_space"; readonly node: string; readonly forMs: number }
  | { readonly kind: "stop"; readonly node: string; readonly forMs: number }
  | { readonly kind: "switchover"; readonly to: string }
  | { readonly kind: "pause_leg"; readonly node: string; readonly forMs: number }
  | { readonly kind: "client_reset"; readonly client: number };

export type FaultKind = Fault["kind"];

export interface PlannedFault {
  readonly atMs: number;
  /** Scheduler turns after that moment: between any two turns. */
  readonly turns: number;
  readonly fault: Fault;
}

const ACTORS = [
  "events",
  "health",
  "failover_group",
  "failover_group/roles",
  "failover_group/failover",
  "groups",
  "groups/group:db",
  "groups/group:db/intent_log",
  "groups/group:db/target",
  "groups/group:db/mirror",
  "groups/group:db/export",
  "peers",
  "listener",
] as const;

const WEIGHTS: Readonly<Record<Profile, Readonly<Partial<Record<FaultKind, number>>>>> = {
  swarm: {
    kill: 6,
    power_loss: 6,
    pause: 4,
    suspend: 2,
    wall_jump: 2,
    cut: 6,
    isolate: 4,
    reset: 5,
    kill_actor: 6,
    disk_stall: 3,
    disk_slow: 2,
    disk_error: 3,
    no_space: 2,
    stop: 3,
    switchover: 4,
    pause_leg: 2,
    client_reset: 2,
  },
  network: { cut: 8, isolate: 6, reset: 10, pause: 2, client_reset: 2, kill: 1 },
  disk: { power_loss: 8, disk_stall: 4, disk_slow: 4, disk_error: 8, no_space: 5, kill: 2 },
  failover: {
    kill: 6,
    power_loss: 4,
    isolate: 6,
    pause: 5,
    suspend: 2,
    stop: 4,
    switchover: 8,
    kill_actor: 4,
  },
  resync: { reset: 8, kill: 5, power_loss: 5, pause_leg: 6, cut: 6, kill_actor: 5, isolate: 3 },
};

export interface FaultPlan {
  readonly faults: readonly PlannedFault[];
  /** From here on everything is mended. */
  readonly endMs: number;
}

/** After the last fault has had its time, before all that is left of them is mended. */
export const CALM_MS = 400;

/** When a fault ends by itself, in ms. */
export function endOf({ atMs, fault }: PlannedFault): number {
  return atMs + ("forMs" in fault ? fault.forMs : 0);
}

export function planFaults(random: SimulatedRandom, cluster: ClusterPlan, profile: Profile): FaultPlan {
  const count = 1 + random.uint32() % 12;
  const everyMs = 100 + random.uint32() % 900;
  const weights = Object.entries(WEIGHTS[profile]).map(([kind, weight]) =>
    [kind, profile === "swarm" && random.uint32() % 3 === 0 ? 0 : weight] as const
  );
  const drawable = weights.some(([, weight]) => weight > 0) ? weights : [["kill", 1] as const];
  const faults: PlannedFault[] = [];
  let atMs = 700 + random.uint32() % 1_500;
  for (let index = 0; index < count; index++) {
    const kind = drawable[weighted(random, drawable.map(([, weight]) => weight))]?.[0] ?? "kill";
    const turns = random.uint32() % 2 === 0 ? 0 : random.uint32() % 12;
    faults.push({ atMs, turns, fault: draw(random, cluster, kind as FaultKind) });
    // Bursts: the second fault while the first is being dealt with.
    atMs += random.uint32() % 3 === 0 ? random.uint32() % 40 : random.uint32() % (2 * everyMs);
  }
  return { faults, endMs: Math.max(...faults.map(endOf)) + CALM_MS };
}

function draw(random: SimulatedRandom, cluster: ClusterPlan, kind: FaultKind): Fault {
  const nodes = cluster.modes.map(({ node }) => node);
  const pick = () => nodes[random.uint32() % nodes.length] ?? "alpha";
  const node = pick();
  const other = nodes[(nodes.indexOf(node) + 1 + random.uint32() % (nodes.length - 1)) % nodes.length] ??
    node;
  const { leaseMs } = cluster;
  const shortMs = () => Math.round(random.float() * leaseMs * 0.8);
  const longMs = () => Math.round(leaseMs * (0.5 + random.float() * 3));
  const anyMs = () => random.uint32() % 2 === 0 ? shortMs() : longMs();
  switch (kind) {
    case "kill":
    case "stop":
    case "isolate":
    case "pause":
    case "suspend":
    case "no_space":
      return { kind, node, forMs: anyMs() };
    case "pause_leg":
      return { kind, node, forMs: anyMs() };
    case "power_loss":
      return { kind, nodes: random.uint32() % 4 === 0 ? nodes : [node], forMs: anyMs() };
    case "wall_jump":
      return { kind, node, byMs: Math.round((random.float() - 0.5) * 20 * leaseMs) };
    case "cut":
      return { kind, from: node, to: other, oneWay: random.uint32() % 2 === 0, forMs: anyMs() };
    case "reset":
      return {
        kind,
        from: node,
        to: other,
        afterBytes: random.uint32() % 2 === 0 ? null : random.uint32() % (random.uint32() % 2 ? 200 : 20_000),
      };
    case "kill_actor":
      return { kind, node, actor: ACTORS[random.uint32() % ACTORS.length] ?? "health" };
    case "disk_stall":
      return { kind, node, forMs: anyMs() };
    case "disk_slow":
      return { kind, node, forMs: longMs(), latencyMs: random.float() * 60 };
    case "disk_error": {
      const path = (["data.img", "meta/", "/state/", "/"] as const)[random.uint32() % 4] ?? "data.img";
      const operation = (["read", "write", "zero", "flush"] as const)[random.uint32() % 4] ?? "write";
      return { kind, node, path, operation, forMs: shortMs() };
    }
    case "switchover":
      return { kind, to: node };
    case "client_reset":
      return { kind, client: random.uint32() % 3 };
  }
}

/**
 * Who should stand first? Pure.
 *
 * Everybody who may be source could ask for promises at once, and would split them. So each waits for its rank times the heartbeat
 * interval: members before others, sync before commit, then better positions, then the configured order. The
 * ranks rest on hearsay (heartbeats) and only order the attempts; what may happen is `candidate.ts`'s to say. A part of
 * an interval, different for every node and attempt, keeps two that rank themselves equal from colliding for ever.
 */
import type { GroupRecord } from "../../protocol/member_set.ts";
import { comparePositions, type Position } from "../../protocol/position.ts";
import type { ReplicaPlan } from "./messages.ts";

export interface Standing {
  readonly node: string;
  readonly replicas: readonly ReplicaPlan[];
  readonly record: GroupRecord | null;
  /** As last heard; a node nobody heard of has none. */
  readonly positions: ReadonlyMap<string, Position>;
  /** Nodes that will not stand: known to be down. */
  readonly down: ReadonlySet<string>;
}

/** 0: stand at once. */
export function rankOf(standing: Standing): number {
  const runners = standing.replicas.filter((replica) =>
    replica.node === standing.node || !standing.down.has(replica.node)
  );
  const order = runners.map((replica, priority) => ({
    node: replica.node,
    priority,
    mode: standing.record?.members.find((member) => member.node === replica.node)?.mode ?? null,
    position: standing.positions.get(replica.node) ?? null,
  }));
  order.sort((a, b) =>
    Number(a.mode === null) - Number(b.mode === null) ||
    Number(a.mode === "commit") - Number(b.mode === "commit") ||
    comparePositions(b.position ?? NOWHERE, a.position ?? NOWHERE) ||
    a.priority - b.priority
  );
  return order.findIndex((runner) => runner.node === standing.node);
}

const NOWHERE: Position = { generation: -1, seq: 0 };

/** 0 ≤ x < 1, different for each node and attempt, the same on every run: a machine rolls no dice. */
export function fractionFor(node: string, attempt: number): number {
  // FNV-1a with a final mix: neighbouring attempts must land far apart.
  let hash = 2_166_136_261;
  for (const character of `${node}/${attempt}`) hash = Math.imul(hash ^ character.charCodeAt(0), 16_777_619);
  hash = Math.imul(hash ^ (hash >>> 15), 2_246_822_507);
  hash = Math.imul(hash ^ (hash >>> 13), 3_266_489_909);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

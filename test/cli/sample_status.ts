/** Statuses to render and merge: one whole cluster that is fine, to be changed by each test in one thing. */
import type { GroupStatus, NodeReport, NodeStatus, ReplicaStatus } from "../../protocol/admin_messages.ts";

export const replica: ReplicaStatus = {
  role: "target",
  disk: "up_to_date",
  leg: "replicating",
  mode: "sync",
  promotable: true,
  position: { generation: 3, seq: 1234 },
  lag: { writes: 0, bytes: 0, seconds: 0 },
  dirtyBytes: 0,
  resync: null,
};

export const group: GroupStatus = {
  state: "in_service",
  cause: null,
  remedy: null,
  source: "alpha",
  generation: 3,
  memberSet: ["alpha", "beta"],
  quorum: { held: true, votes: 3, of: 3, needed: 2 },
  volumes: { data: { size: 2 ** 30, nbd: ["nbd://127.0.0.1:10801/data"] } },
  replicas: {
    alpha: { ...replica, role: "source", leg: null },
    beta: replica,
    gamma: { ...replica, mode: "async", promotable: false, position: { generation: 3, seq: 1230 } },
  },
  application: [],
};

export const up: NodeStatus = { state: "up", paths: [], version: "0.1.0", runtime: "deno 2.9.5" };

export function reportOf(
  node: string,
  change: { group?: Partial<GroupStatus>; nodes?: Record<string, NodeStatus> } = {},
): NodeReport {
  return {
    cluster: "demo",
    at: "2026-11-22T13:00:00.000Z",
    nodes: { alpha: up, beta: up, gamma: up, ...change.nodes },
    groups: { db: { ...group, ...change.group } },
    reporter: { node, incarnation: "0", uptimeSeconds: 60 },
  };
}

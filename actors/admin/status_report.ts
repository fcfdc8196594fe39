/**
 * Pure: the status of the cluster as one node sees it, out of what its actors say.
 *
 * Only the source knows the legs, so a node that is not the source tells what it can (its own replica, and what the
 * others said in their heartbeats) and the command line merges the reports by generation. Whatever is not fine
 * carries its cause and its remedy; where an actor gave none, the table of `remedies.ts` does.
 */
import type {
  DiskState,
  GroupState,
  GroupStatus,
  NodeReport,
  NodeStatus,
  ReplicaStatus,
  VolumeStatus,
} from "../../protocol/admin_messages.ts";
import { isMember } from "../../protocol/member_set.ts";
import type { LegStatus, MirrorStatus } from "../mirror/messages.ts";
import type { TargetStatus } from "../target/messages.ts";
import { judgeGroup } from "./group_state.ts";
import { remedyForNode } from "./remedies.ts";
import type { GroupFacts, NodeOpinion, StatusFacts } from "./status_facts.ts";

export function composeStatus(facts: StatusFacts): NodeReport {
  const nodes: Record<string, NodeStatus> = { [facts.node]: ownNode(facts) };
  for (const opinion of facts.nodes) nodes[opinion.node] = otherNode(opinion, facts);
  const groups: Record<string, GroupStatus> = {};
  for (const group of facts.groups) groups[group.config.name] = groupStatus(group, facts);
  return {
    cluster: facts.cluster,
    at: new Date(facts.wallMs).toISOString(),
    nodes,
    groups,
    reporter: { node: facts.node, incarnation: facts.incarnation, uptimeSeconds: facts.uptimeSeconds },
  };
}

function ownNode({ health, version, runtime, listen }: StatusFacts): NodeStatus {
  return {
    state: "up",
    paths: listen.map((address) => ({ address, state: "up" as const, rttMs: 0 })),
    version,
    runtime,
    cause: health.cause,
    remedy: health.remedy,
  };
}

function otherNode(opinion: NodeOpinion, facts: StatusFacts): NodeStatus {
  return {
    state: opinion.opinion,
    paths: opinion.paths,
    version: "",
    runtime: "",
    cause: opinion.opinion === "up" ? null : opinion.cause,
    remedy: opinion.opinion === "up" ? null : remedyForNode(opinion.node, facts.configFile),
  };
}

function groupStatus(group: GroupFacts, facts: StatusFacts): GroupStatus {
  const { config, failover, source } = group;
  const judgement: { state: GroupState; cause: string | null; remedy: string | null } = judgeGroup(group);
  const volumes: Record<string, VolumeStatus> = {};
  for (const { name, sizeBytes } of config.volumes) {
    volumes[name] = { size: sizeBytes, nbd: source === null ? [] : facts.nbdUris(source, name) };
  }
  const replicas: Record<string, ReplicaStatus> = {};
  for (const { node } of config.replicas) replicas[node] = replicaStatus(node, group, facts);
  return {
    ...judgement,
    source,
    generation: failover?.generation ?? highestHeard(group),
    memberSet: failover?.record?.members.map((member) => member.node) ?? [],
    quorum: failover?.quorum ?? unknownQuorum(config.replicas.length),
    volumes,
    replicas,
    application: [],
  };
}

function highestHeard({ heard }: GroupFacts): number {
  return Math.max(0, ...[...heard.values()].map(({ generation }) => generation));
}

function unknownQuorum(voters: number): GroupStatus["quorum"] {
  return { held: false, votes: 0, of: voters, needed: Math.floor(voters / 2) + 1 };
}

function replicaStatus(node: string, group: GroupFacts, facts: StatusFacts): ReplicaStatus {
  const mode = group.config.replicas.find((replica) => replica.node === node)?.mode ?? "sync";
  const { replica } = group;
  if (replica.kind === "mirror") {
    if (node === facts.node) return { ...blank(mode), ...sourceReplica(replica.status) };
    const leg = replica.status.legs.find((each) => each.node === node);
    if (leg !== undefined) return { ...blank(mode), ...legReplica(leg) };
  }
  if (replica.kind === "target" && node === facts.node) {
    return { ...blank(mode), ...ownTarget(replica.status, group, node) };
  }
  if (replica.kind === "silent" && node === facts.node) {
    return { ...blank(mode), cause: replica.cause, remedy: "holdfast actors --tree" };
  }
  return { ...blank(mode), ...heardReplica(node, group) };
}

/** What is said of a replica of which nothing is known. */
function blank(mode: ReplicaStatus["mode"]): ReplicaStatus {
  return {
    role: "none",
    disk: "unknown",
    leg: null,
    mode,
    promotable: false,
    position: null,
    lag: { writes: 0, bytes: 0, seconds: 0 },
    dirtyBytes: 0,
    resync: null,
  };
}

function sourceReplica(status: MirrorStatus): Partial<ReplicaStatus> {
  const open = status.gate === "open" || status.gate === "draining";
  return {
    role: "source",
    disk: open ? "up_to_date" : "consistent",
    promotable: open,
    position: status.position,
    cause: status.heldBecause,
    remedy: status.heldBecause === null ? null : "holdfast status",
  };
}

function legReplica(leg: LegStatus): Partial<ReplicaStatus> {
  const fit = leg.disk === "up_to_date" || leg.disk === "consistent";
  // A commit member may lack writes that completed; one that lags by none lacks none.
  const complete = leg.mode === "sync" || (leg.leg === "replicating" && leg.lag.writes === 0);
  return {
    role: "target",
    disk: diskState(leg.disk),
    leg: leg.leg,
    mode: leg.mode,
    promotable: leg.isMember && fit && complete,
    position: leg.position,
    lag: leg.lag,
    dirtyBytes: leg.dirtyBytes,
    resync: leg.resync,
    lastResync: leg.lastResync === null ? null : {
      kind: leg.lastResync.kind,
      verdict: leg.lastResync.verdict,
      copiedBytes: leg.lastResync.copiedBytes,
      doneBytes: leg.lastResync.copiedBytes,
      totalBytes: leg.lastResync.copiedBytes,
      bytesPerSecond: leg.lastResync.seconds > 0 ? leg.lastResync.copiedBytes / leg.lastResync.seconds : 0,
      etaSeconds: 0,
    },
    cause: leg.cause,
    remedy: leg.remedy,
  };
}

const LEG_OF_TARGET = {
  opening: "offline",
  failed: "offline",
  unsealed: "offline",
  waiting: "offline",
  handshaking: "handshaking",
  window: "resyncing",
  replicating: "replicating",
} as const;

function ownTarget(status: TargetStatus, group: GroupFacts, node: string): Partial<ReplicaStatus> {
  const record = group.failover?.record ?? null;
  const fit = status.disk === "up_to_date" || status.disk === "consistent";
  return {
    role: "target",
    disk: diskState(status.disk),
    leg: LEG_OF_TARGET[status.state],
    promotable: fit && record !== null && isMember(record, node),
    position: status.position,
    cause: status.cause,
    remedy: status.remedy,
  };
}

function heardReplica(node: string, group: GroupFacts): Partial<ReplicaStatus> {
  const summary = group.heard.get(node);
  if (summary === undefined) {
    return { cause: "nothing was heard from it", remedy: "see the state of its node" };
  }
  return { role: summary.role, position: summary.position };
}

const DISK_STATES: readonly DiskState[] = [
  "diskless",
  "attaching",
  "empty",
  "inconsistent",
  "outdated",
  "consistent",
  "up_to_date",
  "failed",
];

function diskState(text: string): DiskState {
  return DISK_STATES.find((state) => state === text) ?? "unknown";
}

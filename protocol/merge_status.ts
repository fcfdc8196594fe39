/**
 * One picture of the cluster from what several nodes say. Pure.
 *
 * Nodes disagree exactly when it matters: a node that was cut off still believes itself source. So the highest
 * generation speaks for a group; among equals the source itself, since it alone knows its legs; among the rest, who
 * has a group in a state nearer to service. A replica's own node knows its disk best while no source speaks.
 */
import type { ClusterStatus, GroupStatus, NodeReport, NodeStatus, ReplicaStatus } from "./admin_messages.ts";

export interface MergeOptions {
  /** Names in the configuration's order; empty when it was not read. */
  readonly nodes: readonly string[];
  /** Why a node did not answer. */
  readonly unreachable: ReadonlyMap<string, string>;
}

export function mergeStatus(reports: readonly NodeReport[], options: MergeOptions): ClusterStatus {
  const names = union(
    options.nodes,
    reports.flatMap((report) => [report.reporter.node, ...Object.keys(report.nodes)]),
  );
  const groups = union([], reports.flatMap((report) => Object.keys(report.groups)));
  return {
    cluster: reports[0]?.cluster ?? "",
    at: reports.map(({ at }) => at).sort().at(-1) ?? "",
    nodes: Object.fromEntries(
      names.map((name) => [name, mergeNode(name, reports, options.unreachable.get(name))]),
    ),
    groups: Object.fromEntries(groups.flatMap((name) => {
      const merged = mergeGroup(name, reports);
      return merged === undefined ? [] : [[name, merged]];
    })),
  };
}

function union(first: readonly string[], second: readonly string[]): string[] {
  return [...new Set([...first, ...second])];
}

/** Worst first: what the others think of a node that does not speak for itself. */
const NODE_STATES = ["fenced", "down", "suspected", "unknown", "up"] as const;

/** A node that answers is up, whatever the others believe; what they believe is its cause then. */
function mergeNode(
  name: string,
  reports: readonly NodeReport[],
  unreachable: string | undefined,
): NodeStatus {
  const own = reports.find((report) => report.reporter.node === name);
  const others = reports.filter((report) => report !== own).flatMap((report) => {
    const opinion = report.nodes[name];
    return opinion === undefined ? [] : [{ by: report.reporter.node, opinion }];
  });
  const paths = others.flatMap(({ opinion }) => opinion.paths);
  const doubted = others.filter(({ opinion }) => opinion.state !== "up");
  if (own !== undefined) {
    const self = own.nodes[name] ?? { state: "up", paths: [], version: "", runtime: "" };
    const cause = doubted.length === 0
      ? self.cause ?? null
      : `${doubted.map(({ by }) => by).join(", ")} cannot reach it`;
    return { ...self, state: "up", paths, ...(cause === null ? {} : { cause }) };
  }
  const worst = NODE_STATES.map((state) => others.find(({ opinion }) => opinion.state === state)).find(
    Boolean,
  )?.opinion;
  // Others still hear it: it lives, only its admin door does not answer us.
  const state = worst?.state ?? "unknown";
  return {
    state,
    paths,
    version: worst?.version ?? "",
    runtime: worst?.runtime ?? "",
    cause: worst?.cause ?? unreachable ?? "nobody knows it",
    remedy: worst?.remedy ?? `holdfast node start --node ${name}`,
  };
}

const GROUP_STATES = [
  "in_service",
  "degraded",
  "diverged",
  "promoting",
  "electing",
  "blocked",
  "stopped",
] as const;

function mergeGroup(name: string, reports: readonly NodeReport[]): GroupStatus | undefined {
  const opinions = reports.flatMap((report) => {
    const group = report.groups[name];
    return group === undefined ? [] : [{ by: report.reporter.node, group }];
  });
  const [speaker] = opinions.toSorted((a, b) =>
    b.group.generation - a.group.generation ||
    Number(b.by === b.group.source) - Number(a.by === a.group.source) ||
    GROUP_STATES.indexOf(a.group.state) - GROUP_STATES.indexOf(b.group.state)
  );
  if (speaker === undefined) return undefined;
  const own = new Map(opinions.map(({ by, group }) => [by, group.replicas[by]]));
  if (speaker.by === speaker.group.source) {
    // It knows the disk of a leg only while they are in touch; the node of a paused leg knows its own all the time.
    const known = Object.entries(speaker.group.replicas).map(([node, seen]): [string, ReplicaStatus] => {
      const self = own.get(node);
      if (seen.disk !== "unknown" || self === undefined) return [node, seen];
      return [node, { ...seen, disk: self.disk, position: self.position }];
    });
    return { ...speaker.group, replicas: Object.fromEntries(known) };
  }
  const replicas = Object.entries(speaker.group.replicas).map(([node, seen]): [string, ReplicaStatus] => {
    const self = own.get(node);
    // The leg is the speaker's to tell, and without a source nobody has one.
    return [
      node,
      self === undefined ? seen : { ...self, leg: seen.leg, promotable: self.promotable && seen.promotable },
    ];
  });
  return { ...speaker.group, replicas: Object.fromEntries(replicas) };
}

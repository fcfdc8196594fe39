/**
 * The cluster's state for a person who was just woken up. Pure.
 *
 * In the order of the questions: is the data safe → is the service up and where → is anything recovering → what must
 * I do. Numbers come after words, and every state that is not fine says its cause and the command that would mend it.
 */
import { formatBytes, formatSeconds } from "../config/units.ts";
import type {
  ClusterStatus,
  GroupState,
  GroupStatus,
  NodeStatus,
  ReplicaStatus,
} from "../protocol/admin_messages.ts";
import { fit, paint, type Tone, wrap } from "./paint.ts";
import { type Column, table } from "./table.ts";

export interface ViewOptions {
  readonly columns: number;
  readonly colour: boolean;
}

export function renderStatus(status: ClusterStatus, options: ViewOptions): string[] {
  const nodes = Object.entries(status.nodes);
  const up = nodes.filter(([, node]) => node.state === "up").length;
  const title = `${paint(status.cluster, "strong", options)}  ${up} of ${nodes.length} nodes up  ${
    paint(status.at, "quiet", options)
  }`;
  const groups = Object.entries(status.groups).flatMap((
    [name, group],
  ) => ["", ...renderGroup(name, group, options)]);
  const todo = whatToDo(status);
  return [
    fit(title, options.columns),
    ...(groups.length === 0 ? ["", "No groups."] : groups),
    "",
    ...renderNodes(nodes, options),
    "",
    ...(todo.length === 0 ? [paint("Nothing to do.", "good", options)] : [
      paint("To do:", "strong", options),
      ...todo.flatMap((line) => wrap(`  ${line}`, { ...options, indent: "    " })),
    ]),
  ];
}

const GROUP_TONES: Readonly<Record<GroupState, Tone>> = {
  in_service: "good",
  degraded: "warning",
  electing: "warning",
  promoting: "warning",
  blocked: "bad",
  diverged: "bad",
  stopped: "bad",
};

const GROUP_WORDS: Readonly<Record<GroupState, string>> = {
  in_service: "in service",
  degraded: "in service, degraded",
  electing: "not served: electing a source",
  promoting: "not served: promoting a source",
  blocked: "blocked",
  diverged: "diverged",
  stopped: "stopped",
};

function renderGroup(name: string, group: GroupStatus, options: ViewOptions): string[] {
  const safety = safetyOf(group);
  const where = group.source === null ? "" : ` on ${group.source}`;
  const quorum = `quorum ${group.quorum.votes} of ${group.quorum.of}${
    group.quorum.held ? "" : " (not held)"
  }`;
  const indented = (text: string) => wrap(`  ${text}`, { ...options, indent: "    " });
  const service = paint(`${GROUP_WORDS[group.state]}${where}`, GROUP_TONES[group.state], options);
  return [
    `${paint(name, "strong", options)}  ${service}  ${
      paint(`generation ${group.generation}, ${quorum}`, "quiet", options)
    }`,
    ...indented(paint(safety.text, safety.tone, options)),
    ...(group.cause === null ? [] : indented(`Because ${group.cause}`)),
    ...Object.entries(group.volumes).flatMap(([volume, { size, nbd }]) =>
      indented(`${volume}  ${formatBytes(size)}  ${nbd.length === 0 ? "not served" : nbd.join("  ")}`)
    ),
    ...recovering(group).flatMap(indented),
    "",
    ...table(
      REPLICA_COLUMNS,
      Object.entries(group.replicas).map(([node, replica]) => replicaRow(node, replica)),
      {
        columns: options.columns,
        indent: "  ",
      },
    ),
  ].map((line) => fit(line, options.columns));
}

/** Where every completed write is. */
export function safetyOf(group: GroupStatus): { readonly text: string; readonly tone: Tone } {
  const members = group.memberSet;
  const replicas = Object.entries(group.replicas);
  if (group.state === "diverged") {
    return {
      text: "Two sources completed writes: both sides are kept, nothing is overwritten by itself",
      tone: "bad",
    };
  }
  if (members.length === 0) return { text: "No write was ever completed", tone: "quiet" };
  const lost = members.filter((node) => {
    const replica = group.replicas[node];
    return replica === undefined || replica.disk === "failed" || replica.disk === "unknown";
  });
  const onThem = `every completed write is on ${listed(members)}`;
  if (lost.length === members.length) {
    return { text: `Data not in sight: ${onThem}, and none of them speaks`, tone: "bad" };
  }
  if (members.length > 1) {
    const missing = lost.length === 0 ? "" : `, of which ${listed(lost)} does not speak`;
    return { text: `Data safe: ${onThem}${missing}`, tone: lost.length === 0 ? "good" : "warning" };
  }
  if (replicas.length === 1) return { text: `Data on ${listed(members)}, the only replica`, tone: "quiet" };
  return { text: `Data on one node: ${onThem} alone`, tone: "warning" };
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** One line for each running resync. */
function recovering(group: GroupStatus): string[] {
  return Object.entries(group.replicas).flatMap(([node, { resync }]) => {
    if (resync === null) return [];
    const { kind, doneBytes, totalBytes, bytesPerSecond, etaSeconds } = resync;
    const percent = totalBytes === 0 ? 100 : Math.floor((100 * doneBytes) / totalBytes);
    const eta = etaSeconds === null ? "time unknown" : `${formatSeconds(etaSeconds)} left`;
    return [
      `Recovering ${node}: ${percent} % of ${formatBytes(totalBytes)} (${kind} resync), ${
        formatBytes(bytesPerSecond)
      }/s, ${eta}`,
    ];
  });
}

const REPLICA_COLUMNS: readonly Column[] = [
  { title: "REPLICA" },
  { title: "ROLE" },
  { title: "DISK" },
  { title: "LEG" },
  { title: "MODE", dispensable: 3 },
  { title: "LAG", dispensable: 1, alignRight: true },
  { title: "DIRTY", dispensable: 2, alignRight: true },
  { title: "POSITION", dispensable: 5, alignRight: true },
  { title: "PROMOTABLE", dispensable: 4 },
];

function replicaRow(node: string, replica: ReplicaStatus): string[] {
  const { lag, position } = replica;
  const isSource = replica.role === "source";
  return [
    node,
    replica.role,
    replica.disk,
    replica.leg ?? "-",
    replica.mode,
    isSource || lag.writes === 0 && lag.bytes === 0
      ? "-"
      : `${formatBytes(lag.bytes)}, ${formatSeconds(lag.seconds)}`,
    isSource || replica.dirtyBytes === 0 ? "-" : formatBytes(replica.dirtyBytes),
    position === null ? "-" : `${position.generation}:${position.seq}`,
    isSource ? "-" : replica.promotable ? "yes" : "no",
  ];
}

function renderNodes(nodes: readonly (readonly [string, NodeStatus])[], options: ViewOptions): string[] {
  const columns: readonly Column[] = [
    { title: "NODE" },
    { title: "STATE" },
    { title: "PATHS", dispensable: 1 },
    { title: "RUNTIME", dispensable: 2 },
    { title: "VERSION", dispensable: 3 },
  ];
  const rows = nodes.map(([name, node]) => {
    const paths = node.paths.map(({ address, state, rttMs }) =>
      `${address}${state === "up" ? "" : ` ${state}`}${rttMs === null ? "" : ` ${rttMs.toFixed(1)} ms`}`
    );
    return [name, node.state, paths.join(", "), node.runtime, node.version];
  });
  return table(columns, rows, { columns: options.columns, indent: "" });
}

/** What waits for a person, worst first, each thing once. */
export function whatToDo(status: ClusterStatus): string[] {
  const lines: string[] = [];
  for (const [name, group] of Object.entries(status.groups)) {
    if (group.remedy !== null) lines.push(`${name}: ${group.remedy}`);
    for (const [node, { cause, remedy }] of Object.entries(group.replicas)) {
      if (remedy !== undefined && remedy !== null) {
        lines.push(`${name} on ${node}: ${cause ?? "not fine"}: ${remedy}`);
      }
    }
  }
  for (const [name, node] of Object.entries(status.nodes)) {
    if (node.state !== "up") {
      lines.push(
        `${name} is ${node.state}: ${node.cause ?? "cause unknown"}: ${node.remedy ?? "look at its log"}`,
      );
    }
  }
  return [...new Set(lines)];
}

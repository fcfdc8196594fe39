/**
 * What a doctor looks at, and what he says: each line ok, a warning or a failure, with what mends it. Pure: the facts
 * are gathered by the command.
 */
import { formatBytes } from "../config/units.ts";
import type { ClusterConfig } from "../config/cluster_config.ts";
import type { ClusterStatus } from "../protocol/admin_messages.ts";

export interface Finding {
  readonly verdict: "ok" | "warning" | "failure";
  readonly says: string;
  readonly mend: string | null;
}

/** One node, as it answered or not. */
export interface NodeFacts {
  readonly node: string;
  /** Why it did not answer. */
  readonly silent: string | null;
  readonly version: string;
  readonly runtime: string;
  /** Its wall clock against this host's, ms; null: unknown. */
  readonly clockMs: number | null;
  readonly loopDelayMs: number | null;
  /** Its own view: paths to others that are not up. */
  readonly brokenPaths: readonly string[];
  readonly health: { readonly cause: string | null; readonly remedy: string | null };
}

/** A disk of this host; those of other hosts cannot be seen from here. */
export interface DiskFacts {
  readonly node: string;
  readonly volume: string;
  readonly path: string;
  readonly sizeBytes: number;
  /** Allocated so far; a sparse file grows up to its size. */
  readonly allocatedBytes: number;
  readonly freeBytes: number | null;
}

export interface DoctorFacts {
  readonly config: ClusterConfig;
  readonly warnings: readonly { readonly message: string; readonly remedy: string }[];
  readonly nodes: readonly NodeFacts[];
  readonly disks: readonly DiskFacts[];
  /** null: no node answers. */
  readonly status: ClusterStatus | null;
}

/** Wall clocks order events for people; leases count monotonic time and do not mind. */
const CLOCK_WARNING_MS = 500;
const LOOP_WARNING_MS = 50;

export function examine(facts: DoctorFacts): Finding[] {
  return [
    ...configuration(facts),
    ...facts.nodes.flatMap((node) => nodeFindings(node, facts.config)),
    ...versions(facts.nodes),
    ...facts.disks.map(diskFinding),
    ...groups(facts.status),
  ];
}

function ok(says: string): Finding {
  return { verdict: "ok", says, mend: null };
}

function configuration({ config, warnings }: DoctorFacts): Finding[] {
  const { heartbeat } = config;
  return [
    ok(
      `the configuration ${config.file} is valid: ${config.nodes.length} nodes, ${config.groups.length} groups`,
    ),
    ...warnings.map(({ message, remedy }): Finding => ({ verdict: "warning", says: message, mend: remedy })),
    heartbeat.leaseMs >= heartbeat.intervalMs * 4
      ? ok(
        `the lease of ${heartbeat.leaseMs} ms spans ${
          Math.floor(heartbeat.leaseMs / heartbeat.intervalMs)
        } heartbeats`,
      )
      : {
        verdict: "warning",
        says:
          `the lease of ${heartbeat.leaseMs} ms spans fewer than four heartbeats of ${heartbeat.intervalMs} ms: one lost packet may move a group`,
        mend: `heartbeat: { interval: ${Math.max(1, Math.floor(heartbeat.leaseMs / 8))}ms }`,
      },
  ];
}

function nodeFindings(node: NodeFacts, config: ClusterConfig): Finding[] {
  if (node.silent !== null) {
    const mend = `on its host: holdfast node start --config ${config.file} --node ${node.node}`;
    return [{ verdict: "failure", says: `${node.node} does not answer: ${node.silent}`, mend }];
  }
  const findings: Finding[] = [ok(`${node.node} answers, Holdfast ${node.version} on ${node.runtime}`)];
  if (node.health.cause !== null) {
    findings.push({
      verdict: "failure",
      says: `${node.node} is not well: ${node.health.cause}`,
      mend: node.health.remedy,
    });
  }
  for (const path of node.brokenPaths) {
    const mend = "check the address, the route and the firewall between the two";
    findings.push({ verdict: "failure", says: `${node.node}: the path ${path} does not work`, mend });
  }
  if (node.clockMs !== null && Math.abs(node.clockMs) > CLOCK_WARNING_MS) {
    const says = `${node.node}'s clock differs by ${
      Math.round(node.clockMs)
    } ms: events of several nodes are shown in the wrong order`;
    findings.push({
      verdict: "warning",
      says,
      mend: "run a time service (chrony, systemd-timesyncd) on all hosts",
    });
  }
  if (node.loopDelayMs !== null && node.loopDelayMs > LOOP_WARNING_MS) {
    const says = `${node.node}'s event loop ran ${Math.round(node.loopDelayMs)} ms late just now`;
    findings.push({ verdict: "warning", says, mend: "look for what else uses the host's processors" });
  }
  return findings;
}

function versions(nodes: readonly NodeFacts[]): Finding[] {
  const known = [...new Set(nodes.filter(({ silent }) => silent === null).map(({ version }) => version))];
  if (known.length < 2) return [];
  const says = `the nodes run different versions: ${known.join(", ")}`;
  return [{ verdict: "warning", says, mend: "bring all to the newest, targets first" }];
}

function diskFinding({ node, volume, path, sizeBytes, allocatedBytes, freeBytes }: DiskFacts): Finding {
  const toGrow = Math.max(0, sizeBytes - allocatedBytes);
  const where = `${node}: ${volume} at ${path}`;
  if (freeBytes === null) return ok(`${where}: ${formatBytes(sizeBytes)}`);
  if (toGrow <= freeBytes) {
    return ok(
      `${where}: ${formatBytes(sizeBytes)}, may grow by ${formatBytes(toGrow)}, ${
        formatBytes(freeBytes)
      } are free`,
    );
  }
  return {
    verdict: "warning",
    says: `${where} may grow by ${formatBytes(toGrow)}, and only ${
      formatBytes(freeBytes)
    } are free: writes will fail with no space`,
    mend: "more room on that file system, or another disk for the volume",
  };
}

function groups(status: ClusterStatus | null): Finding[] {
  if (status === null) return [];
  return Object.entries(status.groups).map(([name, { state, cause }]): Finding => {
    if (state === "in_service") return ok(`${name} is in service, and every leg replicates`);
    const verdict = state === "degraded" || state === "electing" || state === "promoting"
      ? "warning"
      : "failure";
    return {
      verdict,
      says: `${name} is ${state.replaceAll("_", " ")}: ${cause ?? "no cause is known"}`,
      mend: `holdfast why ${name}`,
    };
  });
}

/** `holdfast doctor`: preflight of the cluster and of this host's part in it; code 0 unless something fails. */
import { existsSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { loadConfig } from "../../config/load_config.ts";
import { type ClusterConfig, replicasOn } from "../../config/cluster_config.ts";
import { ADMIN_PATHS, type NodeReport } from "../../protocol/admin_messages.ts";
import { type ActorStateReport, CLUSTER_PATHS } from "../../protocol/admin_questions.ts";
import { mergeStatus } from "../../protocol/merge_status.ts";
import { askJson } from "../admin_client.ts";
import type { Command, SharedOptions } from "../command.ts";
import { type DiskFacts, examine, type Finding, type NodeFacts } from "../doctor_checks.ts";
import { EXIT } from "../failure.ts";
import { paint, type Tone, wrap } from "../paint.ts";
import { needConfig, type Target, targetsOf } from "../target.ts";

const ASK_MS = 3_000;
const BLOCK_BYTES = 512;

export const doctor: Command = {
  words: "doctor",
  summary: "preflight: configuration, nodes, paths, clocks, disks, groups; each line with what mends it",
  examples: ["doctor", "doctor --json"],
  run: async ({ shared, terminal }) => {
    const config = needConfig(shared);
    const looked = await Promise.all(targetsOf(shared).targets.map((target) => lookAt(target)));
    const reports = looked.flatMap(({ report }) => report === null ? [] : [report]);
    const unreachable = new Map(
      looked.flatMap(({ facts }) => facts.silent === null ? [] : [[facts.node, facts.silent]]),
    );
    const names = config.nodes.map(({ name }) => name);
    const findings = examine({
      config,
      warnings: loadConfig(config.file).warnings,
      nodes: looked.map(({ facts }) => facts),
      disks: disksHere(config, shared),
      status: reports.length === 0 ? null : mergeStatus(reports, { nodes: names, unreachable }),
    });
    const failed = findings.some(({ verdict }) => verdict === "failure");
    const lines = findings.flatMap((finding) => shown(finding, terminal));
    terminal.out(shared.json ? `${JSON.stringify({ ok: !failed, findings })}\n` : `${lines.join("\n")}\n`);
    return failed ? EXIT.failed : EXIT.done;
  },
};

const TONES: Readonly<Record<Finding["verdict"], Tone>> = { ok: "good", warning: "warning", failure: "bad" };

function shown(
  { verdict, says, mend }: Finding,
  terminal: { readonly colour: boolean; columns(): number },
): string[] {
  const lines = wrap(`${verdict.padEnd(8)} ${says}`, { columns: terminal.columns(), indent: " ".repeat(9) });
  const [first = "", ...rest] = lines;
  const painted = paint(verdict, TONES[verdict], terminal) + first.slice(verdict.length);
  return mend === null ? [painted, ...rest] : [painted, ...rest, `${" ".repeat(9)}→ ${mend}`];
}

async function lookAt(
  target: Target,
): Promise<{ readonly facts: NodeFacts; readonly report: NodeReport | null }> {
  const startedAt = Date.now();
  const answer = await askJson(target, { path: ADMIN_PATHS.status, timeoutMs: ASK_MS });
  const endedAt = Date.now();
  if (!answer.ok || answer.status !== 200) {
    const silent = answer.ok ? `it answered with status ${answer.status}` : answer.cause;
    return { facts: silentNode(target.node, silent), report: null };
  }
  const report = answer.value as NodeReport;
  const { node } = report.reporter;
  const own = report.nodes[node];
  const path = `${CLUSTER_PATHS.nodes}/${encodeURIComponent(node)}/state?path=${
    encodeURIComponent("node/health")
  }`;
  const health = await askJson(target, { path, timeoutMs: ASK_MS });
  const state = health.ok && health.status === 200 ? (health.value as ActorStateReport).state : null;
  const loopDelayMs = typeof state === "object" && state !== null
    ? (state as { readonly loopDelayMs?: unknown }).loopDelayMs
    : null;
  return {
    report,
    facts: {
      node,
      silent: null,
      version: own?.version ?? "",
      runtime: own?.runtime ?? "",
      clockMs: Date.parse(report.at) - (startedAt + endedAt) / 2,
      loopDelayMs: typeof loopDelayMs === "number" ? loopDelayMs : null,
      brokenPaths: Object.entries(report.nodes).filter(([name, { state: seen }]) =>
        name !== node && seen === "up"
      )
        .flatMap(([, { paths }]) =>
          paths.filter((each) => each.state !== "up").map(({ address }) => address)
        ),
      health: { cause: own?.cause ?? null, remedy: own?.remedy ?? null },
    },
  };
}

function silentNode(node: string, silent: string): NodeFacts {
  return {
    node,
    silent,
    version: "",
    runtime: "",
    clockMs: null,
    loopDelayMs: null,
    brokenPaths: [],
    health: { cause: null, remedy: null },
  };
}

/** Disk files that are on this host; a disk that is elsewhere, or not made yet, has nothing to be looked at. */
function disksHere(config: ClusterConfig, shared: SharedOptions): DiskFacts[] {
  const nodes = config.nodes.filter(({ name }) => shared.node === undefined || shared.node === name);
  return nodes.flatMap(({ name: node }) =>
    replicasOn(config, node).flatMap(({ replica }) =>
      replica.disks.filter(({ path }) => existsSync(path)).map(({ volume, path }) => {
        const { size, blocks } = statSync(path);
        const { bavail, bsize } = statfsSync(dirname(path));
        return {
          node,
          volume,
          path,
          sizeBytes: size,
          allocatedBytes: blocks * BLOCK_BYTES,
          freeBytes: bavail * bsize,
        };
      })
    )
  );
}

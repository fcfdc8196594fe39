/**
 * The cluster at work, as one screen: what is served and how fast, what each leg lacks, which actors are busy. Pure:
 * out of two looks, a moment apart.
 */
import { formatBytes, formatSeconds } from "../config/units.ts";
import type { ActorsReport, ClusterStatus } from "../protocol/admin_messages.ts";
import type { LoadReport } from "../protocol/admin_questions.ts";
import { fit, paint, type Tone } from "./paint.ts";
import { table } from "./table.ts";

export interface Look {
  readonly atMs: number;
  readonly status: ClusterStatus;
  /** By node. */
  readonly loads: ReadonlyMap<string, LoadReport>;
  readonly actors: ReadonlyMap<string, ActorsReport>;
}

export interface TopOptions {
  readonly columns: number;
  readonly rows: number;
  readonly colour: boolean;
}

const TONES: Readonly<Record<string, Tone>> = {
  in_service: "good",
  replicating: "good",
  up: "good",
  degraded: "warning",
  electing: "warning",
  promoting: "warning",
  resyncing: "warning",
  handshaking: "warning",
  lagging: "warning",
  paused: "warning",
  suspected: "warning",
};

export function renderTop(now: Look, before: Look | null, options: TopOptions): string[] {
  const { status } = now;
  const nodes = Object.entries(status.nodes).map(([name, { state }]) => `${name} ${state}`).join("  ");
  const lines = [
    fit(`${status.cluster}  ${status.at}  ${nodes}`, options.columns),
    "",
    ...Object.entries(status.groups).flatMap(([name, group]) => [
      `${paint(name, "strong", options)}  ${tone(group.state, options)}  source ${
        group.source ?? "none"
      }  generation ${group.generation}  quorum ${group.quorum.votes}/${group.quorum.of}`,
      ...(group.cause === null ? [] : [fit(`  because ${group.cause}`, options.columns)]),
      ...traffic(group.source, Object.keys(group.volumes), { now, before }),
      ...Object.entries(group.replicas).flatMap(([node, { role, leg, mode, lag, dirtyBytes, resync }]) => {
        if (role === "source") return [];
        const progress = resync === null
          ? ""
          : `  resync ${
            Math.min(99, Math.floor((100 * resync.doneBytes) / Math.max(1, resync.totalBytes)))
          } % ${formatBytes(resync.bytesPerSecond)}/s ${
            resync.etaSeconds === null ? "" : `${formatSeconds(resync.etaSeconds)} left`
          }`;
        const text = `${node.padEnd(10)} ${(leg ?? "no leg").padEnd(12)} ${
          mode.padEnd(7)
        } lag ${lag.writes} writes, ${formatBytes(lag.bytes)}, ${formatSeconds(lag.seconds)}  dirty ${
          formatBytes(dirtyBytes)
        }${progress}`;
        return [`  ${paint(fit(text, options.columns - 2), TONES[leg ?? ""] ?? "bad", options)}`];
      }),
      "",
    ]),
  ];
  const room = Math.max(3, options.rows - lines.length - 3);
  return [...lines, ...busiest(now, before, options).slice(0, room)];
}

function tone(state: string, options: TopOptions): string {
  return paint(state.replaceAll("_", " "), TONES[state] ?? "bad", options);
}

interface Looks {
  readonly now: Look;
  readonly before: Look | null;
}

function traffic(source: string | null, volumes: readonly string[], { now, before }: Looks): string[] {
  const load = source === null ? undefined : now.loads.get(source);
  const then = source === null ? undefined : before?.loads.get(source);
  if (load === undefined || then === undefined || load.atMs <= then.atMs) return [];
  const perSecond = 1_000 / (load.atMs - then.atMs);
  const grown = (of: LoadReport, op: string, field: "requests" | "bytes") =>
    of.io.filter((line) => line.op === op && volumes.includes(line.volume)).reduce(
      (sum, line) => sum + line[field],
      0,
    );
  const rate = (op: string, field: "requests" | "bytes") =>
    Math.max(0, (grown(load, op, field) - grown(then, op, field)) * perSecond);
  const one = (op: string) =>
    `${op} ${formatBytes(rate(op, "bytes"))}/s, ${Math.round(rate(op, "requests"))}/s`;
  return [`  ${one("write")}   ${one("read")}   flush ${Math.round(rate("flush", "requests"))}/s`];
}

function busiest(now: Look, before: Look | null, options: TopOptions): string[] {
  const elapsed = before === null ? 0 : (now.atMs - before.atMs) / 1_000;
  const rows = [...now.actors].flatMap(([node, { actors }]) => {
    const then = new Map(before?.actors.get(node)?.actors.map((line) => [line.path, line.messages]));
    return actors.map((line) => ({
      node,
      line,
      waiting: line.depth.system + line.depth.control + line.depth.data,
      perSecond: elapsed > 0
        ? Math.max(0, line.messages - (then.get(line.path) ?? line.messages)) / elapsed
        : 0,
    }));
  }).toSorted((a, b) => b.perSecond - a.perSecond || b.waiting - a.waiting);
  return table(
    [
      { title: "NODE" },
      { title: "ACTOR" },
      { title: "STATE", dispensable: 2 },
      { title: "MSG/S", alignRight: true },
      { title: "WAITING", alignRight: true },
      { title: "RESTARTS", alignRight: true, dispensable: 1 },
    ],
    rows.slice(0, options.rows).map(({ node, line, waiting, perSecond }) => [
      node,
      line.path.replace(/^node\//, ""),
      line.state,
      perSecond.toFixed(perSecond < 10 ? 1 : 0),
      String(waiting),
      String(line.restarts),
    ]),
    { columns: options.columns, indent: "" },
  );
}

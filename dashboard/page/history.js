/**
 * The last minutes, kept in the page: rates out of counters, percentiles out of histograms, lag as it was told.
 *
 * Nodes keep no history for pages that may come; a page that is open keeps its own, bounded, and a gap in it is a gap
 * in the picture and not a zero.
 */

const POINTS_MAX = 300;
/** Durations are a sample of the requests: one second has too few of them. */
const LATENCY_WINDOW_MS = 10_000;
const TOO_CLOSE_MS = 400;

const loads = new Map();
/** Volume → { at: [], read: [], written: [], reads: [], writes: [] } */
const throughput = new Map();
/** `stage` → { at, p50, p95, p99 } of the writes, seconds. */
const latency = new Map();
/** Group → { at, legs: Map(node → { bytes: [], seconds: [] }) } */
const lag = new Map();

export function throughputOf(volumes) {
  return throughput.get(volumes.join(" ")) ?? throughput.get(volumes[0] ?? "") ?? null;
}
export function latencies() {
  return latency;
}
export function lagOf(group) {
  return lag.get(group) ?? null;
}

/** A LoadReport of a source. */
export function addLoad(report) {
  const kept = loads.get(report.node) ?? [];
  loads.set(report.node, kept);
  const before = kept.at(-1);
  // Two looks at the same moment, as when the view changes, would make a rate out of nothing.
  if (before !== undefined && report.atMs - before.atMs < TOO_CLOSE_MS) return;
  kept.push(report);
  while (kept.length > 2 && kept[1].atMs < report.atMs - LATENCY_WINDOW_MS) kept.shift();
  if (before === undefined) return;
  const perSecond = 1_000 / (report.atMs - before.atMs);
  for (const volume of new Set(report.io.map((line) => line.volume))) {
    const grown = (field, op) => {
      const now = sum(report, volume, field, op);
      const then = sum(before, volume, field, op);
      // A node that was started anew counts from zero.
      return now < then ? 0 : (now - then) * perSecond;
    };
    push(throughput, volume, report.atMs, {
      read: grown("bytes", "read"),
      written: grown("bytes", "write"),
      reads: grown("requests", "read"),
      writes: grown("requests", "write"),
    });
  }
  addLatency(report, kept[0]);
}

function sum({ io }, volume, field, op) {
  return io.filter((line) => line.volume === volume && line.op === op)
    .reduce((total, line) => total + line[field], 0);
}

function addLatency(report, oldest) {
  for (const { stage, op, buckets } of report.latency) {
    if (op !== "write" && op !== "flush") continue;
    const then = oldest.latency.find((each) => each.stage === stage && each.op === op)?.buckets ?? [];
    const delta = buckets.map(({ seconds, count }, index) => ({
      seconds,
      count: Math.max(0, count - (then[index]?.count ?? 0)),
    }));
    const point = { p50: percentile(delta, 0.5), p95: percentile(delta, 0.95), p99: percentile(delta, 0.99) };
    push(latency, `${stage} ${op}`, report.atMs, point);
  }
}

/** Between two bounds the durations are taken as even; null: none were seen. */
export function percentile(buckets, share) {
  const total = buckets.at(-1)?.count ?? 0;
  if (total === 0) return null;
  const wanted = total * share;
  let below = 0;
  let from = 0;
  for (const { seconds, count } of buckets) {
    if (count >= wanted) {
      if (seconds === null) return from;
      return from + (seconds - from) * ((wanted - below) / Math.max(1, count - below));
    }
    below = count;
    from = seconds ?? from;
  }
  return from;
}

export function addLag(status) {
  const atMs = Date.parse(status.at);
  for (const [group, { replicas }] of Object.entries(status.groups)) {
    const point = {};
    for (const [node, { role, leg, lag: behind }] of Object.entries(replicas)) {
      if (role === "source" || leg === null) continue;
      point[`${node}`] = behind.bytes;
    }
    push(lag, group, atMs, point);
  }
}

/** Columns beside a column of times; a column that is new begins with gaps. */
function push(table, key, atMs, point) {
  let series = table.get(key);
  if (series === undefined) table.set(key, series = { at: [], columns: {} });
  if ((series.at.at(-1) ?? 0) >= atMs / 1_000) return;
  series.at.push(atMs / 1_000);
  for (const name of Object.keys(point)) {
    series.columns[name] ??= new Array(series.at.length - 1).fill(null);
  }
  for (const [name, column] of Object.entries(series.columns)) column.push(point[name] ?? null);
  while (series.at.length > POINTS_MAX) {
    series.at.shift();
    for (const column of Object.values(series.columns)) column.shift();
  }
}

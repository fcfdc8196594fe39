/**
 * Pure: what a node has served, out of its own Prometheus text.
 *
 * The text is the one place where all counters meet, whoever counts them; reading it costs a millisecond and only
 * while somebody looks. A second set of books beside the metrics would be a second truth.
 */
import type { LoadReport } from "../../protocol/admin_questions.ts";

const LINE = /^(\w+)\{([^}]*)\} (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

type Io = { volume: string; op: string; requests: number; errors: number; bytes: number };
type Latency = { stage: string; op: string; buckets: { seconds: number | null; count: number }[] };

export function loadReport(text: string, seen: { readonly node: string; readonly atMs: number }): LoadReport {
  const io = new Map<string, Io>();
  const latency = new Map<string, Latency>();
  const wireBytes: Record<string, number> = {};
  for (const line of text.split("\n")) {
    const [, name, labelText, valueText] = LINE.exec(line) ?? [];
    if (name === undefined || !name.startsWith("holdfast_")) continue;
    const value = Number(valueText);
    if (!Number.isFinite(value)) continue;
    const labels = labelsOf(labelText ?? "");
    switch (name) {
      case "holdfast_io_requests_total":
        if (labels["result"] === "error") ioOf(io, labels).errors += value;
        else ioOf(io, labels).requests += value;
        break;
      case "holdfast_io_bytes_total":
        ioOf(io, labels).bytes += value;
        break;
      case "holdfast_io_duration_seconds_bucket":
        latencyOf(latency, labels).buckets.push({ seconds: boundOf(labels["le"]), count: value });
        break;
      case "holdfast_wire_bytes_total":
        wireBytes[labels["direction"] ?? ""] = value;
    }
  }
  return { ...seen, io: [...io.values()], latency: [...latency.values()], wireBytes };
}

function labelsOf(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(LABEL)].map(([, name, value]) => [name ?? "", value ?? ""]));
}

function boundOf(le: string | undefined): number | null {
  return le === undefined || le === "+Inf" ? null : Number(le);
}

function ioOf(io: Map<string, Io>, { volume = "", op = "" }: Record<string, string>): Io {
  const key = `${volume} ${op}`;
  let found = io.get(key);
  if (found === undefined) io.set(key, found = { volume, op, requests: 0, errors: 0, bytes: 0 });
  return found;
}

function latencyOf(latency: Map<string, Latency>, { stage = "", op = "" }: Record<string, string>): Latency {
  const key = `${stage} ${op}`;
  let found = latency.get(key);
  if (found === undefined) latency.set(key, found = { stage, op, buckets: [] });
  return found;
}

/**
 * The structured log: an event's name and its fields, one line each, never longer than its bound.
 *
 * Events are named like facts (`actor_crashed`), so that a person can search and a program can count; what varies is in
 * the fields. JSON for machines, logfmt for people at a terminal. A memory sink stands in for it in tests.
 */
import process from "node:process";
import { plainOf } from "./preview.ts";

export type Level = "debug" | "info" | "warn" | "error";
export type Fields = Record<string, unknown>;

export interface Log {
  debug(event: string, fields?: Fields): void;
  info(event: string, fields?: Fields): void;
  warn(event: string, fields?: Fields): void;
  error(event: string, fields?: Fields): void;
  /** A log that adds `fields` to each line; a line's own fields win. */
  child(fields: Fields): Log;
}

export interface LogEntry {
  /** Unix milliseconds. */
  readonly at: number;
  readonly level: Level;
  readonly event: string;
  readonly fields: Fields;
}

/** Where entries go. Must not throw. */
export type LogSink = (entry: LogEntry) => void;

export interface LogOptions {
  readonly sink: LogSink;
  /** Entries below it are dropped; default `info`. */
  readonly level?: Level;
  readonly fields?: Fields;
  /** Unix milliseconds of an entry; default the host's clock. */
  readonly wall?: () => number;
}

const RANK: Record<Level, number> = { debug: 0, info: 1, warn: 2, error: 3 };
const LINE_MAX = 4_096;

export function createLog(options: LogOptions): Log {
  const least = RANK[options.level ?? "info"];
  const own = options.fields ?? {};
  const wall = options.wall ?? Date.now;
  function write(level: Level, event: string, fields?: Fields): void {
    if (RANK[level] < least) return;
    options.sink({ at: wall(), level, event, fields: { ...own, ...fields } });
  }
  return {
    debug: (event, fields) => write("debug", event, fields),
    info: (event, fields) => write("info", event, fields),
    warn: (event, fields) => write("warn", event, fields),
    error: (event, fields) => write("error", event, fields),
    child: (fields) => createLog({ ...options, fields: { ...own, ...fields } }),
  };
}

/** One JSON object in one line of at most 4 096 characters; what does not fit is left out and `cut` says so. */
export function jsonLine(entry: LogEntry): string {
  const head = { at: new Date(entry.at).toISOString(), level: entry.level, event: entry.event.slice(0, 256) };
  const fields = plainOf(entry.fields) as Fields;
  const line = JSON.stringify({ ...fields, ...head });
  if (line.length <= LINE_MAX) return line;
  const kept: Fields = { ...head, cut: true };
  let length = JSON.stringify(kept).length;
  for (const [key, value] of Object.entries(fields)) {
    const added = JSON.stringify({ [key]: value }).length;
    if (length + added > LINE_MAX || key in kept) continue;
    kept[key] = value;
    length += added;
  }
  return JSON.stringify(kept);
}

/** `time level event key=value …` in one line of at most 4 096 characters. */
export function logfmtLine(entry: LogEntry): string {
  let line = `${new Date(entry.at).toISOString()} ${entry.level} ${entry.event.slice(0, 256)}`;
  for (const [key, value] of Object.entries(plainOf(entry.fields) as Fields)) {
    if (value === undefined) continue;
    const text = typeof value === "string" && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
    line += ` ${key}=${text}`;
    if (line.length > LINE_MAX) return line.slice(0, LINE_MAX - 1) + "…";
  }
  return line;
}

/** Lines on standard error, which is where a service's log belongs: standard output is for answers. */
export function stderrSink(format: "json" | "logfmt" = "json"): LogSink {
  const line = format === "json" ? jsonLine : logfmtLine;
  return (entry) => {
    process.stderr.write(line(entry) + "\n");
  };
}

/** A log into an array that keeps the last `entriesMax`, for tests and for showing recent events. */
export function memoryLog(
  options: { level?: Level; entriesMax?: number; wall?: () => number } = {},
): Log & { readonly entries: LogEntry[] } {
  const entries: LogEntry[] = [];
  const entriesMax = options.entriesMax ?? 10_000;
  const log = createLog({
    level: options.level ?? "debug",
    wall: options.wall,
    sink: (entry) => {
      if (entries.length === entriesMax) entries.shift();
      entries.push(entry);
    },
  });
  return { ...log, entries };
}

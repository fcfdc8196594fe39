/**
 * Pure: one event as one line of JSON, and back.
 *
 * Lines of JSON, since a person with `grep` must be able to read the history of a node that no longer starts. A
 * checksum per line was rejected: a torn line does not parse, and nothing is decided by an event. What is damaged is
 * skipped and counted; the history is never refused for it.
 */
import type { EventFields, HistoryEvent } from "./messages.ts";

/** A longer event loses its fields and says so. Bytes of UTF-8, the line's end included. */
export const EVENT_LINE_BYTES_MAX = 8 * 1024;
const TEXT_CHARACTERS_MAX = 1_000;

/** The event as a line with its end. */
export function formatEvent(event: HistoryEvent): string {
  const line = toLine(event);
  if (line !== null && byteLength(line) <= EVENT_LINE_BYTES_MAX) return line;
  const shortened = toLine({
    ...event,
    kind: event.kind.slice(0, 100),
    group: event.group?.slice(0, 100) ?? null,
    cause: event.cause?.slice(0, TEXT_CHARACTERS_MAX) ?? null,
    fields: { omitted: "the fields were too large to keep" },
  });
  return shortened ?? "\n";
}

/** All whole events of a segment, oldest first, and how many lines were not events. */
export function parseEvents(
  text: string,
): { readonly events: HistoryEvent[]; readonly damagedLines: number } {
  const events: HistoryEvent[] = [];
  let damagedLines = 0;
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const event = parseEvent(line);
    if (event === null) damagedLines += 1;
    else events.push(event);
  }
  return { events, damagedLines };
}

function toLine(event: HistoryEvent): string | null {
  try {
    return `${JSON.stringify(event)}\n`;
  } catch (error) {
    // A cycle or a bigint in the fields: a bug of whoever reported it, and no reason to lose the event.
    if (error instanceof TypeError) return null;
    throw error;
  }
}

function parseEvent(line: string): HistoryEvent | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  if (!isObject(value)) return null;
  const { seq, at, node, kind, group, cause, fields } = value;
  if (typeof seq !== "number" || !Number.isSafeInteger(seq) || seq < 1) return null;
  if (typeof at !== "string" || Number.isNaN(Date.parse(at))) return null;
  if (typeof node !== "string" || typeof kind !== "string") return null;
  if (group !== null && typeof group !== "string") return null;
  if (cause !== null && typeof cause !== "string") return null;
  if (!isObject(fields)) return null;
  return { seq, at, node, kind, group, cause, fields };
}

function isObject(value: unknown): value is Record<string, unknown> & EventFields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

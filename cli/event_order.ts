/** The events of several nodes as one history. Pure. */
import type { EventLine } from "../protocol/admin_messages.ts";

/** By wall clock, which nodes need not share to the millisecond; within one node always in its own order. */
export function mergeEvents(histories: readonly (readonly EventLine[])[]): EventLine[] {
  const waiting = histories.map((history) => [...history].sort((a, b) => a.seq - b.seq));
  const merged: EventLine[] = [];
  for (;;) {
    const next = waiting.filter((history) =>
      history.length > 0
    ).sort((a, b) => (a[0]?.at ?? "").localeCompare(b[0]?.at ?? ""))[0];
    const event = next?.shift();
    if (event === undefined) {
      return merged;
    }
    merged.push(event);
  }
}

/** `2026-11-22T13:29:12.000Z alpha db leg_changed replicating → paused: a person asked for it` */
export function formatEvent(event: EventLine): string {
  const fields = Object.entries(event.fields)
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  const subject = event.group === null ? event.node : `${event.node} ${event.group}`;
  const cause = event.cause === null ? "" : `: ${event.cause}`;
  return `${event.at} ${subject} ${event.kind}${fields.length === 0 ? "" : ` ${fields.join(" ")}`}${cause}`;
}

/** `10min` before `nowMs`, or a moment as RFC 3339; undefined when it is neither. */
export function sinceOf(
  text: string,
  options: { readonly nowMs: number; readonly durationMs: number | undefined },
): string | undefined {
  if (options.durationMs !== undefined) return new Date(options.nowMs - options.durationMs).toISOString();
  const moment = Date.parse(text);
  return Number.isNaN(moment) ? undefined : new Date(moment).toISOString();
}

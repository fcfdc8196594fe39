/**
 * Pure: the history of a node: what is in memory, what goes to which file, and which file goes.
 *
 * The history is a row of segments, each a file of lines, named by the seq of its first event. A start begins a new
 * segment, so that nothing is ever appended behind a line that a crash tore. The oldest segment is removed when there
 * are too many: the history is bounded in bytes whatever happens (I8). In memory lies only the newest part, which is
 * what is asked for; the files are for the time after a restart, and for people.
 */
import {
  type EventAnswer,
  type EventFields,
  type EventQuery,
  EVENTS_PER_ANSWER_MAX,
  type HistoryEvent,
} from "./messages.ts";
import { formatEvent, parseEvents } from "./event_format.ts";

export interface EventLogLimits {
  /** Events in memory. At the bound the oldest are forgotten there. */
  readonly tailMax: number;
  /** A segment that reached this is followed by a new one. */
  readonly segmentBytesMax: number;
  /** Files kept. */
  readonly segmentsMax: number;
}

/** 8 × 1 MiB: about forty thousand events. */
export const EVENT_LOG_LIMITS: EventLogLimits = {
  tailMax: 10_000,
  segmentBytesMax: 1024 * 1024,
  segmentsMax: 8,
};

export type EventLogEffect =
  | { readonly kind: "append"; readonly segment: string; readonly text: string }
  | { readonly kind: "remove"; readonly segment: string };

const SEGMENT_NAME = /^events-(\d{16})\.ndjson$/;

/** The name of the segment that begins with this event; names sort as their events do. */
export function segmentName(firstSeq: number): string {
  return `events-${String(firstSeq).padStart(16, "0")}.ndjson`;
}

/** Segments among the files of a folder, oldest first. Other files are none of ours and stay untouched. */
export function segmentsAmong(names: readonly string[]): string[] {
  return names.filter((name) => SEGMENT_NAME.test(name)).toSorted();
}

export class EventLog {
  readonly #node: string;
  readonly #limits: EventLogLimits;
  #segments: string[] = [];
  /** Bytes in the last segment; `null` while none was begun since the start. */
  #segmentBytes: number | null = null;
  #tail: HistoryEvent[] = [];
  #lastSeq = 0;
  #forgotten = false;

  constructor(options: { readonly node: string; readonly limits?: EventLogLimits }) {
    this.#node = options.node;
    this.#limits = options.limits ?? EVENT_LOG_LIMITS;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  get segments(): readonly string[] {
    return this.#segments;
  }

  /** What the files of the life before hold, oldest first; `null` text: it could not be read. Answers damaged lines. */
  restore(files: readonly { readonly name: string; readonly text: string | null }[]): number {
    let damagedLines = 0;
    for (const { name, text } of files) {
      this.#segments.push(name);
      const firstSeq = Number(SEGMENT_NAME.exec(name)?.[1] ?? 0);
      // A segment whose every line is lost still used up its first number.
      this.#lastSeq = Math.max(this.#lastSeq, firstSeq);
      if (text === null) continue;
      const parsed = parseEvents(text);
      damagedLines += parsed.damagedLines;
      for (const event of parsed.events) {
        this.#lastSeq = Math.max(this.#lastSeq, event.seq);
        this.#remember(event);
      }
    }
    return damagedLines;
  }

  /** The event as it is kept, and what is to be done for it. */
  append(
    kind: string,
    fields: EventFields,
    wallMs: number,
  ): { readonly event: HistoryEvent; readonly effects: readonly EventLogEffect[] } {
    const { group, cause, ...rest } = fields;
    this.#lastSeq += 1;
    const event: HistoryEvent = {
      seq: this.#lastSeq,
      at: new Date(wallMs).toISOString(),
      node: this.#node,
      kind,
      group: typeof group === "string" ? group : null,
      cause: typeof cause === "string" ? cause : null,
      fields: rest,
    };
    this.#remember(event);
    const effects: EventLogEffect[] = [];
    if (this.#segmentBytes === null || this.#segmentBytes >= this.#limits.segmentBytesMax) {
      this.#segments.push(segmentName(event.seq));
      this.#segmentBytes = 0;
      while (this.#segments.length > this.#limits.segmentsMax) {
        effects.push({ kind: "remove", segment: this.#segments.shift() ?? "" });
      }
    }
    const text = formatEvent(event);
    this.#segmentBytes += text.length;
    effects.push({ kind: "append", segment: this.#segments.at(-1) ?? "", text });
    return { event, effects };
  }

  query(query: EventQuery): EventAnswer {
    const limit = Math.max(1, Math.min(query.limit ?? EVENTS_PER_ANSWER_MAX, EVENTS_PER_ANSWER_MAX));
    const matching = this.#tail.filter((event) =>
      event.seq > (query.afterSeq ?? 0) &&
      (query.sinceMs === undefined || Date.parse(event.at) >= query.sinceMs)
    );
    const oldestAsked = matching.length === this.#tail.length;
    return {
      events: matching.slice(-limit),
      lastSeq: this.#lastSeq,
      truncated: matching.length > limit || (this.#forgotten && oldestAsked),
    };
  }

  #remember(event: HistoryEvent): void {
    this.#tail.push(event);
    // Forgetting in large steps keeps the cost of one event constant.
    if (this.#tail.length >= this.#limits.tailMax * 2) {
      this.#tail = this.#tail.slice(-this.#limits.tailMax);
      this.#forgotten = true;
    }
  }
}

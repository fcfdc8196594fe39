/** What the event history of a node is told and asked. */
import type { ReplyTo } from "../../runtime/mod.ts";

/** What an event says besides its kind: plain data, small. */
export type EventFields = Readonly<Record<string, unknown>>;

/** Something that happened on this node, as it is kept and shown. */
export interface HistoryEvent {
  /** Grows by one per event of this node, also through restarts. */
  readonly seq: number;
  /** RFC 3339, the wall clock of the node. */
  readonly at: string;
  readonly node: string;
  /** A fact in the past, snake_case: `leg_changed`, `peer_suspected`, `record_changed`. */
  readonly kind: string;
  /** The group it is about, `null` for the node itself. */
  readonly group: string | null;
  /** Why; `null` only where the event is its own reason. */
  readonly cause: string | null;
  readonly fields: EventFields;
}

/** How actors report an event: `group` and `cause` are lifted out of the fields. Never throws. */
export type ReportEvent = (kind: string, fields: EventFields) => void;

export interface EventQuery {
  /** Events after this seq. */
  readonly afterSeq?: number;
  /** Events at or after this moment, Unix ms. */
  readonly sinceMs?: number;
  /** The newest so many of them; at most `EVENTS_PER_ANSWER_MAX`. */
  readonly limit?: number;
}

export interface EventAnswer {
  readonly events: readonly HistoryEvent[];
  /** The seq of the newest event of this node, to go on from. */
  readonly lastSeq: number;
  /** True when older events matched that are no longer kept in memory or did not fit. */
  readonly truncated: boolean;
}

/** Gets each new event; false: the follower is gone or too slow and is forgotten. Never throws. */
export type EventFollower = (event: HistoryEvent) => boolean;

export type EventsMessage =
  | { readonly kind: "event_happened"; readonly name: string; readonly fields: EventFields }
  | { readonly kind: "events_requested"; readonly query: EventQuery; readonly reply: ReplyTo<EventAnswer> }
  /** Past the bound of followers the answer is false. */
  | { readonly kind: "follow_requested"; readonly follower: EventFollower; readonly reply: ReplyTo<boolean> }
  | { readonly kind: "follow_ended"; readonly follower: EventFollower }
  /** The actor's own timer and outcome. */
  | { readonly kind: "sync_due" }
  | { readonly kind: "sync_ended"; readonly cause: string | null };

export const EVENTS_PER_ANSWER_MAX = 2_000;

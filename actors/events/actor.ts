/**
 * The event history of a node, durable and bounded: who became source, which leg changed and why, which rejoin rule
 * fired, who was suspected, what crashed. `holdfast events` and the timeline read it.
 *
 * The actor only performs what `event_log.ts` decides. When the folder cannot be written the history lives on in
 * memory, and the trouble is logged once per spell and not once per event.
 */
import type { ActorContext, ActorSpec, Behavior, TimerHandle } from "../../runtime/mod.ts";
import { assertNever } from "../../runtime/invariant.ts";
import { type EventFiles, type EventFilesFailure, isEventFilesFailure } from "./event_files.ts";
import { EventLog, type EventLogEffect, type EventLogLimits, segmentsAmong } from "./event_log.ts";
import type { EventFollower, EventsMessage, HistoryEvent } from "./messages.ts";

export interface EventsEnvironment {
  readonly node: string;
  readonly files: EventFiles;
  readonly limits?: EventLogLimits;
}

/** Followers at a time; one more is refused. */
export const FOLLOWERS_MAX = 64;
/** The history is behind a power failure by at most this. */
const SYNC_DELAY_MS = 1_000;

export function eventsActor(environment: EventsEnvironment): ActorSpec<EventsMessage> {
  return { name: "events", start: (context) => new Events(environment, context) };
}

class Events implements Behavior<EventsMessage> {
  readonly #files: EventFiles;
  readonly #context: ActorContext<EventsMessage>;
  readonly #log: EventLog;
  readonly #followers = new Set<EventFollower>();
  #syncTimer: TimerHandle | null = null;
  #trouble: string | null = null;

  constructor(environment: EventsEnvironment, context: ActorContext<EventsMessage>) {
    this.#files = environment.files;
    this.#context = context;
    this.#log = new EventLog(environment);
    const names = this.#files.list();
    if (isEventFilesFailure(names)) {
      this.#noteOutcome(names);
      return;
    }
    const damagedLines = this.#log.restore(
      segmentsAmong(names).map((name) => ({ name, text: this.#files.read(name) })),
    );
    if (damagedLines > 0) context.log.warn("events_damaged", { folder: this.#files.name, damagedLines });
  }

  receive(message: EventsMessage): void {
    switch (message.kind) {
      case "event_happened":
        return this.#append(message.name, message.fields);
      case "events_requested":
        return message.reply.reply(this.#log.query(message.query));
      case "follow_requested":
        if (this.#followers.size >= FOLLOWERS_MAX) return message.reply.reply(false);
        this.#followers.add(message.follower);
        return message.reply.reply(true);
      case "follow_ended":
        this.#followers.delete(message.follower);
        return;
      case "sync_due":
        this.#syncTimer = null;
        return this.#context.pipe(
          this.#files.sync(),
          (failure) => ({ kind: "sync_ended", cause: failure?.detail ?? null }),
          (error) => ({ kind: "sync_ended", cause: error.message }),
        );
      case "sync_ended":
        if (message.cause !== null) this.#noteTrouble(message.cause);
        return;
      default:
        assertNever(message);
    }
  }

  async stopping(): Promise<void> {
    this.#noteOutcome(await this.#files.sync());
    this.#files.close();
  }

  inspect(): unknown {
    return {
      lastSeq: this.#log.lastSeq,
      segments: this.#log.segments,
      followers: this.#followers.size,
      trouble: this.#trouble,
    };
  }

  #append(name: string, fields: Readonly<Record<string, unknown>>): void {
    const { event, effects } = this.#log.append(name, fields, this.#context.clock.wall());
    for (const effect of effects) this.#noteOutcome(this.#perform(effect));
    this.#syncTimer ??= this.#context.after(SYNC_DELAY_MS, { kind: "sync_due" });
    this.#context.log.info(`event_${name}`, { seq: event.seq, ...fields });
    this.#tellFollowers(event);
  }

  #perform(effect: EventLogEffect): EventFilesFailure | null {
    switch (effect.kind) {
      case "append":
        return this.#files.append(effect.segment, effect.text);
      case "remove":
        return this.#files.remove(effect.segment);
      default:
        return assertNever(effect);
    }
  }

  #tellFollowers(event: HistoryEvent): void {
    for (const follower of this.#followers) {
      if (!follower(event)) this.#followers.delete(follower);
    }
  }

  #noteOutcome(failure: EventFilesFailure | null): void {
    if (failure === null) this.#trouble = null;
    else this.#noteTrouble(failure.detail);
  }

  #noteTrouble(cause: string): void {
    if (this.#trouble === cause) return;
    this.#trouble = cause;
    this.#context.log.error("events_not_kept", { folder: this.#files.name, cause });
  }
}

/**
 * Whose turn it is: actors with mail, each served up to a batch of messages, until a slice of time is used up.
 *
 * Batches make messages cheap (an actor stays in the processor's caches); slices keep sockets alive: after one
 * the host gets its turn, by the scheduler. The slice is measured on the system's clock, so in virtual time, which stands
 * still, it never ends early and runs are repeatable; a count bounds it there.
 */
import type { Clock } from "./clock.ts";
import { Ring } from "./ring.ts";
import type { Scheduler } from "./scheduler.ts";

/** What the queue needs of an actor. */
export interface Runnable {
  /** Serves up to `messagesMax` messages and answers how many; sets `queued` false when no mail is left. */
  run(messagesMax: number): number;
  /** In the run queue. Kept by the actor and the queue together. */
  queued: boolean;
}

/** Messages of one actor before the next one's turn, so that heavy messages of one actor do not hold up the sockets for long. */
const BATCH_MESSAGES = 64;
/** Small turns add up to this many messages before the clock is read again, since reading it costs as much as a message. */
const CLOCK_MESSAGES = 64;
/** Longest time without the host's event loop; one message may of course take longer. Five of these fit between two polls of Deno. */
const SLICE_MS = 0.2;
/** Bounds a slice when the clock stands still. */
const SLICE_MESSAGES = 100_000;
/** With a chooser, batches are short and of random length, so that interleavings differ. */
const CHOSEN_BATCH_MAX = 4;

export class RunQueue {
  readonly #ready = new Ring<Runnable>();
  readonly #clock: Clock;
  readonly #scheduler: Scheduler;
  readonly #slice = () => this.#runSlice();
  #posted = false;

  constructor(clock: Clock, scheduler: Scheduler) {
    this.#clock = clock;
    this.#scheduler = scheduler;
  }

  /** Only for one that is not queued. */
  push(actor: Runnable): void {
    actor.queued = true;
    this.#ready.push(actor);
    if (!this.#posted) {
      this.#posted = true;
      this.#scheduler.post(this.#slice);
    }
  }

  #runSlice(): void {
    try {
      if (this.#scheduler.choose === undefined) this.#runInOrder();
      else this.#runChosen(this.#scheduler);
    } finally {
      if (this.#ready.count > 0) this.#scheduler.post(this.#slice);
      else this.#posted = false;
    }
  }

  #runInOrder(): void {
    const ready = this.#ready;
    const endMs = this.#clock.now() + SLICE_MS;
    let untilClock = CLOCK_MESSAGES;
    let untilEnd = SLICE_MESSAGES;
    while (ready.count > 0) {
      const actor = ready.shift();
      const served = actor.run(BATCH_MESSAGES);
      if (actor.queued) ready.push(actor);
      untilClock -= served + 1;
      if (untilClock <= 0) {
        untilEnd -= CLOCK_MESSAGES - untilClock;
        untilClock = CLOCK_MESSAGES;
        if (untilEnd <= 0 || this.#clock.now() >= endMs) return;
      }
    }
  }

  #runChosen(scheduler: Scheduler): void {
    const ready = this.#ready;
    for (let served = 0; ready.count > 0 && served < SLICE_MESSAGES; served++) {
      const actor = ready.takeAt(scheduler.choose?.(ready.count) ?? 0);
      actor.run(1 + (scheduler.choose?.(CHOSEN_BATCH_MAX) ?? 0));
      if (actor.queued) ready.push(actor);
    }
  }
}

/**
 * Many deadlines, few timers: one queue per *duration*.
 *
 * Questions come with a handful of different durations, and within one duration the order of asking is the order of
 * expiry: a plain queue is sorted by itself, a deadline is added and taken out in constant time, and one timer of the
 * clock per duration, set to its oldest entry, is exact. A timing wheel would be coarser and a heap slower; a timer per
 * question costs more than the question.
 */
import type { Clock, TimerHandle } from "./clock.ts";

/** An entry: intrusive links, so that adding one allocates nothing. */
export abstract class Deadline {
  deadlineMs = 0;
  previous: Deadline | null = null;
  next: Deadline | null = null;
  queue: DurationQueue | null = null;

  /** Time is up. Called at most once, and never after `Deadlines.remove`. */
  abstract expired(): void;
}

/** All entries of one duration, oldest first. */
class DurationQueue {
  readonly durationMs: number;
  first: Deadline | null = null;
  last: Deadline | null = null;
  timer: TimerHandle | null = null;

  constructor(durationMs: number) {
    this.durationMs = durationMs;
  }
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #queues = new Map<number, DurationQueue>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `entry` expires in `durationMs` ≥ 0 unless removed before. */
  add(entry: Deadline, durationMs: number): void {
    let queue = this.#queues.get(durationMs);
    if (queue === undefined) {
      queue = new DurationQueue(durationMs);
      this.#queues.set(durationMs, queue);
    }
    entry.deadlineMs = this.#clock.now() + durationMs;
    entry.queue = queue;
    entry.previous = queue.last;
    if (queue.last === null) queue.first = entry;
    else queue.last.next = entry;
    queue.last = entry;
    if (queue.timer === null) this.#arm(queue, durationMs);
  }

  /** Callable for an entry that was never added, has expired or was removed. */
  remove(entry: Deadline): void {
    const queue = entry.queue;
    if (queue === null) return;
    const { previous, next } = entry;
    if (previous === null) queue.first = next;
    else previous.next = next;
    if (next === null) queue.last = previous;
    else next.previous = previous;
    entry.queue = null;
    entry.previous = null;
    entry.next = null;
  }

  /** The timer is not cancelled when its entry goes: it looks once more, and an empty queue is dropped then. */
  #arm(queue: DurationQueue, delayMs: number): void {
    queue.timer = this.#clock.after(delayMs, () => this.#fired(queue));
  }

  #fired(queue: DurationQueue): void {
    queue.timer = null;
    const nowMs = this.#clock.now();
    while (queue.first !== null && queue.first.deadlineMs <= nowMs) {
      const entry = queue.first;
      this.remove(entry);
      entry.expired();
    }
    if (queue.timer !== null) return;
    if (queue.first !== null) this.#arm(queue, queue.first.deadlineMs - nowMs);
    else this.#queues.delete(queue.durationMs);
  }

  /** Everything expires now, so that nobody waits for a system that is gone; then no timer is left behind. */
  close(): void {
    for (const queue of [...this.#queues.values()]) {
      while (queue.first !== null) {
        const entry = queue.first;
        this.remove(entry);
        entry.expired();
      }
      if (queue.timer !== null) this.#clock.cancel(queue.timer);
      queue.timer = null;
    }
    this.#queues.clear();
  }
}

/**
 * Turns without an event loop: work runs when the simulation says so. Posted work keeps its order (streams rely on it);
 * with a seeded `random` the next *actor* is drawn among all that have mail, so that a seed is one interleaving and many
 * seeds are many.
 */
import type { Random } from "../random.ts";
import { Ring } from "../ring.ts";
import type { Scheduler } from "../scheduler.ts";

export class SimulatedScheduler implements Scheduler {
  readonly #posted = new Ring<() => void>();
  #ending: (() => void)[] = [];
  readonly #random: Random | undefined;

  constructor(options: { random?: Random } = {}) {
    this.#random = options.random;
  }

  post(work: () => void): void {
    this.#posted.push(work);
  }

  atTurnEnd(work: () => void): void {
    this.#ending.push(work);
  }

  /** Which of `count` actors with mail runs next; always the first without a random. */
  choose(count: number): number {
    return this.#random === undefined || count < 2 ? 0 : this.#random.uint32() % count;
  }

  /** Something is waiting for a turn. */
  get busy(): boolean {
    return this.#posted.count > 0 || this.#ending.length > 0;
  }

  /** Runs one turn; false when there was nothing to do. */
  turn(): boolean {
    if (!this.busy) return false;
    let left = this.#posted.count;
    while (left > 0) {
      left -= 1;
      this.#posted.shift()();
    }
    while (this.#ending.length > 0) {
      const ending = this.#ending;
      this.#ending = [];
      for (const work of ending) work();
    }
    return true;
  }
}

/**
 * When work runs: in turns. A turn runs what was posted before it began, then what asked for its end, then lets
 * the host look at its sockets.
 *
 * The first turn after silence starts as a microtask, so a socket's callback is answered without a trip through
 * the event loop. Work that goes on yields to the host between turns by a policy of the runtime
 * (`yield_policy.ts`), because a loop that feeds itself with microtasks never reads a socket again. For the same reason
 * only a limited number of turns in a row may start as microtasks.
 */
import { Ring } from "./ring.ts";
import { hostYield, type Yield } from "./yield_policy.ts";

export interface Scheduler {
  /** Runs once, soon, after the current turn, in order of posting. */
  post(work: () => void): void;
  /** Runs when the current turn ends, before anything else: where writes gathered in a turn go out. */
  atTurnEnd(work: () => void): void;
  /** Simulated ones only: which of `count` actors with mail runs next, 0 ≤ answer < count. */
  choose?(count: number): number;
}

/** Turns that may start as microtasks before one must come from the host's event loop. */
const MICROTASK_TURNS_MAX = 64;

/** The host's scheduler. */
export class SystemScheduler implements Scheduler {
  readonly #posted = new Ring<() => void>();
  #ending: (() => void)[] = [];
  readonly #yield: Yield;
  readonly #turn = () => this.#runTurn();
  readonly #hostTurn = () => {
    this.#microtaskTurns = 0;
    this.#runTurn();
  };
  #awake = false;
  #microtaskTurns = 0;

  constructor(options: { yield?: Yield } = {}) {
    this.#yield = options.yield ?? hostYield();
  }

  post(work: () => void): void {
    this.#posted.push(work);
    if (!this.#awake) this.#wake();
  }

  atTurnEnd(work: () => void): void {
    this.#ending.push(work);
    if (!this.#awake) this.#wake();
  }

  #wake(): void {
    this.#awake = true;
    this.#microtaskTurns += 1;
    if (this.#microtaskTurns <= MICROTASK_TURNS_MAX) queueMicrotask(this.#turn);
    else this.#yield(this.#hostTurn, 0);
  }

  /** Work that throws is a bug outside every actor: the error goes to the host, the other work goes on. */
  #runTurn(): void {
    const startMs = performance.now();
    let left = this.#posted.count;
    try {
      while (left > 0) {
        left -= 1;
        this.#posted.shift()();
      }
      while (this.#ending.length > 0) {
        const ending = this.#ending;
        this.#ending = [];
        let index = 0;
        try {
          for (; index < ending.length; index++) ending[index]?.();
        } finally {
          if (index < ending.length) this.#ending.unshift(...ending.slice(index + 1));
        }
      }
    } finally {
      if (this.#posted.count > 0 || this.#ending.length > 0) {
        this.#yield(this.#hostTurn, performance.now() - startMs);
      } else this.#awake = false;
    }
  }
}

/** The host's scheduler with the yield policy of this runtime. */
export function systemScheduler(options: { yield?: Yield } = {}): Scheduler {
  return new SystemScheduler(options);
}

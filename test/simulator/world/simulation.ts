/**
 * The ground of a simulated history: true time, dice, turns, and a trace that two runs of one seed share byte by byte.
 *
 * True time belongs to no process; each has a clock of its own over it (`process_time.ts`). Promises of the code under
 * test settle between two timers, all of them: whoever of the simulated world answers a promise says so (`promised`),
 * and only then the host's event loop is asked for a round, since that round costs more than most events.
 */
import { SimulatedClock } from "../../../runtime/simulated/clock.ts";
import { SimulatedRandom } from "../../../runtime/simulated/random.ts";
import { SimulatedScheduler } from "../../../runtime/simulated/scheduler.ts";

/** Turns at one moment before the world is said to run in circles. */
const TURNS_MAX = 200_000;
/** Microtask rounds given to promises that nobody of the world answered: those that the code under test makes itself. */
const FREE_ROUNDS = 3;

export class Violation extends Error {
  override name = "Violation";
  /** The checker's name, beginning with the number of the invariant where it has one. */
  readonly checker: string;

  constructor(checker: string, detail: string) {
    super(`${checker}: ${detail}`);
    this.checker = checker;
  }
}

export class Simulation {
  readonly clock = new SimulatedClock();
  /** For the world: latencies, identifiers. Faults and workload have dice of their own. */
  readonly random: SimulatedRandom;
  readonly scheduler: SimulatedScheduler;
  /** Timers fired, work posted, messages delivered: what is divided by seconds. */
  events = 0;
  /** Grows with everything that is observed: orders what happens at one virtual instant. */
  stamp = 0;
  readonly lines: string[] = [];
  readonly #keepsLines: boolean;
  #hash = 0x811c9dc5;
  #promised = true;
  #interrupt: { turnsLeft: number; run: () => void } | null = null;
  /** The first violation seen; the run ends at the next moment. */
  violation: Violation | null = null;

  constructor(options: { readonly seed: number; readonly trace: boolean }) {
    this.random = new SimulatedRandom(options.seed);
    this.scheduler = new SimulatedScheduler({ random: this.random.fork() });
    this.#keepsLines = options.trace;
  }

  get nowMs(): number {
    return this.clock.now();
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  /** One line of the history, part of its hash. */
  note(line: string): void {
    const text = `${this.nowMs.toFixed(3)} ${line}`;
    let hash = this.#hash;
    for (let index = 0; index < text.length; index++) {
      hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
    }
    this.#hash = hash;
    if (this.#keepsLines) this.lines.push(text);
  }

  /** Not part of the hash: detail for people, made only for a trace. */
  remark(line: () => string): void {
    if (this.#keepsLines) this.lines.push(`${this.nowMs.toFixed(3)}   ${line()}`);
  }

  fail(checker: string, detail: string): void {
    if (this.violation !== null) return;
    this.note(`VIOLATION ${checker}: ${detail}`);
    this.violation = new Violation(checker, detail);
  }

  /** The world has answered, or is about to answer, a promise of the code under test. */
  promised(): void {
    this.#promised = true;
  }

  /** Runs `run` between two turns, `turns` turns from now, or when this moment is over. */
  interruptAfter(turns: number, run: () => void): void {
    const before = this.#interrupt;
    before?.run();
    this.#interrupt = { turnsLeft: turns, run };
  }

  #settle(): void {
    for (let turns = 0; this.scheduler.turn(); turns++) {
      if (this.#interrupt !== null && this.#interrupt.turnsLeft-- <= 0) this.#runInterrupt();
      if (turns > TURNS_MAX) throw new Violation("I8 rest", "the world does not come to rest at one moment");
    }
  }

  #runInterrupt(): void {
    const interrupt = this.#interrupt;
    this.#interrupt = null;
    interrupt?.run();
  }

  /** Until nothing is left to do at this moment, promises included. */
  async settle(): Promise<void> {
    do {
      this.#settle();
      if (this.#promised) {
        this.#promised = false;
        await new Promise<void>((resolve) => setImmediate(resolve));
      } else for (let round = 0; round < FREE_ROUNDS; round++) await null;
    } while (this.scheduler.busy || this.#promised);
    if (this.#interrupt !== null) {
      this.#runInterrupt();
      await this.settle();
    }
  }

  /** Lets time pass up to `untilMs`, or to the first violation. */
  async passUntil(untilMs: number): Promise<void> {
    await this.settle();
    while (this.violation === null && this.clock.fireNext(untilMs)) {
      this.events += 1;
      await this.settle();
    }
    if (this.violation !== null) throw this.violation;
    this.clock.moveTo(untilMs);
  }
}

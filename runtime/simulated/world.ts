/**
 * A whole world in virtual time: clock, dice, turns and a log in memory, moved by hand.
 *
 * Same seed, same history, on both runtimes. Nothing here waits for the host except the `…Awaiting` siblings, which let
 * promises of the code under test settle between turns (one trip through the host's event loop runs all its
 * microtasks, in an order that the language fixes).
 */
import type { Log, LogEntry } from "../log.ts";
import { memoryLog } from "../log.ts";
import { type ActorSystem, type Crash, createSystem } from "../system.ts";
import { SimulatedClock } from "./clock.ts";
import { SimulatedRandom } from "./random.ts";
import { SimulatedScheduler } from "./scheduler.ts";

/** Turns without rest before a world is said to run in circles. */
const TURNS_MAX = 1_000_000;

export interface SimulatedWorldOptions {
  readonly seed?: number;
  /** Draw the next actor by the seed (default); false serves actors in order of waking. */
  readonly shuffled?: boolean;
}

export class SimulatedWorld {
  readonly clock = new SimulatedClock();
  readonly random: SimulatedRandom;
  readonly scheduler: SimulatedScheduler;
  readonly log: Log & { readonly entries: LogEntry[] };
  #timersAtOnce = 0;

  constructor(options: SimulatedWorldOptions = {}) {
    this.random = new SimulatedRandom(options.seed ?? 1);
    const dice = this.random.fork();
    this.scheduler = new SimulatedScheduler(options.shuffled === false ? {} : { random: dice });
    this.log = memoryLog({ wall: () => this.clock.wall() });
  }

  /** A system in this world; a world may have several, e.g. one per node. */
  createSystem(options: { readonly onCrash?: (crash: Crash) => void } = {}): ActorSystem {
    const { clock, random, scheduler, log } = this;
    return createSystem({ clock, random, scheduler, log, ...options });
  }

  /** Runs turns until nothing is left to do at this moment. */
  settle(): void {
    for (let turns = 0; this.scheduler.turn(); turns++) {
      if (turns > TURNS_MAX) throw new Error("the simulated world does not come to rest at one moment");
    }
  }

  /** Lets `ms` pass: settles, then fires timers one by one, settling after each. */
  advance(ms: number): void {
    const untilMs = this.clock.now() + ms;
    this.settle();
    while (this.#fireNext(untilMs)) this.settle();
    this.clock.moveTo(untilMs);
  }

  /** Counts timers that fire without time passing: a world that arms them for ever would never get past this moment. */
  #fireNext(untilMs: number): boolean {
    const beforeMs = this.clock.now();
    const fired = this.clock.fireNext(untilMs);
    this.#timersAtOnce = this.clock.now() > beforeMs ? 0 : this.#timersAtOnce + 1;
    if (this.#timersAtOnce > TURNS_MAX) {
      throw new Error("the simulated world does not come to rest at one moment");
    }
    return fired;
  }

  /** Like `settle`, and lets promises settle too. */
  async settleAwaiting(): Promise<void> {
    do {
      this.settle();
      await new Promise<void>((resolve) => setImmediate(resolve));
    } while (this.scheduler.busy);
  }

  /** Like `advance`, and lets promises settle after each timer. */
  async advanceAwaiting(ms: number): Promise<void> {
    const untilMs = this.clock.now() + ms;
    await this.settleAwaiting();
    while (this.#fireNext(untilMs)) await this.settleAwaiting();
    this.clock.moveTo(untilMs);
  }
}

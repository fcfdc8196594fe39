/**
 * Time and turns as one process has them: its clock drifts, its wall clock jumps, and both stand still for it while
 * it is stopped. Everything that is about to run inside the process comes by here, so a process that is stopped runs
 * nothing and one that is gone runs nothing ever again, whatever timers and answers still name it.
 */
import type { Clock, TimerHandle } from "../../../runtime/clock.ts";
import type { Scheduler } from "../../../runtime/scheduler.ts";
import type { Simulation } from "./simulation.ts";

/** A timer is never early, whatever rounding does to a deadline that was scaled. */
const ROUNDING_MS = 1e-6;
/** A frozen process cannot hold more than its timers and what its sockets and disks brought. */
const HELD_MAX = 1_000_000;

class ProcessTimer implements TimerHandle {
  readonly deadlineMs: number;
  callback: (() => void) | null;
  world: TimerHandle | null = null;

  constructor(deadlineMs: number, callback: () => void) {
    this.deadlineMs = deadlineMs;
    this.callback = callback;
  }
}

export class ProcessTime implements Clock, Scheduler {
  readonly #simulation: Simulation;
  readonly #rate: number;
  #wallOffsetMs: number;
  /** Own time at `#anchorMs` of true time. */
  #ownMs: number;
  #anchorMs: number;
  #frozen = false;
  #stopped = false;
  #gone = false;
  #held: (() => void)[] = [];

  /** @param options.rate own milliseconds per true millisecond, e.g. 1.001 */
  constructor(
    simulation: Simulation,
    options: { readonly rate: number; readonly originMs: number; readonly wallOffsetMs: number },
  ) {
    this.#simulation = simulation;
    this.#rate = options.rate;
    this.#ownMs = options.originMs;
    this.#anchorMs = simulation.nowMs;
    this.#wallOffsetMs = options.wallOffsetMs;
  }

  get running(): boolean {
    return !this.#gone && !this.#stopped;
  }

  /** A promise that it still waited for may run a last step of it: the world answers nothing to that. */
  get gone(): boolean {
    return this.#gone;
  }

  // ---- clock ----

  now(): number {
    return this.#frozen ? this.#ownMs : this.#ownMs + (this.#simulation.nowMs - this.#anchorMs) * this.#rate;
  }

  wall(): number {
    return this.#simulation.clock.wall() + this.#wallOffsetMs;
  }

  after(delayMs: number, callback: () => void): TimerHandle {
    const timer = new ProcessTimer(this.now() + Math.max(0, delayMs), callback);
    this.#arm(timer);
    return timer;
  }

  cancel(handle: TimerHandle): void {
    if (!(handle instanceof ProcessTimer)) return;
    handle.callback = null;
    if (handle.world !== null) this.#simulation.clock.cancel(handle.world);
  }

  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  #arm(timer: ProcessTimer): void {
    const delayMs = Math.max(0, timer.deadlineMs - this.now()) / this.#rate + ROUNDING_MS;
    timer.world = this.#simulation.clock.after(delayMs, () => this.#fire(timer));
  }

  #fire(timer: ProcessTimer): void {
    timer.world = null;
    if (this.#gone || timer.callback === null) return;
    if (this.#stopped) return this.#hold(() => this.#fire(timer));
    // The host slept meanwhile: for this clock the moment has not come yet.
    if (this.now() < timer.deadlineMs) return this.#arm(timer);
    const { callback } = timer;
    timer.callback = null;
    callback();
  }

  // ---- scheduler ----

  post(work: () => void): void {
    if (this.#gone) return;
    this.#simulation.events += 1;
    this.#simulation.scheduler.post(() => this.run(work));
  }

  atTurnEnd(work: () => void): void {
    if (this.#gone) return;
    this.#simulation.scheduler.atTurnEnd(() => this.run(work));
  }

  choose(count: number): number {
    this.#simulation.events += 1;
    return this.#simulation.scheduler.choose(count);
  }

  /** Inside the process: now, when it goes on, or never. */
  run(work: () => void): void {
    if (this.#gone) return;
    if (this.#stopped) this.#hold(work);
    else work();
  }

  #hold(work: () => void): void {
    if (this.#held.length < HELD_MAX) this.#held.push(work);
  }

  // ---- what is done to the process ----

  /** SIGSTOP, or with `frozen` the whole host asleep: then its monotonic clock stands still too. */
  stop(options: { readonly frozen: boolean }): void {
    if (this.#gone || this.#stopped) return;
    if (options.frozen) {
      this.#ownMs = this.now();
      this.#frozen = true;
    }
    this.#stopped = true;
  }

  go(): void {
    if (this.#gone || !this.#stopped) return;
    this.#stopped = false;
    if (this.#frozen) {
      this.#frozen = false;
      this.#anchorMs = this.#simulation.nowMs;
    }
    const held = this.#held;
    this.#held = [];
    for (const work of held) this.run(work);
  }

  end(): void {
    this.#gone = true;
    this.#held = [];
  }
}

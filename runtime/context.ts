/**
 * What one incarnation acts with, and the list of what must die with it.
 *
 * A class with methods on its prototype: three fields per actor, where closures would cost twenty. Every method looks
 * at `alive` first; that one flag is what makes a late timer, promise or socket callback of a dead incarnation harmless.
 */
import type { ActorContext, AskOutcome, Down, Ref, ReplyTo, StopReason, WatchHandle } from "./actor.ts";
import { Cell, RUNNING, STOPPED } from "./cell.ts";
import type { ChildSpec } from "./child_spec.ts";
import type { Clock, TimerHandle } from "./clock.ts";
import { Family } from "./family.ts";
import { invariant } from "./invariant.ts";
import type { Log } from "./log.ts";
import { ActorQuestion } from "./question.ts";
import type { Random } from "./random.ts";
import type { ActorSystem } from "./system.ts";
import { ActorWatch, isRemoteTarget, watchCell } from "./watch.ts";

/** A timer or watch of this incarnation. */
interface Belonging {
  dispose(): void;
}

class ActorTimer implements TimerHandle, Belonging {
  deadlineMs: number;
  readonly #context: Context;
  readonly #message: unknown;
  readonly #periodMs: number;
  #host: TimerHandle;

  /** @param options.periodMs 0 for a timer that fires once */
  constructor(context: Context, message: unknown, options: { delayMs: number; periodMs: number }) {
    this.#context = context;
    this.#message = message;
    this.#periodMs = options.periodMs;
    this.deadlineMs = context.now() + options.delayMs;
    this.#host = this.#arm(options.delayMs);
  }

  #arm(delayMs: number): TimerHandle {
    return this.#context.clock.after(delayMs, () => this.#fired());
  }

  #fired(): void {
    if (!this.#context.alive) return;
    if (this.#periodMs === 0) {
      this.#context.forget(this);
    } else {
      const nowMs = this.#context.now();
      const missed = Math.floor((nowMs - this.deadlineMs) / this.#periodMs);
      this.deadlineMs += (1 + Math.max(0, missed)) * this.#periodMs;
      this.#host = this.#arm(this.deadlineMs - nowMs);
    }
    this.#context.cell.deliver(this.#message);
  }

  dispose(): void {
    this.#context.clock.cancel(this.#host);
  }
}

/** The handle that a dead context answers. */
const DEAD_TIMER: TimerHandle = { deadlineMs: Infinity };

export class Context implements ActorContext<unknown> {
  readonly cell: Cell;
  readonly incarnation: number;
  #belongings: Set<Belonging> | null = null;

  constructor(cell: Cell, incarnation: number) {
    this.cell = cell;
    this.incarnation = incarnation;
  }

  /** The incarnation has not died. */
  get alive(): boolean {
    return this.cell.context === this;
  }

  get self(): Ref<unknown> {
    return this.cell;
  }

  get system(): ActorSystem {
    return this.cell.system;
  }

  get clock(): Clock {
    return this.cell.system.clock;
  }

  get random(): Random {
    return this.cell.system.random;
  }

  get log(): Log {
    return this.cell.system.log.child({ actor: this.cell.path });
  }

  now(): number {
    return this.cell.system.clock.now();
  }

  after(delayMs: number, message: unknown): TimerHandle {
    if (!this.alive) return DEAD_TIMER;
    return this.own(new ActorTimer(this, message, { delayMs: Math.max(0, delayMs), periodMs: 0 }));
  }

  every(periodMs: number, message: unknown): TimerHandle {
    invariant(periodMs > 0, "a period is longer than nothing");
    if (!this.alive) return DEAD_TIMER;
    return this.own(new ActorTimer(this, message, { delayMs: periodMs, periodMs }));
  }

  cancel(timer: TimerHandle): void {
    if (!(timer instanceof ActorTimer)) return;
    timer.dispose();
    this.forget(timer);
  }

  spawn<C>(child: ChildSpec<C>): Ref<C> {
    const { cell } = this;
    if (!this.alive || cell.state !== RUNNING) {
      const stillborn = new Cell(cell.system, cell, child as ChildSpec<unknown>);
      stillborn.retire();
      return stillborn;
    }
    const family = cell.family ??= new Family(cell, {});
    return family.add(child as ChildSpec<unknown>);
  }

  watch(target: Ref<never> | string, onDown: (down: Down) => unknown): WatchHandle {
    const path = typeof target === "string" ? target : target.path;
    const watch = new ActorWatch(path, this, onDown);
    if (!this.alive) return watch;
    this.own(watch);
    if (typeof target !== "string" && isRemoteTarget(target)) watch.takeOff = target.watchRemote(watch);
    else {
      const cell = typeof target === "string" ? this.cell.system.cellAt(target) : (target as Ref<unknown>);
      watch.takeOff = watchCell(cell instanceof Cell ? cell : undefined, path, watch);
    }
    return watch;
  }

  unwatch(handle: WatchHandle): void {
    if (!(handle instanceof ActorWatch)) return;
    handle.dispose();
    this.forget(handle);
  }

  link(target: Ref<never>): void {
    if (!this.alive) return;
    const other: unknown = target;
    invariant(other instanceof Cell, "only actors of one system are linked");
    if (other === this.cell) return;
    if (other.state === STOPPED) {
      this.cell.tellSystem({ kind: "linked_ended", path: other.path, reason: { kind: "not_running" } });
      return;
    }
    other.needRare().links.add(this.cell);
    this.cell.needRare().links.add(other);
  }

  pipe<T>(promise: Promise<T>, onValue: (value: T) => unknown, onError: (error: Error) => unknown): void {
    promise.then(
      (value) => {
        if (this.alive) this.cell.translate(onValue, value);
      },
      (error: unknown) => {
        if (this.alive) {
          this.cell.translate(onError, error instanceof Error ? error : new Error(String(error)));
        }
      },
    );
  }

  ask<Q, A>(
    target: Ref<Q>,
    request: (reply: ReplyTo<A>) => Q,
    deadlineMs: number,
    onReply: (outcome: AskOutcome<A>) => unknown,
  ): void {
    if (this.alive) new ActorQuestion(this, onReply).put(target, request, deadlineMs);
  }

  guard<A extends unknown[]>(work: (...args: A) => void): (...args: A) => void {
    return (...args) => {
      if (this.alive) this.cell.guarded(work, args);
    };
  }

  stopSelf(reason: StopReason = { kind: "normal" }): void {
    if (this.alive) this.cell.end({ reason, orderly: true });
  }

  /** Something that dies with this incarnation. Not private: a class with private methods costs a word per instance. */
  own<T extends Belonging>(belonging: T): T {
    (this.#belongings ??= new Set()).add(belonging);
    return belonging;
  }

  /** A belonging that is done. */
  forget(belonging: Belonging): void {
    this.#belongings?.delete(belonging);
  }

  /** The incarnation is over. Callable twice. */
  die(): void {
    if (this.alive) this.cell.context = null;
    const belongings = this.#belongings;
    this.#belongings = null;
    for (const belonging of belongings ?? []) belonging.dispose();
  }
}

/**
 * A cell is what stands behind a ref: the mailbox, the present incarnation, and the life cycle between the two.
 *
 * ```text
 *            begin                      receive throws, stopSelf, kill, stop
 *  waiting ────────▶ running ──────────────────────────────────────────────▶ ending ──┐
 *     ▲ mail is kept    receives                children stop in reverse, `stopping`   │ finish: downs, links
 *     └───────────────────────────────── parent decides: restart ◀────────────────────┤
 *                                        parent decides: retire ──▶ stopped (mail gone) ◀┘
 * ```
 *
 * The ref *is* the cell: one object per actor instead of two, and `tell` is a few instructions on it. Whatever few
 * actors ever need (watchers, links, a tracer) lies in a second object that is made when needed, so that an idle
 * actor is small. The crash boundary is here: one of the two broad catches of the house (the other is the command
 * line's); code of an actor runs only in `begin`, `run`, `guarded`, `translate` and `#callStopping`.
 */
import { type Behavior, describeReason, type Lane, type Ref, type StopReason } from "./actor.ts";
import { type ChildSpec, SHUTDOWN_MS_DEFAULT } from "./child_spec.ts";
import type { TimerHandle } from "./clock.ts";
import { Context } from "./context.ts";
import { Family } from "./family.ts";
import { LaneLimits } from "./lane_limits.ts";
import { Ring } from "./ring.ts";
import type { Runnable } from "./run_queue.ts";
import type { System } from "./system.ts";
import type { Tracer } from "./trace.ts";
import { stopInReverse } from "./stop_in_reverse.ts";
import type { Watcher } from "./watch.ts";

export const WAITING = 0;
export const RUNNING = 1;
export const ENDING = 2;
export const STOPPED = 3;
export type CellState = typeof WAITING | typeof RUNNING | typeof ENDING | typeof STOPPED;

/** The runtime's own mail: never shed, served before everything else. Bounded by children and links. */
export type SystemMessage =
  | {
    readonly kind: "child_ended";
    readonly child: Cell;
    readonly incarnation: number;
    readonly reason: StopReason;
  }
  | {
    readonly kind: "linked_ended";
    readonly path: string;
    readonly reason: StopReason;
  };

/** An end under way. */
interface Ending {
  readonly reason: StopReason;
  /** `stopping` is to be called. */
  readonly orderly: boolean;
  /** Called at the very end by whoever stopped the cell; if nobody did, the parent is told. */
  readonly stopped: (() => void)[];
  /** No restart can follow. */
  retire: boolean;
  timer: TimerHandle | null;
  /** False until no code of this actor is on the stack. */
  begun: boolean;
}

/** What most actors never need. */
export class Rare {
  readonly system = new Ring<SystemMessage>();
  readonly watchers = new Set<Watcher>();
  readonly links = new Set<Cell>();
  readonly names = new Set<string>();
  family: Family | null = null;
  tracers: Tracer[] = [];
  ending: Ending | null = null;
  lastError: string | null = null;
  /** Data messages that a full lane refused or dropped. */
  shed = 0;
  livedMs = 0;
}

export class Cell implements Ref<unknown>, Runnable {
  readonly system: System;
  readonly parent: Cell | null;
  readonly child: ChildSpec<unknown>;
  readonly limits: LaneLimits;
  /** Of the living incarnation. */
  context: Context | null = null;
  rare: Rare | null = null;
  #behavior: Behavior<unknown> | null = null;
  #control: Ring<unknown> | null = null;
  #data: Ring<unknown> | null = null;
  state: CellState = WAITING;
  queued = false;
  /** Code of this actor is on the stack. */
  #executing = false;
  /** Something comes before the next message: system mail, an end, a tracer. */
  #interrupted = false;
  messages = 0;
  incarnation = 0;
  /** Start of the present state. */
  sinceMs: number;

  constructor(system: System, parent: Cell | null, child: ChildSpec<unknown>) {
    this.system = system;
    this.parent = parent;
    this.child = child;
    this.limits = LaneLimits.of(child.spec.mailbox);
    this.sinceMs = Math.round(system.clock.now());
  }

  get name(): string {
    return this.child.spec.name;
  }

  get path(): string {
    const { parent } = this;
    return parent === null || parent.parent === null ? this.name : `${parent.path}/${this.name}`;
  }

  get family(): Family | null {
    return this.rare?.family ?? null;
  }

  set family(family: Family | null) {
    this.needRare().family = family;
  }

  get restarts(): number {
    return Math.max(0, this.incarnation - 1);
  }

  /** How long the incarnation that ended last had run. */
  get livedMs(): number {
    return this.rare?.livedMs ?? 0;
  }

  get behavior(): Behavior<unknown> | null {
    return this.#behavior;
  }

  get depth(): { system: number; control: number; data: number } {
    return {
      system: this.rare?.system.count ?? 0,
      control: this.#control?.count ?? 0,
      data: this.#data?.count ?? 0,
    };
  }

  needRare(): Rare {
    return this.rare ??= new Rare();
  }

  // ---- mail in ----

  tell(message: unknown): boolean {
    if (this.limits.lane !== undefined) return this.#tellByLane(message, this.limits.lane);
    return this.deliver(message);
  }

  /** Onto the control lane, whatever the lane function says: also timers, downs and answers, which may not be shed. */
  deliver(message: unknown): boolean {
    if (this.state === STOPPED) return false;
    const control = this.#control ??= this.system.rings.take();
    if (control.count >= this.limits.controlMax) return this.#atControlMax();
    control.push(message);
    if (!this.queued) this.#wake();
    return true;
  }

  #tellByLane(message: unknown, laneOf: (message: unknown) => Lane): boolean {
    if (this.state === STOPPED) return false;
    let lane: Lane;
    try {
      lane = laneOf(message);
    } catch (error) {
      this.crash(error);
      return false;
    }
    if (lane === "control") return this.deliver(message);
    const data = this.#data ??= this.system.rings.take();
    if (data.count >= this.limits.dataMax) {
      this.needRare().shed += 1;
      if (this.limits.atDataMax === "crash" && this.state === RUNNING) {
        this.crash(new Error(`data lane is full: ${data.count} messages wait`));
      }
      if (this.limits.atDataMax !== "drop_oldest") return false;
      data.shift();
    }
    data.push(message);
    if (!this.queued) this.#wake();
    return true;
  }

  #atControlMax(): boolean {
    this.needRare().shed += 1;
    if (this.state === RUNNING) {
      this.crash(new Error(`control lane is full: ${this.limits.controlMax} messages wait`));
    }
    return false;
  }

  /** Never shed. A cell that is ending or ended needs none: it stops its children itself. */
  tellSystem(message: SystemMessage): void {
    if (this.state !== RUNNING) return;
    this.needRare().system.push(message);
    this.#interrupted = true;
    if (!this.queued) this.#wake();
  }

  /** Mail for a cell that is not running waits without a turn; `begin` wakes it. */
  #wake(): void {
    if (this.state === RUNNING) this.system.runQueue.push(this);
  }

  // ---- one turn ----

  run(messagesMax: number): number {
    if (this.state !== RUNNING) {
      this.queued = false;
      return 0;
    }
    let served = 0;
    this.#executing = true;
    try {
      while (true) {
        if (this.#interrupted && !this.#serveInterruption()) break;
        const control = this.#control;
        let message: unknown;
        if (control !== null && control.count > 0) {
          if (served === messagesMax) break;
          message = control.shift();
        } else {
          const data = this.#data;
          if (data === null || data.count === 0) {
            this.queued = false;
            break;
          }
          if (served === messagesMax) break;
          message = data.shift();
        }
        served += 1;
        if (this.#interrupted) this.#trace(message);
        this.#behavior?.receive(message);
      }
    } catch (error) {
      this.crash(error);
    }
    this.#executing = false;
    this.messages += served;
    if (this.#interrupted) this.#settle();
    if (!this.queued) this.#giveRingsBack();
    return served;
  }

  /** System mail comes first; false when an end is under way and no message may be taken. */
  #serveInterruption(): boolean {
    const { rare } = this;
    if (rare === null) return true;
    while (rare.system.count > 0 && rare.ending === null) {
      const message = rare.system.shift();
      if (message.kind === "child_ended") this.family?.childEnded(message.child, message);
      else this.#linkedEnded(message.path, message.reason);
    }
    if (rare.ending !== null) return false;
    this.#interrupted = rare.tracers.length > 0;
    return true;
  }

  #trace(message: unknown): void {
    for (const tracer of this.rare?.tracers ?? []) tracer.received(message);
  }

  /** An idle actor keeps no mailbox. */
  #giveRingsBack(): void {
    if (this.#control !== null && this.#control.count === 0) {
      this.system.rings.giveBack(this.#control);
      this.#control = null;
    }
    if (this.#data !== null && this.#data.count === 0) {
      this.system.rings.giveBack(this.#data);
      this.#data = null;
    }
  }

  /** Runs code of this actor that the runtime did not call: a throw is this actor's crash. */
  guarded<A extends unknown[]>(work: (...args: A) => void, args: A): void {
    const nested = this.#executing;
    this.#executing = true;
    try {
      work(...args);
    } catch (error) {
      this.crash(error);
    }
    this.#executing = nested;
    if (!nested && this.#interrupted) this.#settle();
  }

  /** Makes a message of an event by the actor's own function, and delivers it. */
  translate<T>(toMessage: (value: T) => unknown, value: T): void {
    const nested = this.#executing;
    this.#executing = true;
    try {
      this.deliver(toMessage(value));
    } catch (error) {
      this.crash(error);
    }
    this.#executing = nested;
    if (!nested && this.#interrupted) this.#settle();
  }

  /** No code of this actor is on the stack any more: an end that was waiting for that goes on. */
  #settle(): void {
    const ending = this.rare?.ending ?? null;
    if (ending !== null && !ending.begun) this.#beginEnding(ending);
    else if (this.rare !== null && this.rare.system.count > 0 && !this.queued) this.#wake();
  }

  // ---- life ----

  /** Starts the next incarnation; false when its `start` threw (the parent is told). Only from `waiting`. */
  begin(): boolean {
    this.incarnation += 1;
    this.state = RUNNING;
    this.sinceMs = Math.round(this.system.clock.now());
    const context = new Context(this, this.incarnation);
    this.context = context;
    this.#executing = true;
    try {
      this.#behavior = this.child.spec.start(context);
    } catch (error) {
      this.crash(error);
    }
    this.#executing = false;
    if (this.#interrupted) this.#settle();
    if (this.state !== RUNNING) return false;
    if (!this.queued && this.#hasMail()) this.#wake();
    return true;
  }

  #hasMail(): boolean {
    const { system, control, data } = this.depth;
    return system + control + data > 0;
  }

  /** This incarnation dies of `error`. What it had not finished is lost, the mail is not. */
  crash(error: unknown): void {
    if (this.state !== RUNNING) {
      if (this.state === ENDING) this.#crashedWhileEnding(error);
      return;
    }
    this.context?.die();
    this.end({ reason: crashReason(error), orderly: false });
  }

  #crashedWhileEnding(error: unknown): void {
    this.needRare().lastError = messageOf(error);
    this.system.log.error("actor_crashed_while_stopping", { path: this.path, error: messageOf(error) });
  }

  #linkedEnded(path: string, reason: StopReason): void {
    if (reason.kind === "shutdown") this.end({ reason, orderly: true });
    else this.crash(new Error(`linked actor ${path} ended: ${describeReason(reason)}`));
  }

  /**
   * Ends this incarnation: children in reverse, then `stopping` if `orderly`, then the downs. `stopped` is called when
   * all is over, instead of telling the parent. With `retire` no restart follows and waiting mail is dropped.
   */
  end(options: {
    readonly reason: StopReason;
    readonly orderly: boolean;
    readonly retire?: boolean;
    readonly stopped?: () => void;
  }): void {
    const { reason, orderly, retire = false, stopped } = options;
    if (this.state === WAITING || this.state === STOPPED) {
      if (retire) this.retire();
      stopped?.();
      return;
    }
    const rare = this.needRare();
    if (rare.ending !== null) {
      rare.ending.retire ||= retire;
      if (stopped !== undefined) rare.ending.stopped.push(stopped);
      return;
    }
    this.state = ENDING;
    const nowMs = Math.round(this.system.clock.now());
    rare.livedMs = nowMs - this.sinceMs;
    this.sinceMs = nowMs;
    const callbacks = stopped === undefined ? [] : [stopped];
    rare.ending = { reason, orderly, retire, stopped: callbacks, timer: null, begun: false };
    this.#interrupted = true;
    if (!this.#executing) this.#beginEnding(rare.ending);
  }

  /** At once, with all below it, without `stopping`. False between incarnations: nothing is left to kill. */
  kill(options: { readonly retire?: boolean } = {}): boolean {
    const { retire = false } = options;
    if (this.state === WAITING || this.state === STOPPED) {
      if (retire) this.retire();
      return false;
    }
    this.context?.die();
    this.end({ reason: { kind: "killed" }, orderly: false, retire });
    const ending = this.rare?.ending ?? null;
    if (ending !== null && ending.begun) this.#finishKilled(ending);
    return true;
  }

  #finishKilled(ending: Ending): void {
    this.family?.close();
    for (const child of this.family?.inOrder().reverse() ?? []) child.kill({ retire: true });
    this.#finish(ending, { kind: "killed" });
  }

  #beginEnding(ending: Ending): void {
    ending.begun = true;
    if (ending.reason.kind === "killed") {
      this.#finishKilled(ending);
      return;
    }
    this.family?.close();
    stopInReverse(this.family?.inOrder() ?? [], () => true, () => {
      if (this.rare?.ending !== ending) return;
      if (ending.orderly && this.#behavior?.stopping !== undefined) this.#callStopping(ending);
      else this.#finish(ending, ending.reason);
    });
  }

  #callStopping(ending: Ending): void {
    let outcome: void | Promise<void>;
    this.#executing = true;
    try {
      outcome = this.#behavior?.stopping?.(ending.reason);
    } catch (error) {
      this.#executing = false;
      this.#finish(ending, crashReason(error));
      return;
    }
    this.#executing = false;
    if (outcome === undefined) {
      this.#finish(ending, ending.reason);
      return;
    }
    const shutdownMs = this.child.shutdownMs ?? SHUTDOWN_MS_DEFAULT;
    ending.timer = this.system.clock.after(shutdownMs, () => {
      this.system.log.error("actor_stop_timed_out", { path: this.path, shutdownMs });
      this.#finish(ending, { kind: "killed" });
    });
    outcome.then(
      () => this.#finish(ending, ending.reason),
      (error) => this.#finish(ending, crashReason(error)),
    );
  }

  /** The incarnation is over. Only the end under way may finish, and only once. */
  #finish(ending: Ending, reason: StopReason): void {
    const rare = this.needRare();
    if (rare.ending !== ending) return;
    rare.ending = null;
    if (ending.timer !== null) this.system.clock.cancel(ending.timer);
    this.state = WAITING;
    this.sinceMs = Math.round(this.system.clock.now());
    this.#interrupted = rare.tracers.length > 0;
    this.#behavior = null;
    this.family = null;
    this.context?.die();
    if (reason.kind !== "normal" && reason.kind !== "shutdown") this.#report(reason);
    while (rare.system.count > 0) rare.system.shift();
    this.#tellOthers(rare, reason);
    if (ending.retire) this.retire();
    if (ending.stopped.length === 0) {
      this.parent?.tellSystem({ kind: "child_ended", child: this, incarnation: this.incarnation, reason });
    }
    for (const stopped of ending.stopped) stopped();
  }

  #report(reason: StopReason): void {
    const { path, restarts, incarnation } = this;
    const error = describeReason(reason);
    this.needRare().lastError = error;
    this.system.crashed({ path, reason, restarts, incarnation });
  }

  #tellOthers(rare: Rare, reason: StopReason): void {
    const { path } = this;
    const watchers = [...rare.watchers];
    rare.watchers.clear();
    for (const watcher of watchers) watcher.down({ path, reason });
    const links = [...rare.links];
    rare.links.clear();
    for (const linked of links) {
      linked.rare?.links.delete(this);
      if (reason.kind === "normal") continue;
      linked.tellSystem({ kind: "linked_ended", path, reason });
    }
  }

  /** No restart comes: mail is dropped, names are free, whoever watched for the next incarnation hears of none. */
  retire(): void {
    if (this.state === STOPPED) return;
    this.state = STOPPED;
    this.#control = null;
    this.#data = null;
    const { rare } = this;
    if (rare === null) return;
    for (const name of rare.names) this.system.registry.forget(name, this);
    rare.names.clear();
    this.#tellOthers(rare, { kind: "not_running" });
  }

  /** A retired child that its supervisor starts again. */
  revive(): void {
    if (this.state === STOPPED) this.state = WAITING;
  }

  addTracer(tracer: Tracer): void {
    this.needRare().tracers.push(tracer);
    this.#interrupted = true;
  }

  removeTracer(tracer: Tracer): void {
    const { rare } = this;
    if (rare !== null) rare.tracers = rare.tracers.filter((other) => other !== tracer);
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function crashReason(error: unknown): StopReason {
  const stack = error instanceof Error ? error.stack : undefined;
  return stack === undefined
    ? { kind: "crashed", error: messageOf(error) }
    : { kind: "crashed", error: messageOf(error), stack };
}

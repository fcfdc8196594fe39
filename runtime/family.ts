/**
 * The children of one actor and what becomes of them: the heart of supervision.
 *
 * Every actor may have children, so this is a part of the cell and not an actor; `supervisor.ts` only gives it a strategy
 * and a mouth. One operation at a time: while siblings are being stopped (which may take time) further ends and
 * commands wait in line, as they wait in the mailbox of OTP's supervisor. What OTP does and this does not: a child that
 * was stopped by command, or ended by itself for good, stays ended when a sibling's crash restarts the others.
 *
 * A child that ended is `claimed` by the operation that will start it again; its own late report of the end is then
 * ignored, so that no end is counted twice.
 */
import type { Ref, StopReason } from "./actor.ts";
import { Cell, RUNNING, STOPPED, WAITING } from "./cell.ts";
import {
  backoffDelayMs,
  type ChildSpec,
  type Intensity,
  INTENSITY_DEFAULT,
  isRestarted,
  type Strategy,
} from "./child_spec.ts";
import type { TimerHandle } from "./clock.ts";
import { RestartHistory } from "./restart_history.ts";
import { stopInReverse } from "./stop_in_reverse.ts";

export interface FamilyOptions {
  /** Default `one_for_one`. */
  readonly strategy?: Strategy;
  /** Of all children together. Without it each child has its own, by default three in five seconds. */
  readonly intensity?: Intensity;
  /** Children that ended for good stay known, so that they can be restarted by command. */
  readonly keepsEnded?: boolean;
  /** When the intensity is exceeded: the parent crashes (default), or only the child is given up (at the root). */
  readonly givesUp?: "parent" | "child";
}

/** A child that has crashed before. */
interface Record {
  readonly history: RestartHistory | null;
  /** Restarts in a row, for the backoff. */
  row: number;
}

/** A restart that waits for its backoff. */
interface Delayed {
  readonly timer: TimerHandle;
  readonly cells: readonly Cell[];
}

export class Family {
  readonly #parent: Cell;
  readonly #options: FamilyOptions;
  readonly #history: RestartHistory | null;
  /** In order of start. */
  readonly #children = new Map<string, Cell>();
  #records: Map<Cell, Record> | null = null;
  #pending: Set<Cell> | null = null;
  #claimed: Set<Cell> | null = null;
  #delayed: Map<Cell, Delayed> | null = null;
  #deferred: (() => void)[] | null = null;
  #busy = false;
  #closed = false;

  constructor(parent: Cell, options: FamilyOptions) {
    this.#parent = parent;
    this.#options = options;
    this.#history = options.intensity === undefined ? null : new RestartHistory(options.intensity);
  }

  get size(): number {
    return this.#children.size;
  }

  inOrder(): Cell[] {
    return [...this.#children.values()];
  }

  child(name: string): Cell | undefined {
    return this.#children.get(name);
  }

  /** A child to be started by `startPending`. Throws when the name is taken or no path segment. */
  enlist(child: ChildSpec<unknown>): Cell {
    const { name } = child.spec;
    if (name === "" || name.includes("/")) {
      throw new RangeError(
        `Cannot start actor "${name}": a name is one path segment (try: a name without "/")`,
      );
    }
    if (this.#children.has(name)) {
      throw new RangeError(
        `Cannot start actor "${name}": ${this.#parent.path} has a child of that name (try: another)`,
      );
    }
    const cell = new Cell(this.#parent.system, this.#parent, child);
    this.#children.set(name, cell);
    return cell;
  }

  /** Enlists and starts at once. */
  add(child: ChildSpec<unknown>): Ref<unknown> & Cell {
    const cell = this.enlist(child);
    cell.begin();
    return cell;
  }

  /** Starts in order what is to be started; one whose start fails holds up those after it until it has been dealt with. */
  start(cells: readonly Cell[]): void {
    const pending = this.#pending ??= new Set();
    for (const cell of cells) pending.add(cell);
    this.#startPending();
  }

  #startPending(): void {
    const pending = this.#pending;
    if (pending === null || pending.size === 0) return;
    const inOrder = pending.size === 1 ? [...pending] : this.inOrder().filter((cell) => pending.has(cell));
    for (const cell of inOrder) {
      if (!pending.delete(cell)) continue;
      this.#claimed?.delete(cell);
      if (cell.state === WAITING && !cell.begin()) return;
      if (this.#closed) return;
    }
  }

  /** A child's end that nobody had ordered. */
  childEnded(cell: Cell, end: { readonly incarnation: number; readonly reason: StopReason }): void {
    if (this.#busy) {
      this.#defer(() => this.childEnded(cell, end));
      return;
    }
    const known = this.#children.get(cell.name) === cell && cell.incarnation === end.incarnation;
    if (this.#closed || !known || cell.state !== WAITING || this.#claimed?.has(cell)) return;
    if (!isRestarted(cell.child.restart, end.reason)) {
      this.#leave(cell);
      this.#startPending();
      return;
    }
    const record = this.#recordOf(cell);
    const nowMs = this.#parent.system.clock.now();
    const ownExceeded = record.history?.exceededBy(nowMs) ?? false;
    const allExceeded = this.#history?.exceededBy(nowMs) ?? false;
    if (ownExceeded || allExceeded) this.#giveUp(cell);
    else this.#restart(cell, record);
  }

  #recordOf(cell: Cell): Record {
    const records = this.#records ??= new Map();
    let record = records.get(cell);
    if (record === undefined) {
      const shared = this.#options.intensity !== undefined;
      const intensity = cell.child.intensity ?? (shared ? undefined : INTENSITY_DEFAULT);
      record = { history: intensity === undefined ? null : new RestartHistory(intensity), row: 0 };
      records.set(cell, record);
    }
    return record;
  }

  #giveUp(cell: Cell): void {
    if (this.#options.givesUp === "child") {
      this.#parent.system.log.error("actor_given_up", { path: cell.path, restarts: cell.restarts });
      this.#leave(cell);
      return;
    }
    this.#parent.context?.die();
    this.#parent.end({ reason: { kind: "intensity_exceeded", child: cell.name }, orderly: false });
  }

  #leave(cell: Cell): void {
    cell.retire();
    this.#records?.delete(cell);
    this.#claimed?.delete(cell);
    this.#pending?.delete(cell);
    if (!this.#options.keepsEnded || cell.child.restart === "temporary") this.#children.delete(cell.name);
  }

  /** Stops whom the strategy takes along, waits for the backoff, starts all in order. */
  #restart(cell: Cell, record: Record): void {
    const { backoff } = cell.child;
    if (backoff !== undefined && cell.livedMs >= backoff.maxMs) record.row = 0;
    const delayMs = backoffDelayMs(backoff, record.row);
    record.row += 1;
    const taken = this.#takenAlong(cell);
    const claimed = this.#claimed ??= new Set();
    for (const other of taken) {
      claimed.add(other);
      this.#pending?.delete(other);
      this.#cancelDelayed(other);
    }
    this.#busy = true;
    const others = taken.filter((other) => other !== cell);
    stopInReverse(others, (other) => other.child.restart === "temporary", () => {
      this.#busy = false;
      if (this.#closed) return;
      for (const other of others) if (other.state === STOPPED) this.#leave(other);
      const again = taken.filter((other) => other.state === WAITING);
      if (delayMs === 0) {
        this.start(again);
      } else {
        const timer = this.#parent.system.clock.after(delayMs, () => {
          this.#delayed?.delete(cell);
          this.#whenFree(() => this.start(again.filter((other) => claimed.has(other))));
        });
        (this.#delayed ??= new Map()).set(cell, { timer, cells: again });
        this.#startPending();
      }
      this.#runDeferred();
    });
  }

  #takenAlong(cell: Cell): Cell[] {
    const strategy = this.#options.strategy ?? "one_for_one";
    if (strategy === "one_for_one") return [cell];
    const all = this.inOrder();
    const from = strategy === "one_for_all" ? 0 : all.indexOf(cell);
    return all.slice(from).filter((other) => other.state !== STOPPED);
  }

  #cancelDelayed(cell: Cell): void {
    const delayed = this.#delayed?.get(cell);
    if (delayed === undefined) return;
    this.#parent.system.clock.cancel(delayed.timer);
    this.#delayed?.delete(cell);
  }

  // ---- one thing at a time ----

  #whenFree(work: () => void): void {
    if (this.#closed) return;
    if (this.#busy) this.#defer(work);
    else work();
  }

  #defer(work: () => void): void {
    (this.#deferred ??= []).push(work);
  }

  #runDeferred(): void {
    while (!this.#busy && this.#deferred !== null && this.#deferred.length > 0) this.#deferred.shift()?.();
  }

  /** Commands and ends that wait for the operation under way. */
  get waiting(): number {
    return this.#deferred?.length ?? 0;
  }

  // ---- by command ----

  /** Starts a new child. The answer's `error` is undefined when its `start` went well. */
  startChild(child: ChildSpec<unknown>, done: (cell: Cell, started: boolean) => void): void {
    this.#whenFree(() => {
      const cell = this.enlist(child);
      done(cell, cell.begin());
    });
  }

  /** Stops the child; it stays known. */
  terminateChild(cell: Cell, done: () => void): void {
    this.#whenFree(() => {
      this.#cancelDelayed(cell);
      this.#pending?.delete(cell);
      this.#claimed?.delete(cell);
      const stopped = () => {
        if (cell.child.restart === "temporary" || !this.#options.keepsEnded) this.#leave(cell);
        done();
      };
      cell.end({ reason: { kind: "shutdown" }, orderly: true, retire: true, stopped });
    });
  }

  /** Forgets a child that has ended; false while it has not. */
  deleteChild(cell: Cell): boolean {
    if (cell.state !== STOPPED) return false;
    this.#children.delete(cell.name);
    this.#records?.delete(cell);
    return true;
  }

  /** Starts a child that has ended; `started` is undefined when it has not. */
  restartChild(cell: Cell, done: (started: boolean | undefined) => void): void {
    this.#whenFree(() => {
      if (cell.state !== STOPPED) {
        done(undefined);
        return;
      }
      cell.revive();
      done(cell.begin());
    });
  }

  /** The parent ends: nothing is started any more. The parent stops the children. */
  close(): void {
    this.#closed = true;
    for (const cell of this.#delayed?.keys() ?? []) this.#cancelDelayed(cell);
    this.#pending = null;
    this.#deferred = null;
  }

  /** Children that run now. */
  get running(): number {
    let count = 0;
    for (const cell of this.#children.values()) if (cell.state === RUNNING) count += 1;
    return count;
  }
}

/**
 * One system of actors: its contracts with the world, its root, and the way in for doors (command line, dashboard, tests).
 *
 * The root keeps root actors like a `one_for_one` supervisor, but never crashes itself: a root actor that exceeds its
 * intensity is given up, logged, and stays gone.
 */
import type { AskOutcome, Behavior, Ref, ReplyTo, StopReason } from "./actor.ts";
import { Cell, RUNNING } from "./cell.ts";
import type { ChildSpec } from "./child_spec.ts";
import { type Clock, systemClock } from "./clock.ts";
import { Deadlines } from "./deadlines.ts";
import { Family } from "./family.ts";
import { type ActorReport, reportTree } from "./inspect.ts";
import { createLog, type Log, stderrSink } from "./log.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { DoorQuestion } from "./question.ts";
import { type Random, systemRandom } from "./random.ts";
import { createRegistry, type Registry } from "./registry.ts";
import { RingPool } from "./ring.ts";
import { RunQueue } from "./run_queue.ts";
import { type Scheduler, systemScheduler } from "./scheduler.ts";
import { type TraceCaps, type TraceEntry, Tracer } from "./trace.ts";

/** One abnormal end. */
export interface Crash {
  readonly path: string;
  readonly reason: StopReason;
  /** Before this crash. */
  readonly restarts: number;
  readonly incarnation: number;
}

export interface SystemOptions {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly scheduler?: Scheduler;
  readonly log?: Log;
  readonly metrics?: Metrics;
  /** Besides the log. Must not throw. */
  readonly onCrash?: (crash: Crash) => void;
}

export interface ActorSystem {
  readonly clock: Clock;
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly log: Log;
  readonly registry: Registry;
  readonly metrics: Metrics;
  /** A root actor. Its `start` runs at once. Throws if a root actor of that name exists, or after `shutdown`. */
  start<M>(child: ChildSpec<M>): Ref<M>;
  /** For doors only: an actor uses its context's. Always resolves, within `deadlineMs`. */
  ask<Q, A>(
    target: Ref<Q>,
    request: (reply: ReplyTo<A>) => Q,
    deadlineMs: number,
  ): Promise<AskOutcome<A>>;
  /** The actor at `path` and all below it; without a path all of them. Parents first. Empty when nobody is there. */
  inspect(path?: string): ActorReport[];
  /** The state by the actor's own `inspect`; `undefined` without one. Its throw is shown, not thrown. */
  peek(path: string): unknown;
  /** Shows each message before it is received, until `caps` are reached or the answered function is called. */
  trace(path: string, caps: TraceCaps, sink: (entry: TraceEntry) => void): () => void;
  /** Whoever is at `path` now, for doors: its messages are its own, and only it knows their type. */
  refAt(path: string): Ref<unknown> | undefined;
  /** Like kill -9; its supervisor acts. False when nobody runs at `path`. */
  kill(path: string): boolean;
  /** Stops the root actors in reverse order of start; bounded by their `shutdownMs`. Callable twice. */
  shutdown(): Promise<void>;
}

const ROOT: ChildSpec<unknown> = {
  spec: { name: "", kind: "root", start: (): Behavior<unknown> => ({ receive: () => {} }) },
  restart: "permanent",
};

/** The runtime's own view of a system. */
export class System implements ActorSystem {
  readonly clock: Clock;
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly registry: Registry = createRegistry();
  readonly runQueue: RunQueue;
  readonly deadlines: Deadlines;
  readonly rings = new RingPool();
  readonly #onCrash: ((crash: Crash) => void) | undefined;
  readonly #root: Cell;
  readonly #roots: Family;

  constructor(options: SystemOptions) {
    this.clock = options.clock ?? systemClock();
    this.random = options.random ?? systemRandom();
    this.scheduler = options.scheduler ?? systemScheduler();
    this.log = options.log ?? createLog({ sink: stderrSink(), wall: () => this.clock.wall() });
    this.metrics = options.metrics ?? createMetrics();
    this.#onCrash = options.onCrash;
    this.runQueue = new RunQueue(this.clock, this.scheduler);
    this.deadlines = new Deadlines(this.clock);
    this.#root = new Cell(this, null, ROOT);
    this.#root.begin();
    this.#roots = new Family(this.#root, { givesUp: "child" });
    this.#root.family = this.#roots;
  }

  start<M>(child: ChildSpec<M>): Ref<M> {
    if (this.#root.state !== RUNNING) {
      throw new Error(`Cannot start actor "${child.spec.name}": the system is shut down (try: a new system)`);
    }
    return this.#roots.add(child as ChildSpec<unknown>);
  }

  ask<Q, A>(
    target: Ref<Q>,
    request: (reply: ReplyTo<A>) => Q,
    deadlineMs: number,
  ): Promise<AskOutcome<A>> {
    return new Promise((resolve) =>
      new DoorQuestion<A>(this.deadlines, resolve).put(target, request, deadlineMs)
    );
  }

  /** The actor at `path`, in any state. */
  cellAt(path: string): Cell | undefined {
    let cell: Cell | undefined = this.#root;
    for (const name of path.split("/")) cell = cell?.family?.child(name);
    return cell;
  }

  inspect(path?: string): ActorReport[] {
    if (path === undefined) return this.#roots.inOrder().flatMap(reportTree);
    const cell = this.cellAt(path);
    return cell === undefined ? [] : reportTree(cell);
  }

  peek(path: string): unknown {
    const behavior = this.cellAt(path)?.behavior;
    try {
      return behavior?.inspect?.();
    } catch (error) {
      return { unreadable: String(error) };
    }
  }

  trace(path: string, caps: TraceCaps, sink: (entry: TraceEntry) => void): () => void {
    const cell = this.cellAt(path);
    if (cell === undefined) return () => {};
    const tracer = new Tracer(cell, caps, sink);
    return () => tracer.disarm();
  }

  refAt(path: string): Ref<unknown> | undefined {
    return this.cellAt(path);
  }

  kill(path: string): boolean {
    return this.cellAt(path)?.kill() ?? false;
  }

  shutdown(): Promise<void> {
    return new Promise((resolve) => {
      const stopped = () => {
        this.deadlines.close();
        resolve();
      };
      this.#root.end({ reason: { kind: "shutdown" }, orderly: true, retire: true, stopped });
    });
  }

  /** Every abnormal end comes by here, once. */
  crashed(crash: Crash): void {
    const { path, reason, restarts, incarnation } = crash;
    this.log.error("actor_crashed", { path, restarts, incarnation, ...crashFields(reason) });
    this.#onCrash?.(crash);
  }
}

function crashFields(reason: StopReason): Record<string, unknown> {
  const { kind, ...fields } = reason;
  return { reason: kind, ...fields };
}

/** A system over the host's clock, randomness and event loop, or over whatever is handed in. */
export function createSystem(options: SystemOptions = {}): ActorSystem {
  return new System(options);
}

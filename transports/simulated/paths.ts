/**
 * Which host of the simulated network reaches which, and the wires between them.
 *
 * A wire carries events (bytes, ends, connection attempts) from one host to another: in order, each after a latency,
 * and only while the way is open. A closed way keeps what is on it, as TCP does by sending again: a partition that
 * heals delivers late, it does not lose. One-way partitions and stopped hosts (SIGSTOP) are closed ways too.
 */
import type { Clock } from "../../runtime/clock.ts";
import type { Random } from "../../runtime/random.ts";

/** How long an event takes, drawn anew for each. */
export interface Latency {
  readonly minMs: number;
  readonly maxMs: number;
}

interface Event {
  readonly dueMs: number;
  readonly run: () => void;
}

export class Paths {
  readonly clock: Clock;
  readonly #random: Random;
  readonly #latency: Latency;
  readonly #closed = new Set<string>();
  readonly #stopped = new Set<string>();
  /** Wires with an event that is due and cannot arrive, in the order in which they got stuck. */
  readonly #stuck = new Set<Wire>();

  constructor(options: { clock: Clock; random: Random; latency: Latency }) {
    this.clock = options.clock;
    this.#random = options.random;
    this.#latency = options.latency;
  }

  wire(ends: { readonly from: string; readonly to: string }): Wire {
    return new Wire(this, ends);
  }

  isOpen(ends: { readonly from: string; readonly to: string }): boolean {
    return !this.#closed.has(keyOf(ends)) && !this.#stopped.has(ends.to);
  }

  /** From now on nothing of `from` reaches `to`. The other way stays as it is. */
  close(ends: { readonly from: string; readonly to: string }): void {
    this.#closed.add(keyOf(ends));
  }

  /** What got stuck arrives now, in order. */
  open(ends: { readonly from: string; readonly to: string }): void {
    this.#closed.delete(keyOf(ends));
    this.#unstick();
  }

  openAll(): void {
    this.#closed.clear();
    this.#unstick();
  }

  /** Nothing reaches `host`: its process is stopped. What it has sent is still on its way. */
  stop(host: string): void {
    this.#stopped.add(host);
  }

  go(host: string): void {
    this.#stopped.delete(host);
    this.#unstick();
  }

  drawLatencyMs(): number {
    const { minMs, maxMs } = this.#latency;
    return maxMs > minMs ? minMs + this.#random.float() * (maxMs - minMs) : minMs;
  }

  park(wire: Wire): void {
    this.#stuck.add(wire);
  }

  #unstick(): void {
    for (const wire of [...this.#stuck]) {
      if (!this.isOpen(wire.ends)) continue;
      this.#stuck.delete(wire);
      wire.proceed();
    }
  }
}

export class Wire {
  readonly ends: { readonly from: string; readonly to: string };
  readonly #paths: Paths;
  #events: Event[] = [];
  #armed = false;
  #cut = false;

  constructor(paths: Paths, ends: { readonly from: string; readonly to: string }) {
    this.#paths = paths;
    this.ends = ends;
  }

  /** Runs `run` at the other end: after a latency, after everything put before it, and not while the way is closed. */
  put(run: () => void): void {
    if (this.#cut) return;
    this.#events.push({ dueMs: this.#paths.clock.now() + this.#paths.drawLatencyMs(), run });
    this.#arm();
  }

  /** Drops what is on its way and everything put later. */
  cut(): void {
    this.#cut = true;
    this.#events = [];
  }

  /** The way is open again. */
  proceed(): void {
    this.#arm();
  }

  #arm(): void {
    const next = this.#events[0];
    if (next === undefined || this.#armed) return;
    this.#armed = true;
    this.#paths.clock.after(Math.max(0, next.dueMs - this.#paths.clock.now()), () => this.#due());
  }

  #due(): void {
    this.#armed = false;
    if (this.#events.length === 0) return;
    if (!this.#paths.isOpen(this.ends)) {
      this.#paths.park(this);
      return;
    }
    const event = this.#events.shift();
    this.#arm();
    event?.run();
  }
}

function keyOf(ends: { readonly from: string; readonly to: string }): string {
  return `${ends.from}>${ends.to}`;
}

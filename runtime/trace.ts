/**
 * Watching one actor's mail while it runs. A trace disarms itself after a number of messages or a time, whichever comes
 * first, because a trace that somebody forgot is how a debugging aid becomes an outage.
 */
import type { Cell } from "./cell.ts";
import type { TimerHandle } from "./clock.ts";
import { preview } from "./preview.ts";

export interface TraceEntry {
  /** Unix milliseconds. */
  readonly at: number;
  readonly path: string;
  readonly incarnation: number;
  /** The message about to be received, as bounded text. */
  readonly message: string;
}

export interface TraceCaps {
  readonly messages: number;
  readonly ms: number;
}

export class Tracer {
  readonly #cell: Cell;
  readonly #sink: (entry: TraceEntry) => void;
  readonly #timer: TimerHandle;
  #left: number;

  constructor(cell: Cell, caps: TraceCaps, sink: (entry: TraceEntry) => void) {
    this.#cell = cell;
    this.#sink = sink;
    this.#left = caps.messages;
    this.#timer = cell.system.clock.after(caps.ms, () => this.disarm());
    if (caps.messages > 0) cell.addTracer(this);
  }

  /** A sink that throws disarms its trace: it must not crash the actor it looks at. */
  received(message: unknown): void {
    const { path, incarnation, system } = this.#cell;
    this.#left -= 1;
    try {
      this.#sink({ at: system.clock.wall(), path, incarnation, message: preview(message) });
    } catch (error) {
      system.log.warn("trace_sink_failed", { path, error: String(error) });
      this.disarm();
    }
    if (this.#left <= 0) this.disarm();
  }

  disarm(): void {
    this.#cell.system.clock.cancel(this.#timer);
    this.#cell.removeTracer(this);
  }
}

/**
 * The traces that doors have armed on this node.
 *
 * A trace is a debt: somebody must end it. So each has three ends, whichever comes first: its own caps, its owner's
 * word, and silence: an owner that has not read for a while is gone (a closed page, a killed REPL), and its trace is
 * disarmed with it. The number of traces and of kept lines is bounded; past it a new one is refused.
 */
import type { TraceCaps, TraceEntry } from "../../runtime/mod.ts";
import { type TraceLine, type TraceReport } from "../../protocol/admin_questions.ts";

export const TRACES_MAX = 16;
/** An owner reads every second; after this silence it is gone. */
export const UNREAD_MS_MAX = 15_000;

export interface TraceTableEnvironment {
  readonly node: string;
  /** Monotonic ms. */
  now(): number;
  mint(): string;
  /** `null`: nobody is at that path. */
  arm(path: string, caps: TraceCaps, sink: (entry: TraceEntry) => void): (() => void) | null;
}

interface Armed {
  readonly path: string;
  readonly untilMs: number;
  readonly messagesMax: number;
  readonly disarm: () => void;
  readonly lines: TraceLine[];
  received: number;
  readAtMs: number;
}

export class TraceTable {
  readonly #environment: TraceTableEnvironment;
  readonly #armed = new Map<string, Armed>();

  constructor(environment: TraceTableEnvironment) {
    this.#environment = environment;
  }

  get size(): number {
    return this.#armed.size;
  }

  /** `null`: nobody is at that path; `full`: too many traces are armed already. */
  start(path: string, caps: TraceCaps): TraceReport | null | "full" {
    this.forgetUnread();
    if (this.#armed.size >= TRACES_MAX) return "full";
    const trace = this.#environment.mint();
    const nowMs = this.#environment.now();
    const lines: TraceLine[] = [];
    const disarm = this.#environment.arm(path, caps, (entry) => {
      const armed = this.#armed.get(trace);
      if (armed === undefined) return;
      armed.received += 1;
      const { at, ...rest } = entry;
      lines.push({ ...rest, seq: armed.received, at: new Date(at).toISOString() });
    });
    if (disarm === null) return null;
    this.#armed.set(trace, {
      path,
      untilMs: nowMs + caps.ms,
      messagesMax: caps.messages,
      disarm,
      lines,
      received: 0,
      readAtMs: nowMs,
    });
    return this.read(trace, 0);
  }

  /** The lines after `after`; they are forgotten once a later one was asked for. `null`: no such trace. */
  read(trace: string, after: number): TraceReport | null {
    const armed = this.#armed.get(trace);
    if (armed === undefined) return null;
    const nowMs = this.#environment.now();
    armed.readAtMs = nowMs;
    while ((armed.lines[0]?.seq ?? Infinity) <= after) armed.lines.shift();
    return {
      node: this.#environment.node,
      trace,
      path: armed.path,
      armed: nowMs < armed.untilMs && armed.received < armed.messagesMax,
      lines: [...armed.lines],
    };
  }

  /** False: no such trace. */
  stop(trace: string): boolean {
    this.#armed.get(trace)?.disarm();
    return this.#armed.delete(trace);
  }

  stopAll(): void {
    for (const trace of [...this.#armed.keys()]) this.stop(trace);
  }

  forgetUnread(): void {
    const nowMs = this.#environment.now();
    for (const [trace, { readAtMs }] of this.#armed) {
      if (nowMs - readAtMs > UNREAD_MS_MAX) this.stop(trace);
    }
  }
}

/**
 * Programs that are functions: the simulated sibling of `run_program.ts`, over a virtual clock.
 *
 * A simulated program gets its request and says what it does and how long that takes. Output bounds, time-outs and
 * grace are those of the contract, so a kit that would be killed on a host is killed here.
 */
import type { Clock } from "../runtime/clock.ts";
import { invariant } from "../runtime/invariant.ts";
import { BoundedOutput } from "./bounded_output.ts";
import {
  DEFAULT_OUTPUT_BYTES_MAX,
  type ProgramOutcome,
  type ProgramRequest,
  type ProgramRunner,
} from "./program.ts";

export interface SimulatedEnd {
  /** Default 0. */
  readonly code?: number;
  /** Ended by this signal instead of an exit code. */
  readonly signal?: string;
  readonly stdout?: string;
  readonly stderr?: string;
  /** Default 0; `Infinity` hangs until it is killed. */
  readonly afterMs?: number;
}

/** Called when the program starts; its effects on the simulated world happen then. */
export type SimulatedProgram = (request: ProgramRequest) => SimulatedEnd;

export class SimulatedPrograms implements ProgramRunner {
  readonly #clock: Clock;
  readonly #programs: Map<string, SimulatedProgram>;
  /** Every request so far, also of missing programs, the newest last; at most 1 000 are kept. */
  readonly requests: ProgramRequest[] = [];

  constructor(clock: Clock, programs: Readonly<Record<string, SimulatedProgram>>) {
    this.#clock = clock;
    this.#programs = new Map(Object.entries(programs));
  }

  run(request: ProgramRequest): Promise<ProgramOutcome> {
    invariant(request.timeoutMs >= 1, "a program's time-out is at least a millisecond");
    this.requests.push(request);
    if (this.requests.length > 1_000) this.requests.shift();
    const program = this.#programs.get(request.program);
    if (program === undefined) {
      return Promise.resolve({ kind: "not_started", missing: true, cause: "ENOENT" });
    }
    if (request.signal?.aborted === true) {
      const cause = "it was cancelled before it began";
      return Promise.resolve({ kind: "not_started", missing: false, cause });
    }
    const startedMs = this.#clock.now();
    const end = program(request);
    return new Promise((resolve) => {
      const settle = (ended: "timed_out" | "cancelled" | undefined) => {
        this.#clock.cancel(timer);
        request.signal?.removeEventListener("abort", onAbort);
        resolve(outcomeOf(request, { end, ended, elapsedMs: this.#clock.now() - startedMs }));
      };
      const onAbort = () => settle("cancelled");
      const afterMs = end.afterMs ?? 0;
      const overruns = afterMs > request.timeoutMs;
      const timer = this.#clock.after(
        overruns ? request.timeoutMs : afterMs,
        () => settle(overruns ? "timed_out" : undefined),
      );
      request.signal?.addEventListener("abort", onAbort, { once: true });
    });
  }
}

interface Ended {
  readonly end: SimulatedEnd;
  readonly ended: "timed_out" | "cancelled" | undefined;
  readonly elapsedMs: number;
}

function outcomeOf(request: ProgramRequest, { end, ended, elapsedMs }: Ended): ProgramOutcome {
  const bound = (text: string) => {
    const output = new BoundedOutput(request.outputBytesMax ?? DEFAULT_OUTPUT_BYTES_MAX);
    output.add(new TextEncoder().encode(text));
    return output.text();
  };
  const traces = { stdout: bound(end.stdout ?? ""), stderr: bound(end.stderr ?? ""), elapsedMs };
  if (ended !== undefined) return { kind: ended, ...traces };
  if (end.signal !== undefined) return { kind: "killed", signal: end.signal, ...traces };
  return { kind: "exited", code: end.code ?? 0, ...traces };
}

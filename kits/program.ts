/**
 * What it means to run a foreign program: the contract that every kit stands on.
 *
 * Agents are shell scripts of thirty authors. They hang, write without end, leave daemons behind that hold our pipes
 * open, and read whatever they find in the environment. So a run has a time-out that takes its whole process group
 * with it, output with a bound, an environment that is all said, and an outcome that is a value: nothing here throws
 * because a program misbehaved.
 *
 * Siblings: `run_program.ts` (this host) and `simulated_programs.ts`; `test/conformance/program_runner_suite.ts` holds
 * both to the same claims. What should happen around a run (another network namespace, a slower world) is a filter: a
 * `ProgramRunner` that changes the request and hands it on.
 */

export interface ProgramRequest {
  /** Absolute path, or a name that is searched for in the request's own PATH. */
  readonly program: string;
  readonly args?: readonly string[];
  /** Written to its standard input, which then ends. Default: empty. */
  readonly stdin?: string;
  /** All that it finds in its environment beside PATH and LC_ALL=C, which may be replaced here. */
  readonly environment?: Readonly<Record<string, string>>;
  /** ≥ 1. Counted from the start; then the whole process group is ended. */
  readonly timeoutMs: number;
  /** Between SIGTERM and SIGKILL at the time-out. Default 1 000; 0 kills at once. */
  readonly graceMs?: number;
  /** Per stream. Default 64 KiB: the first and the last half of what came are kept. */
  readonly outputBytesMax?: number;
  /** Ends the run as a time-out would, with outcome `cancelled`. */
  readonly signal?: AbortSignal;
}

/** What every program that began leaves behind. */
export interface ProgramTraces {
  /** UTF-8; where the middle was left out, a line says how much. */
  readonly stdout: string;
  readonly stderr: string;
  readonly elapsedMs: number;
}

export type ProgramOutcome =
  | ({ readonly kind: "exited"; readonly code: number } & ProgramTraces)
  /** Ended by a signal that was not ours. */
  | ({ readonly kind: "killed"; readonly signal: string } & ProgramTraces)
  /** Nothing of its group that could be ended is left. It may have done all, some or nothing of its work. */
  | ({ readonly kind: "timed_out" } & ProgramTraces)
  /** As `timed_out`; what it did is as unknown. */
  | ({ readonly kind: "cancelled" } & ProgramTraces)
  /** It never began. `missing`: there is no such program. */
  | { readonly kind: "not_started"; readonly missing: boolean; readonly cause: string };

export interface ProgramRunner {
  /**
   * Runs to its end. Resolves always, at most `timeoutMs + graceMs` and a moment after the start, and never rejects.
   * The end is the program's own: daemons that it left behind go on, whatever they hold open.
   */
  run(request: ProgramRequest): Promise<ProgramOutcome>;
}

/** Where Debian keeps programs; the whole PATH of a program unless its request says another. */
export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
export const DEFAULT_GRACE_MS = 1_000;
export const DEFAULT_OUTPUT_BYTES_MAX = 64 * 1024;

/** One line for people: what became of it, without its output. */
export function describeOutcome(program: string, outcome: ProgramOutcome): string {
  const name = program.slice(program.lastIndexOf("/") + 1);
  switch (outcome.kind) {
    case "exited":
      return `${name} ended with code ${outcome.code}`;
    case "killed":
      return `${name} was killed by ${outcome.signal}`;
    case "timed_out":
      return `${name} did not end within ${Math.round(outcome.elapsedMs)} ms and was killed`;
    case "cancelled":
      return `${name} was cancelled after ${Math.round(outcome.elapsedMs)} ms`;
    case "not_started":
      return `${name} could not be started: ${outcome.cause}`;
  }
}

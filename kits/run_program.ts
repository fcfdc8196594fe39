/**
 * Runs programs on this host. See `program.ts` for what is promised.
 *
 * The end of a program is its `exit`, never the `close` of its pipes: a daemon that an agent started holds them open
 * as long as it lives. After the exit what already lies in the pipes is read for a moment; then the pipes go on being
 * emptied into nothing and stop keeping our process alive. Closing them instead would kill, with SIGPIPE, the very
 * daemon that was started, at its next word.
 *
 * A program leads a process group of its own. At the time-out the group is asked to end, and after the grace it is
 * killed, also when its leader ended in time: what it left behind after it overran is debris, not a daemon.
 */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { type Clock, systemClock, type TimerHandle } from "../runtime/clock.ts";
import { invariant } from "../runtime/invariant.ts";
import { BoundedOutput } from "./bounded_output.ts";
import {
  DEFAULT_GRACE_MS,
  DEFAULT_OUTPUT_BYTES_MAX,
  DEFAULT_PATH,
  type ProgramOutcome,
  type ProgramRequest,
  type ProgramRunner,
} from "./program.ts";

/** How long after the exit the pipes may take to say their end. A pipe holds 64 KiB: this is ample. */
const DRAIN_MS = 100;

export function hostPrograms(options: { readonly clock?: Clock } = {}): ProgramRunner {
  const clock = options.clock ?? systemClock();
  return { run: (request) => new Promise((resolve) => new Run(request, clock, resolve).begin()) };
}

class Run {
  readonly #request: ProgramRequest;
  readonly #clock: Clock;
  readonly #resolve: (outcome: ProgramOutcome) => void;
  readonly #startedMs: number;
  readonly #stdout: BoundedOutput;
  readonly #stderr: BoundedOutput;
  readonly #timers: TimerHandle[] = [];
  readonly #onAbort = () => this.#overrun("cancelled");
  #child: ChildProcess | undefined;
  /** Why we end it, once we do. */
  #ended: "timed_out" | "cancelled" | undefined;
  #exit: { readonly code: number | null; readonly signal: string | null } | undefined;
  #settled = false;

  constructor(request: ProgramRequest, clock: Clock, resolve: (outcome: ProgramOutcome) => void) {
    invariant(request.timeoutMs >= 1, "a program's time-out is at least a millisecond");
    this.#request = request;
    this.#clock = clock;
    this.#resolve = resolve;
    this.#startedMs = clock.now();
    const bytesMax = request.outputBytesMax ?? DEFAULT_OUTPUT_BYTES_MAX;
    this.#stdout = new BoundedOutput(bytesMax);
    this.#stderr = new BoundedOutput(bytesMax);
  }

  begin(): void {
    const { program, args = [], environment = {}, stdin = "", timeoutMs, signal } = this.#request;
    if (signal?.aborted === true) {
      this.#settle({ kind: "not_started", missing: false, cause: "it was cancelled before it began" });
      return;
    }
    let child: ChildProcess;
    try {
      child = spawn(program, [...args], {
        detached: true,
        cwd: "/",
        env: { PATH: DEFAULT_PATH, LC_ALL: "C", ...environment },
        stdio: ["pipe", "pipe", "pipe"],
      });
    } catch (error) {
      // Some refusals (a NUL in an argument, a permission) come before the process would.
      this.#notStarted(error);
      return;
    }
    this.#child = child;
    child.once("error", (error) => this.#notStarted(error));
    child.once("exit", (code, endedBy) => this.#exited(code, endedBy));
    child.once("close", () => this.#finish());
    child.stdout?.on("data", (bytes: Uint8Array) => this.#settled || this.#stdout.add(bytes));
    child.stderr?.on("data", (bytes: Uint8Array) => this.#settled || this.#stderr.add(bytes));
    for (const pipe of [child.stdin, child.stdout, child.stderr]) {
      // A program need not read what it is told, and a pipe may break when its other end is killed: the outcome says
      // what became of the program, and a broken pipe adds nothing to that.
      pipe?.on("error", () => pipe.destroy());
    }
    child.stdin?.end(stdin);
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    this.#timers.push(this.#clock.after(timeoutMs, () => this.#overrun("timed_out")));
  }

  #overrun(why: "timed_out" | "cancelled"): void {
    if (this.#settled || this.#ended !== undefined || this.#exit !== undefined) return;
    this.#ended = why;
    const graceMs = this.#request.graceMs ?? DEFAULT_GRACE_MS;
    if (graceMs > 0) {
      this.#signalGroup("SIGTERM");
      this.#timers.push(this.#clock.after(graceMs, () => this.#kill()));
    } else this.#kill();
  }

  #kill(): void {
    this.#signalGroup("SIGKILL");
    // A process in an uninterruptible sleep (a hung disk or NFS) does not even die of that: we do not wait with it.
    this.#timers.push(this.#clock.after(DRAIN_MS, () => this.#finish()));
  }

  #exited(code: number | null, signal: string | null): void {
    this.#exit = { code, signal };
    if (this.#ended !== undefined) this.#signalGroup("SIGKILL");
    if (!this.#settled) this.#timers.push(this.#clock.after(DRAIN_MS, () => this.#finish()));
  }

  #signalGroup(signal: "SIGTERM" | "SIGKILL"): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch (error) {
      // ESRCH: the group is already empty, which is what was wanted.
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") this.#stderr.add(words(`${signal}: ${error}\n`));
    }
  }

  #notStarted(error: unknown): void {
    const { code, message } = error as NodeJS.ErrnoException;
    if (this.#child?.pid !== undefined) return;
    this.#settle({ kind: "not_started", missing: code === "ENOENT", cause: code ?? message });
  }

  #finish(): void {
    if (this.#settled) return;
    const traces = {
      stdout: this.#stdout.text(),
      stderr: this.#stderr.text(),
      elapsedMs: this.#clock.now() - this.#startedMs,
    };
    if (this.#ended !== undefined) this.#settle({ kind: this.#ended, ...traces });
    else if (this.#exit === undefined) return;
    else if (this.#exit.code !== null) this.#settle({ kind: "exited", code: this.#exit.code, ...traces });
    else this.#settle({ kind: "killed", signal: this.#exit.signal ?? "a signal", ...traces });
  }

  #settle(outcome: ProgramOutcome): void {
    if (this.#settled) return;
    this.#settled = true;
    for (const timer of this.#timers) this.#clock.cancel(timer);
    this.#request.signal?.removeEventListener("abort", this.#onAbort);
    for (const pipe of [this.#child?.stdout, this.#child?.stderr]) {
      // Pipes of child processes are sockets, and their handles need not hold our process.
      if (pipe !== undefined && pipe !== null && "unref" in pipe && typeof pipe.unref === "function") {
        pipe.unref();
      }
    }
    this.#resolve(outcome);
  }
}

function words(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

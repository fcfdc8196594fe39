/**
 * Any program with a command to start, one to stop and one that tells whether it runs.
 *
 * Start and stop end with 0 when they reached what was asked, whatever was before. The monitor speaks the language of
 * init scripts and of OCF at once: 0 runs, 3 or 7 does not, all else has failed. What a start command leaves running in
 * the background stays; it need not detach from our pipes.
 */
import type { ParameterFinding } from "../agent_parameters.ts";
import type { ProgramRunner } from "../program.ts";
import { kitOutcome } from "./kit_outcome.ts";
import type { CodeVerdict } from "./ocf_code_table.ts";
import {
  type ActionTimes,
  DEFAULT_TIMES,
  type KitAction,
  type KitCall,
  type KitOutcome,
  type RecoveryKit,
} from "./recovery_kit.ts";

/** A program and its arguments; no shell in between. */
export type CommandLine = readonly [program: string, ...args: string[]];

export interface CommandKitOptions {
  readonly name: string;
  readonly start: CommandLine;
  readonly stop: CommandLine;
  readonly monitor: CommandLine;
  readonly environment?: Readonly<Record<string, string>>;
  readonly programs: ProgramRunner;
}

type CommandAction = "start" | "stop" | "monitor";

const STATE_AFTER = { start: "running", stop: "stopped" } as const;
const STOPPED_CODES = [3, 7];

export class CommandKit implements RecoveryKit {
  readonly name: string;
  readonly #options: CommandKitOptions;

  constructor(options: CommandKitOptions) {
    this.#options = options;
    this.name = options.name;
  }

  start(call: KitCall = {}): Promise<KitOutcome> {
    return this.#act("start", call);
  }

  stop(call: KitCall = {}): Promise<KitOutcome> {
    return this.#act("stop", call);
  }

  monitor(call: KitCall = {}): Promise<KitOutcome> {
    return this.#act("monitor", call);
  }

  times(action: KitAction): ActionTimes {
    return action === "monitor" ? DEFAULT_TIMES : { ...DEFAULT_TIMES, intervalMs: null };
  }

  /** That the programs are there; what they do with their arguments only they know. */
  async validate(call: KitCall = {}): Promise<readonly ParameterFinding[]> {
    const findings: ParameterFinding[] = [];
    for (const action of ["start", "stop", "monitor"] as const) {
      const [program] = this.#options[action];
      const found = await this.#options.programs.run({
        program: "sh",
        args: ["-c", 'command -v "$0" >/dev/null', program],
        timeoutMs: call.timeoutMs ?? DEFAULT_TIMES.timeoutMs,
      });
      if (found.kind === "exited" && found.code === 0) continue;
      const message = `"${program}" is no program that could be run`;
      findings.push({ parameter: action, message, remedy: "its whole path, executable" });
    }
    return findings;
  }

  async #act(action: CommandAction, call: KitCall): Promise<KitOutcome> {
    const [program, ...args] = this.#options[action];
    const { programs, environment = {} } = this.#options;
    const outcome = await programs.run({
      program,
      args,
      environment: { HOLDFAST_ACTION: action, ...environment },
      timeoutMs: call.timeoutMs ?? DEFAULT_TIMES.timeoutMs,
      ...(call.signal === undefined ? {} : { signal: call.signal }),
    });
    return kitOutcome(outcome, { program, judge: (code) => judge(action, code), reason: lastLine });
  }
}

function judge(action: CommandAction, code: number): CodeVerdict {
  const fine = { degraded: false, retry: "here", words: "ok" } as const;
  if (code === 0) return { state: action === "monitor" ? "running" : STATE_AFTER[action], ...fine };
  if (action === "monitor" && STOPPED_CODES.includes(code)) return { state: "stopped", ...fine };
  return { state: "failed", degraded: false, retry: "here", words: `ended with code ${code}` };
}

const LINE_LENGTH_MAX = 300;

function lastLine({ stderr }: { readonly stderr: string }): string | null {
  const line = stderr.split("\n").map((each) => each.trim()).filter((each) => each !== "").at(-1);
  return line?.slice(0, LINE_LENGTH_MAX) ?? null;
}

/**
 * A unit of systemd, started, stopped and watched by `systemctl`.
 *
 * What a unit is doing is asked by `show`, whose properties are stable, not by `status`, which is for people. A unit that
 * starts by itself at boot is refused: it would run on a node where the group is not, on a disk that is not its own.
 */
import type { ParameterFinding } from "../agent_parameters.ts";
import { describeOutcome, type ProgramRunner } from "../program.ts";
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

export interface SystemdUnitOptions {
  /** `postgresql@15-main.service`; without a suffix `.service` is meant. */
  readonly unit: string;
  readonly programs: ProgramRunner;
}

/** systemd's own default for starting and stopping is 90 s; ours must not end before it. */
const CHANGE_TIMES: ActionTimes = { timeoutMs: 100_000, intervalMs: null };
const UNIT_NAME = /^[A-Za-z0-9:_.\\@-]{1,255}$/;

export class SystemdUnit implements RecoveryKit {
  readonly name: string;
  readonly #unit: string;
  readonly #programs: ProgramRunner;

  constructor(options: SystemdUnitOptions) {
    this.#unit = /\.[a-z]+$/.test(options.unit) ? options.unit : `${options.unit}.service`;
    this.name = `systemd:${this.#unit}`;
    this.#programs = options.programs;
  }

  async start(call: KitCall = {}): Promise<KitOutcome> {
    return await this.#change("start", call);
  }

  async stop(call: KitCall = {}): Promise<KitOutcome> {
    return await this.#change("stop", call);
  }

  async monitor(call: KitCall = {}): Promise<KitOutcome> {
    const outcome = await this.#systemctl(["show", SHOWN, "--", this.#unit], this.#timeout("monitor", call));
    return kitOutcome(outcome, {
      program: "systemctl",
      judge: (code, { stdout }) => judgeShown(code, stdout),
    });
  }

  times(action: KitAction): ActionTimes {
    return action === "monitor" ? DEFAULT_TIMES : CHANGE_TIMES;
  }

  async validate(call: KitCall = {}): Promise<readonly ParameterFinding[]> {
    const finding = (message: string, remedy: string) => [{ parameter: "systemd", message, remedy }];
    if (!UNIT_NAME.test(this.#unit) || this.#unit.startsWith("-")) {
      return finding(`"${this.#unit}" is no name of a unit`, "one that systemctl list-units shows");
    }
    const outcome = await this.#systemctl(["show", SHOWN, "--", this.#unit], this.#timeout("monitor", call));
    if (outcome.kind !== "exited" || outcome.code !== 0) {
      return finding(describeOutcome("systemctl", outcome), "a host that systemd runs");
    }
    const shown = properties(outcome.stdout);
    const loaded = shown.get("LoadState");
    if (loaded !== "loaded") {
      return finding(`the unit ${this.#unit} is ${loaded ?? "unknown"}`, `systemctl cat ${this.#unit}`);
    }
    if (shown.get("UnitFileState")?.startsWith("enabled") === true) {
      const message = `the unit ${this.#unit} starts by itself at boot, where its volume may not be`;
      return finding(message, `systemctl disable ${this.#unit}`);
    }
    return [];
  }

  /** `systemctl` waits for the job; what became of the unit is then asked of the unit. */
  async #change(action: "start" | "stop", call: KitCall): Promise<KitOutcome> {
    const timed = this.#timeout(action, call);
    const outcome = await this.#systemctl([action, "--", this.#unit], timed);
    const wanted = action === "start" ? "running" : "stopped";
    const changed = kitOutcome(outcome, {
      program: "systemctl",
      judge: (code): CodeVerdict => ({
        state: code === 0 ? wanted : "failed",
        degraded: false,
        retry: "here",
        words: `systemctl ${action} ended with code ${code}`,
      }),
      reason: ({ stderr }) => stderr.trim().split("\n").at(-1) || null,
    });
    if (changed.state !== wanted) return changed;
    const seen = await this.monitor({ ...call, timeoutMs: this.times("monitor").timeoutMs });
    // A unit that ended failed while it was stopped has stopped all the same.
    const stopped = action === "stop" && seen.code === 0 && seen.state === "failed" &&
      properties(seen.output).get("ActiveState") === "failed";
    if (seen.state === wanted || stopped) return changed;
    return { ...seen, state: "failed", reason: seen.reason ?? `it is ${seen.state} after its ${action}` };
  }

  #timeout(action: KitAction, call: KitCall): KitCall & { readonly timeoutMs: number } {
    return { ...call, timeoutMs: call.timeoutMs ?? this.times(action).timeoutMs };
  }

  #systemctl(args: readonly string[], { timeoutMs, signal }: KitCall & { readonly timeoutMs: number }) {
    return this.#programs.run({
      program: "systemctl",
      args: ["--no-pager", "--no-ask-password", ...args],
      timeoutMs,
      ...(signal === undefined ? {} : { signal }),
    });
  }
}

const SHOWN = "--property=LoadState,ActiveState,SubState,Result,UnitFileState";

function properties(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split("\n").flatMap((line) => {
      const at = line.indexOf("=");
      return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
    }),
  );
}

/** `reloading` serves; `activating` and `deactivating` are neither, and the next look will tell. */
const STATES: Readonly<Record<string, "running" | "stopped">> = {
  active: "running",
  reloading: "running",
  refreshing: "running",
  inactive: "stopped",
};

function judgeShown(code: number, stdout: string): CodeVerdict {
  const shown = properties(stdout);
  const active = shown.get("ActiveState") ?? "unknown";
  const state = code === 0 ? STATES[active] ?? "failed" : "failed";
  const words = `the unit is ${active} (${shown.get("SubState") ?? "?"}, ${shown.get("Result") ?? "?"})`;
  return {
    state,
    degraded: false,
    retry: shown.get("LoadState") === "not-found" ? "elsewhere" : "here",
    words,
  };
}

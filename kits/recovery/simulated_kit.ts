/** A program of a simulated world and its kit: the sibling of the real ones, over a virtual clock. */
import type { Clock } from "../../runtime/clock.ts";
import type { ParameterFinding } from "../agent_parameters.ts";
import { judgeCode } from "./ocf_code_table.ts";
import {
  type ActionTimes,
  DEFAULT_TIMES,
  type KitAction,
  type KitCall,
  type KitOutcome,
  type PromotableKit,
} from "./recovery_kit.ts";

export interface SimulatedKitOptions {
  readonly name: string;
  readonly clock: Clock;
  /** How long each action takes. Default 50. */
  readonly takesMs?: number;
  readonly findings?: readonly ParameterFinding[];
}

export class SimulatedKit implements PromotableKit {
  readonly name: string;
  readonly #options: SimulatedKitOptions;
  /** What the program really is. */
  program: "running" | "promoted" | "stopped" = "stopped";
  /** Actions never end. */
  hanging = false;
  /** An action in it ends with this OCF code and changes nothing. */
  readonly codes = new Map<KitAction, number>();
  /** Every action so far; the last 1 000. */
  readonly actions: KitAction[] = [];

  constructor(options: SimulatedKitOptions) {
    this.#options = options;
    this.name = options.name;
  }

  start(call: KitCall = {}): Promise<KitOutcome> {
    return this.#act("start", call, () => this.program === "stopped" ? "running" : this.program);
  }

  stop(call: KitCall = {}): Promise<KitOutcome> {
    return this.#act("stop", call, () => "stopped");
  }

  monitor(call: KitCall = {}): Promise<KitOutcome> {
    return this.#act("monitor", call, () => this.program);
  }

  promote(call: KitCall = {}): Promise<KitOutcome> {
    return this.#act("promote", call, () => "promoted");
  }

  demote(call: KitCall = {}): Promise<KitOutcome> {
    return this.#act("demote", call, () => this.program === "stopped" ? "stopped" : "running");
  }

  times(_action: KitAction): ActionTimes {
    return DEFAULT_TIMES;
  }

  validate(): Promise<readonly ParameterFinding[]> {
    return Promise.resolve(this.#options.findings ?? []);
  }

  #act(action: KitAction, call: KitCall, next: () => SimulatedKit["program"]): Promise<KitOutcome> {
    this.actions.push(action);
    if (this.actions.length > 1_000) this.actions.shift();
    const { clock, takesMs = 50 } = this.#options;
    const { timeoutMs = DEFAULT_TIMES.timeoutMs } = call;
    const startedMs = clock.now();
    const late = this.hanging || takesMs > timeoutMs;
    return new Promise((resolve) => {
      clock.after(late ? timeoutMs : takesMs, () => {
        const traces = { output: "", elapsedMs: clock.now() - startedMs };
        if (late) {
          const reason = `${this.name} did not end within ${timeoutMs} ms`;
          resolve({ state: "failed", degraded: false, code: null, reason, retry: "here", ...traces });
          return;
        }
        const planned = this.codes.get(action);
        if (planned === undefined) this.program = next();
        const code = planned ?? (action === "monitor" ? MONITOR_CODES[this.program] : 0);
        const { state, degraded, retry, words } = judgeCode(action, code);
        const reason = state === "failed" || degraded ? words : null;
        resolve({ state, degraded, code, reason, retry, ...traces });
      });
    });
  }
}

const MONITOR_CODES = { running: 0, stopped: 7, promoted: 8 } as const;

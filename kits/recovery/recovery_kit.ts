/**
 * What starts, stops and watches one foreign program on this node, as a contract.
 *
 * A kit does what it is told, once, and says how it went: order among kits, retries, moving on and giving up are decided
 * above it. Start and stop are idempotent; a stop that failed means that the program may still write, and only a fence is
 * sure then. So an outcome never says more than is known: whatever timed out or made no sense is `failed`.
 *
 * Siblings: `ocf_agent.ts`, `systemd_unit.ts`, `command.ts`, and `simulated_kit.ts`; `test/conformance/recovery_kit_suite.ts` holds all to it.
 */
import type { ParameterFinding } from "../agent_parameters.ts";

export type KitAction = "start" | "stop" | "monitor" | "promote" | "demote";

/** What a program is known to be after an action. `failed`: anything else, so that nothing may be built on it. */
export type KitState = "running" | "promoted" | "stopped" | "failed";

/** Where trying again makes sense after a failure. */
export type RetryWhere = "here" | "elsewhere" | "nowhere";

export interface KitOutcome {
  readonly state: KitState;
  /** It works, and says that it soon may not. */
  readonly degraded: boolean;
  /** The exit code; null when there was none (a time-out, a signal, nothing started). */
  readonly code: number | null;
  /** For people, why it is not as it should be; null when all is well or nothing was said. */
  readonly reason: string | null;
  /** `here` when nothing failed. */
  readonly retry: RetryWhere;
  /** What it wrote, both streams, bounded. */
  readonly output: string;
  readonly elapsedMs: number;
}

export interface KitCall {
  /** Default: what the kit advises for the action. */
  readonly timeoutMs?: number;
  /** Of a monitor: how thorough. Default 0. */
  readonly depth?: number;
  readonly signal?: AbortSignal;
}

export interface ActionTimes {
  readonly timeoutMs: number;
  /** Of a monitor: how often. Null: no advice. */
  readonly intervalMs: number | null;
}

export interface RecoveryKit {
  /** As `status` shows it: `heartbeat:IPaddr2`. */
  readonly name: string;
  /** `running` when it runs afterwards, also when it did before. */
  start(call?: KitCall): Promise<KitOutcome>;
  /** `stopped` when it is certain that nothing of it runs. */
  stop(call?: KitCall): Promise<KitOutcome>;
  /** Changes nothing. */
  monitor(call?: KitCall): Promise<KitOutcome>;
  /** What is wrong with its configuration, found without starting anything. To be asked once before the first start. */
  validate(call?: KitCall): Promise<readonly ParameterFinding[]>;
  /** What is advised where nothing is configured; final after `validate`. */
  times(action: KitAction): ActionTimes;
}

/** For programs that run on several nodes, one of them promoted. */
export interface PromotableKit extends RecoveryKit {
  promote(call?: KitCall): Promise<KitOutcome>;
  demote(call?: KitCall): Promise<KitOutcome>;
}

/** Where neither the configuration nor the program says anything. */
export const DEFAULT_TIMES: ActionTimes = { timeoutMs: 20_000, intervalMs: 10_000 };

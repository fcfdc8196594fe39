/**
 * How a child is to be kept: OTP's words, unchanged, because they are the best ones and many people know them.
 *
 * | restart     | after a crash or kill | after `normal` or `shutdown` |
 * |-------------|-----------------------|------------------------------|
 * | `permanent` | restarted             | restarted                    |
 * | `transient` | restarted             | stays ended                  |
 * | `temporary` | stays ended           | stays ended                  |
 */
import type { ActorSpec, StopReason } from "./actor.ts";

export type Restart = "permanent" | "transient" | "temporary";

/**
 * Whom a crash takes along: nobody, the children started after it, or all. Those are stopped in reverse order of start and
 * all started again in order.
 */
export type Strategy = "one_for_one" | "rest_for_one" | "one_for_all";

/** More than `restarts` restarts within `periodMs` and the parent gives up: it stops all children and crashes. */
export interface Intensity {
  readonly restarts: number;
  readonly periodMs: number;
}

/** The n-th restart in a row waits firstMs × 2^(n−1), at most `maxMs`; living for `maxMs` ends the row. */
export interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
}

export interface ChildSpec<M> {
  readonly spec: ActorSpec<M>;
  readonly restart: Restart;
  /** How long `stopping` may take before the actor is killed; default 5 000. */
  readonly shutdownMs?: number;
  /** Of this child alone, besides its supervisor's. */
  readonly intensity?: Intensity;
  /** Without it a restart is immediate. */
  readonly backoff?: Backoff;
}

export const SHUTDOWN_MS_DEFAULT = 5_000;

/** Of each child of a plain actor or of the system, where no supervisor states one. */
export const INTENSITY_DEFAULT: Intensity = { restarts: 3, periodMs: 5_000 };

/** The table above. */
export function isRestarted(restart: Restart, reason: StopReason): boolean {
  if (restart === "temporary") return false;
  if (restart === "permanent") return true;
  return reason.kind !== "normal" && reason.kind !== "shutdown";
}

/** Pure: `row` restarts in a row came before this one. */
export function backoffDelayMs(backoff: Backoff | undefined, row: number): number {
  if (backoff === undefined) return 0;
  return Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(row, 52));
}

/**
 * How late the event loop is: a timer that should fire each period, and by how much it did not.
 *
 * The host's own histogram of this is a stub on Deno, and a timer is what everything else here waits for anyway. It
 * is also the sign of a process that was stopped (SIGSTOP, a suspended machine): one huge delay.
 */
import type { Clock, TimerHandle } from "./clock.ts";

export interface LoopDelayOptions {
  /** Default 100. */
  readonly periodMs?: number;
  /** Milliseconds beyond the period, ≥ 0, once per period. */
  readonly onDelay: (delayMs: number) => void;
}

/** Measures until the answered function is called. */
export function watchLoopDelay(clock: Clock, options: LoopDelayOptions): () => void {
  const periodMs = options.periodMs ?? 100;
  let timer: TimerHandle;
  function arm(): void {
    const dueMs = clock.now() + periodMs;
    timer = clock.after(periodMs, () => {
      const delayMs = Math.max(0, clock.now() - dueMs);
      arm();
      options.onDelay(delayMs);
    });
  }
  arm();
  return () => clock.cancel(timer);
}

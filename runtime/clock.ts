/**
 * Time as a contract, so that the same actors run over a virtual clock (`simulated/clock.ts`).
 *
 * Two times are kept apart: `now` never jumps and is for durations, leases and deadlines; `wall` is for people.
 */

/** A timer that may be cancelled. */
export interface TimerHandle {
  /** On the clock's `now` scale. */
  readonly deadlineMs: number;
}

export interface Clock {
  /** Monotonic milliseconds since some start, fractional. */
  now(): number;
  /** Unix milliseconds; may jump. */
  wall(): number;
  /** Calls once, not before `delayMs` have passed and never inside this call. Timers fire in order of deadline. */
  after(delayMs: number, callback: () => void): TimerHandle;
  /** Callable twice, and after firing. */
  cancel(handle: TimerHandle): void;
}

/** Longer delays overflow the host's timer and would fire at once: they are slept in parts. */
const HOST_DELAY_MAX_MS = 2 ** 31 - 1;

class HostTimer implements TimerHandle {
  readonly deadlineMs: number;
  #host: ReturnType<typeof setTimeout> | undefined;

  constructor(deadlineMs: number, callback: () => void) {
    this.deadlineMs = deadlineMs;
    this.#arm(callback);
  }

  #arm(callback: () => void): void {
    const leftMs = Math.max(0, this.deadlineMs - performance.now());
    if (leftMs > HOST_DELAY_MAX_MS) this.#host = setTimeout(() => this.#arm(callback), HOST_DELAY_MAX_MS);
    else this.#host = setTimeout(callback, Math.ceil(leftMs));
  }

  clear(): void {
    clearTimeout(this.#host);
  }
}

/** The host's clock. */
export function systemClock(): Clock {
  return {
    now: () => performance.now(),
    wall: () => Date.now(),
    after: (delayMs, callback) => new HostTimer(performance.now() + Math.max(0, delayMs), callback),
    cancel: (handle) => {
      if (handle instanceof HostTimer) handle.clear();
    },
  };
}

/**
 * How often something was restarted of late: the pure part of restart intensity.
 *
 * Keeps at most `restarts` + 1 times, so its size is bounded by the limit that it checks.
 */
import type { Intensity } from "./child_spec.ts";

export class RestartHistory {
  readonly #intensity: Intensity;
  #timesMs: number[] = [];

  constructor(intensity: Intensity) {
    this.#intensity = intensity;
  }

  /** Counts one restart at `nowMs`; true when that is more than the intensity allows. */
  exceededBy(nowMs: number): boolean {
    const since = nowMs - this.#intensity.periodMs;
    this.#timesMs = this.#timesMs.filter((timeMs) => timeMs > since);
    this.#timesMs.push(nowMs);
    return this.#timesMs.length > this.#intensity.restarts;
  }
}

/**
 * Pure: when the next bytes may leave. A rate, a delay, or both: what makes a fast wire a slow or a far one.
 *
 * A pace answers for each piece in order and never takes an answer back, so a stream that obeys it keeps its order.
 * Rejected: a bucket of tokens that is refilled by a timer; the time at which the wire is free again says the same in
 * one number and needs no timer.
 */
import { invariant } from "../../runtime/invariant.ts";

export interface Pace {
  /** The time at which a piece given now may leave; never before that of the piece before it. */
  leaveAtMs(byteLength: number, nowMs: number): number;
}

/** So many bytes a second on average; `burstBytes` may leave at once after a rest. One pace may serve many streams. */
export class RatePace implements Pace {
  readonly #burstMs: number;
  readonly #bytesPerMs: number;
  /** When the wire will have sent all that was given. */
  #freeAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: { readonly bytesPerSecond: number; readonly burstBytes?: number }) {
    invariant(options.bytesPerSecond > 0, "a rate is above 0");
    this.#bytesPerMs = options.bytesPerSecond / 1_000;
    this.#burstMs = (options.burstBytes ?? BURST_BYTES_DEFAULT) / this.#bytesPerMs;
  }

  leaveAtMs(byteLength: number, nowMs: number): number {
    this.#freeAtMs = Math.max(this.#freeAtMs, nowMs) + byteLength / this.#bytesPerMs;
    return Math.max(nowMs, this.#freeAtMs - this.#burstMs);
  }
}

/** Everything so much later, by a little more or less each time, in order. */
export class DelayPace implements Pace {
  readonly #options: { readonly delayMs: number; readonly jitterMs: number; readonly random: () => number };
  #lastMs = Number.NEGATIVE_INFINITY;

  /** `random`: 0 ≤ x < 1. A piece is delayed by `delayMs` … `delayMs + jitterMs`, or until the one before it. */
  constructor(
    options: { readonly delayMs: number; readonly jitterMs: number; readonly random: () => number },
  ) {
    this.#options = options;
  }

  leaveAtMs(_byteLength: number, nowMs: number): number {
    const { delayMs, jitterMs, random } = this.#options;
    this.#lastMs = Math.max(this.#lastMs, nowMs + delayMs + (jitterMs === 0 ? 0 : random() * jitterMs));
    return this.#lastMs;
  }
}

/** Two full gathered writes of small frames: enough that a turn is not torn apart. */
export const BURST_BYTES_DEFAULT = 128 * 1024;

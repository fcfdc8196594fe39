/**
 * Pure: is the other node silent for too long?
 *
 * Failure detectors of the adaptive kind (phi accrual and its kin) estimate how late a heartbeat may be from how late
 * heartbeats were, and suspect early on a quiet network. Here the answer would be thrown away: a source's lease is a
 * fixed time, no promotion happens before it has run out, and an earlier suspicion only buys elections that end with
 * «the lease still runs». So the bound is derived from the lease and nothing else.
 *
 * The bound is two thirds of the lease. Longer, and the third that remains would not do for an election before
 * clients notice; shorter, and three lost heartbeats of eight (at the defaults of 250 ms and 2 s) would be a suspicion. The
 * assertion below keeps the two settings in a relation in which one lost heartbeat is never enough.
 *
 * Anything heard counts, heartbeat or not: a connection that brings messages is alive even while its heartbeats queue
 * behind them. Only a silence counts against the node, never a slow answer: slowness is the business of the legs.
 */
import { invariant } from "../../runtime/invariant.ts";

export interface DetectorTimes {
  readonly heartbeatIntervalMs: number;
  readonly leaseMs: number;
}

export class FaultDetector {
  /** Silence from which the node is suspected. */
  readonly suspectAfterMs: number;
  /** Silence after which an open connection is not worth keeping: its other end is gone or cannot be reached. */
  readonly giveUpAfterMs: number;
  #lastHeardMs: number;

  /** @param startMs stands for the first sign of life: a node that never appears is as silent as one that stopped */
  constructor(times: DetectorTimes, startMs: number) {
    this.suspectAfterMs = (times.leaseMs * 2) / 3;
    this.giveUpAfterMs = times.leaseMs * 2;
    this.#lastHeardMs = startMs;
    invariant(
      this.suspectAfterMs > 2 * times.heartbeatIntervalMs,
      "one lost heartbeat is no reason for suspicion: two thirds of the lease exceed two heartbeat intervals",
    );
  }

  get lastHeardMs(): number {
    return this.#lastHeardMs;
  }

  heard(nowMs: number): void {
    this.#lastHeardMs = Math.max(this.#lastHeardMs, nowMs);
  }

  silenceMs(nowMs: number): number {
    return Math.max(0, nowMs - this.#lastHeardMs);
  }

  isSuspect(nowMs: number): boolean {
    return this.silenceMs(nowMs) >= this.suspectAfterMs;
  }

  isHopeless(nowMs: number): boolean {
    return this.silenceMs(nowMs) >= this.giveUpAfterMs;
  }
}

/**
 * The source's side of the lease: until when may it complete requests? Pure arithmetic.
 *
 * A voter's grant runs from when the voter received the question, on the voter's clock. The source knows neither, so
 * it counts from before it sent the question, on its own clock, and ends earlier by what the two clocks may differ
 * in rate. A late answer thus never lengthens anything: it is counted from when *its* round was sent. The lease is
 * what a majority granted: the k-th best of the grants, where k is the majority.
 *
 * Rejected: a timestamp of the voter in the answer (clocks of two machines agree on nothing but, roughly, rate); one
 * round at a time (a lost answer would cost a whole time-out of lease).
 */
import { invariant } from "../../runtime/invariant.ts";
import { majorityOf } from "../../protocol/member_set.ts";

/** Two clocks that are each within 1 % of true time differ by less than this in rate. */
export const CLOCK_RATE_MARGIN = 0.02;
/** The resolution of clocks and the time between reading one and sending. */
export const CLOCK_STEP_MARGIN_MS = 10;
/** Rounds whose answers still count; older ones have run out anyway. */
const ROUNDS_MAX = 32;

/** Until when one voter's grant counts. */
export function grantedUntil(options: { readonly sentAtMs: number; readonly durationMs: number }): number {
  return options.sentAtMs + options.durationMs * (1 - CLOCK_RATE_MARGIN) - CLOCK_STEP_MARGIN_MS;
}

export class LeaseBook {
  readonly #voters: readonly string[];
  readonly #leaseMs: number;
  readonly #sentAtMs = new Map<number, number>();
  readonly #untilMs = new Map<string, number>();

  /** @param options.leaseMs the configured length: a voter that claims to have granted more is not believed */
  constructor(options: { readonly voters: readonly string[]; readonly leaseMs: number }) {
    this.#voters = options.voters;
    this.#leaseMs = options.leaseMs;
  }

  /** A question with this number is about to be sent to all voters. */
  asked(options: { readonly round: number; readonly sentAtMs: number }): void {
    invariant(!this.#sentAtMs.has(options.round), "a lease round has a number of its own");
    this.#sentAtMs.set(options.round, options.sentAtMs);
    for (const round of this.#sentAtMs.keys()) {
      if (this.#sentAtMs.size <= ROUNDS_MAX) break;
      this.#sentAtMs.delete(round);
    }
  }

  /** False: the answer belongs to no round that counts, or comes from no voter. */
  granted(options: { readonly voter: string; readonly round: number; readonly durationMs: number }): boolean {
    const sentAtMs = this.#sentAtMs.get(options.round);
    if (sentAtMs === undefined || !this.#voters.includes(options.voter)) return false;
    const untilMs = grantedUntil({ sentAtMs, durationMs: Math.min(options.durationMs, this.#leaseMs) });
    this.#untilMs.set(options.voter, Math.max(untilMs, this.#untilMs.get(options.voter) ?? -Infinity));
    return true;
  }

  /** The voter's grant counts no more. */
  refused(voter: string): void {
    this.#untilMs.delete(voter);
  }

  /** After a stop of this process nothing that was asked before it counts. */
  drop(): void {
    this.#sentAtMs.clear();
    this.#untilMs.clear();
  }

  /** The end of the lease; −Infinity while no majority has granted one. */
  get untilMs(): number {
    const ends = this.#voters.map((voter) => this.#untilMs.get(voter) ?? -Infinity).sort((a, b) => b - a);
    return ends[majorityOf(this.#voters.length) - 1] ?? -Infinity;
  }

  /** Voters whose grant has run out or never was. */
  missing(nowMs: number): readonly string[] {
    return this.#voters.filter((voter) => (this.#untilMs.get(voter) ?? -Infinity) <= nowMs);
  }
}

/** How far the wall clock and the monotonic one may drift apart between two looks before it counts as a stop. */
export const CLOCKS_APART_MAX_MS = 250;

export interface Look {
  readonly nowMs: number;
  readonly wallMs: number;
}

/**
 * True when this process may have been stopped between two looks: a SIGSTOP or a stalled machine shows in the
 * monotonic clock, a suspend in the wall clock only.
 */
export function wasStopped(before: Look, after: Look, intervalMs: number): boolean {
  const passedMs = after.nowMs - before.nowMs;
  const wallPassedMs = after.wallMs - before.wallMs;
  return passedMs > 4 * intervalMs || Math.abs(wallPassedMs - passedMs) > CLOCKS_APART_MAX_MS;
}

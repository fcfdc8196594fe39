/**
 * Pure: is this node fit to renew a lease? A hung source must fail over, and a hung process cannot say so itself.
 *
 * A node whose network thread answers while its main loop or its disk hangs looks alive to every peer and serves
 * nobody. So failover renews a lease only while this machine says `healthy` (design §4.8), and the lease runs out by
 * itself. Two signs are watched: the main loop by the lateness of a timer, every disk by the age of its oldest
 * operation under way. `judge` is asked at the very moment of a renewal and works from times, not from the last tick,
 * because after a stall the renewal's timer may run before the tick that would have noticed.
 *
 * ```text
 *            a tick is late by loopStallMs                 GOOD_TICKS in a row
 *  healthy ───────────────────────────────▶ loop stalled ─────────────────────▶ healthy
 *     │          a disk waits diskStallMs                   the disk answers
 *     └───────────────────────────────────▶ disk stalled ─────────────────────▶ healthy
 * ```
 *
 * The loop needs several good ticks to be trusted again, since a loop that stalls twice a second has a punctual tick
 * in between; a disk that answered has answered. A jump of the wall clock is an event for people and no sign of
 * ill health: leases count on the monotonic clock, and failover itself drops the lease after a suspend.
 */

export interface HealthLimits {
  /** Between two looks at the loop. */
  readonly tickMs: number;
  /** A tick later than this: the main loop is hung. Below the lease, or the lease would notice first. */
  readonly loopStallMs: number;
  /** A disk operation under way for longer: the disk is hung. */
  readonly diskStallMs: number;
  /** The clocks moving apart by more than this between two ticks is reported. */
  readonly clockJumpMs: number;
}

/**
 * Limits that suit a lease. The disk's is long: a busy disk with a full device queue takes seconds for a flush and is
 * no reason to move a database, and nobody loses data by waiting.
 */
export function healthLimitsFor(leaseMs: number): HealthLimits {
  return {
    tickMs: 100,
    loopStallMs: leaseMs / 2,
    diskStallMs: Math.max(10_000, 2 * leaseMs),
    clockJumpMs: 250,
  };
}

export type Verdict =
  | { readonly healthy: true; readonly cause: null; readonly remedy: null }
  | { readonly healthy: false; readonly cause: string; readonly remedy: string };

/** A disk with an operation under way, and since when, on the monotonic clock. */
export interface WaitingDisk {
  readonly name: string;
  readonly sinceMs: number;
}

export interface Tick {
  readonly nowMs: number;
  readonly wallMs: number;
  readonly waitingDisks: readonly WaitingDisk[];
}

export type HealthEffect =
  | {
    readonly kind: "report_event";
    readonly name: string;
    readonly fields: Readonly<Record<string, unknown>>;
  }
  /** The loop was late by so much. */
  | { readonly kind: "observe_delay"; readonly delayMs: number };

const HEALTHY: Verdict = { healthy: true, cause: null, remedy: null };
const GOOD_TICKS = 5;

export class HealthMachine {
  readonly #limits: HealthLimits;
  #lastTick: Tick;
  /** Null: the loop is fine. Else how late it was, and how many good ticks came since. */
  #stall: { readonly lateMs: number; goodTicks: number } | null = null;
  #reported: Verdict = HEALTHY;

  constructor(limits: HealthLimits, start: Tick) {
    this.#limits = limits;
    this.#lastTick = start;
  }

  tick(tick: Tick): HealthEffect[] {
    const { tickMs, loopStallMs, clockJumpMs } = this.#limits;
    const elapsedMs = tick.nowMs - this.#lastTick.nowMs;
    const lateMs = Math.max(0, elapsedMs - tickMs);
    const jumpMs = tick.wallMs - this.#lastTick.wallMs - elapsedMs;
    this.#lastTick = tick;
    const effects: HealthEffect[] = [{ kind: "observe_delay", delayMs: lateMs }];
    if (Math.abs(jumpMs) > clockJumpMs) {
      const cause = jumpMs > 0
        ? "the wall clock was set forward, or the host was suspended"
        : "the wall clock was set back";
      effects.push({
        kind: "report_event",
        name: "clock_jumped",
        fields: { cause, byMs: Math.round(jumpMs) },
      });
    }
    if (lateMs > loopStallMs) {
      this.#stall = { lateMs, goodTicks: 0 };
      const cause = `the main loop did not run for ${Math.round(elapsedMs)} ms`;
      effects.push({ kind: "report_event", name: "loop_stalled", fields: { cause } });
    } else if (this.#stall !== null) {
      this.#stall.goodTicks += 1;
      if (this.#stall.goodTicks >= GOOD_TICKS) this.#stall = null;
    }
    return [...effects, ...this.#reportChange(tick)];
  }

  /** Asked when it matters: at a lease renewal. */
  judge(nowMs: number, waitingDisks: readonly WaitingDisk[]): Verdict {
    const { tickMs, loopStallMs, diskStallMs } = this.#limits;
    const lateMs = nowMs - this.#lastTick.nowMs - tickMs;
    if (lateMs > loopStallMs) return loopStalled(lateMs);
    if (this.#stall !== null) return loopStalled(this.#stall.lateMs);
    for (const disk of waitingDisks) {
      if (nowMs - disk.sinceMs > diskStallMs) return diskStalled(disk, nowMs);
    }
    return HEALTHY;
  }

  #reportChange(tick: Tick): HealthEffect[] {
    const verdict = this.judge(tick.nowMs, tick.waitingDisks);
    if (verdict.healthy === this.#reported.healthy) return [];
    this.#reported = verdict;
    return [
      verdict.healthy
        ? {
          kind: "report_event",
          name: "health_regained",
          fields: { cause: "the main loop and all disks answer in time" },
        }
        : {
          kind: "report_event",
          name: "health_lost",
          fields: { cause: verdict.cause, remedy: verdict.remedy },
        },
    ];
  }
}

function loopStalled(lateMs: number): Verdict {
  return {
    healthy: false,
    cause: `the main loop of this node was ${Math.round(lateMs)} ms late`,
    remedy: "give the process more CPU time, or look for what stopped it",
  };
}

function diskStalled(disk: WaitingDisk, nowMs: number): Verdict {
  return {
    healthy: false,
    cause: `${disk.name} has not answered for ${Math.round(nowMs - disk.sinceMs)} ms`,
    remedy: "look at the disk and at the kernel's log on this host",
  };
}

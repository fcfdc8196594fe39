/** What the health actor needs from its node. */
import type { DiskOutcome } from "../../volume/block_device.ts";
import type { ReportEvent } from "../events/messages.ts";
import type { HealthLimits, Verdict, WaitingDisk } from "./machine.ts";

export interface HealthEnvironment {
  readonly limits: HealthLimits;
  /** Disks of replicas with an operation under way. Cheap: read at every tick and renewal. */
  waitingDisks(): readonly WaitingDisk[];
  /** A tiny write and flush on the disk of the state directory, where votes lie. */
  readonly probe: { readonly name: string; run(): Promise<DiskOutcome> };
  readonly vitals: Vitals;
  readonly event: ReportEvent;
}

/**
 * Where the health of the node is read by those who must not wait for an answer. It outlives the actor: while the
 * actor is being restarted the node counts as unhealthy for no longer than a restart takes.
 */
export class Vitals {
  #judge: ((nowMs: number) => Verdict) | null = null;

  judgedBy(judge: (nowMs: number) => Verdict): void {
    this.#judge = judge;
  }

  /** At this very moment. */
  verdict(nowMs: number): Verdict {
    if (this.#judge === null) {
      return { healthy: false, cause: "the health actor has not started", remedy: "wait for it" };
    }
    return this.#judge(nowMs);
  }
}

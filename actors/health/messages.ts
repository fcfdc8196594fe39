/** What the health actor of a node is told and asked. Whether the node is healthy is read, not asked: `Vitals`. */
import type { ReplyTo } from "../../runtime/mod.ts";
import type { Verdict } from "./machine.ts";

export type HealthStatus = Verdict & {
  /** The worst of the last second, milliseconds. */
  readonly loopDelayMs: number;
  /** Disks with an operation under way for longer than a tick. */
  readonly waitingDisks: readonly { readonly name: string; readonly forMs: number }[];
};

export type HealthMessage =
  | { readonly kind: "status_requested"; readonly reply: ReplyTo<HealthStatus> }
  /** Its own timers and outcomes. */
  | { readonly kind: "tick" }
  | { readonly kind: "probe_due" }
  | { readonly kind: "probe_ended"; readonly cause: string | null };

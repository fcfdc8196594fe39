/**
 * What can take a node's power, as a contract: one socket, one management board, one hypervisor's switch.
 *
 * What a device says after `off` or `on` is never the proof; a `status` that it is asked for afterwards is
 * (`fence_levels.ts`). So only three questions are needed. Reboot is left out on purpose: a node that reboots has been off for a
 * moment that nobody can verify.
 *
 * Siblings: `fence_agent.ts` (Debian's fence agents) and `simulated_fence.ts`.
 */
import type { ParameterFinding } from "../agent_parameters.ts";

export type FenceAction = "off" | "on";

/** `unknown` covers all doubt: an error, a time-out, an answer that makes no sense. Doubt is never «off». */
export type PowerStatus =
  | { readonly kind: "on" }
  | { readonly kind: "off" }
  | { readonly kind: "unknown"; readonly cause: string };

/** `ok` says only that the device took the order. After a failure the order may still be carried out. */
export type OrderOutcome = { readonly ok: true } | { readonly ok: false; readonly cause: string };

export interface DeviceCall {
  /** ≥ 1: a device that has not answered then has failed. */
  readonly timeoutMs: number;
}

export interface FenceDevice {
  /** For people and the history: `fence_ipmilan at 10.9.0.1`. No secrets. */
  readonly name: string;
  /** Orders power off or on. May be repeated: a node that is off stays off. */
  order(action: FenceAction, call: DeviceCall): Promise<OrderOutcome>;
  status(call: DeviceCall): Promise<PowerStatus>;
  /** What is wrong with its configuration, found without touching any power. Empty: nothing that can be seen. */
  check(call: DeviceCall): Promise<readonly ParameterFinding[]>;
}

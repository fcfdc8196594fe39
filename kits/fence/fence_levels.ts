/**
 * Takes a node's power and proves it: levels in order, retries, a delay against races, verification by status.
 *
 * A level is one way to do it: one device, or several that must all agree (a host with two power supplies). The next
 * level is tried only when the one before failed. Of a level with several devices each is off at the same
 * moment before any is switched on again: while one still feeds the host, nothing has happened. Whatever is not
 * confirmed, an error, a time-out, a status that cannot be had, is a failure: who asks may then not promote.
 *
 * Two nodes of a cut network fence each other at the same moment and both die. `delayMs` gives the preferred one a
 * head start (its own fencing waits longest), and `delayRandomMaxMs` breaks ties. During the delay the fence may be cancelled; once
 * an order has gone out it is carried through, since half a fence is the worst of all states.
 *
 * Everything is bounded: levels × attempts × (order + verification). The history that is handed back has one step per
 * order and per verification.
 */
import type { Clock } from "../../runtime/clock.ts";
import { invariant } from "../../runtime/invariant.ts";
import type { Random } from "../../runtime/random.ts";
import type { FenceAction, FenceDevice, PowerStatus } from "./fence_device.ts";

export interface FencePolicy {
  /** Of one call of a device. */
  readonly timeoutMs: number;
  /** Orders per level, ≥ 1. */
  readonly attempts: number;
  /** Between two attempts. */
  readonly retryAfterMs: number;
  /** How long after an order the status may take to follow; a server can take 10 s to lose its power. */
  readonly verifyForMs: number;
  /** Between two looks at the status. */
  readonly verifyEveryMs: number;
  /** Before the first order. */
  readonly delayMs: number;
  /** A random share of this is added to the delay. */
  readonly delayRandomMaxMs: number;
}

export const DEFAULT_FENCE_POLICY: FencePolicy = {
  timeoutMs: 60_000,
  attempts: 2,
  retryAfterMs: 1_000,
  verifyForMs: 20_000,
  verifyEveryMs: 500,
  delayMs: 0,
  delayRandomMaxMs: 0,
};

export interface FenceStep {
  /** On the clock's `wall` scale. */
  readonly atMs: number;
  /** From 1. */
  readonly level: number;
  readonly attempt: number;
  readonly device: string;
  readonly what: "order" | "status";
  /** `took the order`, `off`, or what went wrong. */
  readonly result: string;
}

export type FenceOutcome =
  /** Every device of the level said so itself, after the order. */
  | { readonly kind: "confirmed"; readonly level: number; readonly steps: readonly FenceStep[] }
  /** The node may be in any state: doubt blocks. */
  | { readonly kind: "unconfirmed"; readonly cause: string; readonly steps: readonly FenceStep[] }
  /** Before the first order: nothing was done to anybody. */
  | { readonly kind: "cancelled" };

export interface FenceRequest {
  readonly action: FenceAction;
  /** Each level a list of devices, all of which must agree. */
  readonly levels: readonly (readonly FenceDevice[])[];
  readonly policy: FencePolicy;
  readonly clock: Clock;
  readonly random: Random;
  /** Counts only until the first order. */
  readonly signal?: AbortSignal;
}

/** Never rejects. One fence of a node at a time is the caller's to see to. */
export async function fenceByLevels(request: FenceRequest): Promise<FenceOutcome> {
  const { levels, policy, random, signal } = request;
  invariant(policy.attempts >= 1, "a fence has at least one attempt");
  const steps: FenceStep[] = [];
  if (!levels.some((devices) => devices.length > 0)) {
    return { kind: "unconfirmed", cause: "no fence device is configured", steps };
  }
  await pause(request, policy.delayMs + policy.delayRandomMaxMs * random.float(), signal);
  if (signal?.aborted === true) return { kind: "cancelled" };
  let cause = "";
  for (const [index, devices] of levels.entries()) {
    const level = index + 1;
    if (devices.length === 0) continue;
    for (let attempt = 1; attempt <= policy.attempts; attempt++) {
      if (steps.length > 0 && attempt > 1) await pause(request, policy.retryAfterMs);
      const failed = await tryLevel(request, { devices, level, attempt, steps });
      if (failed === undefined) return { kind: "confirmed", level, steps };
      cause = `level ${level}: ${failed}`;
    }
  }
  return { kind: "unconfirmed", cause, steps };
}

interface Attempt {
  readonly devices: readonly FenceDevice[];
  readonly level: number;
  readonly attempt: number;
  readonly steps: FenceStep[];
}

/** Undefined when every device confirmed, else what went wrong. */
async function tryLevel(request: FenceRequest, attempt: Attempt): Promise<string | undefined> {
  const { devices, level, steps } = attempt;
  const { action, policy, clock } = request;
  const note = (device: FenceDevice, what: FenceStep["what"], result: string) =>
    steps.push({ atMs: clock.wall(), level, attempt: attempt.attempt, device: device.name, what, result });
  for (const device of devices) {
    const ordered = await device.order(action, { timeoutMs: policy.timeoutMs });
    // A refused order may have been carried out all the same, so its status is asked too: it decides.
    note(device, "order", ordered.ok ? "took the order" : ordered.cause);
  }
  // All devices are looked at in one round: that the first was off a minute ago does not say that it is now.
  const deadlineMs = clock.now() + policy.verifyForMs;
  let looked: readonly PowerStatus[] = [];
  while (true) {
    looked = await Promise.all(devices.map((device) => device.status({ timeoutMs: policy.timeoutMs })));
    if (looked.every((status) => status.kind === action) || clock.now() >= deadlineMs) break;
    await pause(request, policy.verifyEveryMs);
  }
  for (const [index, device] of devices.entries()) {
    const status = looked[index];
    note(device, "status", status === undefined ? "not asked" : wordsOf(status));
  }
  const wrong = devices.flatMap((device, index) => {
    const status = looked[index];
    return status === undefined || status.kind === action ? [] : [`${device.name}: ${wordsOf(status)}`];
  });
  return wrong.length === 0 ? undefined : `not ${action}: ${wrong.join("; ")}`;
}

function wordsOf(status: PowerStatus): string {
  return status.kind === "unknown" ? `status unknown: ${status.cause}` : status.kind;
}

/** At least a millisecond, so that a policy of zeroes cannot turn a wait into a spin. */
function pause({ clock }: FenceRequest, delayMs: number, signal?: AbortSignal): Promise<void> {
  if (delayMs <= 0 && signal !== undefined) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = clock.after(Math.max(1, delayMs), done);
    signal?.addEventListener("abort", done, { once: true });
    function done(): void {
      clock.cancel(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
  });
}

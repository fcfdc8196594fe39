/**
 * What the exit codes of OCF agents mean, action by action. Pure.
 *
 * The numbers are the OCF resource agent API's; the last column is Pacemaker's practice, which agents' authors count on. A
 * stop that ends with «not running» has reached what was wanted.
 */
import type { KitAction, KitState, RetryWhere } from "./recovery_kit.ts";

interface CodeRow {
  readonly code: number;
  readonly words: string;
  readonly retry: RetryWhere;
}

export const OCF_CODES: readonly CodeRow[] = [
  { code: 0, words: "ok", retry: "here" },
  { code: 1, words: "failed", retry: "here" },
  { code: 2, words: "cannot work with its parameters on this node", retry: "elsewhere" },
  { code: 3, words: "does not know this action", retry: "elsewhere" },
  { code: 4, words: "lacks a permission on this node", retry: "elsewhere" },
  { code: 5, words: "lacks a program on this node", retry: "elsewhere" },
  { code: 6, words: "is wrongly configured", retry: "nowhere" },
  { code: 7, words: "not running", retry: "here" },
  { code: 8, words: "running, promoted", retry: "here" },
  { code: 9, words: "failed while promoted", retry: "here" },
  { code: 190, words: "running, degraded", retry: "here" },
  { code: 191, words: "running, promoted, degraded", retry: "here" },
];

/** For each action the codes after which something is known; every other code is a failure. */
const KNOWN: Readonly<Record<KitAction, Readonly<Record<number, KitState>>>> = {
  start: { 0: "running", 8: "promoted" },
  stop: { 0: "stopped", 7: "stopped" },
  monitor: { 0: "running", 7: "stopped", 8: "promoted", 190: "running", 191: "promoted" },
  promote: { 0: "promoted", 8: "promoted" },
  demote: { 0: "running", 7: "stopped" },
};

export interface CodeVerdict {
  readonly state: KitState;
  readonly degraded: boolean;
  readonly retry: RetryWhere;
  readonly words: string;
}

export function judgeCode(action: KitAction, code: number): CodeVerdict {
  const state = KNOWN[action][code] ?? "failed";
  const row = OCF_CODES.find((each) => each.code === code);
  return {
    state,
    degraded: state !== "failed" && (code === 190 || code === 191),
    retry: state === "failed" ? row?.retry ?? "here" : "here",
    words: row?.words ?? `ended with code ${code}, which means nothing`,
  };
}

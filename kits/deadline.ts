/** Foreign work with a deadline: an answer, a failure or too late, always as a value. The work itself cannot be ended here. */
import type { Clock } from "../runtime/clock.ts";

export type Timely<T> =
  | { readonly kind: "value"; readonly value: T }
  | { readonly kind: "failed"; readonly cause: string; readonly error: unknown }
  | { readonly kind: "late"; readonly cause: string };

export interface Deadline {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Called once when it is too late: what can be given up is. */
  readonly onLate?: () => void;
}

export function timely<T>(work: Promise<T>, { clock, timeoutMs, onLate }: Deadline): Promise<Timely<T>> {
  return new Promise((resolve) => {
    const timer = clock.after(timeoutMs, () => {
      resolve({ kind: "late", cause: `no answer within ${timeoutMs} ms` });
      onLate?.();
    });
    work.then(
      (value) => resolve({ kind: "value", value }),
      (error) => resolve({ kind: "failed", cause: causeOf(error), error }),
    ).finally(() => clock.cancel(timer));
  });
}

/** The words of an error, and of the one behind it: `fetch` hides there what happened. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const behind = error.cause instanceof Error ? ` (${error.cause.message})` : "";
  return `${error.message}${behind}`;
}

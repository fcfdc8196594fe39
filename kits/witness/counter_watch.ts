/**
 * When a lease that a witness keeps has run out, seen from outside: its counter stood still for a whole lease plus
 * margin on the watcher's own monotonic clock. Pure.
 *
 * Why it is safe to count from the *arrival* of the first answer that showed the counter: the source sent that renewal before the
 * store had it, the store had it before it answered, and the source counts its lease from before it sent. A clock that
 * stands still through a suspend only makes the watcher wait longer. Counting from when the question was sent would
 * not do: the renewal may have arrived between question and answer.
 *
 * That the counter still stands is proved at the end by the compare-and-set itself, against the version last seen.
 */
import type { WitnessLease, WitnessRead } from "./witness_register.ts";

export class CounterWatch {
  #lease: WitnessLease | null = null;
  #incarnation: string | undefined;
  /** Since when the same lease has been seen. Undefined: nothing seen yet. */
  #sinceMs: number | undefined;

  /** One answer and when it arrived; answers come in the order in which they were asked for. */
  observe(read: WitnessRead, arrivedMs: number): void {
    // What cannot be read may have moved meanwhile, and later answers will tell: silence is neither still nor moving.
    if (read.kind === "unreachable") return;
    if (read.kind !== "found" || read.doubtful) {
      this.#sinceMs = undefined;
      return;
    }
    const { lease, incarnation } = read.vote;
    const same = this.#sinceMs !== undefined && this.#incarnation === incarnation &&
      sameLease(this.#lease, lease);
    this.#lease = lease;
    this.#incarnation = incarnation;
    if (!same) this.#sinceMs = arrivedMs;
  }

  /**
   * Nobody can still hold a lease by this witness: nothing was held, or it stood still long enough. `leaseMs` is the
   * longest lease that any source of the group may use.
   */
  ended(
    nowMs: number,
    { leaseMs, marginMs }: { readonly leaseMs: number; readonly marginMs: number },
  ): boolean {
    if (this.#sinceMs === undefined) return false;
    return this.#lease === null || nowMs - this.#sinceMs >= leaseMs + marginMs;
  }
}

function sameLease(a: WitnessLease | null, b: WitnessLease | null): boolean {
  if (a === null || b === null) return a === b;
  return a.holder === b.holder && a.counter === b.counter && a.generation.id === b.generation.id &&
    a.generation.number === b.generation.number;
}

/**
 * The write window: which operations of the stream are under way, and which of them are complete. Pure.
 *
 * Every operation has a seq. Legs apply in order, so what a leg has done is one number, and what all legs that count
 * have done is the lowest of those: a floor. A write is complete when it is on the local disk and at or below the
 * applied floor; a flush (and a write with FUA) when it is stable here and at or below the stable floor (design §4.2).
 *
 * The floors move up with acks, and may also move down when a leg joins: operations completed before stay completed,
 * the ones after wait for the newcomer. Nothing here asks why a leg counts; `membership.ts` decides that.
 */
import { invariant } from "../../runtime/invariant.ts";

/** What must be stable before it is complete waits in a list of its own: flushes are few, writes are many. */
export interface WindowEntry {
  readonly seq: number;
  /** Must be stable, not merely applied. */
  readonly durable: boolean;
  localDone: boolean;
  completed: boolean;
}

export interface Floors {
  /** Every leg that a WRITE waits for has applied up to here. */
  readonly applied: number;
  /** Every leg that a FLUSH waits for is stable up to here. */
  readonly stable: number;
}

export const NO_LEGS: Floors = { applied: Infinity, stable: Infinity };

export class WriteWindow<Entry extends WindowEntry> {
  readonly #complete: (entry: Entry) => void;
  /** Operations from `#headSeq` on, oldest first; those completed out of order stay until they are the oldest. */
  #entries: Entry[] = [];
  #start = 0;
  #durable: Entry[] = [];
  #floors: Floors = NO_LEGS;
  #appliedCursor = 0;
  #localStable = 0;
  #lastSeq: number;

  /** @param baseSeq the last seq of the history before · `complete` is called once per entry */
  constructor(baseSeq: number, complete: (entry: Entry) => void) {
    this.#lastSeq = baseSeq;
    this.#appliedCursor = baseSeq;
    this.#localStable = baseSeq;
    this.#complete = complete;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }
  get localStable(): number {
    return this.#localStable;
  }
  /** Operations not yet complete (or complete behind an older one that is not). */
  get size(): number {
    return this.#entries.length - this.#start;
  }

  /** The next seq in line: the caller takes it by `add`. */
  get nextSeq(): number {
    return this.#lastSeq + 1;
  }

  /** Every operation below this is on the local disk: what a flush issued now will make stable. */
  get localDoneThrough(): number {
    for (let index = this.#start; index < this.#entries.length; index += 1) {
      const entry = this.#entries[index];
      if (entry !== undefined && !entry.localDone) return entry.seq - 1;
    }
    return this.#lastSeq;
  }

  /** Something waits for stability, here or on a leg. */
  get anyDurable(): boolean {
    return this.#durable.length > 0;
  }

  /** True when an operation in (after, through] waits for stability. */
  awaitsStability(range: { after: number; through: number }): boolean {
    return this.#durable.some((entry) => entry.seq > range.after && entry.seq <= range.through);
  }

  /** Takes the next seq. It may complete within this call only if it is local already and nobody else counts. */
  add(entry: Entry): void {
    invariant(entry.seq === this.#lastSeq + 1, "I1: a seq is used once, in order");
    this.#lastSeq = entry.seq;
    this.#entries.push(entry);
    if (entry.durable) this.#durable.push(entry);
    else if (entry.localDone && entry.seq <= this.#floors.applied) this.#finish(entry);
  }

  localDone(entry: Entry): void {
    invariant(!entry.localDone, "a local write is done once");
    entry.localDone = true;
    if (entry.durable) this.#finishDurable();
    else if (entry.seq <= this.#floors.applied) this.#finish(entry);
  }

  /** The local disks are stable up to `seq`. */
  setLocalStable(seq: number): void {
    if (seq <= this.#localStable) return;
    this.#localStable = seq;
    this.#finishDurable();
  }

  setFloors(floors: Floors): void {
    const before = this.#floors;
    this.#floors = floors;
    // A floor that sinks (a leg joins) must be walked over again: what was not local yet when it passed still waits.
    if (floors.applied < this.#appliedCursor) this.#appliedCursor = floors.applied;
    if (floors.applied > before.applied || this.#appliedCursor < floors.applied) this.#finishApplied();
    if (floors.stable > before.stable || floors.applied > before.applied) this.#finishDurable();
  }

  /** What is not complete, oldest first. */
  get waiting(): readonly Entry[] {
    return this.#entries.slice(this.#start).filter((entry) => !entry.completed);
  }

  /** Gives up on everything that is not complete; answers it, oldest first. */
  abandon(): readonly Entry[] {
    const left = this.waiting;
    this.#entries = [];
    this.#start = 0;
    this.#durable = [];
    return left;
  }

  #finishApplied(): void {
    const through = Math.min(this.#floors.applied, this.#lastSeq);
    const first = this.#entries[this.#start];
    if (first === undefined) {
      this.#appliedCursor = Math.max(this.#appliedCursor, through);
      return;
    }
    const from = Math.max(this.#appliedCursor + 1, first.seq);
    for (let seq = from; seq <= through; seq += 1) {
      const entry = this.#entries[this.#start + (seq - (this.#entries[this.#start]?.seq ?? seq))];
      // Entries leave from the front only, and seqs are dense, so the distance to the oldest is the index.
      if (entry !== undefined && entry.seq === seq && !entry.durable && entry.localDone && !entry.completed) {
        this.#finish(entry);
      }
    }
    this.#appliedCursor = Math.max(this.#appliedCursor, through);
  }

  #finishDurable(): void {
    const stable = Math.min(this.#floors.stable, this.#floors.applied, this.#localStable);
    let done = 0;
    for (const entry of this.#durable) {
      if (entry.seq > stable || !entry.localDone) break;
      done += 1;
    }
    if (done === 0) return;
    for (const entry of this.#durable.splice(0, done)) this.#finish(entry);
  }

  #finish(entry: Entry): void {
    if (entry.completed) return;
    entry.completed = true;
    this.#complete(entry);
    while (this.#start < this.#entries.length && this.#entries[this.#start]?.completed === true) {
      this.#start += 1;
    }
    if (this.#start > 1024 && this.#start * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#start);
      this.#start = 0;
    }
  }
}

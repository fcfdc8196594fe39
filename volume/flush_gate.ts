/**
 * Coalesces flushes without ever answering one too early. A flush covers only what was written before it began, so
 * a request that arrives while one runs must wait for the next; but all that arrive meanwhile share that next one.
 * Hence at most one running and one queued, however many ask.
 *
 * The first failure is kept for ever: Linux reports a lost writeback once, and a later fdatasync that succeeds says
 * nothing about the pages that were dropped (design §4.3 rule 7).
 */
import type { DiskFailure, DiskOutcome } from "./block_device.ts";

export class FlushGate {
  readonly #flush: () => Promise<DiskOutcome>;
  #running: Promise<DiskOutcome> | null = null;
  #queued: Promise<DiskOutcome> | null = null;
  #failure: DiskFailure | null = null;

  /** @param flush performs one flush; never called twice at a time */
  constructor(flush: () => Promise<DiskOutcome>) {
    this.#flush = flush;
  }

  get failure(): DiskFailure | null {
    return this.#failure;
  }

  /** A write was lost too: nothing is believed to be stable any more. */
  fail(failure: DiskFailure): void {
    this.#failure ??= failure;
  }

  request(): Promise<DiskOutcome> {
    if (this.#failure !== null) return Promise.resolve(this.#failure);
    // A queued one has not begun, so it covers this request too, even when the running one has just ended.
    if (this.#queued !== null) return this.#queued;
    if (this.#running === null) return this.#run();
    this.#queued = this.#running.then(() => {
      this.#queued = null;
      return this.#failure ?? this.#run();
    });
    return this.#queued;
  }

  #run(): Promise<DiskOutcome> {
    const running = this.#flush().then((outcome) => {
      this.#running = null;
      if (outcome !== null) this.#failure ??= outcome;
      return this.#failure ?? outcome;
    });
    this.#running = running;
    return running;
  }
}

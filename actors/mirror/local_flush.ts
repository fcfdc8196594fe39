/**
 * Making the local disks stable: one flush for all operations of a turn that wait for it, and none that nobody needs.
 *
 * What a flush covers is what was on the disk when it was issued, so each remembers how far that was; an operation that
 * came later needs another one, which may run beside the first (the device makes them one running and one waiting).
 */
import type { DiskFailure, DiskOutcome } from "../../volume/block_device.ts";
import type { Operation } from "./operation.ts";
import type { WriteWindow } from "./write_window.ts";

export interface LocalFlushHost {
  flushDisks(): Promise<DiskOutcome>;
  guard<A extends unknown[]>(work: (...args: A) => void): (...args: A) => void;
  /** Not called any more after `stop`. */
  stable(through: number): void;
  failed(failure: DiskFailure): void;
}

export class LocalFlush {
  readonly #window: WriteWindow<Operation>;
  readonly #host: LocalFlushHost;
  #issuedThrough: number;
  #stopped = false;

  constructor(window: WriteWindow<Operation>, { host, baseSeq }: { host: LocalFlushHost; baseSeq: number }) {
    this.#window = window;
    this.#host = host;
    this.#issuedThrough = baseSeq;
  }

  /** Flushes when something waits for it and no flush under way covers it. */
  pump(): void {
    if (this.#stopped || !this.#window.anyDurable) return;
    const through = this.#window.localDoneThrough;
    if (this.#window.awaitsStability({ after: this.#issuedThrough, through })) this.flush();
  }

  flush(): void {
    const through = this.#window.localDoneThrough;
    this.#issuedThrough = Math.max(this.#issuedThrough, through);
    void this.#host.flushDisks().then(this.#host.guard((outcome) => {
      if (this.#stopped) return;
      if (outcome === null) this.#host.stable(through);
      else this.#host.failed(outcome);
    }));
  }

  stop(): void {
    this.#stopped = true;
  }
}

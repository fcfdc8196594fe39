/**
 * The requests that were taken and are not answered yet: their bound, and the last look before each answer.
 *
 * An answer goes out only under a lease, and the lease is looked at here, after all the work and before nothing else:
 * a process that was stopped in between finds out in time (I1). Answers that are ready without a lease wait for it; if
 * somebody else has become source meanwhile they are dropped with the gate, and their clients never hear of them.
 */
import type { Extent } from "../../volume/block_device.ts";
import type { VolumeErrorKind, VolumeRequest } from "../../volume/volume_request.ts";

/** Over all doors (I8). At the bound the port says that it is not writable, and the doors stop reading. */
export const REQUESTS_MAX = 4_096;
export const REQUEST_BYTES_MAX = 256 * 1024 * 1024;

export interface OpenRequestsHost {
  /** Looks at the clocks itself. */
  leaseRuns(): boolean;
  /** A request was answered: there may be room again, or none left. */
  answered(): void;
}

/** An answer that waits for a lease. */
interface Ready {
  readonly request: VolumeRequest;
  readonly error: VolumeErrorKind | null;
  readonly found: { data?: Uint8Array; extents?: readonly Extent[] };
}

export class OpenRequests {
  readonly #host: OpenRequestsHost;
  #count = 0;
  #bytes = 0;
  #suspended: Ready[] = [];
  #dropped = false;

  constructor(host: OpenRequestsHost) {
    this.#host = host;
  }

  get count(): number {
    return this.#count;
  }
  /** Ready, and waiting for a lease. */
  get suspended(): number {
    return this.#suspended.length;
  }
  get full(): boolean {
    return this.#count >= REQUESTS_MAX || this.#bytes >= REQUEST_BYTES_MAX;
  }

  take(request: VolumeRequest): void {
    this.#count += 1;
    this.#bytes += request.length;
  }

  /** Answers now, or when a lease runs again. */
  answer(
    request: VolumeRequest,
    error: VolumeErrorKind | null,
    found: { data?: Uint8Array; extents?: readonly Extent[] } = NOTHING,
  ): void {
    if (!this.#dropped && !this.#host.leaseRuns()) {
      this.#suspended.push({ request, error, found });
      return;
    }
    this.#complete({ request, error, found });
  }

  /** An error needs no lease: it promises nothing. */
  fail(request: VolumeRequest): void {
    this.#complete({ request, error: "io_error", found: NOTHING });
  }

  /** What waits for a lease ends with errors (policy `onBlocked: error`). */
  failSuspended(): void {
    for (const { request } of this.#suspended.splice(0)) this.fail(request);
  }

  #complete({ request, error, found }: Ready): void {
    this.#count -= 1;
    this.#bytes -= request.length;
    request.complete(error, found.data, found.extents);
    this.#host.answered();
  }

  /** The lease runs again: what was ready goes out, in order. */
  leaseRenewed(): void {
    if (this.#suspended.length === 0 || !this.#host.leaseRuns()) return;
    const ready = this.#suspended;
    this.#suspended = [];
    for (const { request, error, found } of ready) this.answer(request, error, found);
  }

  /** The gate closed for good: what waits is never answered, what comes is refused at once. */
  drop(): void {
    this.#dropped = true;
    this.#suspended = [];
  }
}

const NOTHING = {};

/**
 * Counts what clients ask: requests and bytes of each kind exactly, durations by sample.
 *
 * A labelled counter of a metrics library costs more than the request it counts, so plain numbers are counted here
 * and handed on when somebody reads the metrics. Of the durations every sixteenth batch contributes its first
 * request: a histogram wants a fair sample, not everything, and a clock read and an object per request would be a
 * tenth of the cost of a small write.
 */
import type { Slab } from "../../runtime/slab.ts";
import type { Counter, Histogram } from "../../runtime/mod.ts";
import type { Extent } from "../../volume/block_device.ts";
import type { NbdMeter } from "../../volume/nbd/transmission.ts";
import type {
  VolumeErrorKind,
  VolumePort,
  VolumeRequest,
  VolumeRequestKind,
} from "../../volume/volume_request.ts";

export interface IoMetrics {
  /** Labels `volume`, `op`, `result` (`ok`, `error`). */
  readonly requests: Counter;
  /** Labels `volume`, `op`. */
  readonly bytes: Counter;
  /** Labels `stage`, `op`. */
  readonly durations: Histogram;
}

export const SAMPLED_BATCHES = 16;

interface Tally {
  succeeded: number;
  failed: number;
  bytes: number;
}

export class IoMeter {
  readonly #metrics: IoMetrics;
  readonly #now: () => number;
  readonly #tallies = new Map<string, Map<VolumeRequestKind, Tally>>();

  constructor(metrics: IoMetrics, now: () => number) {
    this.#metrics = metrics;
    this.#now = now;
  }

  /** Counts the replies of one export; all sessions of a volume share the numbers. */
  meterFor(volume: string): NbdMeter {
    let tallies = this.#tallies.get(volume);
    if (tallies === undefined) this.#tallies.set(volume, tallies = new Map());
    const counted = tallies;
    return {
      replied: (kind, { bytes, error }) => {
        let tally = counted.get(kind);
        if (tally === undefined) counted.set(kind, tally = { succeeded: 0, failed: 0, bytes: 0 });
        if (error === 0) {
          tally.succeeded += 1;
          tally.bytes += bytes;
        } else {
          tally.failed += 1;
        }
      },
    };
  }

  /** The port with its durations sampled. */
  timed(port: VolumePort): VolumePort {
    const now = this.#now;
    const { durations } = this.#metrics;
    let batches = 0;
    return {
      get writable() {
        return port.writable;
      },
      submit(batch) {
        const [first, ...rest] = batches++ % SAMPLED_BATCHES === 0 ? batch : [];
        if (first === undefined) return port.submit(batch);
        port.submit([new TimedRequest(first, { durations, now }), ...rest]);
      },
    };
  }

  /** Hands on what was counted since the last call. */
  collect(): void {
    for (const [volume, tallies] of this.#tallies) {
      for (const [op, tally] of tallies) {
        this.#metrics.requests.add(tally.succeeded, { volume, op, result: "ok" });
        this.#metrics.requests.add(tally.failed, { volume, op, result: "error" });
        this.#metrics.bytes.add(tally.bytes, { volume, op });
        tallies.set(op, { succeeded: 0, failed: 0, bytes: 0 });
      }
    }
  }
}

/** The request as it was, and the time until it was complete. */
class TimedRequest implements VolumeRequest {
  readonly kind: VolumeRequestKind;
  readonly volume: number;
  readonly offset: number;
  readonly length: number;
  readonly fua: boolean;
  readonly noHole: boolean;
  readonly fastZero: boolean;
  readonly payload: Uint8Array | null;
  readonly slab: Slab | null;
  replySpace?: () => Uint8Array;
  readonly #request: VolumeRequest;
  readonly #watch: { readonly durations: Histogram; readonly now: () => number };
  readonly #sinceMs: number;

  constructor(request: VolumeRequest, watch: { readonly durations: Histogram; readonly now: () => number }) {
    this.kind = request.kind;
    this.volume = request.volume;
    this.offset = request.offset;
    this.length = request.length;
    this.fua = request.fua;
    this.noHole = request.noHole;
    this.fastZero = request.fastZero ?? false;
    this.payload = request.payload;
    this.slab = request.slab;
    // What a read does not offer must not be offered here either.
    if (request.replySpace !== undefined) {
      this.replySpace = () => request.replySpace?.() ?? new Uint8Array(request.length);
    }
    this.#request = request;
    this.#watch = watch;
    this.#sinceMs = watch.now();
  }

  complete(error: VolumeErrorKind | null, data?: Uint8Array, extents?: readonly Extent[]): void {
    this.#watch.durations.observe((this.#watch.now() - this.#sinceMs) / 1_000, {
      stage: "total",
      op: this.kind,
    });
    this.#request.complete(error, data, extents);
  }
}

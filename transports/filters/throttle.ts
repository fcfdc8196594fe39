/** A filter: all streams of a transport together send no more than so many bytes a second, as over one thin wire. */
import type { Clock } from "../../runtime/clock.ts";
import type { Transport } from "../transport.ts";
import { filtered } from "./filtered.ts";
import { RatePace } from "./pace.ts";
import { PacedStream } from "./paced_stream.ts";

export interface ThrottleOptions {
  readonly clock: Clock;
  readonly bytesPerSecond: number;
  /** What may leave at once after a rest. */
  readonly burstBytes?: number;
}

export function throttled(transport: Transport, options: ThrottleOptions): Transport {
  const pace = new RatePace(options);
  return filtered(transport, (stream) => new PacedStream(stream, { clock: options.clock, pace }));
}

/**
 * A filter for tests and benches: what is sent arrives later, by a delay and its jitter, and the wire can be cut.
 *
 * Bytes are never lost or swapped on their own, because no reliable stream does that: what a bad network does to one
 * is to slow it down and to end it.
 */
import type { ByteStream } from "../../runtime/byte_stream.ts";
import type { Clock } from "../../runtime/clock.ts";
import { formatAddress } from "../address.ts";
import type { Transport } from "../transport.ts";
import { filtered } from "./filtered.ts";
import { DelayPace } from "./pace.ts";
import { PacedStream } from "./paced_stream.ts";

export interface FaultyOptions {
  readonly clock: Clock;
  /** One way. */
  readonly delayMs?: number;
  readonly jitterMs?: number;
  /** 0 ≤ x < 1; only jitter asks. */
  readonly random?: () => number;
}

export interface FaultyTransport {
  readonly transport: Transport;
  /** Ends every stream and lets no new one through, until `mend`. */
  cut(): void;
  mend(): void;
}

export function faulty(inner: Transport, options: FaultyOptions): FaultyTransport {
  const { clock, delayMs = 0, jitterMs = 0, random = () => 0.5 } = options;
  const live = new Set<ByteStream>();
  let isCut = false;
  const wrapped = filtered(inner, (stream) => {
    const pace = new DelayPace({ delayMs, jitterMs, random });
    const paced: PacedStream = new PacedStream(stream, { clock, pace, onEnded: () => live.delete(paced) });
    live.add(paced);
    return paced;
  });
  const transport: Transport = {
    ...wrapped,
    listen: (address, onStream, listenOptions) =>
      wrapped.listen(address, (stream) => {
        if (!isCut) return onStream(stream);
        live.delete(stream);
        stream.destroy("the wire is cut");
      }, listenOptions),
    connect: (address, connectOptions) =>
      isCut
        ? Promise.resolve({ kind: "unreachable", detail: `${formatAddress(address)}: the wire is cut` })
        : wrapped.connect(address, connectOptions),
  };
  return {
    transport,
    cut: () => {
      isCut = true;
      for (const stream of live) stream.destroy("the wire was cut");
      live.clear();
    },
    mend: () => {
      isCut = false;
    },
  };
}

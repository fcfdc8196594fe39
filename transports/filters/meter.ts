/**
 * A filter around the transports between nodes: counts the bytes that go and come, and is ignorant of the rest.
 *
 * Plain numbers are counted and handed on when somebody reads the metrics, since this is the data path of every leg.
 */
import type { ByteStream } from "../../runtime/byte_stream.ts";
import type { TransportTable } from "../schemes.ts";
import { filtered } from "./filtered.ts";

export class WireMeter {
  sentBytes = 0;
  receivedBytes = 0;

  /** Hands on what was counted since the last call. */
  collect(add: (bytes: number, labels: { readonly direction: "sent" | "received" }) => void): void {
    add(this.sentBytes, { direction: "sent" });
    add(this.receivedBytes, { direction: "received" });
    this.sentBytes = 0;
    this.receivedBytes = 0;
  }
}

/** The same transports with every stream metered. */
export function metered(table: TransportTable, meter: WireMeter): TransportTable {
  const wrap = (stream: ByteStream) => meteredStream(stream, meter);
  return new Map([...table].map(([scheme, transport]) => [scheme, filtered(transport, wrap)]));
}

function meteredStream(stream: ByteStream, meter: WireMeter): ByteStream {
  return {
    get remoteAddress() {
      return stream.remoteAddress;
    },
    provenNames: stream.provenNames,
    get queuedBytes() {
      return stream.queuedBytes;
    },
    start: (receiver) =>
      stream.start({
        space: () => receiver.space(),
        received: (length) => {
          meter.receivedBytes += length;
          receiver.received(length);
        },
        drained: () => receiver.drained(),
        ended: (end) => receiver.ended(end),
      }),
    send: (bytes, released) => {
      meter.sentBytes += bytes.length;
      return stream.send(bytes, released);
    },
    resume: () => stream.resume(),
    end: () => stream.end(),
    destroy: (reason) => stream.destroy(reason),
  };
}

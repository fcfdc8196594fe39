/**
 * A filter around the transports between nodes: counts the bytes that go and come, and is ignorant of the rest.
 *
 * Plain numbers are counted and handed on when somebody reads the metrics, since this is the data path of every leg.
 */
import type { ByteStream, StreamEnd } from "../../runtime/mod.ts";
import type { Scheme, TransportTable } from "../../transports/schemes.ts";
import { isStreamEnd, type Transport } from "../../transports/transport.ts";

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
  const meteredTable = new Map<Scheme, Transport>();
  for (const [scheme, transport] of table) {
    meteredTable.set(scheme, {
      scheme: transport.scheme,
      traits: transport.traits,
      listen: (address, onStream, options) =>
        transport.listen(address, (stream) => onStream(meteredStream(stream, meter)), options),
      connect: async (address, options) => {
        const outcome: ByteStream | StreamEnd = await transport.connect(address, options);
        return isStreamEnd(outcome) ? outcome : meteredStream(outcome, meter);
      },
    });
  }
  return meteredTable;
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

/**
 * A transport whose streams each pass through a filter: what every filter is made of.
 *
 * Filters know the contract and nothing else, so they stack on any transport and on each other. Both ends of a
 * connection are wrapped by whoever makes them; a filter that delays or limits does so for what its own side sends.
 */
import type { ByteStream } from "../../runtime/byte_stream.ts";
import { isStreamEnd, type Transport } from "../transport.ts";

/** The same transport with `wrap` around every stream, accepted or connected. */
export function filtered(transport: Transport, wrap: (stream: ByteStream) => ByteStream): Transport {
  return {
    scheme: transport.scheme,
    traits: transport.traits,
    listen: (address, onStream, options) =>
      transport.listen(address, (stream) => onStream(wrap(stream)), options),
    connect: async (address, options) => {
      const outcome = await transport.connect(address, options);
      return isStreamEnd(outcome) ? outcome : wrap(outcome);
    },
  };
}

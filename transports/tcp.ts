/**
 * TCP: the transport between nodes, and for NBD clients.
 *
 * No delay (frames are gathered by us, Nagle would only hold acks back) and keep-alive, so that a silent peer's
 * connection ends some day even when nobody sends. Neither is the failure detector: that is the heartbeat.
 * Socket buffers are left to the kernel's own tuning, which `node:net` cannot override.
 */
import type { AddressInfo } from "node:net";
import { invariant } from "../runtime/invariant.ts";
import { formatAddress } from "./address.ts";
import { listenOnSocket } from "./socket_listener.ts";
import { SocketStream } from "./socket_stream.ts";
import type { Transport } from "./transport.ts";

export const tcpTransport: Transport = {
  scheme: "tcp",
  traits: { ordered: true, reliable: true, bulk: true, local: false },

  listen(address, onStream, options) {
    invariant(address.scheme === "tcp", "the tcp transport gets tcp addresses");
    const plan = {
      address: formatAddress(address),
      target: { host: address.host, port: address.port, exclusive: true },
      bound: (server: { address(): AddressInfo | string | null }) => {
        const bound = server.address();
        invariant(bound !== null && typeof bound === "object", "a listening tcp server has an address");
        return formatAddress({ scheme: "tcp", host: bound.address, port: bound.port });
      },
      remoteAddressOf: (socket: { remoteAddress?: string; remotePort?: number }) =>
        formatAddress({
          scheme: "tcp",
          host: socket.remoteAddress ?? "unknown",
          port: socket.remotePort ?? 0,
        }),
      remedies: {
        address_in_use: "another port, or stop the process that listens there: ss -ltnp",
        not_permitted: "a port above 1023",
        not_usable: "an address of this host: ip address",
      },
    };
    return listenOnSocket(plan, onStream, options);
  },

  connect(address, options) {
    invariant(address.scheme === "tcp", "the tcp transport gets tcp addresses");
    return SocketStream.connect(
      { host: address.host, port: address.port },
      { remoteAddress: formatAddress(address), timeoutMs: options.timeoutMs },
    );
  },
};

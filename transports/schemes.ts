/**
 * Which transport serves which scheme: the one table to add a row to.
 *
 * `memory` has no row here: a simulated network is made per simulation and handed in as an extra transport.
 */
import type { TransportAddress } from "./address.ts";
import { tcpTransport } from "./tcp.ts";
import type { Transport } from "./transport.ts";
import { unixTransport } from "./unix.ts";

export type Scheme = TransportAddress["scheme"];
export type TransportTable = ReadonlyMap<Scheme, Transport>;

/** Every transport that works between real processes. */
export const TRANSPORTS: TransportTable = new Map<Scheme, Transport>([
  [tcpTransport.scheme, tcpTransport],
  [unixTransport.scheme, unixTransport],
]);

/** The transport of an address, or undefined when the table has none for its scheme. */
export function transportOf(
  address: TransportAddress,
  table: TransportTable = TRANSPORTS,
): Transport | undefined {
  return table.get(address.scheme);
}

/**
 * A transport makes byte streams: it listens at an address of its scheme and connects to one.
 *
 * That is the whole contract, because everything above (frames, handshakes, NBD sessions) is written once against
 * `ByteStream` and chooses a transport by the scheme of an address. What may go wrong in the world comes back as a
 * value: a refused connection is an ordinary evening for a failover system. Rejected: an event emitter per
 * listener and connection (its errors throw when nobody listens) and a session layer here (which would be the
 * protocol's business).
 *
 * The traits say what a protocol may rely on; all transports of today are ordered and reliable streams, and the
 * fields exist so that one that is not must say so before somebody mirrors a disk over it.
 */
import type { ByteStream, StreamEnd } from "../runtime/byte_stream.ts";
import type { TransportAddress } from "./address.ts";

export interface TransportTraits {
  /** Bytes arrive in the order in which they were sent. */
  readonly ordered: boolean;
  /** Bytes arrive once and unchanged, or the stream ends. */
  readonly reliable: boolean;
  /** Fit for volume data, not only for control messages. */
  readonly bulk: boolean;
  /** Never leaves this host. */
  readonly local: boolean;
}

/** Why an address cannot be listened on. A value: the owner decides whether to try again or to give up. */
export interface ListenFailure {
  readonly kind: "address_in_use" | "not_permitted" | "not_usable" | "failed";
  /** For people: "Cannot listen on …: … (try: …)". */
  readonly detail: string;
}

export interface Listener {
  /** The address in force, with the real port when 0 was asked for. */
  readonly address: string;
  /** No new streams from now on; streams already accepted live on. Callable twice. */
  close(): Promise<void>;
}

export interface ListenOptions {
  /** Open streams of this listener; further ones are closed as soon as they are accepted. Default 1,024. */
  readonly streamsMax?: number;
  /** Something is wrong with accepting (no more file descriptors, …); the listener goes on. */
  readonly onTrouble?: (detail: string) => void;
}

export interface ConnectOptions {
  /** From the call to the open stream; then the attempt ends as `timed_out`. */
  readonly timeoutMs: number;
  /** Whom the caller wants. A transport that proves names refuses everybody else. */
  readonly expectedName?: string;
}

export interface Transport {
  readonly scheme: TransportAddress["scheme"];
  readonly traits: TransportTraits;
  /**
   * Accepts streams at `address`. `onStream` gets each one, not yet started: nothing is read before `start`. Whoever
   * got a stream owns it and must start or destroy it. Never rejects.
   */
  listen(
    address: TransportAddress,
    onStream: (stream: ByteStream) => void,
    options?: ListenOptions,
  ): Promise<Listener | ListenFailure>;
  /** An open, not yet started stream, or why there is none. Never rejects. */
  connect(address: TransportAddress, options: ConnectOptions): Promise<ByteStream | StreamEnd>;
}

/** The number of open streams of a listener, unless it says otherwise: more than any cluster needs, less than hurts. */
export const STREAMS_MAX_DEFAULT = 1_024;

/** True when `connect` gave no stream. */
export function isStreamEnd(outcome: ByteStream | StreamEnd): outcome is StreamEnd {
  return "kind" in outcome;
}

/** True when `listen` gave no listener. */
export function isListenFailure(outcome: Listener | ListenFailure): outcome is ListenFailure {
  return "kind" in outcome;
}

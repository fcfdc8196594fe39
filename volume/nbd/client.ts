/**
 * An NBD client of our own: the demo writes through it and the tests measure with it, so that a newcomer needs no
 * other program.
 *
 * Several requests may be in flight; each answers by a promise of a value, errors included, because a failed disk
 * is no exception. Beyond `inFlightMax` requests wait here in order, and beyond `waitingMax` they are refused at
 * once (I8). When the connection ends, everything open ends as `disconnected`: then nobody knows whether a write
 * happened, and only the caller can decide what that means.
 */
import type { ByteStream, StreamEnd } from "../../runtime/byte_stream.ts";
import { ClientConnection } from "./client_connection.ts";
import type { ServedExport } from "./client_handshake.ts";
import type { StartTimer } from "./session.ts";

export interface NbdClientOptions {
  /** `""`: the server's default export. */
  readonly exportName: string;
  readonly startTimer: StartTimer;
  /** Default 10,000. */
  readonly handshakeMs?: number;
  /** Requests on the wire; default 64. */
  readonly inFlightMax?: number;
  /** Requests that wait for a place on the wire; default 4,096. */
  readonly waitingMax?: number;
  /** The connection ended, for whatever reason; also after `disconnect`. */
  readonly onEnded?: (end: StreamEnd) => void;
}

/** Why there is no client. */
export interface NbdConnectFailure {
  readonly kind: "refused" | "timed_out" | "disconnected" | "protocol";
  /** The server's `NBD_REP_ERR_…` for `refused`. */
  readonly reply: number | null;
  /** For people; the server's own words for `refused`. */
  readonly detail: string;
}

export interface NbdFailure {
  /** `server`: the server said no. `disconnected`: the outcome is unknown. `too_many`: it was never sent. */
  readonly kind: "server" | "disconnected" | "too_many";
  /** The protocol's error number for `server`, else 0. */
  readonly error: number;
  readonly detail: string;
}

export type NbdOutcome<T> = { readonly ok: true; readonly value: T } | {
  readonly ok: false;
  readonly failure: NbdFailure;
};

export interface BlockStatusExtent {
  readonly offset: number;
  readonly length: number;
  readonly hole: boolean;
  readonly zero: boolean;
}

/** Offsets and lengths are bytes. Reads and writes are at most `served.payloadBytesMax` long. */
export interface NbdClient {
  readonly served: ServedExport;
  /** Requests that have no outcome yet. */
  readonly pending: number;
  read(offset: number, length: number): Promise<NbdOutcome<Uint8Array>>;
  /** `bytes` must not change before the outcome. */
  write(offset: number, bytes: Uint8Array, options?: { fua?: boolean }): Promise<NbdOutcome<null>>;
  flush(): Promise<NbdOutcome<null>>;
  trim(offset: number, length: number, options?: { fua?: boolean }): Promise<NbdOutcome<null>>;
  writeZeroes(
    offset: number,
    length: number,
    options?: { fua?: boolean; noHole?: boolean; fastZero?: boolean },
  ): Promise<NbdOutcome<null>>;
  cache(offset: number, length: number): Promise<NbdOutcome<null>>;
  /** As much of the range as the server tells, from its start. */
  blockStatus(offset: number, length: number): Promise<NbdOutcome<readonly BlockStatusExtent[]>>;
  /** Says goodbye after what is in flight; resolves when the connection has ended. */
  disconnect(): Promise<void>;
  /** Ends at once. */
  destroy(reason: string): void;
}

/** Shakes hands over `stream`, which has not been started yet. */
export function connectNbd(
  stream: ByteStream,
  options: NbdClientOptions,
): Promise<
  { readonly ok: true; readonly client: NbdClient } | {
    readonly ok: false;
    readonly failure: NbdConnectFailure;
  }
> {
  return new Promise((resolve) => {
    const client = new ClientConnection(stream, options, {
      ready: () => resolve({ ok: true, client }),
      failed: (failure) => resolve({ ok: false, failure }),
    });
    client.start();
  });
}

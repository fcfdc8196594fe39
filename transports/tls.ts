/**
 * Mutual TLS 1.3: the transport between nodes of different machines. Each side shows a certificate of the cluster's
 * authority, and the stream says which names it proves (`provenNames`); that these are the name in the hello is
 * checked by whoever reads the hello.
 *
 * `node:tls` on both runtimes. Nobody but this file sees a connection whose certificate was not judged
 * (shown_certificate.ts), and the acceptor's verdict is the first thing it sends (tls_preface.ts). Sessions are never
 * resumed: a resumed one would rest on a certificate that may have expired since. Rejected: SNI and host names (an
 * address is where a node is, not who it is), pinned fingerprints (they make every renewal a change of configuration).
 */
import type { AddressInfo, Socket } from "node:net";
import tls from "node:tls";
import type { ByteStream, StreamEnd } from "../runtime/byte_stream.ts";
import { invariant } from "../runtime/invariant.ts";
import { formatAddress, type TlsAddress } from "./address.ts";
import { judgeCertificate, type ShownCertificate } from "./shown_certificate.ts";
import { listenFailure } from "./socket_listener.ts";
import { SocketStream } from "./socket_stream.ts";
import { endOfError } from "./stream_end.ts";
import { LINGER_MS } from "./stream_limits.ts";
import type { TlsCredentials } from "./tls_credentials.ts";
import { readPreface, writePreface } from "./tls_preface.ts";
import {
  type ConnectOptions,
  type Listener,
  type ListenFailure,
  type ListenOptions,
  STREAMS_MAX_DEFAULT,
  type Transport,
} from "./transport.ts";

/** From the accepted connection to the end of its TLS handshake. */
const HANDSHAKE_MS = 5_000;
/** Connections in their TLS handshake, beside the open streams; the kernel keeps further ones waiting or drops them. */
const HANDSHAKES_MAX = 64;
const VERSIONS = { minVersion: "TLSv1.3", maxVersion: "TLSv1.3" } as const;

export interface TlsOptions {
  /** A node that was called was refused, or has refused this one: at which address, and why. */
  readonly onRefused?: (address: string, reason: string) => void;
}

/** One per node, since it shows that node's certificate. */
export function tlsTransport(credentials: TlsCredentials, tlsOptions: TlsOptions = {}): Transport {
  const onRefused = tlsOptions.onRefused ?? (() => {});
  return {
    scheme: "tls",
    traits: { ordered: true, reliable: true, bulk: true, local: false },
    listen: (address, onStream, options) => {
      invariant(address.scheme === "tls", "the tls transport gets tls addresses");
      return listen({ address, credentials, onStream, options: options ?? {} });
    },
    connect: (address, options) => {
      invariant(address.scheme === "tls", "the tls transport gets tls addresses");
      return connect({ address, credentials, options, onRefused });
    },
  };
}

interface Listening {
  readonly address: TlsAddress;
  readonly credentials: TlsCredentials;
  readonly onStream: (stream: ByteStream) => void;
  readonly options: ListenOptions;
}

function listen({ address, credentials, onStream, options }: Listening): Promise<Listener | ListenFailure> {
  const streamsMax = options.streamsMax ?? STREAMS_MAX_DEFAULT;
  const text = formatAddress(address);
  const { promise, resolve } = Promise.withResolvers<Listener | ListenFailure>();
  let openStreams = 0;
  const serverOptions = {
    ...identity(credentials),
    requestCert: true,
    rejectUnauthorized: false,
    allowHalfOpen: true,
    handshakeTimeout: HANDSHAKE_MS,
  };
  const server = tls.createServer(serverOptions, (socket) => {
    const remoteAddress = remoteAddressOf(socket);
    const verdict = judgeCertificate(shownBy(socket), { nowMs: Date.now() });
    if (!verdict.ok) {
      options.onTrouble?.(`${text}: refused a connection from ${remoteAddress}: ${verdict.reason}`);
      return turnAway(socket, verdict.reason);
    }
    socket.write(writePreface({ kind: "accepted" }));
    if (openStreams >= streamsMax) {
      options.onTrouble?.(`${text}: closed a new connection, ${streamsMax} are open`);
      return void socket.on("error", () => socket.destroy()).destroySoon();
    }
    openStreams += 1;
    const secured = { socket, provenNames: verdict.names };
    onStream(new SocketStream({ remoteAddress, secured, onClosed: () => openStreams -= 1 }));
  });
  server.maxConnections = streamsMax + HANDSHAKES_MAX;
  server.on("tlsClientError", (error, socket) => {
    options.onTrouble?.(`${text}: no TLS with ${remoteAddressOf(socket)}: ${error.message}`);
    socket.destroy();
  });
  server.on("error", (error) => {
    if (server.listening) options.onTrouble?.(`${text}: ${error.message}`);
    else resolve(listenFailure({ address: text, remedies: REMEDIES }, error));
  });
  server.listen({ host: address.host, port: address.port, exclusive: true }, () => {
    const unsubscribe = credentials.subscribe(() => server.setSecureContext(identity(credentials)));
    const close = () => {
      unsubscribe();
      return new Promise<void>((closed) => server.listening ? server.close(() => closed()) : closed());
    };
    resolve({ address: boundAddress(server), close });
  });
  return promise;
}

const REMEDIES = {
  address_in_use: "another port, or stop the process that listens there: ss -ltnp",
  not_permitted: "a port above 1023",
  not_usable: "an address of this host: ip address",
} as const;

/** Says why, and closes; whoever does not listen to it is closed all the same. */
function turnAway(socket: tls.TLSSocket, reason: string): void {
  leave(socket, writePreface({ kind: "refused", reason }));
}

/** Ends in order: a connection that breaks off inside its handshake lingers at the other side. */
function leave(socket: tls.TLSSocket, lastWord?: Uint8Array): void {
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.on("error", () => socket.destroy());
  socket.on("close", () => clearTimeout(timer));
  socket.resume();
  if (lastWord === undefined) socket.end();
  else socket.end(lastWord);
}

function connect(attempt: {
  readonly address: TlsAddress;
  readonly credentials: TlsCredentials;
  readonly options: ConnectOptions;
  readonly onRefused: (address: string, reason: string) => void;
}): Promise<ByteStream | StreamEnd> {
  const { address, credentials, options, onRefused } = attempt;
  const text = formatAddress(address);
  const { promise, resolve } = Promise.withResolvers<ByteStream | StreamEnd>();
  const give = (outcome: ByteStream | StreamEnd) => {
    clearTimeout(timer);
    resolve(outcome);
  };
  const fail = (end: StreamEnd) => {
    give(end);
    socket.destroy();
  };
  const refuse = (reason: string) => {
    give({ kind: "refused", detail: `${text}: ${reason}` });
    onRefused(text, reason);
    leave(socket);
  };
  const timer = setTimeout(() => {
    fail({ kind: "timed_out", detail: `${text}: no connection within ${options.timeoutMs} ms` });
  }, options.timeoutMs);
  const connectOptions: tls.ConnectionOptions & { readonly allowHalfOpen: boolean } = {
    ...identity(credentials),
    host: address.host,
    port: address.port,
    allowHalfOpen: true,
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  };
  const socket = tls.connect(connectOptions);
  const onError = (error: Error) => fail(endOfError(error, { address: text, open: false }));
  const onClose = () => fail({ kind: "failed", detail: `${text}: closed before anybody was let in` });
  socket.on("error", onError);
  socket.on("end", onClose);
  socket.on("close", onClose);
  socket.on("secureConnect", () => {
    const verdict = judgeCertificate(shownBy(socket), {
      nowMs: Date.now(),
      expectedName: options.expectedName,
    });
    if (!verdict.ok) return refuse(verdict.reason);
    let heard = Buffer.alloc(0);
    const onReadable = () => {
      const more: Buffer | null = socket.read();
      if (more !== null) heard = Buffer.concat([heard, more]);
      const reading = readPreface(heard);
      if (reading.kind === "incomplete") return;
      if (reading.kind === "not_a_preface") return refuse("what answers there is no node of Holdfast");
      if (reading.preface.kind === "refused") {
        return refuse(`this node was refused: ${reading.preface.reason}`);
      }
      socket.off("readable", onReadable).off("error", onError).off("end", onClose).off("close", onClose);
      const secured = { socket, provenNames: verdict.names };
      const stream = new SocketStream({ remoteAddress: text, secured });
      if (reading.length < heard.byteLength) socket.unshift(heard.subarray(reading.length));
      give(stream);
    };
    socket.on("readable", onReadable);
  });
  return promise;
}

function identity(credentials: TlsCredentials): tls.SecureContextOptions {
  const { ca, cert, key } = credentials.material;
  return { ca, cert, key, ...VERSIONS };
}

function shownBy(socket: tls.TLSSocket): ShownCertificate {
  const shown: Partial<tls.PeerCertificate> = socket.getPeerCertificate() ?? {};
  const commonName = shown.subject?.CN;
  return {
    authorized: socket.authorized,
    fault: String(socket.authorizationError ?? ""),
    commonName: Array.isArray(commonName) ? commonName[0] : commonName,
    alternativeNames: shown.subjectaltname,
    validFrom: shown.valid_from,
    validTo: shown.valid_to,
  };
}

function remoteAddressOf(socket: Socket): string {
  const { remoteAddress = "unknown", remotePort = 0 } = socket;
  return formatAddress({ scheme: "tls", host: remoteAddress, port: remotePort });
}

function boundAddress(server: { address(): AddressInfo | string | null }): string {
  const bound = server.address();
  invariant(bound !== null && typeof bound === "object", "a listening tls server has an address");
  return formatAddress({ scheme: "tls", host: bound.address, port: bound.port });
}

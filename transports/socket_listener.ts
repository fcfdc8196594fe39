/**
 * Accepting: what `tcp` and `unix` share of listening with `node:net`.
 *
 * A server is told to accept paused sockets and never to read from them; each becomes a `SocketStream`. The number
 * of open streams is counted here and not by `maxConnections`, since the sockets the server knows lose their
 * handles at once.
 */
import net from "node:net";
import type { ByteStream } from "../runtime/byte_stream.ts";
import { SocketStream } from "./socket_stream.ts";
import { errorCode } from "./stream_end.ts";
import { type Listener, type ListenFailure, type ListenOptions, STREAMS_MAX_DEFAULT } from "./transport.ts";

/** What differs between the socket families. */
export interface ListenPlan {
  /** For people, as asked for. */
  readonly address: string;
  readonly target: net.ListenOptions;
  /** The address in force, once it listens. */
  readonly bound: (server: net.Server) => string;
  readonly remoteAddressOf: (socket: net.Socket) => string;
  readonly remedies: Readonly<Partial<Record<ListenFailure["kind"], string>>>;
}

const KIND_BY_CODE: Readonly<Record<string, ListenFailure["kind"]>> = {
  EADDRINUSE: "address_in_use",
  EACCES: "not_permitted",
  EPERM: "not_permitted",
  EADDRNOTAVAIL: "not_usable",
  EINVAL: "not_usable", // what Deno says for an address of another host
  ENOTFOUND: "not_usable",
  ENOENT: "not_usable",
  ENOTDIR: "not_usable",
  ENAMETOOLONG: "not_usable",
};

/** Listens by the plan. Never rejects. */
export function listenOnSocket(
  plan: ListenPlan,
  onStream: (stream: ByteStream) => void,
  options: ListenOptions = {},
): Promise<Listener | ListenFailure> {
  const streamsMax = options.streamsMax ?? STREAMS_MAX_DEFAULT;
  const { promise, resolve } = Promise.withResolvers<Listener | ListenFailure>();
  let openStreams = 0;
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
    if (openStreams >= streamsMax) {
      socket.destroy();
      options.onTrouble?.(`${plan.address}: closed a new connection, ${streamsMax} are open`);
      return;
    }
    const remoteAddress = plan.remoteAddressOf(socket);
    openStreams += 1;
    onStream(new SocketStream({ remoteAddress, accepted: socket, onClosed: () => openStreams -= 1 }));
  });
  server.on("error", (error) => {
    if (server.listening) options.onTrouble?.(`${plan.address}: ${error.message}`);
    else resolve(listenFailure(plan, error));
  });
  server.listen(
    plan.target,
    () => resolve({ address: plan.bound(server), close: () => closeServer(server) }),
  );
  return promise;
}

function closeServer(server: net.Server): Promise<void> {
  return new Promise((resolve) => server.listening ? server.close(() => resolve()) : resolve());
}

/** The failure that an error of `listen` means. */
export function listenFailure(plan: Pick<ListenPlan, "address" | "remedies">, error: Error): ListenFailure {
  const kind = KIND_BY_CODE[errorCode(error)] ?? "failed";
  const remedy = plan.remedies[kind] ?? "another address";
  return { kind, detail: `Cannot listen on ${plan.address}: ${error.message} (try: ${remedy})` };
}

/**
 * Reading from a TLS socket that can be stopped: the chunks and the end of `node:tls`, held back while stopped.
 *
 * The obvious way, `pause()` on the socket, loses the end of a connection under Deno when it comes while TLS is told
 * not to read: a node would wait for ever for a peer that is long gone. So TLS flows all the time and the TCP handle
 * beneath it is stopped instead, on both runtimes. What TLS had already taken, at most one read of 64 KiB, is held
 * here. Rejected: TLS over a stream of our own (it loses the end in the same way, and half of the speed).
 */
import type { TLSSocket } from "node:tls";
import { invariant } from "../runtime/invariant.ts";

export interface TlsReader {
  /** Bytes for keeps. Not called while stopped. */
  chunk(bytes: Uint8Array): void;
  /** After the last chunk. */
  ended(): void;
}

/** What both runtimes keep beneath a TLS handle; known by use, not by type. */
interface TcpHandle {
  readStart(): unknown;
  readStop(): unknown;
}

export class TlsReading {
  readonly #socket: TLSSocket;
  readonly #reader: TlsReader;
  readonly #held: Uint8Array[] = [];
  #stopped = true;
  #ended = false;

  /** Stopped until `resume`. */
  constructor(socket: TLSSocket, reader: TlsReader) {
    this.#socket = socket;
    this.#reader = reader;
    this.#tcpHandle()?.readStop();
    socket.on("data", (chunk: Uint8Array) => {
      this.#held.push(chunk);
      this.#give();
    });
    socket.on("end", () => {
      this.#ended = true;
      this.#give();
    });
    socket.resume();
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#tcpHandle()?.readStop();
  }

  resume(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#tcpHandle()?.readStart();
    this.#give();
  }

  #give(): void {
    while (!this.#stopped && this.#held.length > 0) this.#reader.chunk(this.#held.shift() as Uint8Array);
    if (this.#stopped || !this.#ended) return;
    this.#ended = false;
    this.#reader.ended();
  }

  /** Undefined once the socket is closed. */
  #tcpHandle(): TcpHandle | undefined {
    const { _handle: handle } = this.#socket as unknown as { _handle: { _parent?: TcpHandle } | null };
    if (handle === null || handle === undefined) return undefined;
    invariant(handle._parent !== undefined, "a TLS handle knows the TCP handle beneath it");
    return handle._parent;
  }
}

/**
 * A `ByteStream` over one `node:net` socket, the same for TCP and Unix sockets and on both runtimes.
 *
 * Reading: `onread` lets the kernel's bytes land in the receiver's own space. Its buffer is asked for right after
 * each read, also when reading has just been stopped, so a stopped stream lends a small spill of its own instead:
 * the first read after `resume()` lands there and is copied, at most 16 KiB per stop. An accepted socket was made
 * without `onread`, hence its handle is taken out of it (it was never started, `pauseOnConnect`) and wrapped anew.
 * A socket that is secured by TLS has no handle to read from: its chunks become the spill instead (tls_reading.ts).
 * Rejected: `data` events for all (one fresh buffer and one copy per read), and `Deno.Conn` under Deno (a second
 * implementation for no gain: measured equal).
 *
 * Writing: all that a turn queued goes out in a microtask at its end as one gathered write, and at most one write is
 * under way, so that what queues up meanwhile is gathered too (outgoing_queue.ts).
 *
 * Ending: `end()` and the peer's end both let what is queued leave and then wait a bounded time for the other side's
 * FIN; closing with unread bytes in the kernel would send a reset that can destroy the last answer on its way.
 * One difference is the runtime's: when the peer of a TCP stream ends while a write is under way, Deno fails that write
 * (EPIPE), so the end is a `reset` there, and what did not fit into the kernel is lost.
 */
import net from "node:net";
import type { TLSSocket } from "node:tls";
import type { ByteStream, StreamEnd, StreamReceiver } from "../runtime/byte_stream.ts";
import { invariant } from "../runtime/invariant.ts";
import { type Slab, SlabPool } from "../runtime/slab.ts";
import { type Batch, OutgoingQueue, STAGING_BYTES } from "./outgoing_queue.ts";
import { endOfError } from "./stream_end.ts";
import { HIGH_WATER_BYTES, LINGER_MS, LOW_WATER_BYTES } from "./stream_limits.ts";
import { TlsReading } from "./tls_reading.ts";

const SPILL_BYTES = 16 * 1024;
const KEEP_ALIVE_DELAY_MS = 10_000;
const staging = new SlabPool({ slabBytes: STAGING_BYTES, idleMax: 8 });

/** `handle` is what makes `node:net` wrap an existing connection; it is documented by use, not by type. */
type SocketOptions = Omit<NonNullable<ConstructorParameters<typeof net.Socket>[0]>, "handle"> & {
  handle?: object;
  manualStart?: boolean;
};
interface AcceptedSocket {
  _handle: object | null;
}

export class SocketStream implements ByteStream {
  readonly remoteAddress: string;
  readonly provenNames: readonly string[] | undefined;
  readonly #socket: net.Socket;
  /** What is stopped and resumed: the socket's own reading, or that of TLS. */
  readonly #reading: { stop(): void; resume(): void };
  readonly #queue = new OutgoingQueue();
  readonly #onClosed: () => void;
  /** Where the next read lands. */
  #lent: Uint8Array;
  #spill: Uint8Array;
  /** Bytes of the spill that the receiver has not been given: [from, to). */
  #spilledFrom = 0;
  #spilledTo = 0;
  #receiver: StreamReceiver | null = null;
  #open: boolean;
  #paused = true;
  /** The one gathered write under way, and the slab with its small pieces. */
  #batch: Batch | null = null;
  #staged: Slab | null = null;
  #flushPosted = false;
  #owesDrained = false;
  /** Nothing more is accepted for sending; what is queued still leaves. */
  #ending = false;
  /** No more calls to the receiver but the last. */
  #over = false;
  #closed = false;
  #end: StreamEnd | null = null;
  #lingerTimer: ReturnType<typeof setTimeout> | null = null;

  /**
   * @param options.accepted a socket that was accepted paused and never started; its handle moves into this stream
   * @param options.secured an open TLS socket with half-open ends, and whom the other side proved to be
   */
  constructor(options: {
    remoteAddress: string;
    accepted?: net.Socket;
    secured?: { readonly socket: TLSSocket; readonly provenNames: readonly string[] };
    onClosed?: () => void;
  }) {
    const { accepted, secured } = options;
    this.remoteAddress = options.remoteAddress;
    this.provenNames = secured?.provenNames;
    this.#onClosed = options.onClosed ?? (() => {});
    this.#spill = new Uint8Array(secured === undefined ? SPILL_BYTES : 0);
    this.#lent = this.#spill;
    this.#open = accepted !== undefined || secured !== undefined;
    this.#socket = secured?.socket ?? this.#plainSocket(accepted);
    this.#reading = secured === undefined ? this.#plainReading() : new TlsReading(secured.socket, {
      chunk: (bytes) => this.#tookChunk(bytes),
      ended: () => this.#peerEnded(),
    });
    this.#socket.on("error", (error) => this.#failed(error));
    this.#socket.on("close", () => this.#socketClosed());
    if (this.#open) this.#configure();
  }

  /** An open stream to `target`, or why there is none. */
  static connect(
    target: net.NetConnectOpts,
    options: { remoteAddress: string; timeoutMs: number },
  ): Promise<ByteStream | StreamEnd> {
    const { promise, resolve } = Promise.withResolvers<ByteStream | StreamEnd>();
    const stream: SocketStream = new SocketStream({
      remoteAddress: options.remoteAddress,
      onClosed: () => {
        clearTimeout(timer);
        resolve(
          stream.#end ?? { kind: "failed", detail: `${options.remoteAddress}: closed while connecting` },
        );
      },
    });
    const timer = setTimeout(() => {
      if (!stream.#open) {
        stream.#finish({
          kind: "timed_out",
          detail: `${options.remoteAddress}: no connection within ${options.timeoutMs} ms`,
        });
      }
    }, options.timeoutMs);
    stream.#socket.connect(target, () => {
      clearTimeout(timer);
      if (stream.#over) return;
      stream.#open = true;
      stream.#configure();
      resolve(stream);
    });
    return promise;
  }

  get queuedBytes(): number {
    return this.#queue.byteLength + (this.#batch?.byteLength ?? 0);
  }

  start(receiver: StreamReceiver): void {
    invariant(this.#receiver === null, "a stream is started once");
    this.#receiver = receiver;
    queueMicrotask(() => {
      if (this.#closed) this.#tellEnded();
      else this.#continueReading();
    });
  }

  send(bytes: Uint8Array, released?: () => void): boolean {
    if (this.#over || this.#ending) {
      if (released !== undefined) queueMicrotask(released);
      return true;
    }
    this.#queue.push(bytes, released);
    this.#postFlush();
    if (this.queuedBytes < HIGH_WATER_BYTES) return true;
    this.#owesDrained = true;
    return false;
  }

  resume(): void {
    if (this.#paused && !this.#over) queueMicrotask(() => this.#continueReading());
  }

  end(): void {
    if (this.#over || this.#ending) return;
    this.#beginEnding({ kind: "closed_here", detail: `${this.remoteAddress}: ended here` });
  }

  destroy(reason: string): void {
    this.#finish({ kind: "closed_here", detail: `${this.remoteAddress}: ${reason}` });
  }

  /** One that reads into what is lent, over the handle of `accepted` or, to be connected, over none. */
  #plainSocket(accepted: net.Socket | undefined): net.Socket {
    const options: SocketOptions = {
      allowHalfOpen: true,
      manualStart: true,
      onread: { buffer: () => this.#lent, callback: (length) => this.#took(length) },
    };
    if (accepted !== undefined) options.handle = detachHandle(accepted);
    return new net.Socket(options as net.SocketConstructorOpts);
  }

  #plainReading(): { stop(): void; resume(): void } {
    this.#socket.pause();
    this.#socket.on("end", () => this.#peerEnded());
    // It is stopped by what `onread` answers, and only ever resumed from here.
    return { stop: () => {}, resume: () => void this.#socket.resume() };
  }

  #configure(): void {
    this.#socket.setNoDelay(true);
    this.#socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
  }

  // Reading.

  /** `node:net` put `length` bytes into what was lent. False stops reading. */
  #took(length: number): boolean {
    if (this.#over || this.#ending) return true;
    if (this.#lent === this.#spill) {
      this.#spilledTo = length;
      return this.#deliverSpilled();
    }
    this.#receiver?.received(length);
    return this.#lendNext();
  }

  /** TLS put its bytes into a chunk of its own, which becomes the spill. */
  #tookChunk(chunk: Uint8Array): void {
    if (this.#over || this.#ending) return;
    this.#spill = chunk;
    this.#spilledFrom = 0;
    this.#spilledTo = chunk.byteLength;
    if (!this.#deliverSpilled()) this.#reading.stop();
  }

  /** Gives the spilled bytes away, as much as the receiver has space for; then lends space for the next read. */
  #deliverSpilled(): boolean {
    const receiver = this.#receiver;
    while (this.#spilledFrom < this.#spilledTo && receiver !== null) {
      const space = receiver.space();
      if (space === null) break;
      const length = Math.min(space.byteLength, this.#spilledTo - this.#spilledFrom);
      space.set(this.#spill.subarray(this.#spilledFrom, this.#spilledFrom + length));
      this.#spilledFrom += length;
      receiver.received(length);
      if (this.#over || this.#ending) return true;
    }
    if (this.#spilledFrom < this.#spilledTo || receiver === null) {
      this.#paused = true;
      return false;
    }
    this.#spilledFrom = 0;
    this.#spilledTo = 0;
    return this.#lendNext();
  }

  #lendNext(): boolean {
    if (this.#over || this.#ending) {
      this.#lent = this.#spill;
      return true;
    }
    const space = this.#receiver?.space() ?? null;
    this.#paused = space === null;
    this.#lent = space ?? this.#spill;
    return space !== null;
  }

  /** After `start` and `resume`. What was spilled comes first; the read after it lands in the spill again. */
  #continueReading(): void {
    if (this.#over || this.#ending || !this.#paused) return;
    if (this.#spilledFrom < this.#spilledTo && !this.#deliverSpilled()) return;
    if (this.#over || this.#ending) return;
    this.#paused = false;
    this.#lent = this.#spill;
    this.#reading.resume();
  }

  #peerEnded(): void {
    if (this.#over || this.#ending) return;
    this.#beginEnding({ kind: "ended_by_peer", detail: `${this.remoteAddress}: ended by the other side` });
  }

  // Writing.

  #postFlush(): void {
    if (this.#flushPosted || this.#batch !== null) return;
    this.#flushPosted = true;
    queueMicrotask(() => {
      this.#flushPosted = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#over || this.#batch !== null) return;
    if (this.#queue.isEmpty) {
      if (this.#ending) this.#socket.end();
      return;
    }
    const slab = staging.take();
    const batch = this.#queue.takeBatch(slab.bytes);
    this.#batch = batch;
    this.#staged = slab;
    const written = (error?: Error | null) => {
      if (this.#batch !== batch) return;
      this.#releaseBatch();
      if (error === undefined || error === null) this.#flushedOne();
    };
    const last = batch.pieces.length - 1;
    if (last > 0) this.#socket.cork();
    for (let index = 0; index < last; index += 1) this.#socket.write(batch.pieces[index] as Uint8Array);
    this.#socket.write(batch.pieces[last] ?? slab.bytes.subarray(0, 0), written);
    if (last > 0) this.#socket.uncork();
    for (const released of batch.releasedNow) released();
  }

  /** The kernel has the batch, or will never ask for it again. */
  #releaseBatch(): void {
    const batch = this.#batch;
    this.#batch = null;
    this.#staged?.release();
    this.#staged = null;
    for (const released of batch?.releasedLater ?? []) released();
  }

  #flushedOne(): void {
    this.#flush();
    if (this.#owesDrained && !this.#over && this.queuedBytes < LOW_WATER_BYTES) {
      this.#owesDrained = false;
      this.#receiver?.drained();
    }
  }

  // Ending.

  #beginEnding(end: StreamEnd): void {
    this.#ending = true;
    this.#end = end;
    this.#lent = this.#spill;
    this.#spilledFrom = 0;
    this.#spilledTo = 0;
    this.#lingerTimer = setTimeout(() => {
      this.#finish({
        kind: "timed_out",
        detail: `${this.remoteAddress}: could not be ended within ${LINGER_MS} ms`,
      });
    }, LINGER_MS);
    this.#reading.resume();
    this.#postFlush();
  }

  #failed(error: Error): void {
    this.#finish(endOfError(error, { address: this.remoteAddress, open: this.#open }));
  }

  /** Ends now: what is queued is dropped, and `ended` follows when the socket is closed. */
  #finish(end: StreamEnd): void {
    if (this.#over) return;
    this.#over = true;
    // Once everything queued has left, how the other side closes its half changes nothing for us.
    if (this.#end === null || this.queuedBytes > 0) this.#end = end;
    for (const released of this.#queue.clear()) queueMicrotask(released);
    this.#socket.destroy();
  }

  #socketClosed(): void {
    this.#finish({ kind: "failed", detail: `${this.remoteAddress}: closed without a reason` });
    if (this.#lingerTimer !== null) clearTimeout(this.#lingerTimer);
    this.#closed = true;
    this.#releaseBatch();
    this.#onClosed();
    // Later, so that the callbacks of what was dropped have come before the last call.
    queueMicrotask(() => this.#tellEnded());
  }

  #tellEnded(): void {
    const receiver = this.#receiver;
    if (receiver === null || this.#end === null) return;
    const end = this.#end;
    this.#end = null;
    receiver.ended(end);
  }
}

/** The connection itself out of the socket that accepted it; the empty socket tells its server that it is gone. */
function detachHandle(accepted: net.Socket): object {
  const holder = accepted as unknown as AcceptedSocket;
  const handle = holder._handle;
  invariant(
    handle !== null && typeof handle === "object",
    "an accepted socket has a handle until it is detached",
  );
  holder._handle = null;
  accepted.destroy();
  return handle;
}

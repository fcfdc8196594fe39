/**
 * The one connection of an NBD client (client.ts): handshake, requests on the wire, and what waits for a place there.
 */
import { invariant } from "../../runtime/invariant.ts";
import type { ByteStream, StreamEnd, StreamReceiver } from "../../runtime/byte_stream.ts";
import type {
  BlockStatusExtent,
  NbdClient,
  NbdClientOptions,
  NbdConnectFailure,
  NbdFailure,
  NbdOutcome,
} from "./client.ts";
import { ClientHandshake, type ServedExport } from "./client_handshake.ts";
import { ClientReplyDecoder, type ReplySink } from "./client_reply_decoder.ts";
import { putUint64 } from "./option_reply.ts";
import {
  BLOCK_STATE,
  COMMAND,
  COMMAND_FLAG,
  REQUEST_HEADER_BYTES,
  REQUEST_MAGIC,
} from "./protocol_numbers.ts";

const RECEIVE_BYTES = 256 * 1024;

/** One request on the wire or waiting for it. */
interface PendingRequest {
  readonly command: number;
  readonly flags: number;
  readonly offset: number;
  readonly length: number;
  readonly payload: Uint8Array | null;
  /** read: filled as pieces arrive. */
  readonly data: Uint8Array | null;
  dataBytes: number;
  extents: BlockStatusExtent[];
  failure: NbdFailure | null;
  readonly settle: (failure: NbdFailure | null) => void;
}

export class ClientConnection implements NbdClient, StreamReceiver, ReplySink {
  readonly #stream: ByteStream;
  readonly #options: NbdClientOptions;
  readonly #outcome: { ready(): void; failed(failure: NbdConnectFailure): void };
  readonly #space = new Uint8Array(RECEIVE_BYTES);
  readonly #decoder = new ClientReplyDecoder(this);
  readonly #inFlight = new Map<number, PendingRequest>();
  #waiting: PendingRequest[] = [];
  #handshake: ClientHandshake | null;
  #served: ServedExport | null = null;
  #cancelTimer: () => void = () => {};
  #lastHandle = 0;
  #end: StreamEnd | null = null;
  #leaving = false;
  #onGone: (() => void)[] = [];

  constructor(
    stream: ByteStream,
    options: NbdClientOptions,
    outcome: { ready(): void; failed(failure: NbdConnectFailure): void },
  ) {
    this.#stream = stream;
    this.#options = options;
    this.#outcome = outcome;
    this.#handshake = new ClientHandshake(options.exportName);
  }

  get served(): ServedExport {
    invariant(this.#served !== null, "a client is handed out after the handshake");
    return this.#served;
  }

  get pending(): number {
    return this.#inFlight.size + this.#waiting.length;
  }

  start(): void {
    const handshakeMs = this.#options.handshakeMs ?? 10_000;
    this.#cancelTimer = this.#options.startTimer(handshakeMs, () => {
      this.#giveUp({ kind: "timed_out", reply: null, detail: `no handshake within ${handshakeMs} ms` });
    });
    this.#stream.start(this);
  }

  // ---- requests ----

  async read(offset: number, length: number): Promise<NbdOutcome<Uint8Array>> {
    const data = new Uint8Array(length);
    const failure = await this.#submit({ command: COMMAND.READ, offset, length, data });
    return failure === null ? { ok: true, value: data } : { ok: false, failure };
  }

  write(offset: number, bytes: Uint8Array, options: { fua?: boolean } = {}): Promise<NbdOutcome<null>> {
    const flags = options.fua ? COMMAND_FLAG.FUA : 0;
    return this.#done({ command: COMMAND.WRITE, flags, offset, length: bytes.length, payload: bytes });
  }

  flush(): Promise<NbdOutcome<null>> {
    return this.#done({ command: COMMAND.FLUSH, offset: 0, length: 0 });
  }

  trim(offset: number, length: number, options: { fua?: boolean } = {}): Promise<NbdOutcome<null>> {
    return this.#done({ command: COMMAND.TRIM, flags: options.fua ? COMMAND_FLAG.FUA : 0, offset, length });
  }

  writeZeroes(
    offset: number,
    length: number,
    options: { fua?: boolean; noHole?: boolean; fastZero?: boolean } = {},
  ): Promise<NbdOutcome<null>> {
    const flags = (options.fua ? COMMAND_FLAG.FUA : 0) | (options.noHole ? COMMAND_FLAG.NO_HOLE : 0) |
      (options.fastZero ? COMMAND_FLAG.FAST_ZERO : 0);
    return this.#done({ command: COMMAND.WRITE_ZEROES, flags, offset, length });
  }

  cache(offset: number, length: number): Promise<NbdOutcome<null>> {
    return this.#done({ command: COMMAND.CACHE, offset, length });
  }

  async blockStatus(offset: number, length: number): Promise<NbdOutcome<readonly BlockStatusExtent[]>> {
    const extents: BlockStatusExtent[] = [];
    const failure = await this.#submit({ command: COMMAND.BLOCK_STATUS, offset, length, extents });
    return failure === null ? { ok: true, value: extents } : { ok: false, failure };
  }

  disconnect(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#end !== null) return resolve();
      this.#onGone.push(resolve);
      this.#leaving = true;
      this.#leaveWhenIdle();
    });
  }

  destroy(reason: string): void {
    this.#stream.destroy(reason);
  }

  async #done(
    request: { command: number; flags?: number; offset: number; length: number; payload?: Uint8Array },
  ): Promise<NbdOutcome<null>> {
    const failure = await this.#submit(request);
    return failure === null ? { ok: true, value: null } : { ok: false, failure };
  }

  #submit(request: {
    command: number;
    flags?: number;
    offset: number;
    length: number;
    payload?: Uint8Array;
    data?: Uint8Array;
    extents?: BlockStatusExtent[];
  }): Promise<NbdFailure | null> {
    return new Promise((settle) => {
      const pending: PendingRequest = {
        command: request.command,
        flags: request.flags ?? 0,
        offset: request.offset,
        length: request.length,
        payload: request.payload ?? null,
        data: request.data ?? null,
        dataBytes: 0,
        extents: request.extents ?? [],
        failure: null,
        settle,
      };
      if (this.#end !== null || this.#leaving) return settle(disconnected(this.#end));
      if (this.#inFlight.size < (this.#options.inFlightMax ?? 64)) this.#send(pending);
      else if (this.#waiting.length < (this.#options.waitingMax ?? 4096)) this.#waiting.push(pending);
      else settle({ kind: "too_many", error: 0, detail: "too many requests wait for the server" });
    });
  }

  /** "Request message". */
  #send(request: PendingRequest): void {
    this.#lastHandle += 1;
    this.#inFlight.set(this.#lastHandle, request);
    this.#sendHeader(request, this.#lastHandle);
    if (request.payload !== null) this.#stream.send(request.payload);
  }

  #sendHeader(
    request: { command: number; flags: number; offset: number; length: number },
    handle: number,
  ): void {
    const header = new Uint8Array(REQUEST_HEADER_BYTES);
    const view = new DataView(header.buffer);
    view.setUint32(0, REQUEST_MAGIC);
    view.setUint16(4, request.flags);
    view.setUint16(6, request.command);
    putUint64(view, 8, handle);
    putUint64(view, 16, request.offset);
    view.setUint32(24, request.length);
    this.#stream.send(header);
  }

  #leaveWhenIdle(): void {
    if (!this.#leaving || this.pending > 0 || this.#end !== null) return;
    this.#sendHeader({ command: COMMAND.DISC, flags: 0, offset: 0, length: 0 }, 0);
    this.#stream.end();
  }

  // ---- the stream ----

  space(): Uint8Array {
    return this.#space;
  }

  received(length: number): void {
    const bytes = this.#space.subarray(0, length);
    if (this.#handshake === null) return this.#decode(bytes);
    for (const effect of this.#handshake.received(bytes)) {
      switch (effect.kind) {
        case "send":
          this.#stream.send(effect.bytes);
          break;
        case "failed":
          this.#giveUp({
            kind: effect.reply === null ? "protocol" : "refused",
            reply: effect.reply,
            detail: effect.detail,
          });
          break;
        case "ready":
          this.#cancelTimer();
          this.#handshake = null;
          this.#served = effect.served;
          this.#outcome.ready();
          this.#decode(effect.rest);
          break;
      }
    }
  }

  drained(): void {
    // Back-pressure is the bound on requests in flight: there is nothing else that could be stopped.
  }

  ended(end: StreamEnd): void {
    this.#end = end;
    this.#cancelTimer();
    if (this.#handshake !== null) {
      this.#outcome.failed({ kind: "disconnected", reply: null, detail: end.detail });
      this.#handshake = null;
    }
    const lost = [...this.#inFlight.values(), ...this.#waiting];
    this.#inFlight.clear();
    this.#waiting = [];
    for (const request of lost) request.settle(disconnected(end));
    for (const gone of this.#onGone.splice(0)) gone();
    this.#options.onEnded?.(end);
  }

  #decode(bytes: Uint8Array): void {
    if (!this.#decoder.received(bytes)) this.#stream.destroy("the server broke the NBD protocol");
  }

  #giveUp(failure: NbdConnectFailure): void {
    if (this.#handshake === null) return;
    this.#handshake = null;
    this.#cancelTimer();
    this.#outcome.failed(failure);
    this.#stream.destroy(failure.detail);
  }

  // ---- replies ----

  simpleDataBytes(handle: number): number | null {
    const request = this.#inFlight.get(handle);
    if (request === undefined) return null;
    return request.data?.length ?? 0;
  }

  data(handle: number, piece: { at?: number; offset?: number; bytes: Uint8Array }): boolean {
    const request = this.#inFlight.get(handle);
    if (request === undefined || request.data === null) return false;
    const at = piece.at ?? (piece.offset ?? 0) - request.offset;
    if (at < 0 || at + piece.bytes.length > request.data.length) return false;
    request.data.set(piece.bytes, at);
    request.dataBytes += piece.bytes.length;
    return true;
  }

  hole(handle: number, piece: { offset: number; length: number }): boolean {
    const request = this.#inFlight.get(handle);
    if (request === undefined || request.data === null) return false;
    const at = piece.offset - request.offset;
    if (at < 0 || at + piece.length > request.data.length) return false;
    request.data.fill(0, at, at + piece.length);
    request.dataBytes += piece.length;
    return true;
  }

  failed(handle: number, failure: { error: number; message: string }): boolean {
    const request = this.#inFlight.get(handle);
    if (request === undefined) return false;
    const detail = failure.message === "" ? `the server answered error ${failure.error}` : failure.message;
    request.failure ??= { kind: "server", error: failure.error, detail };
    return true;
  }

  done(handle: number): boolean {
    const request = this.#inFlight.get(handle);
    if (request === undefined) return false;
    if (request.failure === null && request.data !== null && request.dataBytes !== request.data.length) {
      return false;
    }
    this.#inFlight.delete(handle);
    const next = this.#waiting.shift();
    if (next !== undefined) this.#send(next);
    request.settle(request.failure);
    this.#leaveWhenIdle();
    return true;
  }

  descriptors(handle: number, status: { contextId: number; descriptors: readonly number[] }): boolean {
    const request = this.#inFlight.get(handle);
    if (request === undefined || request.command !== COMMAND.BLOCK_STATUS) return false;
    if (status.contextId !== this.#served?.allocationContextId) return true;
    let offset = request.offset;
    for (let index = 0; index < status.descriptors.length; index += 2) {
      const length = status.descriptors[index] ?? 0;
      const flags = status.descriptors[index + 1] ?? 0;
      if (length === 0) return false;
      const hole = (flags & BLOCK_STATE.HOLE) !== 0;
      request.extents.push({ offset, length, hole, zero: (flags & BLOCK_STATE.ZERO) !== 0 });
      offset += length;
    }
    return true;
  }
}

function disconnected(end: StreamEnd | null): NbdFailure {
  return { kind: "disconnected", error: 0, detail: end?.detail ?? "the client is disconnecting" };
}

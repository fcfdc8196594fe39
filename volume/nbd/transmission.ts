/**
 * The transmission phase of one connection: requests in, batches to the volume, replies out.
 *
 * Everything that one read of the socket brought goes to the volume as one batch, and everything that one turn
 * completes goes out as one send. A request costs one object and, if it has a payload, one view; no promise, no
 * closure, no copy. Completions may come in any order and at any time, inside `submit` or seconds later
 * ("Ordering of messages and writes" leaves the order to us).
 *
 * ```text
 * space() ─► socket read ─► received() ─► pump: decode until a bound ─► port.submit(batch)
 *                                           ▲                              │ complete()
 *                                   turn end │◄──── replies gathered ◄──────┘
 * ```
 * At each bound (requests in flight, bytes of replies, pinned buffers, a full port, a slow client) decoding stops
 * where it is and `space` answers null, so that the wait reaches the client's kernel and not the heap (I8).
 */
import { invariant } from "../../runtime/invariant.ts";
import type { ByteStream } from "../../runtime/byte_stream.ts";
import type { SlabPool } from "../../runtime/slab.ts";
import type { Extent } from "../block_device.ts";
import type { VolumeErrorKind, VolumeRequestKind } from "../volume_request.ts";
import { describeExtents } from "./block_status.ts";
import type { NbdLimits } from "./limits.ts";
import type { NbdAgreement } from "./negotiation.ts";
import { NbdRequest, type RequestDoor } from "./nbd_request.ts";
import { encodeString } from "./option_reply.ts";
import { COMMAND } from "./protocol_numbers.ts";
import { ReplyOutbox, type ReservedReply } from "./reply_outbox.ts";
import { RequestDecoder } from "./request_decoder.ts";
import {
  COMMAND_TABLE,
  errorMessage,
  errorNumber,
  type Objection,
  objectionTo,
  type RequestRules,
} from "./request_table.ts";

/** What the owner may want to count; called once per request that was answered. */
export interface NbdMeter {
  /** `error` is the protocol's number, 0 for success. */
  replied(kind: VolumeRequestKind, outcome: { readonly bytes: number; readonly error: number }): void;
}

/** What the session provides. */
export interface TransmissionOwner {
  readonly stream: ByteStream;
  readonly slabs: SlabPool;
  readonly limits: NbdLimits;
  readonly meter: NbdMeter | null;
  /** Runs `work` when the current turn ends. */
  atTurnEnd(work: () => void): void;
  /** The client said NBD_CMD_DISC or broke the protocol; nothing more is decoded. Called at most once. */
  finished(cause: string): void;
  /** After `finished` or `stop`: nothing is in flight any more and all replies are with the stream. */
  idle(): void;
}

/** Replies of refused requests are handed on at this size, so that a flood of them meets the stream's own bound. */
const GATHERED_BYTES_MAX = 1024 * 1024;

export class Transmission implements RequestDoor {
  readonly #owner: TransmissionOwner;
  readonly #agreement: NbdAgreement;
  readonly #rules: RequestRules;
  readonly #decoder: RequestDecoder;
  readonly #outbox: ReplyOutbox;
  readonly #onTurnEnd = () => this.#turnEnded();
  /** `open`: decoding. `stopped`: nothing more is decoded, what is in flight is answered. `closed`: neither. */
  #state: "open" | "stopped" | "closed" = "open";
  #requestsInFlight = 0;
  /** Bytes that reads in flight will send. */
  #readBytesInFlight = 0;
  #pumping = false;
  #turnEndAwaited = false;
  /** `space` answered null. */
  #paused = false;
  /** The stream asked to stop until `drained`. */
  #streamFull = false;
  /** Decoding stopped at a bound, although there may be whole requests. */
  #stalled = false;

  constructor(owner: TransmissionOwner, agreement: NbdAgreement) {
    const { offer, structuredReplies, contexts } = agreement;
    this.#owner = owner;
    this.#agreement = agreement;
    this.#rules = {
      size: offer.size,
      readOnly: offer.readOnly,
      structuredReplies,
      contexts: contexts.length,
      payloadBytesMax: owner.limits.payloadBytesMax,
    };
    this.#decoder = new RequestDecoder(owner.slabs);
    this.#outbox = new ReplyOutbox(owner.stream, { slabs: owner.slabs, structured: structuredReplies });
  }

  get requestsInFlight(): number {
    return this.#requestsInFlight;
  }

  /** Bytes that came behind the handshake. */
  begin(rest: Uint8Array): void {
    if (rest.length === 0) return;
    this.#decoder.append(rest);
    this.#pump();
  }

  space(): Uint8Array | null {
    this.#paused = this.#state !== "open" || this.#stalled || !this.#mayDecode();
    return this.#paused ? null : this.#decoder.space();
  }

  received(length: number): void {
    if (this.#state !== "open") return;
    this.#decoder.received(length);
    this.#pump();
  }

  /** The stream has room again. */
  drained(): void {
    this.#streamFull = false;
    this.#continue();
  }

  /** The port has room again. */
  onWritable(): void {
    this.#continue();
  }

  /** Decodes nothing more; what is in flight is still answered, then the owner hears `idle`. */
  stop(): void {
    if (this.#state !== "open") return;
    this.#state = "stopped";
    this.#awaitTurnEnd();
  }

  /** Sends nothing more: what is in flight is never reported as done. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    if (!this.#pumping) this.#giveBack();
  }

  completed(request: NbdRequest, error: VolumeErrorKind | null): void {
    this.#requestsInFlight -= 1;
    if (request.kind === "read") this.#readBytesInFlight -= request.length;
    if (request.buffer !== null) this.#decoder.completed(request.buffer);
    if (this.#state === "closed") {
      if (request.reserved !== null) this.#outbox.forget(request.reserved);
      return;
    }
    if (error === null) this.#succeeded(request);
    else this.#failed(request, error);
    if (!this.#pumping) this.#awaitTurnEnd();
  }

  reserve(length: number): ReservedReply | null {
    return this.#state === "closed" ? null : this.#outbox.reserve(length);
  }

  #succeeded(request: NbdRequest): void {
    switch (request.kind) {
      case "read":
        this.#readDone(request, request.data);
        break;
      case "block_status":
        this.#blockStatusDone(request, request.extents ?? []);
        break;
      default:
        this.#outbox.simple(request, 0);
    }
    this.#owner.meter?.replied(request.kind, { bytes: request.length, error: 0 });
  }

  #readDone(request: NbdRequest, data: Uint8Array | undefined): void {
    invariant(data !== undefined && data.length === request.length, "a read is completed with all its bytes");
    const { reserved, offset } = request;
    if (reserved !== null && reserved.data === data) {
      return this.#outbox.reserved(request, { reserved, offset });
    }
    if (reserved !== null) this.#outbox.forget(reserved);
    this.#outbox.data(request, { offset, data });
  }

  #blockStatusDone(request: NbdRequest, extents: readonly Extent[]): void {
    const { contexts } = this.#agreement;
    const extentsMax = request.oneExtent ? 1 : this.#owner.limits.extentsMax;
    for (const [index, context] of contexts.entries()) {
      const { offset, length } = request;
      this.#outbox.blockStatus(request, {
        contextId: context.id,
        descriptors: describeExtents(extents, { offset, length, context, extentsMax }),
        done: index === contexts.length - 1,
      });
    }
  }

  #failed(request: NbdRequest, error: VolumeErrorKind): void {
    if (request.reserved !== null) this.#outbox.forget(request.reserved);
    const number = errorNumber(error, request.kind);
    this.#outbox.failure(request, { error: number, message: encodeString(errorMessage(error)) });
    this.#owner.meter?.replied(request.kind, { bytes: request.length, error: number });
  }

  /** Decodes and submits until the input is used up or a bound is met, then sends what was completed meanwhile. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    for (;;) {
      const batch = this.#nextBatch();
      if (batch.length > 0) {
        this.#agreement.offer.port.submit(batch);
      } else {
        // Handing on what was gathered may be all that the bound needs; it happens once without progress.
        if (!this.#stalled || this.#outbox.gatheredBytes === 0) break;
        this.#flush();
      }
    }
    this.#pumping = false;
    this.#settle();
  }

  #nextBatch(): NbdRequest[] {
    const batch: NbdRequest[] = [];
    this.#stalled = false;
    while (this.#state === "open") {
      if (!this.#mayDecode()) {
        this.#stalled = true;
        break;
      }
      const found = this.#decoder.readHeader();
      if (found === "incomplete") break;
      if (found === "garbage") this.#violated("the client sent something that is no NBD request");
      else if (!this.#decodeInto(batch)) break;
    }
    return batch;
  }

  /** One request, whose header was read. False when it cannot be taken now. */
  #decodeInto(batch: NbdRequest[]): boolean {
    const decoder = this.#decoder;
    if (decoder.type === COMMAND.DISC) {
      this.#state = "stopped";
      this.#owner.finished("the client disconnected");
      return false;
    }
    const objection = objectionTo(decoder, this.#rules);
    if (objection !== null) return this.#refuse(objection);
    if (decoder.type === COMMAND.WRITE && !decoder.hasPayload()) return false;
    if (decoder.type === COMMAND.READ && !this.#mayRead(decoder.length)) {
      this.#stalled = true;
      return false;
    }
    const row = COMMAND_TABLE[decoder.type];
    invariant(row !== undefined, "a command without objection is in the table");
    batch.push(new NbdRequest(this, { header: decoder, row, volume: this.#agreement.offer.volume }));
    this.#requestsInFlight += 1;
    return true;
  }

  /** The request gets its error; the payload of a refused write is skipped, within a bound. */
  #refuse(objection: Objection): boolean {
    const decoder = this.#decoder;
    if (decoder.type === COMMAND.WRITE && decoder.length > this.#owner.limits.payloadSkipBytesMax) {
      this.#violated(`a write of ${decoder.length} bytes`);
      return false;
    }
    this.#outbox.failure(decoder, { error: objection.error, message: encodeString(objection.message) });
    const kind = COMMAND_TABLE[decoder.type]?.kind;
    if (kind !== undefined) this.#owner.meter?.replied(kind, { bytes: 0, error: objection.error });
    if (decoder.type === COMMAND.WRITE) decoder.consumeSkipping();
    else decoder.consume();
    return true;
  }

  /** Every bound but that of reads, which depends on the read. */
  #mayDecode(): boolean {
    const { limits } = this.#owner;
    return !this.#streamFull &&
      this.#requestsInFlight < limits.requestsInFlightMax &&
      this.#outbox.gatheredBytes < GATHERED_BYTES_MAX &&
      this.#decoder.pinnedBytes < limits.pinnedBytesMax &&
      this.#agreement.offer.port.writable;
  }

  /** One read is always admitted, so that none waits for an event that never comes. */
  #mayRead(length: number): boolean {
    const ours = this.#readBytesInFlight + this.#outbox.gatheredBytes;
    const waiting = ours + this.#owner.stream.queuedBytes;
    if (ours > 0 && waiting + length > this.#owner.limits.replyBytesMax) return false;
    this.#readBytesInFlight += length;
    return true;
  }

  #violated(cause: string): void {
    this.#state = "stopped";
    this.#owner.finished(cause);
  }

  #awaitTurnEnd(): void {
    if (this.#turnEndAwaited) return;
    this.#turnEndAwaited = true;
    this.#owner.atTurnEnd(this.#onTurnEnd);
  }

  #turnEnded(): void {
    this.#turnEndAwaited = false;
    this.#continue();
  }

  /** Goes on where a bound stopped it, if that bound gave way, and sends what is gathered. */
  #continue(): void {
    if (this.#pumping) return;
    if (this.#stalled && this.#state === "open") this.#pump();
    else this.#settle();
    if (this.#paused && !this.#stalled && this.#state === "open" && this.#mayDecode()) {
      this.#paused = false;
      this.#owner.stream.resume();
    }
  }

  #settle(): void {
    if (this.#state === "closed") return this.#giveBack();
    this.#flush();
    if (this.#state === "stopped" && this.#requestsInFlight === 0) this.#owner.idle();
  }

  #flush(): void {
    if (this.#state === "closed" || this.#outbox.gatheredBytes === 0) return;
    if (!this.#outbox.flush()) this.#streamFull = true;
  }

  /** Never inside `submit`, whose payloads lie in the decoder's slab. */
  #giveBack(): void {
    this.#decoder.close();
    this.#outbox.close();
  }
}

/**
 * A byte stream that speaks frames: what peers and legs hold instead of a socket.
 *
 * Pure but for the stream it was given. It couples the stream with one encoder and one decoder, keeps a slab alive
 * while its payload leaves, and passes back-pressure through in both directions. All that one turn sends goes out in
 * the stream's one gathered write; nothing is queued here.
 *
 * It begins as a stranger's connection (HANDSHAKE_LIMITS): a hello and nothing that takes memory. The handshake
 * (handshake_session.ts) widens it and hands it to its owner's sink.
 */
import type { ByteStream, StreamEnd } from "../runtime/byte_stream.ts";
import type { Slab, SlabPool } from "../runtime/slab.ts";
import { DecodeFailure, decodeMessage, encodeMessage } from "./codec.ts";
import { FrameDecoder, type IncomingFrame } from "./frame_decoder.ts";
import { FrameEncoder } from "./frame_encoder.ts";
import {
  type FrameFailure,
  type FrameFields,
  type FrameLimits,
  HANDSHAKE_LIMITS,
  SESSION_LIMITS,
} from "./frame_header.ts";

/** Why a channel ended: the stream's end, or what was wrong with what the other side sent. */
export interface ChannelEnd {
  readonly kind: StreamEnd["kind"] | "bad_frame";
  readonly detail: string;
  /** With `bad_frame`: what exactly. */
  readonly failure?: FrameFailure["kind"];
}

/** Who owns a channel's incoming side. Calls never overlap; they come within `channel.resume()` or from the stream. */
export interface FrameSink {
  /** Any kind but `message`. Valid within the call; `frame.slab.retain()` keeps the payload. */
  frame(frame: IncomingFrame): void;
  /** A decoded message: plain data of unknown shape (shape.ts). */
  message(value: unknown): void;
  /** After `congested`: what was queued has fallen below the low-water mark. */
  drained(): void;
  /** The last call. */
  ended(end: ChannelEnd): void;
  /** A last message before the channel closes because of a bad frame; without it, it closes at once. */
  lastWord?(failure: FrameFailure): unknown;
}

export class FrameChannel {
  readonly #stream: ByteStream;
  readonly #encoder = new FrameEncoder();
  readonly #decoder: FrameDecoder;
  #sink: FrameSink;
  #congested = false;
  #ended = false;
  #cause: ChannelEnd | null = null;
  /** The end of the stream that came while the sink was paused. */
  #heldEnd: ChannelEnd | null = null;

  /** Starts the stream. `limits` default to those of the handshake. */
  constructor(stream: ByteStream, options: { pool: SlabPool; sink: FrameSink; limits?: FrameLimits }) {
    this.#stream = stream;
    this.#sink = options.sink;
    this.#decoder = new FrameDecoder({
      pool: options.pool,
      limits: options.limits ?? HANDSHAKE_LIMITS,
      receiver: {
        frame: (frame) => this.#received(frame),
        failed: (failure) => this.#fail(failure),
      },
    });
    stream.start({
      space: () => this.#decoder.space(),
      received: (length) => this.#decoder.received(length),
      drained: () => {
        this.#congested = false;
        this.#sink.drained();
      },
      ended: (end) => this.#streamEnded(end),
    });
  }

  get remoteAddress(): string {
    return this.#stream.remoteAddress;
  }

  /** Bytes accepted and not yet handed to the kernel. */
  get queuedBytes(): number {
    return this.#stream.queuedBytes;
  }

  /** True from the moment the queue reached its high-water mark until `drained`: stop producing. */
  get congested(): boolean {
    return this.#congested;
  }

  /** The number of the last frame sent, of any kind; the other side's acks count in it. */
  get lastFrameSent(): number {
    return this.#encoder.lastFrame;
  }

  /** The number of the last frame received, of any kind. */
  get lastFrameReceived(): number {
    return this.#decoder.lastFrame;
  }

  /** Hands the incoming side to another owner. */
  receive(sink: FrameSink): void {
    this.#sink = sink;
  }

  /** After the handshake: frames of a session may come. */
  widen(limits: FrameLimits = SESSION_LIMITS): void {
    this.#decoder.limit(limits);
  }

  /**
   * Sends a frame and gives its number (0 after the end). The payload must not change until it has left: `slab`, when
   * given, is retained until then, so the caller may release its own hold at once. Three arguments and no options,
   * since this is called for every write and every leg.
   */
  sendFrame(fields: FrameFields, payload?: Uint8Array, slab?: Slab): number {
    if (this.#ended) return 0;
    this.#queue(this.#encoder.header(fields, payload));
    if (payload !== undefined) {
      if (slab === undefined) {
        this.#queue(payload);
      } else {
        slab.retain();
        this.#queue(payload, () => slab.release());
      }
    }
    return this.#encoder.lastFrame;
  }

  /** Sends plain data (codec.ts) as a `message` frame and gives its number (0 after the end). */
  sendMessage(value: unknown): number {
    if (this.#ended) return 0;
    return this.sendFrame({ kind: "message" }, encodeMessage(value));
  }

  /** Says how far the frames received here are applied, and how far stable. Both are frame numbers; cumulative. */
  sendAck(ack: { readonly appliedThrough: number; readonly stableThrough: number }): void {
    this.sendFrame({ kind: "ack", seq: ack.appliedThrough, offset: ack.stableThrough });
  }

  /**
   * Nothing more is handed to the sink, also not of what has been read, and not the end either: a channel that is handed
   * over paused loses neither frames nor its end. Callable inside `frame` and `message`.
   */
  pause(): void {
    this.#decoder.pause();
  }

  /** Hands on what was read meanwhile, within this call unless it is made by the sink; then reads again. */
  resume(): void {
    this.#decoder.resume();
    if (this.#heldEnd === null) this.#stream.resume();
    else if (!this.#decoder.isHolding) this.#tellEnded(this.#heldEnd);
  }

  /** Writes what is queued, then closes. Nothing more is handed to the sink but the end. */
  end(): void {
    this.#decoder.stop();
    this.#stream.end();
    if (this.#heldEnd !== null) this.#tellEnded(this.#heldEnd);
  }

  /**
   * Closes now. Nothing more is handed to the sink but the end, which comes within this call only if the stream had ended
   * while paused. Callable twice.
   */
  destroy(reason: string): void {
    this.#decoder.stop();
    this.#stream.destroy(reason);
    if (this.#heldEnd !== null) this.#tellEnded(this.#heldEnd);
  }

  #queue(bytes: Uint8Array, released?: () => void): void {
    if (!this.#stream.send(bytes, released)) this.#congested = true;
  }

  #received(frame: IncomingFrame): void {
    if (frame.kind !== "message") {
      this.#sink.frame(frame);
      return;
    }
    const value = decodeMessage(frame.payload);
    if (value instanceof DecodeFailure) {
      this.#decoder.stop();
      this.#fail({ kind: "bad_message", detail: `message frame ${frame.frame}: ${value.detail}` });
    } else {
      this.#sink.message(value);
    }
  }

  #fail(failure: FrameFailure): void {
    this.#cause = {
      kind: "bad_frame",
      detail: `${this.remoteAddress}: ${failure.detail}`,
      failure: failure.kind,
    };
    const lastWord = this.#sink.lastWord?.(failure);
    if (lastWord === undefined) {
      this.#stream.destroy(failure.detail);
    } else {
      this.sendMessage(lastWord);
      this.#stream.end();
    }
  }

  #streamEnded(end: StreamEnd): void {
    this.#ended = true;
    this.#congested = false;
    if (this.#decoder.isHolding) this.#heldEnd = end;
    else this.#tellEnded(end);
  }

  #tellEnded(end: ChannelEnd): void {
    this.#heldEnd = null;
    this.#decoder.close();
    this.#sink.ended(this.#cause ?? end);
  }
}

/**
 * A handshake over a channel, from the first frame to one outcome.
 *
 * Pure but for the channel: verdicts are handshake.ts's, the deadline is the owner's, who calls `expire()`. Whatever
 * goes wrong, the channel is closed here, after telling the other side why where that is possible; the owner only
 * hears the outcome. When it is `agreed` the channel is paused with wider limits, and the owner takes it over with
 * `channel.receive(sink)` and `channel.resume()`: no frame is lost in between.
 */
import type { ByteStream } from "../runtime/byte_stream.ts";
import type { SlabPool } from "../runtime/slab.ts";
import { type ChannelEnd, FrameChannel, type FrameSink } from "./frame_channel.ts";
import type { FrameFailure } from "./frame_header.ts";
import {
  type Acquaintance,
  type AnswererPolicy,
  type HandshakeRefusal,
  helloOf,
  type Introduction,
  judgeAnswer,
  judgeHello,
  type Purpose,
  refusedOf,
} from "./handshake.ts";

export type HandshakeOutcome =
  | { readonly kind: "agreed"; readonly channel: FrameChannel; readonly peer: Acquaintance }
  | { readonly kind: "refused_by_them"; readonly reason: string; readonly detail: string }
  | { readonly kind: "refused_by_us"; readonly refusal: HandshakeRefusal }
  | { readonly kind: "timed_out"; readonly detail: string }
  | { readonly kind: "ended"; readonly end: ChannelEnd };

export interface HandshakeOptions {
  readonly pool: SlabPool;
  /** Called once. */
  readonly onOutcome: (outcome: HandshakeOutcome) => void;
}

/** A handshake under way. */
export interface HandshakeSession {
  /** The owner's deadline is over: closes the channel with `timed_out`. A no-op after the outcome. */
  expire(): void;
}

/** Says hello on a fresh stream and judges the answer. */
export function callOver(
  stream: ByteStream,
  options: HandshakeOptions & {
    readonly self: Introduction;
    readonly purpose: Purpose;
    readonly expectedNode: string;
  },
): HandshakeSession {
  const session = new Session(stream, options, (value, channel) => {
    const verdict = judgeAnswer(value, options);
    switch (verdict.kind) {
      case "agreed":
        return { kind: "agreed", channel, peer: verdict.answerer };
      case "refused_by_them":
        return verdict;
      case "refused":
        return { kind: "refused_by_us", refusal: verdict.refusal };
    }
  });
  session.channel.sendMessage(helloOf(options.self, options.purpose));
  return session;
}

/** Waits for the hello on an accepted stream and answers it. */
export function answerOver(
  stream: ByteStream,
  options: HandshakeOptions & { readonly policy: AnswererPolicy },
): HandshakeSession {
  return new Session(stream, options, (value, channel) => {
    const verdict = judgeHello(value, options.policy);
    if (verdict.kind === "refused") return { kind: "refused_by_us", refusal: verdict.refusal };
    channel.sendMessage(verdict.welcome);
    return { kind: "agreed", channel, peer: verdict.caller };
  });
}

class Session implements HandshakeSession, FrameSink {
  readonly channel: FrameChannel;
  readonly #judge: (value: unknown, channel: FrameChannel) => HandshakeOutcome;
  readonly #onOutcome: (outcome: HandshakeOutcome) => void;
  #over = false;

  constructor(
    stream: ByteStream,
    options: HandshakeOptions,
    judge: (value: unknown, channel: FrameChannel) => HandshakeOutcome,
  ) {
    this.#judge = judge;
    this.#onOutcome = options.onOutcome;
    this.channel = new FrameChannel(stream, { pool: options.pool, sink: this });
  }

  expire(): void {
    if (this.#over) return;
    const detail = `${this.channel.remoteAddress}: no handshake within the deadline`;
    this.#conclude({ kind: "timed_out", detail });
    this.channel.destroy("no handshake within the deadline");
  }

  message(value: unknown): void {
    if (this.#over) return;
    const outcome = this.#judge(value, this.channel);
    switch (outcome.kind) {
      case "agreed":
        this.channel.widen();
        this.channel.pause();
        break;
      case "refused_by_us":
        this.channel.sendMessage(refusedOf(outcome.refusal));
        this.channel.end();
        break;
      default:
        this.channel.end();
    }
    this.#conclude(outcome);
  }

  frame(): void {
    if (this.#over) return;
    const refusal: HandshakeRefusal = { reason: "not_a_hello", detail: "the first frame is no message" };
    this.channel.sendMessage(refusedOf(refusal));
    this.channel.end();
    this.#conclude({ kind: "refused_by_us", refusal });
  }

  drained(): void {}

  ended(end: ChannelEnd): void {
    this.#conclude({ kind: "ended", end });
  }

  /** Bytes that are no frame at all get an answer too: whoever debugs the other end can read it in a dump. */
  lastWord(failure: FrameFailure): unknown {
    return refusedOf({ reason: "not_a_hello", detail: failure.detail });
  }

  #conclude(outcome: HandshakeOutcome): void {
    if (this.#over) return;
    this.#over = true;
    this.#onOutcome(outcome);
  }
}

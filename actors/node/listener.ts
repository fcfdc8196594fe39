/**
 * Where other nodes come in: accepts connections on all `listen` addresses, lets each say hello, and hands it to whom
 * it is for: a control connection to the actor of that peer, a leg to the target of its group.
 *
 * Strangers may knock. A handshake has a deadline, the number of unfinished ones is bounded, and beyond that the
 * newest is closed: somebody who holds many half-open connections must not keep out a peer for longer than that.
 */
import type { ActorContext, ActorSpec, Behavior, ByteStream, ReplyTo, SlabPool } from "../../runtime/mod.ts";
import { assertNever } from "../../runtime/invariant.ts";
import type { Acquaintance, AnswererPolicy } from "../../protocol/handshake.ts";
import {
  answerOver,
  type HandshakeOutcome,
  type HandshakeSession,
} from "../../protocol/handshake_session.ts";
import type { FrameChannel } from "../../protocol/frame_channel.ts";
import type { DoorOpened } from "./door.ts";

export type ListenerMessage =
  | { readonly kind: "listening_requested"; readonly reply: ReplyTo<ListenerAnswer> }
  | { readonly kind: "opened"; readonly outcome: DoorOpened }
  | { readonly kind: "retry_due" }
  | { readonly kind: "deadline"; readonly id: number };

export type ListenerAnswer =
  | { readonly ok: true; readonly addresses: readonly string[] }
  | { readonly ok: false; readonly detail: string };

export interface ListenerEnvironment {
  open(take: (stream: ByteStream) => boolean): Promise<DoorOpened>;
  readonly policy: AnswererPolicy;
  /** A connection that proves no name is refused; otherwise a name is only claimed. */
  readonly proofRequired: boolean;
  readonly slabs: SlabPool;
  /** False: whom it is for is not there; the channel is closed. */
  handOver(channel: FrameChannel, caller: Acquaintance): boolean;
}

/** Handshakes under way at a time. A cluster's own never come near it. */
export const HANDSHAKES_MAX = 64;
const HANDSHAKE_MS = 5_000;
const RETRY_MS = 1_000;

export function listenerActor(environment: ListenerEnvironment): ActorSpec<ListenerMessage> {
  return { name: "listener", start: (context) => new PeerListener(environment, context) };
}

class PeerListener implements Behavior<ListenerMessage> {
  readonly #environment: ListenerEnvironment;
  readonly #context: ActorContext<ListenerMessage>;
  readonly #handshakes = new Map<number, HandshakeSession>();
  readonly #waiting: ReplyTo<ListenerAnswer>[] = [];
  #door: DoorOpened | null = null;
  #ids = 0;
  #refused = 0;
  #turnedAway = 0;

  constructor(environment: ListenerEnvironment, context: ActorContext<ListenerMessage>) {
    this.#environment = environment;
    this.#context = context;
    this.#open();
  }

  receive(message: ListenerMessage): void {
    switch (message.kind) {
      case "listening_requested":
        this.#waiting.push(message.reply);
        return this.#answer();
      case "opened":
        return this.#opened(message.outcome);
      case "retry_due":
        return this.#open();
      case "deadline":
        return this.#handshakes.get(message.id)?.expire();
      default:
        assertNever(message);
    }
  }

  stopping(): void {
    if (this.#door?.ok === true) this.#door.close();
    for (const handshake of this.#handshakes.values()) handshake.expire();
  }

  inspect(): unknown {
    return {
      state: this.#door === null ? "opening" : this.#door.ok ? "listening" : "failed",
      addresses: this.#door?.ok === true ? this.#door.addresses : [],
      cause: this.#door?.ok === false ? this.#door.detail : null,
      handshakes: this.#handshakes.size,
      refused: this.#refused,
      turnedAway: this.#turnedAway,
    };
  }

  #open(): void {
    const accept = this.#context.guard((offer: { readonly stream: ByteStream; taken: boolean }) => {
      offer.taken = this.#accept(offer.stream);
    });
    this.#context.pipe(
      this.#environment.open((stream) => {
        const offer = { stream, taken: false };
        accept(offer);
        return offer.taken;
      }),
      (outcome) => ({ kind: "opened", outcome }),
      (error) => ({ kind: "opened", outcome: { ok: false, detail: error.message } }),
    );
  }

  #opened(outcome: DoorOpened): void {
    this.#door = outcome;
    if (!outcome.ok) {
      this.#context.log.error("peers_not_listening", { cause: outcome.detail });
      this.#context.after(RETRY_MS, { kind: "retry_due" });
    }
    this.#answer();
  }

  #answer(): void {
    if (this.#door === null) return;
    const answer: ListenerAnswer = this.#door.ok
      ? { ok: true, addresses: this.#door.addresses }
      : { ok: false, detail: this.#door.detail };
    for (const reply of this.#waiting.splice(0)) reply.reply(answer);
  }

  #accept(stream: ByteStream): boolean {
    if (this.#handshakes.size >= HANDSHAKES_MAX) {
      this.#turnedAway += 1;
      return false;
    }
    this.#ids += 1;
    const id = this.#ids;
    const timer = this.#context.after(HANDSHAKE_MS, { kind: "deadline", id });
    const concluded = this.#context.guard((outcome: HandshakeOutcome) => {
      this.#handshakes.delete(id);
      this.#context.cancel(timer);
      this.#concluded(outcome, stream.remoteAddress);
    });
    const { slabs: pool, proofRequired } = this.#environment;
    const provenNames = stream.provenNames ?? (proofRequired ? [] : undefined);
    const policy = { ...this.#environment.policy, provenNames };
    this.#handshakes.set(id, answerOver(stream, { pool, policy, onOutcome: concluded }));
    return true;
  }

  #concluded(outcome: HandshakeOutcome, from: string): void {
    switch (outcome.kind) {
      case "agreed":
        if (!this.#environment.handOver(outcome.channel, outcome.peer)) {
          outcome.channel.destroy("whom this connection is for is being restarted");
        }
        return;
      case "refused_by_us":
        this.#refused += 1;
        this.#context.log.warn("connection_refused", { from, cause: outcome.refusal.detail });
        return;
      case "refused_by_them":
      case "timed_out":
      case "ended":
        this.#context.log.debug("handshake_failed", { from, outcome: outcome.kind });
        return;
      default:
        assertNever(outcome);
    }
  }
}

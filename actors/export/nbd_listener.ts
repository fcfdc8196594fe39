/**
 * Where clients come in: listens on all `nbd` addresses of the node and makes a session of each connection.
 *
 * The listener is one per node and not one per group, because a client says only in its handshake which volume it
 * wants. It is never without addresses by intent: when listening fails it tries again, since the port of a process
 * that has just died may be taken for a moment.
 */
import type { ActorContext, ActorSpec, Behavior, ReplyTo } from "../../runtime/mod.ts";
import { describeReason } from "../../runtime/mod.ts";
import { assertNever } from "../../runtime/invariant.ts";
import type { ByteStream } from "../../runtime/byte_stream.ts";
import type { NbdListenerEnvironment } from "./environment.ts";
import type { ListeningAnswer, NbdListenerMessage } from "./messages.ts";
import { sessionActor } from "./session.ts";

/** Each may pin tens of megabytes (`volume/nbd/limits.ts`); clients open a handful. */
export const SESSIONS_MAX = 256;
const RETRY_MS = 1_000;

export function nbdListenerActor(environment: NbdListenerEnvironment): ActorSpec<NbdListenerMessage> {
  return { name: "nbd_listener", start: (context) => new NbdListener(environment, context) };
}

type State =
  | { readonly kind: "opening" }
  | { readonly kind: "listening"; readonly addresses: readonly string[]; readonly close: () => void }
  | { readonly kind: "failed"; readonly detail: string };

class NbdListener implements Behavior<NbdListenerMessage> {
  readonly #environment: NbdListenerEnvironment;
  readonly #context: ActorContext<NbdListenerMessage>;
  readonly #streams = new Map<number, ByteStream>();
  readonly #waiting: ReplyTo<ListeningAnswer>[] = [];
  #state: State = { kind: "opening" };
  #sessionIds = 0;
  #turnedAway = 0;

  constructor(environment: NbdListenerEnvironment, context: ActorContext<NbdListenerMessage>) {
    this.#environment = environment;
    this.#context = context;
    environment.table.closeSessions("the NBD listener was restarted");
    this.#listen();
  }

  receive(message: NbdListenerMessage): void {
    switch (message.kind) {
      case "listening_requested":
        this.#waiting.push(message.reply);
        return this.#answer();
      case "sessions_requested":
        return message.reply.reply(
          this.#environment.table.sessions.map(({ client, exportName, requestsInFlight }) => ({
            client,
            exportName,
            requestsInFlight,
          })),
        );
      case "listening":
        this.#state = message;
        return this.#answer();
      case "not_listening":
        return this.#failed(message.detail);
      case "retry_due":
        return this.#listen();
      case "session_down":
        return this.#sessionDown(message.id, message.cause);
      default:
        assertNever(message);
    }
  }

  stopping(): void {
    this.#environment.table.stopping();
    if (this.#state.kind === "listening") this.#state.close();
  }

  inspect(): unknown {
    return {
      state: this.#state.kind,
      ...(this.#state.kind === "listening" ? { addresses: this.#state.addresses } : {}),
      ...(this.#state.kind === "failed" ? { cause: this.#state.detail } : {}),
      sessions: this.#streams.size,
      turnedAway: this.#turnedAway,
    };
  }

  #listen(): void {
    const accept = this.#context.guard((offer: { readonly stream: ByteStream; taken: boolean }) => {
      offer.taken = this.#accept(offer.stream);
    });
    this.#context.pipe(
      this.#environment.listen((stream) => {
        const offer = { stream, taken: false };
        accept(offer);
        return offer.taken;
      }),
      (listening) =>
        listening.ok
          ? { kind: "listening", addresses: listening.addresses, close: listening.close }
          : { kind: "not_listening", detail: listening.detail },
      (error) => ({ kind: "not_listening", detail: error.message }),
    );
  }

  #failed(detail: string): void {
    if (this.#state.kind !== "failed") this.#environment.event("nbd_not_listening", { cause: detail });
    this.#state = { kind: "failed", detail };
    this.#answer();
    this.#context.after(RETRY_MS, { kind: "retry_due" });
  }

  #answer(): void {
    if (this.#state.kind === "opening") return;
    const answer: ListeningAnswer = this.#state.kind === "listening"
      ? { ok: true, addresses: this.#state.addresses }
      : { ok: false, detail: this.#state.detail };
    for (const reply of this.#waiting.splice(0)) reply.reply(answer);
  }

  #accept(stream: ByteStream): boolean {
    if (this.#streams.size >= (this.#environment.sessionsMax ?? SESSIONS_MAX)) {
      this.#turnedAway += 1;
      if (this.#turnedAway === 1) {
        this.#context.log.warn("nbd_client_turned_away", {
          client: stream.remoteAddress,
          sessions: this.#streams.size,
        });
      }
      return false;
    }
    this.#sessionIds += 1;
    const id = this.#sessionIds;
    this.#streams.set(id, stream);
    const session = this.#context.spawn({
      spec: sessionActor({ id, stream, environment: this.#environment }),
      restart: "temporary",
    });
    this.#context.watch(
      session,
      ({ reason }) => ({ kind: "session_down", id, cause: describeReason(reason) }),
    );
    return true;
  }

  /** A session that crashed or was killed could not close its stream itself. */
  #sessionDown(id: number, cause: string): void {
    const stream = this.#streams.get(id);
    this.#streams.delete(id);
    if (stream === undefined) return;
    stream.destroy(cause);
    this.#environment.table.ended(id);
  }
}

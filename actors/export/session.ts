/**
 * One client's session as an actor of its own, so that a bug in serving one client costs that client and nobody else.
 *
 * The bytes do not pass through its mailbox: the stream's callbacks run inside its crash boundary, which is all that
 * is wanted of it. It is `temporary`: a connection cannot be restarted, only made again by the client.
 */
import type { ActorContext, ActorSpec, Behavior } from "../../runtime/mod.ts";
import type { ByteStream, StreamReceiver } from "../../runtime/byte_stream.ts";
import { type NbdSession, type NbdSessionEnd, serveNbdSession } from "../../volume/nbd/session.ts";
import type { NbdListenerEnvironment } from "./environment.ts";
import type { SessionHandle } from "./export_table.ts";

export interface SessionOptions {
  readonly id: number;
  readonly stream: ByteStream;
  readonly environment: NbdListenerEnvironment;
}

/** It gets no message: it is driven by its stream and closed through its handle. */
export function sessionActor(options: SessionOptions): ActorSpec<never> {
  return { name: `session:${options.id}`, start: (context) => new ClientSession(options, context) };
}

class ClientSession implements Behavior<never>, SessionHandle {
  readonly id: number;
  readonly #environment: NbdListenerEnvironment;
  readonly #context: ActorContext<never>;
  readonly #stream: ByteStream;
  #session: NbdSession | null = null;
  #ended = false;

  constructor({ id, stream, environment }: SessionOptions, context: ActorContext<never>) {
    this.id = id;
    this.#environment = environment;
    this.#context = context;
    this.#stream = stream;
    environment.table.began(this);
    this.#serve();
  }

  get client(): string {
    return this.#stream.remoteAddress;
  }
  get exportName(): string | null {
    return this.#session?.exportName ?? null;
  }
  get requestsInFlight(): number {
    return this.#session?.requestsInFlight ?? 0;
  }

  receive(): void {}

  stopping(): void {
    this.close("the node is stopping");
  }

  inspect(): unknown {
    return { client: this.client, exportName: this.exportName, requestsInFlight: this.requestsInFlight };
  }

  onWritable(): void {
    this.#session?.onWritable();
  }

  close(reason: string): void {
    this.#session?.close(reason);
    // Also when the session never came to life.
    this.#stream.destroy(reason);
    this.#forget();
  }

  #serve(): void {
    const { table, meter, slabs, limits } = this.#environment;
    const { system, clock } = this.#context;
    // The name is known only when the handshake is over; the meter of the volume is found then.
    let replied: ReturnType<typeof meter.meterFor>["replied"] | null = null;
    this.#session = serveNbdSession(guardedStream(this.#stream, this.#context), {
      directory: table,
      slabs,
      limits,
      startTimer: (delayMs, onElapsed) => {
        const timer = clock.after(delayMs, this.#context.guard(onElapsed));
        return () => clock.cancel(timer);
      },
      atTurnEnd: (work) => system.scheduler.atTurnEnd(this.#context.guard(work)),
      meter: { replied: (kind, outcome) => replied?.(kind, outcome) },
      onServing: ({ offer }) => {
        replied = meter.meterFor(offer.name).replied;
        if (!table.serves(this, offer)) this.close("the export was closed meanwhile");
        else this.#context.log.info("nbd_session_began", { client: this.client, export: offer.name });
      },
      onEnded: (end) => this.#onEnded(end),
    });
  }

  #onEnded(end: NbdSessionEnd): void {
    this.#context.log.info("nbd_session_ended", { client: this.client, cause: end.cause });
    this.#forget();
  }

  #forget(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#environment.table.ended(this.id);
    this.#context.stopSelf();
  }
}

/** The stream with its receiver inside the actor's crash boundary; after the actor's death nothing is read. */
function guardedStream(stream: ByteStream, context: ActorContext<never>): ByteStream {
  return {
    get remoteAddress() {
      return stream.remoteAddress;
    },
    get queuedBytes() {
      return stream.queuedBytes;
    },
    start: (receiver) => stream.start(guardedReceiver(receiver, context)),
    send: (bytes, released) => stream.send(bytes, released),
    resume: () => stream.resume(),
    end: () => stream.end(),
    destroy: (reason) => stream.destroy(reason),
  };
}

function guardedReceiver(receiver: StreamReceiver, context: ActorContext<never>): StreamReceiver {
  let space: Uint8Array | null = null;
  const takeSpace = context.guard(() => {
    space = receiver.space();
  });
  return {
    space: () => {
      space = null;
      takeSpace();
      return space;
    },
    received: context.guard((length: number) => receiver.received(length)),
    drained: context.guard(() => receiver.drained()),
    ended: context.guard((end) => receiver.ended(end)),
  };
}

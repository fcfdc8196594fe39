/**
 * One client's connection from its first byte to its end: the handshake, then transmission, over any byte stream.
 *
 * ```text
 * negotiating ──GO, EXPORT_NAME──► serving ──DISC, violation, finish()──► leaving ──replies taken──► ended
 *      └───────── timed out, refused, ABORT, violation ──────────────────────┘
 * close(reason): from anywhere straight to ended, nothing more is sent
 * ```
 * The session opens no socket and has no clock: it is handed a stream and told when time is up. Two ways out are
 * its owner's: `finish` lets what is in flight be answered (a node that stops in order), `close` does not (a
 * source that was demoted must not report another write as done, I1).
 */
import { invariant } from "../../runtime/invariant.ts";
import type { ByteStream, StreamEnd, StreamReceiver } from "../../runtime/byte_stream.ts";
import type { SlabPool } from "../../runtime/slab.ts";
import type { ExportDirectory } from "./export_directory.ts";
import { assertLimits, NBD_LIMITS, type NbdLimits } from "./limits.ts";
import { type NbdAgreement, Negotiation, type NegotiationEffect } from "./negotiation.ts";
import { type NbdMeter, Transmission } from "./transmission.ts";

/** Calls `onElapsed` once after `delayMs`, unless the answer is called before. */
export type StartTimer = (delayMs: number, onElapsed: () => void) => () => void;

export interface NbdSessionOptions {
  readonly directory: ExportDirectory;
  /** Receive buffers and reply arenas; shared by all sessions. `NBD_SLAB_BYTES` is a good size. */
  readonly slabs: SlabPool;
  readonly startTimer: StartTimer;
  /** Runs `work` when the current turn ends (the runtime's scheduler). */
  readonly atTurnEnd: (work: () => void) => void;
  readonly limits?: Partial<NbdLimits>;
  readonly meter?: NbdMeter;
  /** The handshake is over: which export, by which name it is known. */
  readonly onServing?: (agreement: NbdAgreement) => void;
  /** The last call; exactly once. */
  readonly onEnded: (end: NbdSessionEnd) => void;
}

export interface NbdSessionEnd {
  /** For people: what happened. */
  readonly cause: string;
  readonly stream: StreamEnd;
}

export interface NbdSession {
  readonly remoteAddress: string;
  /** Canonical name of the export in use, null during the handshake. */
  readonly exportName: string | null;
  readonly requestsInFlight: number;
  /** The volume's port has room again. */
  onWritable(): void;
  /** Reads no further request, answers those in flight, then ends. Callable twice. */
  finish(reason: string): void;
  /** Ends now. What is in flight is never reported as done. Callable twice. */
  close(reason: string): void;
}

/** Serves one client on `stream`, which has not been started yet. */
export function serveNbdSession(stream: ByteStream, options: NbdSessionOptions): NbdSession {
  const session = new Session(stream, options);
  session.start();
  return session;
}

/** Reads of the handshake; transmission reads into slabs. */
const HANDSHAKE_READ_BYTES = 4096;

type Phase =
  | { readonly kind: "negotiating"; readonly machine: Negotiation; readonly space: Uint8Array }
  | { readonly kind: "serving"; readonly transmission: Transmission; readonly exportName: string }
  | {
    readonly kind: "leaving";
    readonly transmission: Transmission | null;
    readonly exportName: string | null;
  }
  | { readonly kind: "ended" };

class Session implements NbdSession, StreamReceiver {
  readonly #stream: ByteStream;
  readonly #options: NbdSessionOptions;
  readonly #limits: NbdLimits;
  #phase: Phase;
  #cause: string | null = null;
  #cancelTimer: () => void = () => {};
  /** During the handshake: the stream asked to stop until `drained`. */
  #streamFull = false;

  constructor(stream: ByteStream, options: NbdSessionOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#limits = { ...NBD_LIMITS, ...options.limits };
    assertLimits(this.#limits);
    this.#phase = {
      kind: "negotiating",
      machine: new Negotiation(options.directory, this.#limits),
      space: new Uint8Array(HANDSHAKE_READ_BYTES),
    };
  }

  get remoteAddress(): string {
    return this.#stream.remoteAddress;
  }

  get exportName(): string | null {
    return this.#phase.kind === "serving" || this.#phase.kind === "leaving" ? this.#phase.exportName : null;
  }

  get requestsInFlight(): number {
    return this.#transmission()?.requestsInFlight ?? 0;
  }

  start(): void {
    invariant(this.#phase.kind === "negotiating", "a session starts with the handshake");
    const { handshakeMs } = this.#limits;
    this.#cancelTimer = this.#options.startTimer(
      handshakeMs,
      () => this.close(`the client did not finish the handshake within ${handshakeMs} ms`),
    );
    this.#stream.start(this);
    this.#perform(this.#phase.machine.begin());
  }

  space(): Uint8Array | null {
    switch (this.#phase.kind) {
      case "negotiating":
        return this.#streamFull ? null : this.#phase.space;
      case "serving":
        return this.#phase.transmission.space();
      default:
        return null;
    }
  }

  received(length: number): void {
    if (this.#phase.kind === "serving") return this.#phase.transmission.received(length);
    if (this.#phase.kind !== "negotiating") return;
    this.#perform(this.#phase.machine.received(this.#phase.space.subarray(0, length)));
  }

  drained(): void {
    if (this.#phase.kind === "negotiating") {
      this.#streamFull = false;
      this.#stream.resume();
    } else {
      this.#transmission()?.drained();
    }
  }

  ended(end: StreamEnd): void {
    if (this.#phase.kind === "ended") return;
    this.#transmission()?.close();
    this.#phase = { kind: "ended" };
    this.#cancelTimer();
    this.#options.onEnded({ cause: this.#cause ?? end.detail, stream: end });
  }

  onWritable(): void {
    this.#transmission()?.onWritable();
  }

  finish(reason: string): void {
    if (this.#phase.kind === "negotiating") return this.#leave(reason, null);
    if (this.#phase.kind !== "serving") return;
    const { transmission } = this.#phase;
    this.#leave(reason, transmission);
    transmission.stop();
  }

  close(reason: string): void {
    if (this.#phase.kind === "ended") return;
    this.#cause ??= reason;
    this.#transmission()?.close();
    this.#stream.destroy(reason);
  }

  #perform(effects: readonly NegotiationEffect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case "send":
          this.#streamFull = !this.#stream.send(effect.bytes);
          break;
        case "serve":
          this.#serve(effect.agreement, effect.rest);
          break;
        case "end":
          this.#leave(effect.cause, null);
          break;
      }
    }
  }

  #serve(agreement: NbdAgreement, rest: Uint8Array): void {
    this.#cancelTimer();
    const transmission = new Transmission({
      stream: this.#stream,
      slabs: this.#options.slabs,
      limits: this.#limits,
      meter: this.#options.meter ?? null,
      atTurnEnd: this.#options.atTurnEnd,
      finished: (cause) => this.#leave(cause, transmission),
      idle: () => this.#sendRest(),
    }, agreement);
    this.#phase = { kind: "serving", transmission, exportName: agreement.offer.name };
    this.#options.onServing?.(agreement);
    transmission.begin(rest);
  }

  /** Nothing more is read. Without a transmission there is nothing to wait for either. */
  #leave(cause: string, transmission: Transmission | null): void {
    if (this.#phase.kind === "leaving" || this.#phase.kind === "ended") return;
    this.#cause ??= cause;
    this.#phase = { kind: "leaving", transmission, exportName: this.exportName };
    this.#cancelTimer();
    if (transmission === null) this.#sendRest();
  }

  /** All is answered: the client has `lingerMs` to take it. */
  #sendRest(): void {
    if (this.#phase.kind !== "leaving") return;
    this.#phase.transmission?.close();
    this.#phase = { ...this.#phase, transmission: null };
    this.#cancelTimer();
    this.#cancelTimer = this.#options.startTimer(
      this.#limits.lingerMs,
      () => this.close("the client did not take the last replies"),
    );
    this.#stream.end();
  }

  #transmission(): Transmission | null {
    return this.#phase.kind === "serving" || this.#phase.kind === "leaving" ? this.#phase.transmission : null;
  }
}

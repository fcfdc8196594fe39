/**
 * A stream whose bytes leave at a given pace: the body of `throttle` and `faulty`.
 *
 * What may leave at once passes straight through, in the turn in which it was sent; the rest waits here, in pieces
 * small enough that a slow wire is not blocked for seconds by one of them. Receiving is not touched: the other side
 * paces what it sends.
 */
import type { ByteStream, StreamReceiver } from "../../runtime/byte_stream.ts";
import type { Clock, TimerHandle } from "../../runtime/clock.ts";
import { invariant } from "../../runtime/invariant.ts";
import { HIGH_WATER_BYTES, LINGER_MS, LOW_WATER_BYTES } from "../stream_limits.ts";
import type { Pace } from "./pace.ts";

const PIECE_BYTES = 64 * 1024;
const SCRATCH_BYTES = 16 * 1024;

interface Piece {
  readonly bytes: Uint8Array;
  readonly released: (() => void) | undefined;
  readonly leaveAtMs: number;
}

export class PacedStream implements ByteStream {
  readonly #inner: ByteStream;
  readonly #clock: Clock;
  readonly #pace: Pace;
  readonly #onEnded: () => void;
  #receiver: StreamReceiver | null = null;
  #pieces: Piece[] = [];
  #head = 0;
  #heldBytes = 0;
  #timer: TimerHandle | null = null;
  #lingerTimer: TimerHandle | null = null;
  #innerFull = false;
  #owesDrained = false;
  #ending = false;
  #over = false;
  /** Where bytes land that come after `end()`. */
  #scratch: Uint8Array | null = null;

  constructor(
    inner: ByteStream,
    options: { readonly clock: Clock; readonly pace: Pace; readonly onEnded?: () => void },
  ) {
    this.#inner = inner;
    this.#clock = options.clock;
    this.#pace = options.pace;
    this.#onEnded = options.onEnded ?? (() => {});
  }

  get remoteAddress(): string {
    return this.#inner.remoteAddress;
  }

  get provenNames(): readonly string[] | undefined {
    return this.#inner.provenNames;
  }

  get queuedBytes(): number {
    return this.#heldBytes + this.#inner.queuedBytes;
  }

  start(receiver: StreamReceiver): void {
    invariant(this.#receiver === null, "a stream is started once");
    this.#receiver = receiver;
    this.#inner.start({
      space: () => this.#ending ? this.#scratch ??= new Uint8Array(SCRATCH_BYTES) : receiver.space(),
      received: (length) => {
        if (!this.#ending) receiver.received(length);
      },
      drained: () => {
        this.#innerFull = false;
        this.#pump();
        this.#tellDrained();
      },
      ended: (end) => {
        this.#drop();
        this.#onEnded();
        receiver.ended(end);
      },
    });
  }

  send(bytes: Uint8Array, released?: () => void): boolean {
    if (this.#over || this.#ending) {
      if (released !== undefined) queueMicrotask(released);
      return true;
    }
    const nowMs = this.#clock.now();
    for (let at = 0; at < bytes.byteLength || at === 0; at += PIECE_BYTES) {
      const piece = bytes.subarray(at, at + PIECE_BYTES);
      const last = at + PIECE_BYTES >= bytes.byteLength;
      const leaveAtMs = this.#pace.leaveAtMs(piece.byteLength, nowMs);
      this.#pieces.push({ bytes: piece, released: last ? released : undefined, leaveAtMs });
      this.#heldBytes += piece.byteLength;
    }
    this.#pump();
    if (this.#heldBytes < HIGH_WATER_BYTES && !this.#innerFull) return true;
    this.#owesDrained = true;
    return false;
  }

  resume(): void {
    this.#inner.resume();
  }

  end(): void {
    if (this.#over || this.#ending) return;
    this.#ending = true;
    if (this.#head === this.#pieces.length) return this.#inner.end();
    this.#inner.resume();
    this.#lingerTimer = this.#clock.after(LINGER_MS, () => {
      this.#drop();
      this.#inner.destroy(`could not be ended within ${LINGER_MS} ms`);
    });
  }

  destroy(reason: string): void {
    this.#drop();
    this.#inner.destroy(reason);
  }

  /** Passes on what may leave now and comes back for the rest. */
  #pump(): void {
    const nowMs = this.#clock.now();
    while (this.#head < this.#pieces.length && !this.#innerFull) {
      const piece = this.#pieces[this.#head] as Piece;
      if (piece.leaveAtMs > nowMs) break;
      this.#head += 1;
      this.#heldBytes -= piece.bytes.byteLength;
      this.#innerFull = !this.#inner.send(piece.bytes, piece.released);
    }
    this.#compact();
    if (this.#head === this.#pieces.length) {
      if (this.#ending && !this.#over) this.#finishEnding();
    } else if (!this.#innerFull && this.#timer === null) {
      const dueMs = (this.#pieces[this.#head] as Piece).leaveAtMs;
      this.#timer = this.#clock.after(Math.max(0, dueMs - nowMs), () => {
        this.#timer = null;
        this.#pump();
        this.#tellDrained();
      });
    }
  }

  #finishEnding(): void {
    this.#over = true;
    if (this.#lingerTimer !== null) this.#clock.cancel(this.#lingerTimer);
    this.#inner.end();
  }

  #tellDrained(): void {
    if (!this.#owesDrained || this.#over || this.#innerFull || this.#heldBytes >= LOW_WATER_BYTES) return;
    this.#owesDrained = false;
    this.#receiver?.drained();
  }

  /** Nothing more leaves. */
  #drop(): void {
    this.#over = true;
    for (const timer of [this.#timer, this.#lingerTimer]) if (timer !== null) this.#clock.cancel(timer);
    this.#timer = null;
    const dropped = this.#pieces.slice(this.#head);
    this.#pieces = [];
    this.#head = 0;
    this.#heldBytes = 0;
    for (const { released } of dropped) if (released !== undefined) queueMicrotask(released);
  }

  #compact(): void {
    if (this.#head < 1_024 && this.#head < this.#pieces.length) return;
    this.#pieces = this.#pieces.slice(this.#head);
    this.#head = 0;
  }
}

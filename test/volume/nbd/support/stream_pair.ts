/**
 * Two byte streams joined in memory, whose turns the test runs itself: nothing happens until `turns.run()`.
 *
 * How the bytes are cut into reads is the test's choice, since that is what a protocol must not depend on.
 */
import type { ByteStream, StreamEnd, StreamReceiver } from "../../../../runtime/byte_stream.ts";

/** Work that waits for the current turn to end. */
export class Turns {
  #work: (() => void)[] = [];

  readonly post = (work: () => void): void => {
    this.#work.push(work);
  };

  /** Until nothing is left; a test that never comes to rest fails. */
  run(): void {
    for (let turn = 0; turn < 1_000_000; turn += 1) {
      const work = this.#work.shift();
      if (work === undefined) return;
      work();
    }
    throw new Error("the streams never come to rest");
  }
}

export interface PairOptions {
  readonly turns: Turns;
  /** How much of `available` bytes the next read brings; default all. */
  readonly cut?: (available: number) => number;
  /** Default 1 MiB; `drained` comes below half of it. */
  readonly highWaterBytes?: number;
}

/** What one end sends the other end receives. */
export function streamPair(options: PairOptions): { left: MemoryStream; right: MemoryStream } {
  const left = new MemoryStream("left", options);
  const right = new MemoryStream("right", options);
  left.join(right);
  right.join(left);
  return { left, right };
}

export class MemoryStream implements ByteStream {
  readonly remoteAddress: string;
  queuedBytes = 0;
  /** Most bytes that were ever queued at once. */
  queuedBytesPeak = 0;
  /** Calls of `send`. */
  sends = 0;
  readonly #options: PairOptions;
  #peer: MemoryStream | null = null;
  #receiver: StreamReceiver | null = null;
  #pieces: { bytes: Uint8Array; released: (() => void) | undefined }[] = [];
  #sentOfFirst = 0;
  #paused = false;
  #owesDrained = false;
  #delivering = false;
  #ending = false;
  #ended = false;

  constructor(remoteAddress: string, options: PairOptions) {
    this.remoteAddress = remoteAddress;
    this.#options = options;
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  join(peer: MemoryStream): void {
    this.#peer = peer;
  }

  start(receiver: StreamReceiver): void {
    this.#receiver = receiver;
    this.#peer?.wake();
  }

  send(bytes: Uint8Array, released?: () => void): boolean {
    if (this.#ended || this.#ending) {
      if (released !== undefined) this.#options.turns.post(released);
      return true;
    }
    this.sends += 1;
    this.#pieces.push({ bytes, released });
    this.queuedBytes += bytes.length;
    this.queuedBytesPeak = Math.max(this.queuedBytesPeak, this.queuedBytes);
    this.wake();
    if (this.queuedBytes < this.#highWaterBytes()) return true;
    this.#owesDrained = true;
    return false;
  }

  resume(): void {
    this.#paused = false;
    this.#peer?.wake();
  }

  end(): void {
    if (this.#ending || this.#ended) return;
    this.#ending = true;
    this.wake();
  }

  destroy(reason: string): void {
    if (this.#ended) return;
    const peer = this.#peer;
    this.#finish({ kind: "closed_here", detail: reason });
    if (peer !== null) peer.#finish({ kind: "reset", detail: "reset by the other end" });
  }

  /** Moves what is queued here to the peer, in a turn of its own. */
  wake(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    this.#options.turns.post(() => {
      this.#delivering = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    const peer = this.#peer;
    if (peer === null || peer.#receiver === null) return;
    const receiver = peer.#receiver;
    if (this.#ended || peer.#ended || peer.#paused) return;
    if (this.#pieces.length === 0) return this.#finishIfEnding(peer);
    const space = receiver.space();
    if (space === null) {
      peer.#paused = true;
      return;
    }
    const most = Math.min(space.length, this.queuedBytes);
    const length = this.#fill(
      space.subarray(0, Math.max(1, Math.min(most, this.#options.cut?.(most) ?? most))),
    );
    receiver.received(length);
    if (this.#owesDrained && this.queuedBytes < this.#highWaterBytes() / 2) {
      this.#owesDrained = false;
      this.#options.turns.post(() => this.#ended || this.#receiver?.drained());
    }
    this.wake();
  }

  #fill(space: Uint8Array): number {
    let filled = 0;
    while (filled < space.length) {
      const piece = this.#pieces[0];
      if (piece === undefined) break;
      const part = piece.bytes.subarray(this.#sentOfFirst, this.#sentOfFirst + space.length - filled);
      space.set(part, filled);
      filled += part.length;
      this.#sentOfFirst += part.length;
      if (this.#sentOfFirst === piece.bytes.length) {
        this.#pieces.shift();
        this.#sentOfFirst = 0;
        piece.released?.();
      }
    }
    this.queuedBytes -= filled;
    return filled;
  }

  #finishIfEnding(peer: MemoryStream): void {
    if (!this.#ending) return;
    this.#finish({ kind: "closed_here", detail: "ended here" });
    peer.#finish({ kind: "ended_by_peer", detail: "ended by the other end" });
  }

  #finish(end: StreamEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const piece of this.#pieces.splice(0)) piece.released?.();
    this.queuedBytes = 0;
    this.#options.turns.post(() => this.#receiver?.ended(end));
  }

  #highWaterBytes(): number {
    return this.#options.highWaterBytes ?? 1024 * 1024;
  }
}

/** The raw end of a connection: sends what it is told, keeps what comes. */
export class RawPeer implements StreamReceiver {
  readonly stream: MemoryStream;
  end: StreamEnd | null = null;
  #chunks: Uint8Array[] = [];
  readonly #space = new Uint8Array(64 * 1024);
  /** While true, nothing is read. */
  deaf = false;

  constructor(stream: MemoryStream) {
    this.stream = stream;
    stream.start(this);
  }

  space(): Uint8Array | null {
    return this.deaf ? null : this.#space;
  }

  received(length: number): void {
    this.#chunks.push(this.#space.slice(0, length));
  }

  drained(): void {
    // A raw peer sends whatever it wants.
  }

  ended(end: StreamEnd): void {
    this.end = end;
  }

  /** Everything that came since the last call. */
  take(): Buffer {
    return Buffer.concat(this.#chunks.splice(0));
  }
}

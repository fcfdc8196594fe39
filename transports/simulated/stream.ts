/**
 * One end of a simulated connection.
 *
 * It keeps the `ByteStream` promises with the same turn-end gathering, water marks and a bounded window of bytes on
 * their way (the kernel's buffers), so that back-pressure in the simulator is back-pressure. Reads are cut and merged
 * at random where the network says so: no decoder may rely on where a write ended. Bytes are copied on sending;
 * nothing of the sender is touched after `released`.
 */
import type { ByteStream, StreamEnd, StreamReceiver } from "../../runtime/byte_stream.ts";
import type { Clock } from "../../runtime/clock.ts";
import { invariant } from "../../runtime/invariant.ts";
import type { Random } from "../../runtime/random.ts";
import type { Scheduler } from "../../runtime/scheduler.ts";
import { HIGH_WATER_BYTES, LINGER_MS, LOW_WATER_BYTES } from "../stream_limits.ts";
import type { Wire } from "./paths.ts";

export interface StreamSettings {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly random: Random;
  /** Bytes on their way or unread at the other end. */
  readonly windowBytes: number;
  /** Reads are cut at random places. */
  readonly splitReads: boolean;
}

interface Outgoing {
  bytes: Uint8Array;
  readonly released: (() => void) | undefined;
}

export class SimulatedStream implements ByteStream {
  readonly remoteAddress: string;
  readonly #settings: StreamSettings;
  readonly #wire: Wire;
  readonly #onClosed: () => void;
  #peer: SimulatedStream | null = null;
  #receiver: StreamReceiver | null = null;
  #queue: Outgoing[] = [];
  #queuedBytes = 0;
  /** Sent and not yet read by the other side's receiver. */
  #bytesOnTheirWay = 0;
  #inbox: Uint8Array[] = [];
  #owesDrained = false;
  #flushAsked = false;
  #pumpAsked = false;
  #ending: StreamEnd | null = null;
  #peerHasEnded = false;
  #resetAfterBytes = Number.POSITIVE_INFINITY;
  #end: StreamEnd | null = null;
  #told = false;
  /** Nobody is there to take bytes or to drop them: the sender's window stays full. */
  #gone = false;

  /** @param options.wire carries from this end to the other */
  constructor(
    options: { remoteAddress: string; settings: StreamSettings; wire: Wire; onClosed?: () => void },
  ) {
    this.remoteAddress = options.remoteAddress;
    this.#settings = options.settings;
    this.#wire = options.wire;
    this.#onClosed = options.onClosed ?? (() => {});
  }

  /** Makes the two one connection. */
  static join(one: SimulatedStream, other: SimulatedStream): void {
    one.#peer = other;
    other.#peer = one;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** False after the end. */
  get isOpen(): boolean {
    return this.#end === null;
  }

  start(receiver: StreamReceiver): void {
    invariant(this.#receiver === null, "a stream is started once");
    this.#receiver = receiver;
    if (this.#end === null) this.#askPump();
    else this.#tellEnded();
  }

  send(bytes: Uint8Array, released?: () => void): boolean {
    if (this.#end !== null || this.#ending !== null) {
      if (released !== undefined) this.#settings.scheduler.post(released);
      return true;
    }
    this.#queue.push({ bytes, released });
    this.#queuedBytes += bytes.byteLength;
    this.#askFlush();
    if (this.#queuedBytes < HIGH_WATER_BYTES) return true;
    this.#owesDrained = true;
    return false;
  }

  resume(): void {
    this.#askPump();
  }

  end(): void {
    this.#beginEnding({ kind: "closed_here", detail: `${this.remoteAddress}: ended here` });
  }

  destroy(reason: string): void {
    if (this.#end !== null) return;
    const unread = this.#inbox.length > 0;
    this.#wire.put(() => unread ? this.#peer?.reset("the other side closed it") : this.#peer?.peerEnded());
    this.#finish({ kind: "closed_here", detail: `${this.remoteAddress}: ${reason}` });
  }

  // What the network and the other end do to this end.

  /** The connection breaks here and now; what is on its way is lost. */
  reset(why: string): void {
    this.#wire.cut();
    this.#finish({ kind: "reset", detail: `${this.remoteAddress}: ${why}` });
  }

  /** After `byteLength` more bytes have been received here, the connection breaks for both ends. */
  resetAfter(byteLength: number): void {
    this.#resetAfterBytes = byteLength;
    this.#askPump();
  }

  /** This end's process is gone: nothing is called any more, nothing leaves. */
  vanish(): void {
    this.#told = true;
    this.#gone = true;
    this.#wire.cut();
    this.#finish({ kind: "closed_here", detail: `${this.remoteAddress}: the process is gone` });
  }

  /** The other end will send nothing more; arrives after its bytes. */
  peerEnded(): void {
    this.#peerHasEnded = true;
    this.#askPump();
  }

  /** Bytes of the other end are here. */
  arrived(bytes: Uint8Array): void {
    if (this.#gone) return;
    if (this.#end !== null || this.#ending !== null) {
      this.#peer?.credit(bytes.byteLength);
      return;
    }
    this.#inbox.push(bytes);
    this.#askPump();
  }

  /** The other side's receiver has taken `byteLength` bytes. */
  credit(byteLength: number): void {
    this.#bytesOnTheirWay -= byteLength;
    if (!this.#flushAsked && (this.#queue.length > 0 || this.#ending !== null)) this.#askFlush();
  }

  // Sending.

  #askFlush(): void {
    if (this.#flushAsked) return;
    this.#flushAsked = true;
    // Posted first: work for the end of a turn that is asked for outside any turn would wait for the next one.
    this.#settings.scheduler.post(() =>
      this.#settings.scheduler.atTurnEnd(() => {
        this.#flushAsked = false;
        this.#flush();
      })
    );
  }

  #flush(): void {
    if (this.#end !== null) return;
    const room = this.#settings.windowBytes - this.#bytesOnTheirWay;
    const gathered = new Uint8Array(Math.max(0, Math.min(room, this.#queuedBytes)));
    let at = 0;
    while (this.#queue.length > 0) {
      const first = this.#queue[0] as Outgoing;
      const length = Math.min(first.bytes.byteLength, gathered.byteLength - at);
      gathered.set(first.bytes.subarray(0, length), at);
      at += length;
      if (length < first.bytes.byteLength) {
        first.bytes = first.bytes.subarray(length);
        break;
      }
      this.#queue.shift();
      if (first.released !== undefined) this.#settings.scheduler.post(first.released);
    }
    if (at > 0) {
      this.#queuedBytes -= at;
      this.#bytesOnTheirWay += at;
      this.#wire.put(() => this.#peer?.arrived(gathered));
    }
    if (this.#owesDrained && this.#queuedBytes < LOW_WATER_BYTES) {
      this.#owesDrained = false;
      this.#settings.scheduler.post(() => {
        if (this.#end === null) this.#receiver?.drained();
      });
    }
    if (this.#ending !== null && this.#queue.length === 0) {
      this.#wire.put(() => this.#peer?.peerEnded());
      this.#finish(this.#ending);
    }
  }

  // Receiving.

  #askPump(): void {
    if (this.#pumpAsked) return;
    this.#pumpAsked = true;
    this.#settings.scheduler.post(() => {
      this.#pumpAsked = false;
      this.#pump();
    });
  }

  #pump(): void {
    const receiver = this.#receiver;
    while (receiver !== null && this.#inbox.length > 0 && this.#end === null && this.#ending === null) {
      if (this.#resetAfterBytes === 0) break;
      const space = receiver.space();
      if (space === null) return;
      invariant(space.byteLength > 0, "a receiver lends at least one byte");
      const length = this.#fill(space);
      this.#resetAfterBytes -= length;
      this.#peer?.credit(length);
      receiver.received(length);
    }
    if (this.#resetAfterBytes === 0) {
      this.#peer?.reset("reset by the network");
      this.reset("reset by the network");
      return;
    }
    if (this.#peerHasEnded && this.#inbox.length === 0 && this.#end === null) {
      this.#beginEnding({ kind: "ended_by_peer", detail: `${this.remoteAddress}: ended by the other side` });
    }
  }

  /** Moves bytes of the inbox into `space`: as many as fit, or a random part of them. */
  #fill(space: Uint8Array): number {
    let limit = Math.min(space.byteLength, this.#resetAfterBytes);
    if (this.#settings.splitReads) limit = 1 + this.#settings.random.uint32() % limit;
    let length = 0;
    while (length < limit && this.#inbox.length > 0) {
      const first = this.#inbox[0] as Uint8Array;
      const part = first.subarray(0, limit - length);
      space.set(part, length);
      length += part.byteLength;
      if (part.byteLength === first.byteLength) this.#inbox.shift();
      else this.#inbox[0] = first.subarray(part.byteLength);
    }
    return length;
  }

  // Ending.

  #beginEnding(end: StreamEnd): void {
    if (this.#end !== null || this.#ending !== null) return;
    this.#ending = end;
    this.#settings.clock.after(LINGER_MS, () => {
      if (this.#end !== null) return;
      this.#wire.put(() => this.#peer?.reset("the other side gave up ending it"));
      this.#finish({
        kind: "timed_out",
        detail: `${this.remoteAddress}: could not be ended within ${LINGER_MS} ms`,
      });
    });
    const unread = this.#inbox.reduce((sum, bytes) => sum + bytes.byteLength, 0);
    this.#inbox = [];
    if (unread > 0) this.#peer?.credit(unread);
    this.#askFlush();
  }

  #finish(end: StreamEnd): void {
    if (this.#end !== null) return;
    this.#end = end;
    for (const { released } of this.#queue) {
      if (released !== undefined) this.#settings.scheduler.post(released);
    }
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#inbox = [];
    this.#onClosed();
    this.#tellEnded();
  }

  #tellEnded(): void {
    const receiver = this.#receiver;
    const end = this.#end;
    if (receiver === null || end === null || this.#told) return;
    this.#told = true;
    this.#settings.scheduler.post(() => receiver.ended(end));
  }
}

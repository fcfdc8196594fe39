/**
 * The frames that have arrived and are not applied yet, in order, with a bound on their bytes. Pure.
 *
 * A target applies strictly in order, yet must stop in the middle: for a cold region, for a barrier, for a disk that
 * answers later. Frames wait here meanwhile, their payload in the slab in which it came. At the bound the channel is
 * paused, so that back-pressure reaches the source and its queue, not this heap (I8).
 */
import type { IncomingFrame } from "../../protocol/frame_decoder.ts";
import type { FrameKind } from "../../protocol/frame_header.ts";
import type { LegToTarget } from "../../protocol/leg_messages.ts";
import type { Slab } from "../../runtime/slab.ts";

export const WAITING_BYTES_MAX = 8 * 1024 * 1024;
export const WAITING_FRAMES_MAX = 8_192;

export interface WaitingFrame {
  readonly kind: Exclude<FrameKind, "ack" | "message">;
  readonly frame: number;
  readonly flags: number;
  readonly volume: number;
  readonly seq: number;
  readonly offset: number;
  /** Bytes of the volume that it changes. */
  readonly span: number;
  readonly payload: Uint8Array;
  readonly slab: Slab;
  /** The intent of its range is durable and pinned here. */
  pinned: boolean;
  /** Its pin was asked for and is not there yet. */
  heating: boolean;
  /** Hot regions that its pin holds or waits for. */
  pins: number;
}

/** A word of the source, at its place between the frames. */
export interface WaitingMessage {
  readonly kind: "message";
  readonly frame: number;
  readonly message: LegToTarget;
}

export type Waiting = WaitingFrame | WaitingMessage;

export class ApplyQueue {
  #items: Waiting[] = [];
  #start = 0;
  /** Pins are asked for in order; all items before this one have been looked at. */
  #unaskedAt = 0;
  #bytes = 0;

  get head(): Waiting | undefined {
    return this.#items[this.#start];
  }
  get length(): number {
    return this.#items.length - this.#start;
  }
  get full(): boolean {
    return this.#bytes >= WAITING_BYTES_MAX || this.length >= WAITING_FRAMES_MAX;
  }
  /** Room enough to read on without pausing again at once. */
  get hasRoom(): boolean {
    return this.#bytes <= WAITING_BYTES_MAX / 2 && this.length <= WAITING_FRAMES_MAX / 2;
  }

  /** Keeps a frame; its slab is held until `shift` or `clear`. */
  pushFrame(frame: IncomingFrame): WaitingFrame {
    frame.slab.retain();
    const waiting: WaitingFrame = {
      kind: frame.kind as WaitingFrame["kind"],
      frame: frame.frame,
      flags: frame.flags,
      volume: frame.volume,
      seq: frame.seq,
      offset: frame.offset,
      span: frame.span,
      payload: frame.payload,
      slab: frame.slab,
      pinned: false,
      heating: false,
      pins: 0,
    };
    this.#items.push(waiting);
    this.#bytes += frame.payload.byteLength;
    return waiting;
  }

  pushMessage(frame: number, message: LegToTarget): void {
    this.#items.push({ kind: "message", frame, message });
    this.#bytes += bytesOf(message);
  }

  /** The first frame that changes blocks and whose pin was not asked for yet. */
  get unasked(): WaitingFrame | undefined {
    for (; this.#unaskedAt < this.#items.length; this.#unaskedAt += 1) {
      const item = this.#items[this.#unaskedAt];
      if (item !== undefined && item.kind !== "message" && item.span > 0) return item;
    }
    return undefined;
  }
  /** The pin of `unasked` was asked for, or never will be. */
  asked(): void {
    this.#unaskedAt += 1;
  }

  /** Takes the head away once it is applied. */
  shift(): void {
    const head = this.#items[this.#start];
    if (head === undefined) return;
    if (head.kind === "message") this.#bytes -= bytesOf(head.message);
    else {
      this.#bytes -= head.payload.byteLength;
      head.slab.release();
    }
    this.#start += 1;
    this.#unaskedAt = Math.max(this.#unaskedAt, this.#start);
    if (this.#start > 1024 && this.#start * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#start);
      this.#unaskedAt -= this.#start;
      this.#start = 0;
    }
  }

  /** Drops everything; answers the frames whose ranges are pinned or being heated. */
  clear(): readonly WaitingFrame[] {
    const pinned: WaitingFrame[] = [];
    for (; this.length > 0; this.shift()) {
      const head = this.head;
      if (head !== undefined && head.kind !== "message" && (head.pinned || head.heating)) pinned.push(head);
    }
    return pinned;
  }
}

/** Only marks are of a size to count. */
function bytesOf(message: LegToTarget): number {
  return message.kind === "marks" ? message.runs.byteLength : 0;
}

/** How many slots of the hot set its pin takes. */
export function hotRegionsOf(frame: WaitingFrame, hotRegionBytes: number): number {
  const last = Math.floor((frame.offset + frame.span - 1) / hotRegionBytes);
  return last - Math.floor(frame.offset / hotRegionBytes) + 1;
}

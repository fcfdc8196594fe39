/**
 * Turns what a stream reads into frames, in place.
 *
 * Pure: bytes in, frames out. It lends the stream the free end of a slab, looks at what arrived where it lies, and
 * hands each frame on as header fields and a view. Whoever keeps the view beyond the call retains the slab; when a
 * slab is full, what is left of a half-arrived frame moves to the front of the next one (the only copy, and never
 * more than one frame per slab). A slab that nobody retained is used again from its beginning.
 *
 * Nothing is believed: magic, header checksum, kind, flags, lengths and frame number are checked before a byte of
 * space is made for the payload, the payload's checksum before it is handed on. The first thing wrong ends the
 * connection; there is no resynchronising in a damaged stream.
 */
import { crc32 } from "node:zlib";
import { invariant } from "../runtime/invariant.ts";
import { Slab, type SlabPool } from "../runtime/slab.ts";
import {
  emptyHeader,
  type FrameFailure,
  type FrameHeader,
  type FrameLimits,
  HEADER_BYTES,
  readHeader,
  SESSION_LIMITS,
} from "./frame_header.ts";

/** A frame as handed on: valid within the call only, but for the payload of a retained slab. */
export interface IncomingFrame extends Readonly<FrameHeader> {
  readonly payload: Uint8Array;
  /** Holds the payload. `retain()` it to keep the payload beyond the call, and `release()` it once. */
  readonly slab: Slab;
}

export interface FrameReceiver {
  frame(frame: IncomingFrame): void;
  /** The last call. */
  failed(failure: FrameFailure): void;
}

/** Strangers get a slab of this size: a thousand connections that never say hello must not cost a gigabyte. */
const STRANGER_SLAB_BYTES = 16 * 1024;
/** Below this much free space at its end a slab is left behind rather than read into in little pieces. */
const LEND_BYTES_MIN = 32 * 1024;

class CurrentFrame implements IncomingFrame, FrameHeader {
  kind = emptyHeader().kind;
  flags = 0;
  volume = 0;
  payloadLength = 0;
  payloadChecksum = 0;
  span = 0;
  frame = 0;
  seq = 0;
  offset = 0;
  payload: Uint8Array = new Uint8Array(0);
  slab: Slab;

  constructor(slab: Slab) {
    this.slab = slab;
  }
}

export class FrameDecoder {
  readonly #pool: SlabPool;
  readonly #receiver: FrameReceiver;
  #limits: FrameLimits;
  #slab: Slab;
  #view: DataView;
  /** What has arrived and was not handed on: [from, to) of the slab. */
  #from = 0;
  #to = 0;
  /** The header at `from` has been read into `current`; its payload is awaited. */
  #headerRead = false;
  readonly #current: CurrentFrame;
  #lastFrame = 0;
  #paused = false;
  #decoding = false;
  #stopped = false;
  #closed = false;

  /** @param options.limits default: those of a session; see `limit` */
  constructor(options: { pool: SlabPool; receiver: FrameReceiver; limits?: FrameLimits }) {
    this.#pool = options.pool;
    this.#receiver = options.receiver;
    this.#limits = options.limits ?? SESSION_LIMITS;
    this.#slab = this.#isStranger() ? new Slab(STRANGER_SLAB_BYTES, () => {}) : this.#pool.take();
    this.#view = viewOf(this.#slab);
    this.#current = new CurrentFrame(this.#slab);
  }

  /** The number of the last frame handed on; 0 before the first. */
  get lastFrame(): number {
    return this.#lastFrame;
  }

  /** Paused, and neither stopped nor failed: what has arrived is still owed. */
  get isHolding(): boolean {
    return this.#paused && !this.#stopped;
  }

  /** Holds for headers not yet read. */
  limit(limits: FrameLimits): void {
    this.#limits = limits;
  }

  /** Space for the next read; null while paused and after the end. The same space when asked twice. */
  space(): Uint8Array | null {
    if (this.#paused || this.#stopped) return null;
    this.#makeSpace();
    return this.#slab.bytes.subarray(this.#to);
  }

  /** `length` bytes are at the start of the last space: hands on every frame that is complete now. */
  received(length: number): void {
    if (this.#stopped) return;
    this.#to += length;
    invariant(this.#to <= this.#slab.bytes.byteLength, "no more is received than the space that was lent");
    this.#decode();
  }

  /** Hands on nothing more, also not of what has arrived. Callable inside `frame`. */
  pause(): void {
    this.#paused = true;
  }

  /** Hands on what has arrived meanwhile, within the call unless called inside `frame`. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#decode();
  }

  /** Nothing is handed on any more. Callable twice, and inside `frame`. */
  stop(): void {
    this.#stopped = true;
  }

  /** Gives the slab back. Only after the stream's `ended`: until then its next read may still land in the last space. */
  close(): void {
    invariant(!this.#closed, "a decoder is closed once");
    this.#stopped = true;
    this.#closed = true;
    this.#slab.release();
  }

  #decode(): void {
    if (this.#decoding) return;
    this.#decoding = true;
    let failure: FrameFailure | null = null;
    try {
      while (failure === null && !this.#paused && !this.#stopped && this.#to - this.#from >= HEADER_BYTES) {
        if (!this.#headerRead) failure = this.#readHeader();
        if (failure !== null || this.#to - this.#from < HEADER_BYTES + this.#current.payloadLength) break;
        failure = this.#handOn();
      }
    } finally {
      this.#decoding = false;
    }
    if (failure !== null && !this.#stopped) {
      this.stop();
      this.#receiver.failed(failure);
    }
  }

  #readHeader(): FrameFailure | null {
    const failure = readHeader(this.#view, {
      at: this.#from,
      bytes: this.#slab.bytes,
      header: this.#current,
      limits: this.#limits,
    });
    if (failure !== null) return failure;
    if (this.#current.frame !== this.#lastFrame + 1) {
      return {
        kind: "frame_jumped",
        detail: `frame ${this.#current.frame} came after frame ${this.#lastFrame}`,
      };
    }
    this.#headerRead = true;
    return null;
  }

  #handOn(): FrameFailure | null {
    const current = this.#current;
    const payloadFrom = this.#from + HEADER_BYTES;
    const payloadTo = payloadFrom + current.payloadLength;
    current.payload = this.#slab.bytes.subarray(payloadFrom, payloadTo);
    current.slab = this.#slab;
    if (current.payloadLength > 0) {
      const checksum = crc32(current.payload);
      if (checksum !== current.payloadChecksum) {
        return {
          kind: "payload_checksum",
          detail:
            `the payload of ${current.kind} frame ${current.frame} (seq ${current.seq}) gives checksum ` +
            `0x${checksum.toString(16).padStart(8, "0")}, its header says ` +
            `0x${current.payloadChecksum.toString(16).padStart(8, "0")}`,
        };
      }
    }
    this.#from = payloadTo;
    this.#headerRead = false;
    this.#lastFrame = current.frame;
    this.#receiver.frame(current);
    return null;
  }

  /** Sees to it that the slab has room for the rest of the frame under way, or at least for a good read. */
  #makeSpace(): void {
    if (this.#slab.references === 1 && this.#from === this.#to) {
      this.#from = 0;
      this.#to = 0;
    }
    const length = this.#slab.bytes.byteLength;
    const whole = this.#headerRead ? HEADER_BYTES + this.#current.payloadLength : 0;
    const fits = this.#headerRead
      ? length - this.#from >= whole
      : length - this.#to >= Math.min(LEND_BYTES_MIN, length >>> 2) && !this.#isMisfit();
    if (!fits) this.#moveOn(Math.max(whole, HEADER_BYTES));
  }

  /** A slab of before the handshake, or one made for a single large frame: given up between two frames. */
  #isMisfit(): boolean {
    return this.#isStranger() ? false : this.#slab.bytes.byteLength !== this.#pool.slabBytes;
  }

  #isStranger(): boolean {
    return this.#limits.dataPayloadBytesMax === 0;
  }

  #moveOn(bytesMin: number): void {
    const pending = this.#to - this.#from;
    if (this.#slab.references === 1 && bytesMin <= this.#slab.bytes.byteLength && !this.#isMisfit()) {
      this.#slab.bytes.copyWithin(0, this.#from, this.#to);
    } else {
      const next = this.#isStranger()
        ? new Slab(Math.max(bytesMin, STRANGER_SLAB_BYTES), () => {})
        : this.#pool.take(bytesMin);
      next.bytes.set(this.#slab.bytes.subarray(this.#from, this.#to));
      this.#slab.release();
      this.#slab = next;
      this.#view = viewOf(next);
    }
    this.#from = 0;
    this.#to = pending;
  }
}

function viewOf(slab: Slab): DataView {
  return new DataView(slab.bytes.buffer, slab.bytes.byteOffset, slab.bytes.byteLength);
}

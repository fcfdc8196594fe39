/**
 * Gathers the replies of one turn, so that they leave in one piece.
 *
 * Replies are written one behind the other into an arena (a slab), and neighbours become one segment: thirty-two
 * replies of sixteen bytes are one send of 512. A volume that wants to read straight into its reply asks for
 * `reserve`, which is the place behind the header, so that a batch of reads is one contiguous piece as well and
 * nothing is copied. Data that lie elsewhere are sent from there.
 *
 * An arena is filled from its beginning again once nobody holds a piece of it; that is the slab's own count, with
 * one reference for each reserved place, each open segment and each send that has not left.
 */
import { invariant } from "../../runtime/invariant.ts";
import type { ByteStream } from "../../runtime/byte_stream.ts";
import type { Slab, SlabPool } from "../../runtime/slab.ts";
import {
  CHUNK,
  CHUNK_FLAG_DONE,
  CHUNK_HEADER_BYTES,
  SIMPLE_REPLY_BYTES,
  SIMPLE_REPLY_MAGIC,
  STRUCTURED_REPLY_MAGIC,
} from "./protocol_numbers.ts";
import { putUint64 } from "./option_reply.ts";

/** The client's own name for a request, opaque to us ("Request message": handle). */
export interface Handle {
  readonly handleHigh: number;
  readonly handleLow: number;
}

/** A stretch of an arena, promised to one reply. */
export interface ReservedReply {
  readonly arena: Arena;
  readonly at: number;
  /** Where the data go, behind the place of the header. */
  readonly data: Uint8Array;
}

/** A slab that replies are written into. */
class Arena {
  readonly slab: Slab;
  readonly view: DataView;
  /** One closure for all sends out of this arena. */
  readonly released: () => void;
  filled = 0;

  constructor(slab: Slab) {
    this.slab = slab;
    this.view = new DataView(slab.bytes.buffer, slab.bytes.byteOffset, slab.bytes.byteLength);
    this.released = () => slab.release();
  }
}

/** "Structured replies": a content chunk of type OFFSET_DATA begins with the offset. */
const DATA_CHUNK_HEADER_BYTES = CHUNK_HEADER_BYTES + 8;
/** An error chunk begins with the error and the length of its message. */
const ERROR_CHUNK_FIXED_BYTES = 6;

export class ReplyOutbox {
  readonly #stream: ByteStream;
  readonly #slabs: SlabPool;
  readonly #structured: boolean;
  /** Taken when the first reply needs it: an idle connection has none. */
  #arena: Arena | null = null;
  /** The segment that is still growing: `#openArena` from `#openFrom` to `#openTo`. */
  #openArena: Arena | null = null;
  #openFrom = 0;
  #openTo = 0;
  #queuedBytes = 0;
  /** What is ready to be sent, in order; `#owners[i]` is told when `#segments[i]` has left. */
  #segments: Uint8Array[] = [];
  #owners: (Arena | null)[] = [];

  constructor(stream: ByteStream, options: { slabs: SlabPool; structured: boolean }) {
    this.#stream = stream;
    this.#slabs = options.slabs;
    this.#structured = options.structured;
  }

  /** Bytes gathered and not handed to the stream yet. */
  get gatheredBytes(): number {
    return this.#queuedBytes;
  }

  /** "Simple reply message" without data: success of anything but a read, and errors without structured replies. */
  simple(handle: Handle, error: number): void {
    const at = this.#append(SIMPLE_REPLY_BYTES);
    putSimpleHeader(this.#filledArena().view, at, { handle, error });
  }

  /** An error, with its sentence where the connection has structured replies (`NBD_REPLY_TYPE_ERROR`). */
  failure(handle: Handle, failure: { error: number; message: Uint8Array }): void {
    if (!this.#structured) return this.simple(handle, failure.error);
    const length = ERROR_CHUNK_FIXED_BYTES + failure.message.length;
    const at = this.#append(CHUNK_HEADER_BYTES + length);
    const { view, slab } = this.#filledArena();
    putChunkHeader(view, at, { handle, type: CHUNK.ERROR, length });
    view.setUint32(at + CHUNK_HEADER_BYTES, failure.error);
    view.setUint16(at + CHUNK_HEADER_BYTES + 4, failure.message.length);
    slab.bytes.set(failure.message, at + CHUNK_HEADER_BYTES + ERROR_CHUNK_FIXED_BYTES);
  }

  /** Place for a read's reply, so that the volume can read straight into it. */
  reserve(dataBytes: number): ReservedReply {
    const arena = this.#arenaFor(this.#headerBytes() + dataBytes);
    const at = arena.filled;
    arena.filled += this.#headerBytes() + dataBytes;
    arena.slab.retain();
    return { arena, at, data: arena.slab.bytes.subarray(at + this.#headerBytes(), arena.filled) };
  }

  /** The reserved place is full: it becomes the reply to a read at `offset`. */
  reserved(handle: Handle, reply: { reserved: ReservedReply; offset: number }): void {
    const { arena, at, data } = reply.reserved;
    this.#putReadHeader(arena, at, { handle, offset: reply.offset, length: data.length });
    this.#extend(arena, at, this.#headerBytes() + data.length);
    arena.slab.release();
  }

  /** The reserved place is not needed. */
  forget(reserved: ReservedReply): void {
    reserved.arena.slab.release();
  }

  /** The reply to a read whose data lie elsewhere: they are sent from there. */
  data(handle: Handle, reply: { offset: number; data: Uint8Array }): void {
    const at = this.#append(this.#headerBytes());
    this.#putReadHeader(this.#filledArena(), at, { handle, offset: reply.offset, length: reply.data.length });
    this.#closeSegment();
    this.#push(reply.data, null);
    this.#queuedBytes += reply.data.length;
  }

  /** One chunk of the answer to BLOCK_STATUS (`NBD_REPLY_TYPE_BLOCK_STATUS`): pairs of length and flags. */
  blockStatus(
    handle: Handle,
    chunk: { contextId: number; descriptors: readonly number[]; done: boolean },
  ): void {
    const length = 4 + chunk.descriptors.length * 4;
    const at = this.#append(CHUNK_HEADER_BYTES + length);
    const { view } = this.#filledArena();
    putChunkHeader(view, at, { handle, type: CHUNK.BLOCK_STATUS, length, done: chunk.done });
    view.setUint32(at + CHUNK_HEADER_BYTES, chunk.contextId);
    let place = at + CHUNK_HEADER_BYTES + 4;
    for (const number of chunk.descriptors) {
      view.setUint32(place, number);
      place += 4;
    }
  }

  /** Hands everything to the stream. False when the stream asks to stop. */
  flush(): boolean {
    this.#closeSegment();
    let accepted = true;
    for (let index = 0; index < this.#segments.length; index += 1) {
      const segment = this.#segments[index];
      invariant(segment !== undefined, "a segment that was pushed is there");
      accepted = this.#stream.send(segment, this.#owners[index]?.released);
    }
    this.#clear();
    return accepted;
  }

  /** Drops what was gathered, and the arena. */
  close(): void {
    this.#closeSegment();
    for (const owner of this.#owners) owner?.slab.release();
    this.#clear();
    this.#arena?.slab.release();
    this.#arena = null;
  }

  #clear(): void {
    this.#segments.length = 0;
    this.#owners.length = 0;
    this.#queuedBytes = 0;
  }

  #headerBytes(): number {
    return this.#structured ? DATA_CHUNK_HEADER_BYTES : SIMPLE_REPLY_BYTES;
  }

  #putReadHeader(
    arena: Arena,
    at: number,
    read: { handle: Handle; offset: number; length: number },
  ): void {
    if (!this.#structured) return putSimpleHeader(arena.view, at, { handle: read.handle, error: 0 });
    putChunkHeader(arena.view, at, { handle: read.handle, type: CHUNK.OFFSET_DATA, length: 8 + read.length });
    putUint64(arena.view, at + CHUNK_HEADER_BYTES, read.offset);
  }

  /** Place for `length` bytes at the end of what is gathered. */
  #append(length: number): number {
    const arena = this.#arenaFor(length);
    const at = arena.filled;
    arena.filled += length;
    this.#extend(arena, at, length);
    return at;
  }

  #filledArena(): Arena {
    invariant(this.#arena !== null, "what was appended has an arena");
    return this.#arena;
  }

  #arenaFor(length: number): Arena {
    const current = this.#arena;
    if (current !== null) {
      if (current.slab.references === 1) current.filled = 0;
      if (current.filled + length <= current.slab.bytes.length) return current;
      current.slab.release();
    }
    this.#arena = new Arena(this.#slabs.take(length));
    return this.#arena;
  }

  /** Adds a stretch to the open segment if it is its neighbour, and otherwise opens another one. */
  #extend(arena: Arena, at: number, length: number): void {
    this.#queuedBytes += length;
    if (this.#openArena === arena && this.#openTo === at) {
      this.#openTo += length;
      return;
    }
    this.#closeSegment();
    arena.slab.retain();
    this.#openArena = arena;
    this.#openFrom = at;
    this.#openTo = at + length;
  }

  #closeSegment(): void {
    if (this.#openArena === null) return;
    this.#push(this.#openArena.slab.bytes.subarray(this.#openFrom, this.#openTo), this.#openArena);
    this.#openArena = null;
  }

  #push(segment: Uint8Array, owner: Arena | null): void {
    this.#segments.push(segment);
    this.#owners.push(owner);
  }
}

function putSimpleHeader(view: DataView, at: number, reply: { handle: Handle; error: number }): void {
  view.setUint32(at, SIMPLE_REPLY_MAGIC);
  view.setUint32(at + 4, reply.error);
  view.setUint32(at + 8, reply.handle.handleHigh);
  view.setUint32(at + 12, reply.handle.handleLow);
}

function putChunkHeader(
  view: DataView,
  at: number,
  chunk: { handle: Handle; type: number; length: number; done?: boolean },
): void {
  view.setUint32(at, STRUCTURED_REPLY_MAGIC);
  view.setUint16(at + 4, chunk.done === false ? 0 : CHUNK_FLAG_DONE);
  view.setUint16(at + 6, chunk.type);
  view.setUint32(at + 8, chunk.handle.handleHigh);
  view.setUint32(at + 12, chunk.handle.handleLow);
  view.setUint32(at + 16, chunk.length);
}

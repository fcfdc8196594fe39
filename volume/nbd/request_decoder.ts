/**
 * Finds requests in the bytes of a socket without moving them: the socket reads into a slab, headers are read
 * where they lie, and payloads are views of the slab.
 *
 * The one enemy is the request that straddles the end of the buffer, since its first part has to be copied to the
 * next one. Two habits keep that rare. Whenever everything was consumed and nobody holds the slab, filling starts
 * at its beginning again, which also keeps a busy connection in the processor's cache. And a buffer is left at a
 * request's boundary, when nothing needs to be copied, if the last request would not fit into what remains:
 * clients that send megabytes send them again and again.
 *
 * A slab that writes in flight hold is left to them and counted, so that a slow volume pins a bounded amount.
 */
import { invariant } from "../../runtime/invariant.ts";
import type { Slab, SlabPool } from "../../runtime/slab.ts";
import { REQUEST_HEADER_BYTES, REQUEST_MAGIC } from "./protocol_numbers.ts";
import type { RequestHeader } from "./request_table.ts";

/** A slab while this connection receives into it or has writes of it in flight. */
export class ReceiveBuffer {
  readonly slab: Slab;
  readonly view: DataView;
  /** Writes submitted and not completed whose payload lies here. */
  writesInFlight = 0;
  /** Still the one that is filled. */
  current = true;

  constructor(slab: Slab) {
    this.slab = slab;
    this.view = new DataView(slab.bytes.buffer, slab.bytes.byteOffset, slab.bytes.byteLength);
  }
}

/** A read is worth a system call from here on; below, another buffer is taken. */
const ROOM_BYTES_MIN = 4096;

/**
 * A request that still lacks this much is read to its end and no further: one more system call per large request
 * is cheaper than to copy the beginning of the next one.
 */
const EXACT_BYTES_MIN = 128 * 1024;

export class RequestDecoder implements RequestHeader {
  // The header under `readHeader`; fields of the decoder itself, so that a request costs no object here.
  flags = 0;
  type = 0;
  handleHigh = 0;
  handleLow = 0;
  offset = 0;
  length = 0;
  /** Bytes of buffers that were left behind with writes in flight. */
  pinnedBytes = 0;

  readonly #slabs: SlabPool;
  #buffer: ReceiveBuffer;
  /** Unread bytes are those from `#start` to `#end`. */
  #start = 0;
  #end = 0;
  /** Bytes the current request needs in all; 0 when unknown. */
  #needed = 0;
  #lastRequestBytes = 0;
  /** Bytes of a refused payload that are still to come. */
  #skipping = 0;
  #closed = false;

  constructor(slabs: SlabPool) {
    this.#slabs = slabs;
    this.#buffer = new ReceiveBuffer(slabs.take());
  }

  /** Where the next read of the socket goes. At least one byte. */
  space(): Uint8Array {
    invariant(!this.#closed, "nothing is read after the end");
    this.#makeRoom();
    const missing = this.#needed - (this.#end - this.#start);
    return this.#buffer.slab.bytes.subarray(
      this.#end,
      missing >= EXACT_BYTES_MIN ? this.#end + missing : undefined,
    );
  }

  /** `length` bytes were read into the last space. */
  received(length: number): void {
    this.#end += length;
    invariant(this.#end <= this.#buffer.slab.bytes.length, "a read fits into the space that was lent");
    if (this.#skipping > 0) this.#skip();
  }

  /** Bytes that came behind the handshake. */
  append(bytes: Uint8Array): void {
    invariant(this.#end + bytes.length <= this.#buffer.slab.bytes.length, "what follows a handshake fits");
    this.#buffer.slab.bytes.set(bytes, this.#end);
    this.received(bytes.length);
  }

  /**
   * Reads the header at hand without consuming it: `"incomplete"` when it is not there yet, `"garbage"` when these
   * bytes are no request ("Request message"), after which nothing on this connection can be understood.
   */
  readHeader(): "header" | "incomplete" | "garbage" {
    if (this.#end - this.#start < REQUEST_HEADER_BYTES) return "incomplete";
    const view = this.#buffer.view;
    const at = this.#start;
    if (view.getUint32(at) !== REQUEST_MAGIC) return "garbage";
    this.flags = view.getUint16(at + 4);
    this.type = view.getUint16(at + 6);
    this.handleHigh = view.getUint32(at + 8);
    this.handleLow = view.getUint32(at + 12);
    const offsetHigh = view.getUint32(at + 16);
    this.offset = offsetHigh < 0x20_0000 ? offsetHigh * 0x1_0000_0000 + view.getUint32(at + 20) : -1;
    this.length = view.getUint32(at + 24);
    return "header";
  }

  /** Whether the payload of the request under `readHeader` is all there; if not, room for it is made by `space`. */
  hasPayload(): boolean {
    this.#needed = REQUEST_HEADER_BYTES + this.length;
    return this.#end - this.#start >= this.#needed;
  }

  /** Consumes the request under `readHeader`, which has no payload. */
  consume(): void {
    this.#advance(REQUEST_HEADER_BYTES);
  }

  /** Consumes the request and answers its payload: a view of `buffer`'s slab. */
  consumePayload(): Uint8Array {
    const from = this.#start + REQUEST_HEADER_BYTES;
    const payload = this.#buffer.slab.bytes.subarray(from, from + this.length);
    this.#advance(REQUEST_HEADER_BYTES + this.length);
    return payload;
  }

  /** Consumes the request and drops its payload, as it comes. */
  consumeSkipping(): void {
    this.#advance(REQUEST_HEADER_BYTES);
    this.#skipping = this.length;
    this.#skip();
  }

  /** The buffer of the last payload, with one more write in flight. */
  submitted(): ReceiveBuffer {
    this.#buffer.writesInFlight += 1;
    return this.#buffer;
  }

  /** A write is complete as far as this connection is concerned. */
  completed(buffer: ReceiveBuffer): void {
    buffer.writesInFlight -= 1;
    invariant(buffer.writesInFlight >= 0, "a write is completed once");
    if (buffer.writesInFlight === 0 && !buffer.current) this.pinnedBytes -= buffer.slab.bytes.length;
  }

  /** Gives the buffer back. Nothing is read afterwards; writes may still complete. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#leave();
  }

  #advance(length: number): void {
    this.#start += length;
    this.#needed = 0;
    this.#lastRequestBytes = length;
  }

  #skip(): void {
    const skipped = Math.min(this.#skipping, this.#end - this.#start);
    this.#start += skipped;
    this.#skipping -= skipped;
  }

  /** See the top of the file. */
  #makeRoom(): void {
    const kept = this.#end - this.#start;
    const capacity = this.#buffer.slab.bytes.length;
    // A slab larger than the pool's is kept only while requests of that size follow each other.
    const fits = capacity === this.#slabs.slabBytes || this.#lastRequestBytes > this.#slabs.slabBytes ||
      this.#needed > this.#slabs.slabBytes;
    const free = fits && this.#buffer.slab.references === 1;
    if (kept === 0 && free) {
      this.#start = this.#end = 0;
      return;
    }
    const wanted = this.#wanted(kept);
    if (fits && capacity - this.#start >= wanted && capacity > this.#end) return;
    if (free && wanted <= capacity) this.#buffer.slab.bytes.copyWithin(0, this.#start, this.#end);
    else this.#replace(wanted, kept);
    this.#start = 0;
    this.#end = kept;
  }

  /** Room, from the first unread byte on, that is worth staying for. */
  #wanted(kept: number): number {
    if (this.#needed > 0) return this.#needed;
    const last = Math.min(this.#lastRequestBytes, this.#slabs.slabBytes);
    return kept === 0 ? Math.max(ROOM_BYTES_MIN, last) : kept + ROOM_BYTES_MIN;
  }

  #replace(byteLengthMin: number, kept: number): void {
    const old = this.#buffer;
    const next = new ReceiveBuffer(this.#slabs.take(byteLengthMin));
    next.slab.bytes.set(old.slab.bytes.subarray(this.#start, this.#start + kept));
    this.#leave();
    this.#buffer = next;
  }

  #leave(): void {
    const buffer = this.#buffer;
    buffer.current = false;
    if (buffer.writesInFlight > 0) this.pinnedBytes += buffer.slab.bytes.length;
    buffer.slab.release();
  }
}

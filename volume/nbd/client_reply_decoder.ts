/**
 * Takes the server's stream of replies apart, for the client. Pure.
 *
 * Read data are not collected first: each piece is handed on as it comes, so that a read of 32 MiB costs its
 * result and nothing more. Only error sentences and block descriptors are kept until they are whole, and both
 * have a bound. Answers `false` where the stream makes no sense, after which the connection is useless.
 */
import {
  CHUNK,
  CHUNK_ERROR_BIT,
  CHUNK_FLAG_DONE,
  CHUNK_HEADER_BYTES,
  SIMPLE_REPLY_BYTES,
  SIMPLE_REPLY_MAGIC,
  STRING_BYTES_MAX,
  STRUCTURED_REPLY_MAGIC,
} from "./protocol_numbers.ts";

export interface ReplySink {
  /** Bytes of data that follow a successful simple reply: the length of the read, else 0; null: no such request. */
  simpleDataBytes(handle: number): number | null;
  /** `bytes` lie at `at` of the answer to a simple read, or at `offset` of the export. False: not asked for. */
  data(handle: number, piece: { at?: number; offset?: number; bytes: Uint8Array }): boolean;
  /** These bytes of the export are zeros. False: not asked for. */
  hole(handle: number, piece: { offset: number; length: number }): boolean;
  /** Pairs of length and flags. False: not asked for. */
  descriptors(handle: number, status: { contextId: number; descriptors: readonly number[] }): boolean;
  /** The request failed; its last reply is still to come. */
  failed(handle: number, failure: { error: number; message: string }): boolean;
  /** The last reply. */
  done(handle: number): boolean;
}

/** Descriptors of a few thousand extents. */
const STATUS_BYTES_MAX = 1024 * 1024;

type Part =
  | { readonly kind: "header" }
  | { readonly kind: "simple_data"; readonly handle: number; at: number; left: number }
  | { readonly kind: "data_offset"; readonly chunk: ChunkHeader }
  | { readonly kind: "data"; readonly chunk: ChunkHeader; offset: number; left: number }
  | { readonly kind: "whole"; readonly chunk: ChunkHeader };

interface ChunkHeader {
  readonly handle: number;
  readonly type: number;
  readonly done: boolean;
  readonly length: number;
}

export class ClientReplyDecoder {
  readonly #sink: ReplySink;
  #part: Part = { kind: "header" };
  #kept: Uint8Array = new Uint8Array(0);

  constructor(sink: ReplySink) {
    this.#sink = sink;
  }

  /** False: the server broke the protocol. */
  received(bytes: Uint8Array): boolean {
    let input = bytes;
    if (this.#kept.length > 0) {
      input = new Uint8Array(this.#kept.length + bytes.length);
      input.set(this.#kept);
      input.set(bytes, this.#kept.length);
    }
    while (input.length > 0) {
      const used = this.#step(input);
      if (used === null) return false;
      if (used === 0) break;
      input = input.subarray(used);
    }
    this.#kept = input.slice();
    return true;
  }

  /** Bytes used, 0 when more are needed, null when they make no sense. */
  #step(input: Uint8Array): number | null {
    const part = this.#part;
    const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
    switch (part.kind) {
      case "header":
        return this.#header(view);
      case "simple_data": {
        const piece = input.subarray(0, part.left);
        if (!this.#sink.data(part.handle, { at: part.at, bytes: piece })) return null;
        part.at += piece.length;
        part.left -= piece.length;
        if (part.left === 0 && !this.#finish(part.handle, true)) return null;
        return piece.length;
      }
      case "data_offset":
        if (input.length < 8) return 0;
        this.#part = {
          kind: "data",
          chunk: part.chunk,
          offset: uint64(view, 0),
          left: part.chunk.length - 8,
        };
        return 8;
      case "data": {
        const piece = input.subarray(0, part.left);
        if (!this.#sink.data(part.chunk.handle, { offset: part.offset, bytes: piece })) return null;
        part.offset += piece.length;
        part.left -= piece.length;
        if (part.left === 0 && !this.#finish(part.chunk.handle, part.chunk.done)) return null;
        return piece.length;
      }
      case "whole":
        if (input.length < part.chunk.length) return 0;
        return this.#whole(part.chunk, input.subarray(0, part.chunk.length)) ? part.chunk.length : null;
    }
  }

  #header(view: DataView): number | null {
    if (view.byteLength < SIMPLE_REPLY_BYTES) return 0;
    switch (view.getUint32(0)) {
      case SIMPLE_REPLY_MAGIC:
        return this.#simpleHeader(view);
      case STRUCTURED_REPLY_MAGIC:
        return view.byteLength < CHUNK_HEADER_BYTES ? 0 : this.#chunkHeader(view);
      default:
        return null;
    }
  }

  #simpleHeader(view: DataView): number | null {
    const error = view.getUint32(4);
    const handle = uint64(view, 8);
    const dataBytes = this.#sink.simpleDataBytes(handle);
    if (dataBytes === null) return null;
    if (error !== 0) {
      if (!this.#sink.failed(handle, { error, message: "" }) || !this.#finish(handle, true)) return null;
    } else if (dataBytes > 0) {
      this.#part = { kind: "simple_data", handle, at: 0, left: dataBytes };
    } else if (!this.#finish(handle, true)) {
      return null;
    }
    return SIMPLE_REPLY_BYTES;
  }

  #chunkHeader(view: DataView): number | null {
    const chunk = {
      done: (view.getUint16(4) & CHUNK_FLAG_DONE) !== 0,
      type: view.getUint16(6),
      handle: uint64(view, 8),
      length: view.getUint32(16),
    };
    if (chunk.type === CHUNK.OFFSET_DATA) {
      if (chunk.length < 9) return null;
      this.#part = { kind: "data_offset", chunk };
    } else if (chunk.length === 0) {
      if (!this.#whole(chunk, new Uint8Array(0))) return null;
    } else {
      if (chunk.length > STATUS_BYTES_MAX) return null;
      this.#part = { kind: "whole", chunk };
    }
    return CHUNK_HEADER_BYTES;
  }

  #whole(chunk: ChunkHeader, payload: Uint8Array): boolean {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    return this.#understood(chunk, view) && this.#finish(chunk.handle, chunk.done);
  }

  #understood(chunk: ChunkHeader, view: DataView): boolean {
    if ((chunk.type & CHUNK_ERROR_BIT) !== 0) return this.#errorChunk(chunk, view);
    switch (chunk.type) {
      case CHUNK.NONE:
        return view.byteLength === 0 && chunk.done;
      case CHUNK.OFFSET_HOLE:
        if (view.byteLength !== 12) return false;
        return this.#sink.hole(chunk.handle, { offset: uint64(view, 0), length: view.getUint32(8) });
      case CHUNK.BLOCK_STATUS: {
        if (view.byteLength < 12 || view.byteLength % 8 !== 4) return false;
        const descriptors: number[] = [];
        for (let at = 4; at < view.byteLength; at += 4) descriptors.push(view.getUint32(at));
        return this.#sink.descriptors(chunk.handle, { contextId: view.getUint32(0), descriptors });
      }
      default:
        return false;
    }
  }

  #errorChunk(chunk: ChunkHeader, view: DataView): boolean {
    if (view.byteLength < 6) return false;
    const error = view.getUint32(0);
    const length = view.getUint16(4);
    if (length > STRING_BYTES_MAX || 6 + length > view.byteLength || error === 0) return false;
    const message = new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + 6, length));
    return this.#sink.failed(chunk.handle, { error, message });
  }

  #finish(handle: number, done: boolean): boolean {
    this.#part = { kind: "header" };
    return !done || this.#sink.done(handle);
  }
}

/** What does not fit is a number that no request of ours has. */
function uint64(view: DataView, at: number): number {
  return view.getUint32(at) * 0x1_0000_0000 + view.getUint32(at + 4);
}

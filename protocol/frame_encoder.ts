/**
 * Makes headers for payloads that stay where they are.
 *
 * Pure but for its counter. Headers lie next to each other in an arena of 64 KiB, so that one allocation serves a
 * thousand frames; an arena is never written twice, the collector takes it when its last header has left.
 */
import { crc32 } from "node:zlib";
import { type FrameFields, HEADER_BYTES, writeHeader } from "./frame_header.ts";

const ARENA_BYTES = 64 * 1024;

/** The payload checksum of `bytes`, for a sender that ships the same payload to several legs. */
export function payloadChecksum(bytes: Uint8Array): number {
  return crc32(bytes);
}

export class FrameEncoder {
  #arena = new Uint8Array(ARENA_BYTES);
  #view = new DataView(this.#arena.buffer);
  #used = 0;
  #lastFrame = 0;

  /** The number of the last frame made; 0 before the first. */
  get lastFrame(): number {
    return this.#lastFrame;
  }

  /** The header of the next frame; the payload, for kinds that have one, follows it on the wire unchanged. */
  header(fields: FrameFields, payload?: Uint8Array): Uint8Array {
    if (this.#used + HEADER_BYTES > ARENA_BYTES) this.#renew();
    const at = this.#used;
    this.#used += HEADER_BYTES;
    this.#lastFrame += 1;
    writeHeader(this.#view, {
      at,
      bytes: this.#arena,
      fields,
      frame: this.#lastFrame,
      payloadLength: payload?.byteLength ?? 0,
      payloadChecksum: payload === undefined ? 0 : fields.payloadChecksum ?? crc32(payload),
    });
    return this.#arena.subarray(at, this.#used);
  }

  #renew(): void {
    this.#arena = new Uint8Array(ARENA_BYTES);
    this.#view = new DataView(this.#arena.buffer);
    this.#used = 0;
  }
}

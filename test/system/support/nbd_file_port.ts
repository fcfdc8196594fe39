/**
 * A volume that is one plain file, as simple as can be: what the NBD workshop is tried on without the rest of the
 * house. Reads and writes go to the page cache inside the turn; flushes go off the loop.
 */
import fs from "node:fs";
import type { Extent } from "../../../volume/block_device.ts";
import type { VolumeErrorKind, VolumePort, VolumeRequest } from "../../../volume/volume_request.ts";

const BLOCK_BYTES = 64 * 1024;
const ZEROES = new Uint8Array(BLOCK_BYTES);

export class FilePort implements VolumePort {
  readonly writable = true;
  readonly #file: number;

  constructor(path: string, size: number) {
    this.#file = fs.openSync(path, fs.existsSync(path) ? "r+" : "w+");
    fs.ftruncateSync(this.#file, size);
  }

  submit(batch: readonly VolumeRequest[]): void {
    for (const request of batch) this.#perform(request);
  }

  #perform(request: VolumeRequest): void {
    try {
      switch (request.kind) {
        case "read":
          return this.#read(request);
        case "write":
          this.#write(request.offset, request.payload ?? ZEROES.subarray(0, 0));
          return this.#written(request);
        case "write_zeroes":
          if (request.fastZero) return request.complete("not_supported");
          this.#zero(request.offset, request.length);
          return this.#written(request);
        case "flush":
          return this.#flush(request);
        case "block_status":
          return request.complete(null, undefined, this.#extents(request.offset, request.length));
        case "trim":
          this.#zero(request.offset, request.length);
          return this.#written(request);
        case "cache":
          return request.complete(null);
      }
    } catch (error) {
      request.complete(errorKind(error));
    }
  }

  #read(request: VolumeRequest): void {
    const data = request.replySpace?.() ?? new Uint8Array(request.length);
    let done = 0;
    while (done < data.length) {
      const count = fs.readSync(this.#file, data, done, data.length - done, request.offset + done);
      if (count === 0) return request.complete("io_error");
      done += count;
    }
    request.complete(null, data);
  }

  #write(offset: number, bytes: Uint8Array): void {
    let done = 0;
    while (done < bytes.length) {
      done += fs.writeSync(this.#file, bytes, done, bytes.length - done, offset + done);
    }
  }

  #zero(offset: number, length: number): void {
    for (let done = 0; done < length; done += BLOCK_BYTES) {
      this.#write(offset + done, ZEROES.subarray(0, Math.min(BLOCK_BYTES, length - done)));
    }
  }

  #written(request: VolumeRequest): void {
    if (request.fua) this.#flush(request);
    else request.complete(null);
  }

  #flush(request: VolumeRequest): void {
    fs.fdatasync(this.#file, (error) => request.complete(error === null ? null : "io_error"));
  }

  /** Blocks of zeros are holes, wherever they come from. At most 16 MiB are looked at: the client asks again. */
  #extents(offset: number, length: number): Extent[] {
    const extents: Extent[] = [];
    const end = offset + Math.min(length, 256 * BLOCK_BYTES);
    const block = new Uint8Array(BLOCK_BYTES);
    for (let at = offset; at < end;) {
      const piece = Math.min(BLOCK_BYTES - (at % BLOCK_BYTES), end - at);
      fs.readSync(this.#file, block, 0, piece, at);
      const hole = Buffer.compare(block.subarray(0, piece), ZEROES.subarray(0, piece)) === 0;
      extents.push({ offset: at, length: piece, hole });
      at += piece;
    }
    return extents;
  }
}

function errorKind(error: unknown): VolumeErrorKind {
  return error instanceof Error && "code" in error && error.code === "ENOSPC" ? "no_space" : "io_error";
}

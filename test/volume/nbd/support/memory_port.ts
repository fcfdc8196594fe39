/**
 * A volume in memory behind the port contract. `immediate` answers inside the turn, as a page cache does; otherwise
 * requests wait in `waiting` until the test answers them.
 */
import type { Extent } from "../../../../volume/block_device.ts";
import type { VolumeErrorKind, VolumePort, VolumeRequest } from "../../../../volume/volume_request.ts";

export const HOLE_BYTES = 64 * 1024;

export class MemoryPort implements VolumePort {
  readonly bytes: Uint8Array;
  writable = true;
  /** Requests that are not answered yet. */
  waiting: VolumeRequest[] = [];
  /** Lengths of the batches that came. */
  batches: number[] = [];
  flushes = 0;
  /** Whether reads go straight into their reply. */
  readsInPlace = true;
  readonly #immediate: boolean;

  constructor(options: { size: number; immediate: boolean }) {
    this.bytes = new Uint8Array(options.size);
    this.#immediate = options.immediate;
  }

  submit(batch: readonly VolumeRequest[]): void {
    this.batches.push(batch.length);
    for (const request of batch) {
      if (this.#immediate) {
        this.answer(request);
      } else {
        request.slab?.retain();
        this.waiting.push(request);
      }
    }
  }

  /** Performs and completes what waits; `pick` says which is next. */
  answerAll(pick: (count: number) => number = () => 0): void {
    while (this.waiting.length > 0) {
      const [request] = this.waiting.splice(pick(this.waiting.length), 1);
      if (request === undefined) throw new Error("there is no such request");
      this.answer(request);
      request.slab?.release();
    }
  }

  fail(request: VolumeRequest, error: VolumeErrorKind): void {
    this.waiting = this.waiting.filter((other) => other !== request);
    request.complete(error);
    request.slab?.release();
  }

  answer(request: VolumeRequest): void {
    const { offset, length } = request;
    switch (request.kind) {
      case "read": {
        const space = this.readsInPlace ? request.replySpace?.() : undefined;
        const data = space ?? new Uint8Array(length);
        data.set(this.bytes.subarray(offset, offset + length));
        return request.complete(null, data);
      }
      case "write":
        this.bytes.set(request.payload ?? new Uint8Array(0), offset);
        return request.complete(null);
      case "write_zeroes":
        if (request.fastZero) return request.complete("not_supported");
        this.bytes.fill(0, offset, offset + length);
        return request.complete(null);
      case "trim":
        this.bytes.fill(0, offset, offset + length);
        return request.complete(null);
      case "flush":
        this.flushes += 1;
        return request.complete(null);
      case "cache":
        return request.complete(null);
      case "block_status":
        return request.complete(null, undefined, this.#extents());
    }
  }

  /** Of the whole volume: the door cuts out what was asked for. */
  #extents(): Extent[] {
    const extents: Extent[] = [];
    for (let offset = 0; offset < this.bytes.length; offset += HOLE_BYTES) {
      const block = this.bytes.subarray(offset, offset + HOLE_BYTES);
      extents.push({ offset, length: block.length, hole: block.every((byte) => byte === 0) });
    }
    return extents;
  }
}

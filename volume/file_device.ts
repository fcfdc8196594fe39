/**
 * A block device over a regular file or a raw device.
 *
 * Writes go into the page cache inside the turn: `fs.writeSync` of 4 KiB takes 2–4 µs, while handing it to a thread
 * and back takes 20. Reads likewise up to 256 KiB, where the thread's share has fallen to a tenth; larger ones would
 * stall everybody else for as long as the disk takes, so they go to a thread. Only `flush` waits for the disk, and it
 * is always off the loop.
 *
 * What that leaves open: a read of a few KiB that misses the page cache stalls the loop for as long as the disk
 * takes (0.1 ms on flash). O_DIRECT with io_uring would not, at the price of aligned buffers and FFI on the hot path.
 */
import fs from "node:fs";
import type { BlockDevice, DiskFailure, DiskOutcome, Extent, MaybeLater } from "./block_device.ts";
import { FlushGate } from "./flush_gate.ts";
import type { HoleCalls } from "./hole_calls.ts";

const READ_SYNC_BYTES_MAX = 256 * 1024;
/** Zeros are written in pieces of this size; longer ranges yield to the loop between pieces. */
const ZERO_PIECE = new Uint8Array(1024 * 1024);
/** A file with more pieces than this in one asked range is reported coarser: as data from there on. */
const EXTENTS_MAX = 4096;

/** Errors that say that the space is used up and nothing else is wrong. */
const NO_SPACE = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

export interface FileDeviceOptions {
  readonly descriptor: number;
  readonly name: string;
  readonly size: number;
  /** Null on a raw device, and where the runtime has no way. */
  readonly holes: HoleCalls | null;
  /** Runs once, after the descriptor is closed. */
  readonly onClosed: () => void;
}

export class FileDevice implements BlockDevice {
  readonly name: string;
  readonly size: number;
  readonly #descriptor: number;
  readonly #holes: HoleCalls | null;
  readonly #onClosed: () => void;
  readonly #flushes: FlushGate;
  /** Operations that a thread performs on the descriptor now; it is closed after the last. */
  #inThreads = 0;
  #allIdle: (() => void) | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: FileDeviceOptions) {
    this.name = options.name;
    this.size = options.size;
    this.#descriptor = options.descriptor;
    this.#holes = options.holes;
    this.#onClosed = options.onClosed;
    this.#flushes = new FlushGate(() => this.#fdatasync());
  }

  read(offset: number, into: Uint8Array): MaybeLater<DiskOutcome> {
    const refused = this.#refuse("read", offset, into.length);
    if (refused !== null) return refused;
    if (into.length > READ_SYNC_BYTES_MAX) return this.#readInThread(offset, into);
    try {
      let done = 0;
      while (done < into.length) {
        const read = fs.readSync(this.#descriptor, into, done, into.length - done, offset + done);
        if (read <= 0) return this.#failure("read", offset + done, "the file ends before its size");
        done += read;
      }
      return null;
    } catch (error) {
      return this.#failure("read", offset, error);
    }
  }

  write(offset: number, bytes: Uint8Array): DiskOutcome {
    const refused = this.#refuse("write", offset, bytes.length);
    if (refused !== null) return refused;
    try {
      let done = 0;
      while (done < bytes.length) {
        const written = fs.writeSync(this.#descriptor, bytes, done, bytes.length - done, offset + done);
        if (written <= 0) return this.#lostWrite(offset + done, "the system took no byte");
        done += written;
      }
      return null;
    } catch (error) {
      return this.#lostWrite(offset, error);
    }
  }

  writeZeroes(offset: number, length: number, options: { punch: boolean }): MaybeLater<DiskOutcome> {
    const refused = this.#refuse("zero", offset, length);
    if (refused !== null || length === 0) return refused;
    const range = { offset, length };
    if (this.#holes !== null) {
      const done = options.punch
        ? this.#holes.punch(this.#descriptor, range)
        : this.#holes.zero(this.#descriptor, range);
      if (done) return null;
    }
    if (length <= ZERO_PIECE.length) return this.write(offset, ZERO_PIECE.subarray(0, length));
    return this.#writeZerosInPieces(offset, length);
  }

  flush(): Promise<DiskOutcome> {
    const refused = this.#refuse("flush", 0, 0);
    return refused === null ? this.#flushes.request() : Promise.resolve(refused);
  }

  extents(offset: number, length: number): readonly Extent[] {
    if (length <= 0 || offset < 0 || offset >= this.size || this.#closing !== null) return [];
    const end = Math.min(this.size, offset + length);
    const whole = (hole: boolean): Extent[] => [{ offset, length: end - offset, hole }];
    if (this.#holes === null || this.#holes.nextHole(this.#descriptor, offset) === null) {
      return whole(this.#isAllHole());
    }
    const found: Extent[] = [];
    let at = offset;
    while (at < end) {
      const data = found.length >= EXTENTS_MAX
        ? at
        : Math.min(end, this.#holes.nextData(this.#descriptor, at) ?? end);
      if (data > at) found.push({ offset: at, length: data - at, hole: true });
      if (data >= end) break;
      const hole = found.length >= EXTENTS_MAX
        ? end
        : Math.min(end, this.#holes.nextHole(this.#descriptor, data) ?? end);
      found.push({ offset: data, length: hole - data, hole: false });
      at = hole;
    }
    return found;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#inThreads > 0) await new Promise<void>((resolve) => this.#allIdle = resolve);
    try {
      fs.closeSync(this.#descriptor);
    } finally {
      this.#onClosed();
    }
  }

  #refuse(operation: string, offset: number, length: number): DiskFailure | null {
    if (this.#closing !== null) {
      return { kind: "closed", detail: `${operation} of ${this.name}: it is closed` };
    }
    if (Number.isSafeInteger(offset) && offset >= 0 && length >= 0 && offset + length <= this.size) {
      return null;
    }
    const detail = `${operation} of ${this.name}: ${length} bytes at ${offset} leave its ${this.size} bytes`;
    return { kind: "out_of_range", detail };
  }

  #readInThread(offset: number, into: Uint8Array): Promise<DiskOutcome> {
    return this.#inThread((settle: (outcome: DiskOutcome) => void) => {
      const from = (done: number): void => {
        fs.read(this.#descriptor, into, done, into.length - done, offset + done, (error, read) => {
          if (error !== null) settle(this.#failure("read", offset + done, error));
          else if (read <= 0) settle(this.#failure("read", offset + done, "the file ends before its size"));
          else if (done + read < into.length) from(done + read);
          else settle(null);
        });
      };
      from(0);
    });
  }

  #fdatasync(): Promise<DiskOutcome> {
    // A queued flush may come up when the device is closing: its descriptor may be another file's by then.
    const closed = this.#refuse("flush", 0, 0);
    if (closed !== null) return Promise.resolve(closed);
    return this.#inThread((settle) => {
      fs.fdatasync(this.#descriptor, (error) => {
        if (error === null) settle(null);
        // Whatever the reason, even no space: pages were lost, and which ones nobody knows.
        else settle({ kind: "io_error", detail: `flush of ${this.name}: ${error.message}` });
      });
    });
  }

  #inThread(work: (settle: (outcome: DiskOutcome) => void) => void): Promise<DiskOutcome> {
    this.#inThreads += 1;
    return new Promise<DiskOutcome>((resolve) => {
      work((outcome) => {
        this.#inThreads -= 1;
        if (this.#inThreads === 0) this.#allIdle?.();
        resolve(outcome);
      });
    });
  }

  async #writeZerosInPieces(offset: number, length: number): Promise<DiskOutcome> {
    for (let done = 0; done < length; done += ZERO_PIECE.length) {
      const outcome = this.write(
        offset + done,
        ZERO_PIECE.subarray(0, Math.min(ZERO_PIECE.length, length - done)),
      );
      if (outcome !== null) return outcome;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return null;
  }

  /** True only when the file takes no space at all: the one thing that stat can prove. */
  #isAllHole(): boolean {
    const stat = fs.fstatSync(this.#descriptor);
    return stat.isFile() && stat.blocks === 0;
  }

  #lostWrite(offset: number, error: unknown): DiskFailure {
    const failure = this.#failure("write", offset, error);
    if (failure.kind === "io_error") this.#flushes.fail(failure);
    return failure;
  }

  #failure(operation: string, offset: number, error: unknown): DiskFailure {
    const code = error instanceof Error ? (error as NodeJS.ErrnoException).code ?? "" : "";
    const reason = error instanceof Error ? error.message : String(error);
    const kind = NO_SPACE.has(code) ? "no_space" : "io_error";
    return { kind, detail: `${operation} of ${this.name} at ${offset}: ${reason}` };
  }
}

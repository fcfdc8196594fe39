/**
 * A simulated disk. What was written since the last flush lies in a cache that a crash loses in part: of each sector
 * of 512 bytes any version since the last flush may be what is found afterwards, independently of the others, as a
 * real disk with a volatile cache and no order would leave it. A write that spans sectors can so be torn, and a later
 * write can survive an earlier one.
 *
 * The medium (`MemoryDisk`) outlives its users; a `MemoryDevice` is one user's handle, dead after a crash or when the
 * next one is opened. Space is taken only by what was written, so a 16 TiB disk costs nothing to have.
 *
 * Synchronous unless given a `later`: then every outcome waits for it, and what is issued and not yet answered when
 * the crash comes is in the cache and never answered.
 */
import type { BlockDevice, DiskFailure, DiskOutcome, Extent, MaybeLater } from "./block_device.ts";
import { FlushGate } from "./flush_gate.ts";

/** The unit that a disk writes entirely or not at all. */
export const SECTOR_BYTES = 512;
const CHUNK_BYTES = 4096;
/**
 * Older versions of one sector that a crash may bring back. With more, intermediate ones are forgotten: a crash then
 * shows fewer of the things that could be found, never one that could not.
 */
const VERSIONS_MAX = 16;

export type MemoryOperation = "read" | "write" | "zero" | "flush";

export interface MemoryDiskOptions {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Bytes that may be allocated; beyond it writes answer `no_space`. Default: all. */
  readonly spaceBytesMax?: number;
  /** Called for each operation before it takes effect; a kind makes it fail. */
  readonly fault?: (operation: MemoryOperation, offset: number, length: number) => DiskFailure["kind"] | null;
  /** Runs `work` later, once; the simulator's scheduler. Default: reads and writes answer at once. */
  readonly later?: (work: () => void, operation: MemoryOperation) => void;
}

export interface MemoryDiskCounts {
  reads: number;
  writes: number;
  zeroes: number;
  flushes: number;
  bytesWritten: number;
}

/** What a sector held before write number `before`; null is a sector of zeros. */
interface OldVersion {
  readonly bytes: Uint8Array | null;
  /** The number of the write that replaced it. */
  readonly replacedBy: number;
}

export class MemoryDisk {
  readonly name: string;
  readonly size: number;
  readonly counts: MemoryDiskCounts = { reads: 0, writes: 0, zeroes: 0, flushes: 0, bytesWritten: 0 };
  /** Changed by tests: see `MemoryDiskOptions`. */
  fault: MemoryDiskOptions["fault"];
  later: MemoryDiskOptions["later"];
  spaceBytesMax: number;
  readonly #chunks = new Map<number, Uint8Array>();
  /** By sector: what it held, oldest (stable) first, for sectors written since the last flush. */
  readonly #unstable = new Map<number, OldVersion[]>();
  #writeNumber = 0;
  #handle: MemoryDevice | null = null;

  constructor(options: MemoryDiskOptions) {
    this.name = options.name;
    this.size = options.size;
    this.fault = options.fault;
    this.later = options.later;
    this.spaceBytesMax = options.spaceBytesMax ?? Infinity;
  }

  /** A handle; the one before it is closed. */
  open(): MemoryDevice {
    this.#handle?.cutOff();
    this.#handle = new MemoryDevice(this);
    return this.#handle;
  }

  /**
   * Power loss: each sector written since the last flush falls back to any version since then. `random` answers
   * integers in [0, 2^32). The handle is dead: it answers nothing any more.
   */
  crash(random: () => number): void {
    // Often all or nothing is lost; a coin per sector alone would hardly ever show those.
    const manner = random() % 4;
    for (const [sector, versions] of this.#unstable) {
      const choice = manner === 0 ? 0 : manner === 1 ? versions.length : random() % (versions.length + 1);
      const version = versions[choice];
      if (version !== undefined) this.#put(sector, version.bytes);
    }
    this.#unstable.clear();
    this.#handle?.vanish();
    this.#handle = null;
  }

  /** The process dies but not the machine: everything written stays, unflushed as it is. */
  abandon(): void {
    this.#handle?.vanish();
    this.#handle = null;
  }

  /** Bytes of chunks that hold something. */
  get allocatedBytes(): number {
    return this.#chunks.size * CHUNK_BYTES;
  }

  /** Sectors that a crash may change. */
  get unstableSectors(): number {
    return this.#unstable.size;
  }

  /** What a read would give now, for checkers: no count, no fault. */
  peek(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.load(offset, bytes);
    return bytes;
  }

  /** What a read would give if the power were lost now and the cache with it, for checkers. */
  peekStable(offset: number, length: number): Uint8Array {
    const bytes = this.peek(offset, length);
    for (
      let sector = Math.floor(offset / SECTOR_BYTES);
      sector * SECTOR_BYTES < offset + length;
      sector += 1
    ) {
      const oldest = this.#unstable.get(sector)?.[0];
      if (oldest === undefined) continue;
      const start = sector * SECTOR_BYTES;
      const from = Math.max(offset, start);
      const to = Math.min(offset + length, start + SECTOR_BYTES);
      if (oldest.bytes === null) bytes.fill(0, from - offset, to - offset);
      else bytes.set(oldest.bytes.subarray(from - start, to - start), from - offset);
    }
    return bytes;
  }

  /** Changes the medium itself, stable at once: bit rot and old images in tests. */
  poke(offset: number, bytes: Uint8Array): void {
    this.store(offset, bytes);
    for (
      let sector = Math.floor(offset / SECTOR_BYTES);
      sector * SECTOR_BYTES < offset + bytes.length;
      sector += 1
    ) {
      this.#unstable.delete(sector);
    }
  }

  /** For the handle. */
  load(offset: number, into: Uint8Array): void {
    for (let done = 0; done < into.length;) {
      const at = offset + done;
      const index = Math.floor(at / CHUNK_BYTES);
      const within = at - index * CHUNK_BYTES;
      const length = Math.min(CHUNK_BYTES - within, into.length - done);
      const chunk = this.#chunks.get(index);
      if (chunk === undefined) into.fill(0, done, done + length);
      else into.set(chunk.subarray(within, within + length), done);
      done += length;
    }
  }

  /** For the handle. False: no space. */
  store(offset: number, bytes: Uint8Array): boolean {
    this.#writeNumber += 1;
    for (let done = 0; done < bytes.length;) {
      const at = offset + done;
      const index = Math.floor(at / CHUNK_BYTES);
      const within = at - index * CHUNK_BYTES;
      const length = Math.min(CHUNK_BYTES - within, bytes.length - done);
      if (!this.#chunks.has(index) && this.allocatedBytes + CHUNK_BYTES > this.spaceBytesMax) return false;
      this.#keepOld(at, length);
      this.#chunk(index).set(bytes.subarray(done, done + length), within);
      done += length;
    }
    return true;
  }

  /** For the handle. False: no space. */
  zero(offset: number, options: { length: number; punch: boolean }): boolean {
    this.#writeNumber += 1;
    const end = offset + options.length;
    for (const index of this.#chunksIn(offset, { end, present: options.punch })) {
      const from = Math.max(offset, index * CHUNK_BYTES);
      const to = Math.min(end, (index + 1) * CHUNK_BYTES);
      if (!this.#chunks.has(index) && this.allocatedBytes + CHUNK_BYTES > this.spaceBytesMax) return false;
      this.#keepOld(from, to - from);
      if (options.punch && to - from === CHUNK_BYTES) this.#chunks.delete(index);
      else this.#chunk(index).fill(0, from - index * CHUNK_BYTES, to - index * CHUNK_BYTES);
    }
    return true;
  }

  /** For the handle: the number up to which a flush that begins now makes writes stable. */
  get writeNumber(): number {
    return this.#writeNumber;
  }

  /** For the handle: writes up to this number are stable. */
  settle(writeNumber: number): void {
    for (const [sector, versions] of this.#unstable) {
      while (versions[0] !== undefined && versions[0].replacedBy <= writeNumber) versions.shift();
      if (versions.length === 0) this.#unstable.delete(sector);
    }
  }

  extents(offset: number, end: number): Extent[] {
    const found: Extent[] = [];
    const add = (from: number, to: number, hole: boolean): void => {
      const last = found.at(-1);
      if (to <= from) return;
      if (last !== undefined && last.hole === hole) {
        found[found.length - 1] = { offset: last.offset, length: to - last.offset, hole };
      } else found.push({ offset: from, length: to - from, hole });
    };
    let at = offset;
    for (const index of this.#chunksIn(offset, { end, present: true })) {
      const from = Math.max(offset, index * CHUNK_BYTES);
      add(at, from, true);
      at = Math.min(end, (index + 1) * CHUNK_BYTES);
      add(from, at, false);
    }
    add(at, end, true);
    return found;
  }

  /** Chunk indexes that a range touches, ascending; only those that hold something when `present`. */
  #chunksIn(offset: number, options: { end: number; present: boolean }): number[] {
    const first = Math.floor(offset / CHUNK_BYTES);
    const last = Math.ceil(options.end / CHUNK_BYTES) - 1;
    if (options.present && last - first > this.#chunks.size) {
      return [...this.#chunks.keys()].filter((index) => index >= first && index <= last).sort((a, b) =>
        a - b
      );
    }
    const all: number[] = [];
    for (let index = first; index <= last; index += 1) {
      if (!options.present || this.#chunks.has(index)) all.push(index);
    }
    return all;
  }

  #chunk(index: number): Uint8Array {
    let chunk = this.#chunks.get(index);
    if (chunk === undefined) this.#chunks.set(index, chunk = new Uint8Array(CHUNK_BYTES));
    return chunk;
  }

  #keepOld(offset: number, length: number): void {
    const last = Math.floor((offset + length - 1) / SECTOR_BYTES);
    for (let sector = Math.floor(offset / SECTOR_BYTES); sector <= last; sector += 1) {
      const within = this.#chunks.get(Math.floor(sector * SECTOR_BYTES / CHUNK_BYTES));
      const start = sector * SECTOR_BYTES % CHUNK_BYTES;
      const bytes = within === undefined ? null : within.slice(start, start + SECTOR_BYTES);
      const versions = this.#unstable.get(sector);
      if (versions === undefined) this.#unstable.set(sector, [{ bytes, replacedBy: this.#writeNumber }]);
      else {
        versions.push({ bytes, replacedBy: this.#writeNumber });
        // Drops an intermediate version, never the stable one.
        if (versions.length > VERSIONS_MAX) versions.splice(1, 1);
      }
    }
  }

  #put(sector: number, bytes: Uint8Array | null): void {
    const offset = sector * SECTOR_BYTES;
    const index = Math.floor(offset / CHUNK_BYTES);
    if (bytes === null && !this.#chunks.has(index)) return;
    const chunk = this.#chunk(index);
    const within = offset - index * CHUNK_BYTES;
    if (bytes === null) chunk.fill(0, within, within + SECTOR_BYTES);
    else chunk.set(bytes, within);
  }
}

/** Never settles: what a process that no longer exists is told. */
const NEVER: Promise<never> = new Promise(() => {});

export class MemoryDevice implements BlockDevice {
  readonly name: string;
  readonly size: number;
  readonly #disk: MemoryDisk;
  readonly #flushes: FlushGate;
  #state: "open" | "closed" | "vanished" = "open";

  constructor(disk: MemoryDisk) {
    this.name = disk.name;
    this.size = disk.size;
    this.#disk = disk;
    this.#flushes = new FlushGate(() => this.#flush());
  }

  read(offset: number, into: Uint8Array): MaybeLater<DiskOutcome> {
    return this.#perform("read", { offset, length: into.length }, () => {
      this.#disk.counts.reads += 1;
      this.#disk.load(offset, into);
      return null;
    });
  }

  write(offset: number, bytes: Uint8Array): MaybeLater<DiskOutcome> {
    return this.#perform("write", { offset, length: bytes.length }, () => {
      this.#disk.counts.writes += 1;
      this.#disk.counts.bytesWritten += bytes.length;
      return this.#disk.store(offset, bytes) ? null : this.#failure("no_space", "write", offset);
    });
  }

  writeZeroes(offset: number, length: number, options: { punch: boolean }): MaybeLater<DiskOutcome> {
    return this.#perform("zero", { offset, length }, () => {
      this.#disk.counts.zeroes += 1;
      return this.#disk.zero(offset, { length, punch: options.punch })
        ? null
        : this.#failure("no_space", "zero", offset);
    });
  }

  flush(): Promise<DiskOutcome> {
    if (this.#state === "vanished") return NEVER;
    if (this.#state === "closed") return Promise.resolve(this.#failure("closed", "flush", 0));
    return this.#flushes.request();
  }

  extents(offset: number, length: number): readonly Extent[] {
    const end = Math.min(this.size, offset + length);
    return this.#state !== "open" || offset < 0 || offset >= end ? [] : this.#disk.extents(offset, end);
  }

  close(): Promise<void> {
    if (this.#state === "open") this.#state = "closed";
    return Promise.resolve();
  }

  /** For the disk: another handle was opened. */
  cutOff(): void {
    if (this.#state === "open") this.#state = "closed";
  }

  /** For the disk: the process that held this handle is no more. */
  vanish(): void {
    this.#state = "vanished";
  }

  #perform(
    operation: MemoryOperation,
    range: { offset: number; length: number },
    work: () => DiskOutcome,
  ): MaybeLater<DiskOutcome> {
    if (this.#state === "vanished") return NEVER;
    const outcome = this.#refuse(operation, range) ?? work();
    if (outcome?.kind === "io_error" && operation !== "read") this.#flushes.fail(outcome);
    const later = this.#disk.later;
    return later === undefined ? outcome : this.#answerLater(operation, outcome);
  }

  #answerLater(operation: MemoryOperation, outcome: DiskOutcome): Promise<DiskOutcome> {
    return new Promise((resolve) => {
      this.#disk.later?.(() => {
        if (this.#state !== "vanished") resolve(outcome);
      }, operation);
    });
  }

  #refuse(operation: MemoryOperation, range: { offset: number; length: number }): DiskFailure | null {
    const { offset, length } = range;
    if (this.#state === "closed") return this.#failure("closed", operation, offset);
    if (!Number.isSafeInteger(offset) || offset < 0 || length < 0 || offset + length > this.size) {
      return this.#failure("out_of_range", operation, offset);
    }
    const fault = this.#disk.fault?.(operation, offset, length) ?? null;
    return fault === null ? null : this.#failure(fault, operation, offset);
  }

  async #flush(): Promise<DiskOutcome> {
    const upTo = this.#disk.writeNumber;
    this.#disk.counts.flushes += 1;
    const refused = this.#refuse("flush", { offset: 0, length: 0 });
    await (this.#disk.later === undefined ? null : this.#answerLater("flush", null));
    if (this.#state === "vanished") return NEVER;
    if (refused !== null) return { ...refused, kind: refused.kind === "closed" ? "closed" : "io_error" };
    this.#disk.settle(upTo);
    return null;
  }

  #failure(kind: DiskFailure["kind"], operation: MemoryOperation, offset: number): DiskFailure {
    return { kind, detail: `${operation} of ${this.name} at ${offset}: ${kind} (simulated)` };
  }
}

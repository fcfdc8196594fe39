/**
 * Keeps one peer's dirty bitmap over a block device. What is on the disk is, at every moment and after any crash, a
 * bitmap that was once in memory, page by page; which pages must be there before something else goes on is the intent
 * log's business (`persist`).
 *
 * A page is one sealed sector: 3,840 regions, 240 MiB of volume at 64 KiB. That is why pages need neither a second
 * slot nor a journal: a disk writes a sector entirely or not at all, so an interrupted write leaves the old page or
 * the new one, both whole. Where that promise is broken, or the medium has rotted, the checksum is wrong and the page
 * reads as all dirty, with its cause: never as clean. All pages are written when the file is made, so that a blank
 * one is damage too. Rejected: 4 KiB pages with two slots each (twice the space, and a rotted slot looks like an
 * interrupted one, so the older slot would be believed: a lost mark).
 *
 * ```text
 * bytes      0 –  8191   head: a record in two copies (magic "HFbh"): JSON with the geometry
 * bytes   8192 –         one sector per page (magic "HFbm", index = page, count = pages): 120 words, little endian
 * ```
 */
import type { BlockDevice, DiskOutcome } from "./block_device.ts";
import { DirtyBitmap, type RegionRun, REGIONS_PER_PAGE, WORDS_PER_PAGE } from "./dirty_bitmap.ts";
import { OpenFailure } from "./open_failure.ts";
import { openRecordFile, recordFileBytes } from "./record_file.ts";
import { openSector, PAYLOAD_BYTES, type Seal, sealSector, SECTOR_BYTES } from "./sealed_sector.ts";
import { invariant } from "../runtime/invariant.ts";

const FORMAT_VERSION = 1;
const HEAD_PAYLOAD_MAX = 400;
const PAGES_AT = recordFileBytes(HEAD_PAYLOAD_MAX);
/** Pages read or written by one call. */
const RUN_PAGES_MAX = 512;

invariant(WORDS_PER_PAGE * 4 === PAYLOAD_BYTES, "a page of the bitmap fills the payload of a sector");

export interface BitmapGeometry {
  /** Bytes of the volume. */
  readonly size: number;
  readonly regionBytes: number;
  /** Whose marks towards whom, e.g. "db/data/alpha/beta". */
  readonly identity: string;
}

/** Bytes of the file. */
export function bitmapFileBytes(geometry: { size: number; regionBytes: number }): number {
  return PAGES_AT + Math.ceil(geometry.size / geometry.regionBytes / REGIONS_PER_PAGE) * SECTOR_BYTES;
}

export class BitmapFile {
  readonly bitmap: DirtyBitmap;
  /** What was found damaged at open and is dirty for that reason; each line names the file. */
  readonly damage: readonly string[];
  readonly #device: BlockDevice;
  readonly #seal: Seal;
  #revision: number;
  #pagesWritten = 0;
  #last: Promise<DiskOutcome> = Promise.resolve(null);

  /** Made by `createBitmapFile` and `openBitmapFile` only. */
  constructor(
    device: BlockDevice,
    options: { bitmap: DirtyBitmap; seal: Seal; revision: number; damage: readonly string[] },
  ) {
    this.#device = device;
    this.bitmap = options.bitmap;
    this.#seal = options.seal;
    this.#revision = options.revision;
    this.damage = options.damage;
  }

  get pagesWritten(): number {
    return this.#pagesWritten;
  }

  /**
   * Writes changed pages as they are now: all, or those that hold the given regions; null in the answer means that
   * they are stable. Bits changed during the call are for the next one. Does not flush when nothing has changed.
   */
  persist(regions?: readonly RegionRun[]): Promise<DiskOutcome> {
    // One after the other: a page that another call took and has not yet made stable must not look unchanged.
    this.#last = this.#last.then(() => this.#persistNow(regions));
    return this.#last;
  }

  async #persistNow(regions?: readonly RegionRun[]): Promise<DiskOutcome> {
    const pages = regions === undefined ? this.bitmap.takeChangedPages() : this.#takePagesOf(regions);
    if (pages.length === 0) return null;
    this.#revision += 1;
    for (const run of runsOf(pages)) {
      const bytes = new Uint8Array(run.count * SECTOR_BYTES);
      for (let i = 0; i < run.count; i += 1) {
        this.#sealPage(run.first + i, { into: bytes, at: i * SECTOR_BYTES });
      }
      const outcome = await this.#device.write(PAGES_AT + run.first * SECTOR_BYTES, bytes);
      if (outcome !== null) return this.#putBack(pages, outcome);
      this.#pagesWritten += run.count;
    }
    const outcome = await this.#device.flush();
    return outcome === null ? null : this.#putBack(pages, outcome);
  }

  close(): Promise<void> {
    return this.#device.close();
  }

  #takePagesOf(regions: readonly RegionRun[]): number[] {
    const pages: number[] = [];
    for (const run of regions) {
      const last = Math.floor((run.first + run.count - 1) / REGIONS_PER_PAGE);
      for (let page = Math.floor(run.first / REGIONS_PER_PAGE); page <= last; page += 1) {
        if (this.bitmap.takeChanged(page)) pages.push(page);
      }
    }
    return pages.sort((a, b) => a - b);
  }

  #putBack(pages: readonly number[], outcome: DiskOutcome): DiskOutcome {
    for (const page of pages) this.bitmap.noteChanged(page);
    return outcome;
  }

  #sealPage(page: number, place: { into: Uint8Array; at: number }): void {
    const payload = new Uint8Array(PAYLOAD_BYTES);
    const view = new DataView(payload.buffer);
    this.bitmap.page(page)?.forEach((word, index) => view.setUint32(index * 4, word, true));
    const fields = { index: page, count: this.bitmap.pageCount, revision: this.#revision, payload };
    sealSector(this.#seal, fields, place);
  }
}

/** Makes the file on a device that is all zero (or holds an older file of the same name): every page, then the head. */
export async function createBitmapFile(
  device: BlockDevice,
  options: BitmapGeometry & { marks: "all" | "none" },
): Promise<BitmapFile | OpenFailure> {
  const bitmap = new DirtyBitmap(options);
  const file = new BitmapFile(device, { bitmap, seal: sealOf(options), revision: 0, damage: [] });
  if (options.marks === "all") bitmap.markAll();
  for (let page = 0; page < bitmap.pageCount; page += 1) bitmap.noteChanged(page);
  const head = await openRecordFile(device, headOptions(options));
  if (head instanceof OpenFailure) return head;
  const outcome = await file.persist() ?? await head.store(encodeHead(options));
  return outcome === null ? file : unreadable(device, outcome.detail);
}

/**
 * Reads the file. A damaged page, or a file whose head was never finished, reads as dirty, with a line in `damage`; a
 * file of somebody else, of another geometry or of a newer version is refused.
 */
export async function openBitmapFile(
  device: BlockDevice,
  options: BitmapGeometry,
): Promise<BitmapFile | OpenFailure> {
  const head = await openRecordFile(device, headOptions(options));
  if (head instanceof OpenFailure && head.kind !== "damaged") return head;
  const damage: string[] = [];
  if (head instanceof OpenFailure || head.payload === null) {
    const created = await createBitmapFile(device, { ...options, marks: "all" });
    if (created instanceof OpenFailure) return created;
    const why = head instanceof OpenFailure ? "its head is damaged" : "it was never finished";
    damage.push(`${device.name}: ${why}: every region counts as dirty`);
    return new BitmapFile(device, { bitmap: created.bitmap, seal: sealOf(options), revision: 1, damage });
  }
  const mismatch = headMismatch(head.payload, options);
  if (mismatch !== null) {
    return new OpenFailure("foreign", {
      file: device.name,
      detail: mismatch,
      remedy: "configure the size it was made with, or replace the replica",
    });
  }
  return readPages(device, options, damage);
}

async function readPages(
  device: BlockDevice,
  options: BitmapGeometry,
  damage: string[],
): Promise<BitmapFile | OpenFailure> {
  const bitmap = new DirtyBitmap(options);
  const seal = sealOf(options);
  const damaged: number[] = [];
  const words = new Uint32Array(WORDS_PER_PAGE);
  let revision = 1;
  for (let first = 0; first < bitmap.pageCount; first += RUN_PAGES_MAX) {
    const count = Math.min(RUN_PAGES_MAX, bitmap.pageCount - first);
    const bytes = new Uint8Array(count * SECTOR_BYTES);
    const outcome = await device.read(PAGES_AT + first * SECTOR_BYTES, bytes);
    if (outcome !== null) return unreadable(device, outcome.detail);
    for (let i = 0; i < count; i += 1) {
      const page = first + i;
      const reading = openSector(seal, bytes, i * SECTOR_BYTES);
      if (reading.kind === "newer_version") return newer(device, reading.formatVersion);
      const fits = reading.kind === "sealed" && reading.index === page &&
        reading.count === bitmap.pageCount &&
        reading.payload.length === PAYLOAD_BYTES;
      if (!fits) {
        damaged.push(page);
        continue;
      }
      revision = Math.max(revision, reading.revision);
      if (reading.payload.every((byte) => byte === 0)) continue;
      const view = new DataView(reading.payload.buffer, reading.payload.byteOffset, PAYLOAD_BYTES);
      for (let word = 0; word < WORDS_PER_PAGE; word += 1) words[word] = view.getUint32(word * 4, true);
      bitmap.loadPage(page, words);
    }
  }
  // As read, nothing is to be written; the damaged pages are: their marks must not depend on the damage.
  bitmap.takeChangedPages();
  for (const page of damaged) {
    const first = page * REGIONS_PER_PAGE;
    bitmap.markRun(first, Math.min(REGIONS_PER_PAGE, bitmap.regionCount - first));
    bitmap.noteChanged(page);
  }
  for (const run of runsOf(damaged)) {
    const last = run.first + run.count - 1;
    damage.push(`${device.name}: pages ${run.first} to ${last} are damaged: their regions count as dirty`);
  }
  const file = new BitmapFile(device, { bitmap, seal, revision, damage });
  const outcome = await file.persist();
  return outcome === null ? file : unreadable(device, outcome.detail);
}

function sealOf(options: BitmapGeometry): Seal {
  return { magic: "HFbm", formatVersion: FORMAT_VERSION, identity: options.identity };
}

function headOptions(options: BitmapGeometry) {
  const { identity } = options;
  return { magic: "HFbh", formatVersion: FORMAT_VERSION, payloadMax: HEAD_PAYLOAD_MAX, identity, both: true };
}

function encodeHead(options: BitmapGeometry): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ size: options.size, regionBytes: options.regionBytes }));
}

/** The head has a checksum, so it differs only if it was made for another geometry. */
function headMismatch(payload: Uint8Array, options: BitmapGeometry): string | null {
  const found = new TextDecoder().decode(payload);
  const expected = new TextDecoder().decode(encodeHead(options));
  return found === expected ? null : `it was made for ${found}, not for ${expected}`;
}

/** Ascending page numbers as runs of at most `RUN_PAGES_MAX`. */
function runsOf(pages: readonly number[]): { first: number; count: number }[] {
  const runs: { first: number; count: number }[] = [];
  for (const page of pages) {
    const last = runs.at(-1);
    if (last !== undefined && last.first + last.count === page && last.count < RUN_PAGES_MAX) last.count += 1;
    else runs.push({ first: page, count: 1 });
  }
  return runs;
}

function unreadable(device: BlockDevice, detail: string): OpenFailure {
  return new OpenFailure("io_error", { file: device.name, detail, remedy: "check the disk it lies on" });
}

function newer(device: BlockDevice, formatVersion: number): OpenFailure {
  return new OpenFailure("newer_version", {
    file: device.name,
    detail: `its format HFbm has version ${formatVersion}, and ${FORMAT_VERSION} is the newest known here`,
    remedy: "start the newer Holdfast that wrote it",
  });
}

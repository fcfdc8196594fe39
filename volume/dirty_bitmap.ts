/**
 * Which regions of a volume may differ from one other replica: one bit per region. Pure, in memory.
 *
 * Marks round outward and clears inward, so that a bit that is clear always speaks for its whole region (design §4.3
 * rule 3). Bits lie in pages of 3,840, allocated when first marked, because a volume of 16 TiB has 2^28 regions of
 * which a healthy mirror marks a handful; a page that is full altogether is one shared page, so that "everything
 * differs" costs nothing either. 3,840 is what one sealed sector on disk carries (`bitmap_file.ts`): the page is the
 * unit in which changes are noticed and persisted.
 *
 * Rejected: a run list (random writes make it longer than the bits), a Set of regions (40 bytes per dirty region),
 * bigint arithmetic (slow). Region indexes fit 32 bits up to 256 TiB at 64 KiB; this is asserted.
 */
import { invariant } from "../runtime/invariant.ts";

export const WORDS_PER_PAGE = 120;
export const REGIONS_PER_PAGE = WORDS_PER_PAGE * 32;
/** Default span of one bit: an absent peer's 4 KiB write costs at most 64 KiB of resync, and 1 TiB needs 2 MiB of bits. */
export const REGION_BYTES_DEFAULT = 64 * 1024;

/** Regions `first` up to and without `first + count`. */
export interface RegionRun {
  readonly first: number;
  readonly count: number;
}

type Page = Uint32Array;

const FULL_PAGE: Page = new Uint32Array(WORDS_PER_PAGE).fill(0xffff_ffff);

export class DirtyBitmap {
  /** Bytes of the volume. */
  readonly size: number;
  /** A power of two. */
  readonly regionBytes: number;
  readonly regionCount: number;
  readonly pageCount: number;
  readonly #pages: (Page | null)[];
  /** One bit per page: it differs from what was last taken by `takeChangedPages`. */
  readonly #changed: Uint32Array;
  #count = 0;

  constructor(options: { size: number; regionBytes: number }) {
    const { size, regionBytes } = options;
    invariant(Number.isSafeInteger(size) && size > 0, "a volume has a size");
    invariant(
      regionBytes >= 512 && Number.isInteger(Math.log2(regionBytes)),
      "a region is a power of two ≥ 512 bytes",
    );
    this.size = size;
    this.regionBytes = regionBytes;
    this.regionCount = Math.ceil(size / regionBytes);
    invariant(this.regionCount <= 0xffff_ffff, "region indexes fit 32 bits (choose larger regions)");
    this.pageCount = Math.ceil(this.regionCount / REGIONS_PER_PAGE);
    this.#pages = new Array(this.pageCount).fill(null);
    this.#changed = new Uint32Array(Math.ceil(this.pageCount / 32));
  }

  /** Marked regions. */
  get count(): number {
    return this.#count;
  }

  /** Bytes in marked regions; the last region of a volume may be a short one. */
  get dirtyBytes(): number {
    const last = this.regionCount - 1;
    const lastShort = this.regionCount * this.regionBytes - this.size;
    return this.#count * this.regionBytes - (this.has(last) ? lastShort : 0);
  }

  has(region: number): boolean {
    const page = this.#pages[Math.floor(region / REGIONS_PER_PAGE)];
    if (page === null || page === undefined) return false;
    const bit = region % REGIONS_PER_PAGE;
    return ((page[bit >>> 5] ?? 0) >>> (bit & 31) & 1) === 1;
  }

  /** True when any region that the range touches is marked. */
  touches(offset: number, length: number): boolean {
    if (length <= 0) return false;
    const last = Math.floor((offset + length - 1) / this.regionBytes);
    return this.runWithin({ first: Math.floor(offset / this.regionBytes), end: last + 1 }) !== null;
  }

  /** Marks every region that the range touches. True when any bit changed. */
  markRange(offset: number, length: number): boolean {
    if (length <= 0) return false;
    const first = Math.floor(offset / this.regionBytes);
    const last = Math.floor((offset + length - 1) / this.regionBytes);
    return this.markRun(first, last - first + 1);
  }

  /** Clears every region that lies in the range entirely (the end of the volume completes the last one). */
  clearRange(offset: number, length: number): boolean {
    if (length <= 0) return false;
    const first = Math.ceil(offset / this.regionBytes);
    const end = offset + length >= this.size
      ? this.regionCount
      : Math.floor((offset + length) / this.regionBytes);
    return end > first && this.clearRun(first, end - first);
  }

  /** Marks `count` regions from `first`. True when any bit changed. */
  markRun(first: number, count: number): boolean {
    return this.#apply(first, count, true);
  }

  /** Clears `count` regions from `first`. True when any bit changed. */
  clearRun(first: number, count: number): boolean {
    return this.#apply(first, count, false);
  }

  markAll(): void {
    this.markRun(0, this.regionCount);
  }

  clearAll(): void {
    this.clearRun(0, this.regionCount);
  }

  /** Every bit of `other` is in this one afterwards. Both must have the same geometry. */
  union(other: DirtyBitmap): void {
    invariant(
      other.size === this.size && other.regionBytes === this.regionBytes,
      "bitmaps are united only when they have the same size and region",
    );
    for (let run = other.nextRun(0); run !== null; run = other.nextRun(run.first + run.count)) {
      this.markRun(run.first, run.count);
    }
  }

  /** The first run of marked regions at or after `from`, cut at `countMax`; null when there is none. */
  nextRun(from: number, countMax = this.regionCount): RegionRun | null {
    const first = this.#next(from, { marked: true, end: this.regionCount });
    if (first >= this.regionCount) return null;
    const end = Math.min(this.regionCount, first + countMax);
    return { first, count: this.#next(first, { marked: false, end }) - first };
  }

  /** The first run of marked regions within `first` up to and without `end`, cut there; looks at nothing beyond. */
  runWithin(range: { readonly first: number; readonly end: number }): RegionRun | null {
    const first = this.#next(range.first, { marked: true, end: range.end });
    if (first >= range.end) return null;
    return { first, count: this.#next(first, { marked: false, end: range.end }) - first };
  }

  /** 32 regions beginning at `word * 32`, the lowest bit first; 0 beyond the end. */
  word(word: number): number {
    const page = this.#pages[Math.floor(word / WORDS_PER_PAGE)];
    return page?.[word % WORDS_PER_PAGE] ?? 0;
  }

  /** The 120 words of a page, as they are now; not a copy. Null: all clear. */
  page(index: number): Readonly<Uint32Array> | null {
    return this.#pages[index] ?? null;
  }

  /** Puts a page read from disk in place of the current one; bits beyond the volume's end are dropped. */
  loadPage(index: number, words: Uint32Array): void {
    invariant(
      words.length === WORDS_PER_PAGE && index < this.pageCount,
      "a page has 120 words and an index in range",
    );
    const copy = words.slice();
    const regions = Math.min(REGIONS_PER_PAGE, this.regionCount - index * REGIONS_PER_PAGE);
    for (let word = 0; word < WORDS_PER_PAGE; word += 1) {
      const valid = Math.max(0, Math.min(32, regions - word * 32));
      copy[word] = (copy[word] ?? 0) & maskOf(0, valid);
    }
    this.#count += populationOf(copy) - populationOf(this.#pages[index] ?? null);
    this.#pages[index] = copy;
    this.#noteChanged(index);
  }

  pageChanged(index: number): boolean {
    return ((this.#changed[index >>> 5] ?? 0) >>> (index & 31) & 1) === 1;
  }

  /** Pages that changed since they were last taken, in order; forgets that they did. */
  takeChangedPages(): number[] {
    const taken: number[] = [];
    for (let word = 0; word < this.#changed.length; word += 1) {
      let bits = this.#changed[word] ?? 0;
      this.#changed[word] = 0;
      while (bits !== 0) {
        const bit = 31 - Math.clz32(bits & -bits);
        taken.push(word * 32 + bit);
        bits &= bits - 1;
      }
    }
    return taken;
  }

  /** Takes one page: true when it had changed. */
  takeChanged(index: number): boolean {
    const changed = this.pageChanged(index);
    if (changed) this.#changed[index >>> 5] = (this.#changed[index >>> 5] ?? 0) & ~(1 << (index & 31));
    return changed;
  }

  /** For a page that was taken but could not be written. */
  noteChanged(index: number): void {
    this.#noteChanged(index);
  }

  #noteChanged(index: number): void {
    this.#changed[index >>> 5] = (this.#changed[index >>> 5] ?? 0) | (1 << (index & 31));
  }

  #apply(first: number, count: number, mark: boolean): boolean {
    invariant(
      first >= 0 && count >= 0 && first + count <= this.regionCount,
      "marks and clears stay within the volume",
    );
    const end = first + count;
    let changed = false;
    let region = first;
    while (region < end) {
      const index = Math.floor(region / REGIONS_PER_PAGE);
      const from = region - index * REGIONS_PER_PAGE;
      const to = Math.min(REGIONS_PER_PAGE, end - index * REGIONS_PER_PAGE);
      if (this.#applyInPage(index, { from, to }, mark)) {
        this.#noteChanged(index);
        changed = true;
      }
      region += to - from;
    }
    return changed;
  }

  #applyInPage(index: number, bits: { from: number; to: number }, mark: boolean): boolean {
    const { from, to } = bits;
    let page = this.#pages[index] ?? null;
    if (page === null && !mark) return false;
    if (page === FULL_PAGE && mark) return false;
    if (from === 0 && to === REGIONS_PER_PAGE) {
      const before = populationOf(page);
      this.#pages[index] = mark ? FULL_PAGE : null;
      this.#count += (mark ? REGIONS_PER_PAGE : 0) - before;
      return mark ? before < REGIONS_PER_PAGE : before > 0;
    }
    if (page === null) page = this.#pages[index] = new Uint32Array(WORDS_PER_PAGE);
    else if (page === FULL_PAGE) page = this.#pages[index] = FULL_PAGE.slice();
    let difference = 0;
    for (let word = from >>> 5; word <= (to - 1) >>> 5; word += 1) {
      const mask = maskOf(Math.max(0, from - word * 32), Math.min(32, to - word * 32));
      const before = page[word] ?? 0;
      const after = mark ? before | mask : before & ~mask;
      if (before === (after >>> 0)) continue;
      page[word] = after;
      difference += populationOfWord(after ^ before);
    }
    this.#count += mark ? difference : -difference;
    return difference > 0;
  }

  /** The first region at or after `from` whose bit is `marked`; `end` when none before it is. */
  #next(from: number, search: { marked: boolean; end: number }): number {
    const { marked, end } = search;
    let region = Math.max(0, from);
    while (region < end) {
      const index = Math.floor(region / REGIONS_PER_PAGE);
      const page = this.#pages[index] ?? null;
      if (page === null || page === FULL_PAGE) {
        if ((page === FULL_PAGE) === marked) return region;
        region = (index + 1) * REGIONS_PER_PAGE;
        continue;
      }
      const bit = region - index * REGIONS_PER_PAGE;
      const word = page[bit >>> 5] ?? 0;
      const wanted = (marked ? word : ~word) & (-1 << (bit & 31));
      if (wanted !== 0) return Math.min(end, region - (bit & 31) + 31 - Math.clz32(wanted & -wanted));
      region += 32 - (bit & 31);
    }
    return end;
  }
}

/** Bits `from` up to and without `to` of one word. */
function maskOf(from: number, to: number): number {
  if (to <= from) return 0;
  const width = to - from;
  return width === 32 ? -1 : ((1 << width) - 1) << from;
}

function populationOfWord(word: number): number {
  let bits = word - ((word >>> 1) & 0x5555_5555);
  bits = (bits & 0x3333_3333) + ((bits >>> 2) & 0x3333_3333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

function populationOf(page: Page | null): number {
  if (page === null) return 0;
  if (page === FULL_PAGE) return REGIONS_PER_PAGE;
  let count = 0;
  for (const word of page) count += populationOfWord(word);
  return count;
}

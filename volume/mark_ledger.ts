/**
 * When a mark may be cleared: the second level of the intent log, in memory. Pure.
 *
 * Each peer has two bitmaps: `bits`, what may differ, and `owed` ⊆ `bits`, what only a resync (or the peer's being up
 * to date as a whole) may clear. A bit that is not owed is in flight, and clears when its region's newest write is
 * stable on both sides (design §4.3 rule 2, I4). The contract in `intent_log.ts` tells how the conditions change.
 *
 * Clearing is lazy. A report of stability only moves a number; bits are swept when somebody looks at them, and every
 * 4,096 marks so that regions can leave the table of seqs. A bit that is cleared late is safe, and a sweep per report
 * would make the reports dear.
 */
import { invariant } from "../runtime/invariant.ts";
import { DirtyBitmap } from "./dirty_bitmap.ts";
import type { ByteRange, ResyncedRange } from "./intent_log.ts";
import { SEQ_PAGES_MAX, SeqTable } from "./seq_table.ts";

const MARKS_BETWEEN_SWEEPS = 4096;

interface PeerMarks {
  readonly bits: DirtyBitmap;
  readonly owed: DirtyBitmap;
  shipping: boolean;
  /** What was shipped up to this seq is stable on the peer. */
  stable: number;
}

export interface LedgerGeometry {
  /** Bytes of the volume. */
  readonly size: number;
  readonly regionBytes: number;
  /** A multiple of `regionBytes`. */
  readonly hotRegionBytes: number;
  /** See `seq_table.ts`. */
  readonly seqPagesMax?: number;
}

export class MarkLedger {
  readonly #geometry: LedgerGeometry;
  readonly #regionsPerPage: number;
  readonly #seqPagesMax: number;
  readonly #seqs: SeqTable;
  readonly #peers = new Map<string, PeerMarks>();
  #localStable = 0;
  #marksSinceSweep = 0;
  #sweepDue = false;

  constructor(geometry: LedgerGeometry) {
    this.#geometry = geometry;
    this.#regionsPerPage = geometry.hotRegionBytes / geometry.regionBytes;
    invariant(Number.isInteger(this.#regionsPerPage), "a hot region is a number of fine regions");
    this.#seqPagesMax = geometry.seqPagesMax ?? SEQ_PAGES_MAX;
    this.#seqs = new SeqTable({ regionsPerPage: this.#regionsPerPage, pagesMax: this.#seqPagesMax });
  }

  get peers(): readonly string[] {
    return [...this.#peers.keys()];
  }

  get seqPages(): number {
    return this.#seqs.pages;
  }

  /** Everything that is marked in `bits` is owed. */
  addPeer(peer: string, bits: DirtyBitmap): void {
    invariant(!this.#peers.has(peer), "a peer is added once");
    const owed = new DirtyBitmap(this.#geometry);
    owed.union(bits);
    this.#peers.set(peer, { bits, owed, shipping: false, stable: 0 });
  }

  removePeer(peer: string): void {
    this.#peers.delete(peer);
    this.#sweepDue = true;
  }

  mark(offset: number, length: number, seq: number): void {
    if (length <= 0) return;
    const first = Math.floor(offset / this.#geometry.regionBytes);
    const count = Math.floor((offset + length - 1) / this.#geometry.regionBytes) - first + 1;
    // Before the bits are set: a sweep must not meet a bit whose seq is not noted yet.
    this.#marksSinceSweep += 1;
    const full = this.#seqs.pages >= this.#seqPagesMax && !this.#seqs.knows(first, first + count - 1);
    if (full || this.#marksSinceSweep >= MARKS_BETWEEN_SWEEPS) this.sweep();
    for (const marks of this.#peers.values()) {
      marks.bits.markRun(first, count);
      if (!marks.shipping) marks.owed.markRun(first, count);
    }
    for (const page of this.#seqs.note(first, first + count - 1, seq)) this.#owePage(page);
  }

  markOwed(peer: string, range: ByteRange): void {
    const marks = this.#of(peer);
    marks.bits.markRange(range.offset, range.length);
    marks.owed.markRange(range.offset, range.length);
  }

  setShipping(peer: string, shipping: boolean): void {
    const marks = this.#of(peer);
    if (marks.shipping === shipping) return;
    this.sweep();
    if (!shipping) marks.owed.union(marks.bits);
    marks.shipping = shipping;
    marks.stable = 0;
  }

  localStableUpTo(seq: number): void {
    if (seq <= this.#localStable) return;
    this.#localStable = seq;
    this.#sweepDue = true;
  }

  stableUpTo(peer: string, seq: number): void {
    const marks = this.#of(peer);
    if (seq <= marks.stable) return;
    marks.stable = seq;
    this.#sweepDue = true;
  }

  clearAllUpTo(peer: string, seq: number): void {
    const marks = this.#of(peer);
    this.stableUpTo(peer, seq);
    const clearable = Math.min(seq, this.#localStable);
    this.#sweepDue = true;
    if (this.#seqs.retired > clearable) return this.#clearKnown(marks, { clearable, seq });
    // Written after `seq`: keeps its condition. Written before, but not yet stable here: only in flight any more.
    const keep: { region: number; owed: boolean }[] = [];
    for (const page of this.#seqs.entries()) {
      if (page.newest <= clearable) continue;
      this.#eachMarked(marks, this.#pageRange(page.first), (region) => {
        const newest = this.#seqs.newestAtMost(region);
        if (newest > clearable) keep.push({ region, owed: newest > seq && marks.owed.has(region) });
      });
    }
    marks.bits.clearAll();
    marks.owed.clearAll();
    for (const { region, owed } of keep) {
      marks.bits.markRun(region, 1);
      if (owed) marks.owed.markRun(region, 1);
    }
  }

  /** Seqs that might be newer were forgotten: only regions whose seq is known are cleared. */
  #clearKnown(marks: PeerMarks, upTo: { clearable: number; seq: number }): void {
    for (const page of this.#seqs.entries()) {
      this.#eachMarked(marks, this.#pageRange(page.first), (region) => {
        const newest = this.#seqs.newestAtMost(region);
        if (newest <= upTo.clearable) marks.bits.clearRun(region, 1);
        if (newest <= upTo.seq) marks.owed.clearRun(region, 1);
      });
    }
  }

  clearResynced(peer: string, range: ResyncedRange): void {
    const marks = this.#of(peer);
    const { regionBytes, size } = this.#geometry;
    const first = Math.ceil(range.offset / regionBytes);
    const atEnd = range.offset + range.length >= size;
    const end = atEnd ? marks.bits.regionCount : Math.floor((range.offset + range.length) / regionBytes);
    this.#eachMarked(marks, { first, end }, (region) => {
      const newest = this.#seqs.newestAtMost(region);
      if (newest <= range.version && newest <= this.#localStable) {
        marks.bits.clearRun(region, 1);
        marks.owed.clearRun(region, 1);
      } else if (newest <= range.version || range.rewritesShipped) marks.owed.clearRun(region, 1);
    });
    this.#sweepDue = true;
  }

  forgetSeqs(): void {
    for (const marks of this.#peers.values()) {
      marks.owed.union(marks.bits);
      marks.stable = 0;
    }
    this.#seqs.clear();
    this.#localStable = 0;
  }

  markAll(peer: string): void {
    this.#of(peer).bits.markAll();
    this.#of(peer).owed.markAll();
  }

  mergeInto(peer: string, other: DirtyBitmap): void {
    this.#of(peer).bits.union(other);
    this.#of(peer).owed.union(other);
  }

  isOwed(peer: string, range: ByteRange): boolean {
    return this.#of(peer).owed.touches(range.offset, range.length);
  }

  /** Swept: cleared as far as is known. */
  bitmap(peer: string): DirtyBitmap {
    if (this.#sweepDue) this.sweep();
    return this.#of(peer).bits;
  }

  /** Clears what is in flight and stable on both sides; forgets the seqs of pages in which no bit waits. */
  sweep(): void {
    this.#marksSinceSweep = 0;
    this.#sweepDue = false;
    const done: number[] = [];
    for (const page of this.#seqs.entries()) {
      const range = this.#pageRange(page.first);
      let waiting = false;
      for (const marks of this.#peers.values()) {
        if (marks.shipping) this.#sweepPage(marks, range);
        waiting ||= marks.bits.runWithin(range) !== null;
      }
      if (!waiting) done.push(page.page);
    }
    // Pages in use are soon needed again: only what grows beyond a working set is given back.
    if (this.#seqs.pages > this.#seqPagesMax / 8) { for (const page of done) this.#seqs.drop(page); }
  }

  #sweepPage(marks: PeerMarks, range: { first: number; end: number }): void {
    const stable = Math.min(marks.stable, this.#localStable);
    this.#eachMarked(marks, range, (region) => {
      if (this.#seqs.newestAtMost(region) <= stable && !marks.owed.has(region)) {
        marks.bits.clearRun(region, 1);
      }
    });
  }

  #eachMarked(
    marks: PeerMarks,
    range: { first: number; end: number },
    visit: (region: number) => void,
  ): void {
    const { bits } = marks;
    let run = bits.runWithin(range);
    while (run !== null) {
      const end = run.first + run.count;
      for (let region = run.first; region < end; region += 1) visit(region);
      run = bits.runWithin({ first: end, end: range.end });
    }
  }

  #pageRange(first: number): { first: number; end: number } {
    const regions = Math.ceil(this.#geometry.size / this.#geometry.regionBytes);
    return { first, end: Math.min(regions, first + this.#regionsPerPage) };
  }

  /** The seqs of this page are forgotten: no report of stability clears its bits any more. */
  #owePage(page: number): void {
    const { first, end } = this.#pageRange(page * this.#regionsPerPage);
    for (const marks of this.#peers.values()) {
      this.#eachMarked(marks, { first, end }, (region) => marks.owed.markRun(region, 1));
    }
  }

  #of(peer: string): PeerMarks {
    const marks = this.#peers.get(peer);
    invariant(marks !== undefined, "marks are kept for every peer that is asked about");
    return marks;
  }
}

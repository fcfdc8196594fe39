/**
 * The newest write of each fine region, as far as anybody still needs to know. Pure.
 *
 * A peer's bit may be cleared when the peer is stable past the region's newest write, so that write's seq must be
 * known for as long as any peer's bit waits. Seqs lie in pages, one per hot region, made when first written. Absent
 * peers wait long, so there is a bound: 16,384 pages (64 GiB of distinct regions at the defaults, about 10 MiB of
 * memory). At the bound the quarter whose newest writes are oldest is *retired*: of its regions only one common upper
 * bound is kept, the highest seq among them. Every answer is therefore "at most", and a clear that relies on it can
 * come late, never early.
 */
import { invariant } from "../runtime/invariant.ts";

export const SEQ_PAGES_MAX = 16_384;

interface SeqPage {
  /** The newest write in the page. */
  newest: number;
  readonly seqs: Float64Array;
}

export class SeqTable {
  readonly #regionsPerPage: number;
  readonly #pagesMax: number;
  readonly #pages = new Map<number, SeqPage>();
  #retired = 0;

  constructor(options: { regionsPerPage: number; pagesMax?: number }) {
    this.#regionsPerPage = options.regionsPerPage;
    this.#pagesMax = options.pagesMax ?? SEQ_PAGES_MAX;
    invariant(this.#pagesMax >= 4, "a quarter of the pages is at least one");
  }

  get pages(): number {
    return this.#pages.size;
  }

  /** No region that is not in a page was written after this, as far as this table has seen. */
  get retired(): number {
    return this.#retired;
  }

  /** Noting a write there needs no new page. */
  knows(first: number, last: number): boolean {
    const end = Math.floor(last / this.#regionsPerPage);
    for (let page = Math.floor(first / this.#regionsPerPage); page <= end; page += 1) {
      if (!this.#pages.has(page)) return false;
    }
    return true;
  }

  /** A write of `seq` touches the regions. Answers the pages that were retired to make room, usually none. */
  note(first: number, last: number, seq: number): readonly number[] {
    let retired: readonly number[] = NONE;
    for (let region = first; region <= last; region += 1) {
      const index = Math.floor(region / this.#regionsPerPage);
      let page = this.#pages.get(index);
      if (page === undefined) {
        if (this.#pages.size >= this.#pagesMax) retired = [...retired, ...this.#retireOldest()];
        page = { newest: 0, seqs: new Float64Array(this.#regionsPerPage) };
        this.#pages.set(index, page);
      }
      const at = region - index * this.#regionsPerPage;
      if (seq > (page.seqs[at] ?? 0)) page.seqs[at] = seq;
      if (seq > page.newest) page.newest = seq;
    }
    return retired;
  }

  /** The region's newest write has at most this seq. 0: it was not written since the table began. */
  newestAtMost(region: number): number {
    const index = Math.floor(region / this.#regionsPerPage);
    const known = this.#pages.get(index)?.seqs[region - index * this.#regionsPerPage] ?? 0;
    return known > 0 ? known : this.#retired;
  }

  /** First regions of the pages, with the newest write in each. */
  *entries(): Generator<{ readonly page: number; readonly first: number; readonly newest: number }> {
    for (const [page, { newest }] of this.#pages) yield { page, first: page * this.#regionsPerPage, newest };
  }

  /** No peer's bit waits in this page any more. */
  drop(page: number): void {
    this.#pages.delete(page);
  }

  clear(): void {
    this.#pages.clear();
    this.#retired = 0;
  }

  #retireOldest(): number[] {
    const oldestFirst = [...this.#pages].sort(([, a], [, b]) => a.newest - b.newest);
    const retired = oldestFirst.slice(0, Math.ceil(this.#pagesMax / 4));
    for (const [index, page] of retired) {
      this.#retired = Math.max(this.#retired, page.newest);
      this.#pages.delete(index);
    }
    return retired.map(([index]) => index);
  }
}

const NONE: readonly number[] = [];

/**
 * Which large regions may have writes in flight: the decisions of the intent log's first level. Pure: it plans, and
 * `open_intent_log.ts` does the I/O in the order that the plan demands.
 *
 * ```text
 *             plan: a request needs it        committed: record stable
 *   (cold) ─────────────────────────▶ adding ─────────────────────────▶ hot ◀──┐ the front request
 *     ▲                                                                 │ │    │ needs it itself
 *     │        plan: evicted (no pins; its bits persisted,              │ ▼    │
 *     └──────── then the record without it)  ◀──────────────────────────┴ draining
 * ```
 *
 * A region is pinned by each write in flight and never evicted while pinned. When every slot is pinned, the least
 * recently used ones are *drained*: they no longer count as hot, so new writes there queue behind the request that
 * waits for a slot, which therefore gets one as soon as the writes in flight have ended. Requests are served first
 * come first served, each entirely or not at all, so no two can hold half of what the other needs.
 *
 * Recency by second chance (one bit per slot and a turning hand): a pin sets a bit, where a true LRU list would write
 * six links for each 4 KiB. Regions are evicted in batches of a sixteenth, because an eviction costs one more flush
 * (bits before record) however many regions it covers.
 */
import { invariant } from "../runtime/invariant.ts";

/** The largest span of a hot region, and how many are hot at most: 4 GiB of working set without metadata I/O. */
export const HOT_REGION_BYTES_MAX = 4 * 1024 * 1024;
/** Half the slots must cover the largest request (32 MiB) wherever it begins. */
export const HOT_REGION_BYTES_MIN = 128 * 1024;
export const HOT_CAPACITY_DEFAULT = 1024;

/**
 * Bytes of a hot region for a volume of `size` bytes: the smallest power of two with which all of the volume can be hot,
 * within the bounds. What is hot when a node crashes is copied when it returns, so small volumes get small regions.
 */
export function hotRegionBytesFor(size: number): number {
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(1, size / HOT_CAPACITY_DEFAULT)));
  return Math.min(HOT_REGION_BYTES_MAX, Math.max(HOT_REGION_BYTES_MIN, wanted));
}

const FREE = 0;
const ADDING = 1;
const HOT = 2;
const DRAINING = 3;

export interface HotPlan {
  /** Requests that the commit will satisfy, in order; pinned already. */
  readonly granted: readonly HeatRequest[];
  readonly added: readonly number[];
  /** Their bits must be stable before the record without them is. They are no longer hot. */
  readonly evicted: readonly number[];
}

/** What one call of `heat` needs. `pins` names a region once for each range that touches it. */
export interface HeatRequest {
  readonly pins: readonly number[];
}

export class HotSet {
  readonly capacity: number;
  readonly #slotOf = new Map<number, number>();
  readonly #regionOf: Float64Array;
  readonly #state: Uint8Array;
  readonly #pins: Uint32Array;
  /** Second chance: pinned since the hand last passed. */
  readonly #used: Uint8Array;
  #hand = 0;
  #draining = 0;
  #evictions = 0;

  constructor(capacity: number) {
    invariant(capacity >= 2, "a hot set has at least two slots");
    this.capacity = capacity;
    this.#regionOf = new Float64Array(capacity);
    this.#state = new Uint8Array(capacity);
    this.#pins = new Uint32Array(capacity);
    this.#used = new Uint8Array(capacity);
  }

  /** Slots taken, hot or about to be. */
  get size(): number {
    return this.#slotOf.size;
  }

  get evictions(): number {
    return this.#evictions;
  }

  /** Regions wait for their pins to end because a request needs a slot. */
  get draining(): boolean {
    return this.#draining > 0;
  }

  /** All taken slots' regions, for the record. */
  regions(): number[] {
    return [...this.#slotOf.keys()];
  }

  isHot(first: number, last: number): boolean {
    for (let region = first; region <= last; region += 1) {
      const slot = this.#slotOf.get(region);
      if (slot === undefined || this.#state[slot] !== HOT) return false;
    }
    return true;
  }

  isPinned(first: number, last: number): boolean {
    for (let region = first; region <= last; region += 1) {
      const slot = this.#slotOf.get(region);
      if (slot === undefined || this.#pins[slot] === 0 || this.#state[slot] === ADDING) return false;
    }
    return true;
  }

  /** The caller has seen that they are hot. */
  pin(first: number, last: number): void {
    for (let region = first; region <= last; region += 1) this.#pin(region);
  }

  /** True when a drained region became free to evict by it. */
  unpin(first: number, last: number): boolean {
    let drained = false;
    for (let region = first; region <= last; region += 1) drained = this.#unpin(region) || drained;
    return drained;
  }

  /** Whoever set pins is dead. */
  unpinAll(): void {
    this.#pins.fill(0);
  }

  get pinned(): boolean {
    return this.#pins.some((pins) => pins > 0);
  }

  /**
   * Grants as many requests as there is room for, from the front; stops at the first that must wait and drains for it.
   * The caller then persists, writes the record, and says `committed` or `failed`.
   */
  plan(waiting: readonly HeatRequest[]): HotPlan {
    const granted: HeatRequest[] = [];
    const added: number[] = [];
    const evicted: number[] = [];
    for (const request of waiting) {
      const needed = new Set(request.pins);
      invariant(needed.size <= this.capacity, "a request needs no more regions than there are slots");
      const missing = [...needed].filter((region) => !this.#slotOf.has(region));
      const lacking = missing.length - (this.capacity - this.size);
      if (lacking > 0) {
        const batch = Math.max(lacking, Math.floor(this.capacity / 16));
        evicted.push(...this.#evict(batch, needed));
        const still = missing.length - (this.capacity - this.size);
        if (still > 0) {
          this.#drain(still, needed);
          break;
        }
      }
      for (const region of missing) {
        this.#add(region);
        added.push(region);
      }
      for (const region of needed) this.#undrain(region);
      for (const region of request.pins) this.#pin(region);
      granted.push(request);
    }
    if (granted.length === waiting.length) this.#undrainAll();
    return { granted, added, evicted };
  }

  /** The record with the plan's regions is stable. */
  committed(plan: HotPlan): void {
    for (const region of plan.added) {
      const slot = this.#slotOf.get(region);
      if (slot !== undefined) this.#state[slot] = HOT;
    }
  }

  /** The record was not written: what was granted is taken back. */
  failed(plan: HotPlan): void {
    for (const request of plan.granted) for (const region of request.pins) this.#unpin(region);
    for (const region of plan.added) this.#remove(region);
  }

  #pin(region: number): void {
    const slot = this.#slotOf.get(region);
    invariant(slot !== undefined, "only a region in the hot set is pinned");
    this.#pins[slot] = (this.#pins[slot] ?? 0) + 1;
    this.#used[slot] = 1;
  }

  #unpin(region: number): boolean {
    const slot = this.#slotOf.get(region);
    invariant(
      slot !== undefined && (this.#pins[slot] ?? 0) > 0,
      "a pin is ended once, and by whoever set it",
    );
    this.#pins[slot] = (this.#pins[slot] ?? 0) - 1;
    return this.#pins[slot] === 0 && this.#state[slot] === DRAINING;
  }

  #add(region: number): void {
    const slot = this.#state.indexOf(FREE);
    invariant(slot >= 0, "there is a free slot for a region that is added");
    this.#slotOf.set(region, slot);
    this.#regionOf[slot] = region;
    this.#state[slot] = ADDING;
    this.#pins[slot] = 0;
  }

  #remove(region: number): void {
    const slot = this.#slotOf.get(region);
    if (slot === undefined) return;
    if (this.#state[slot] === DRAINING) this.#draining -= 1;
    this.#slotOf.delete(region);
    this.#state[slot] = FREE;
    this.#used[slot] = 0;
  }

  /** Frees up to `count` slots: drained ones first, then by second chance. */
  #evict(count: number, except: ReadonlySet<number>): number[] {
    const evicted: number[] = [];
    const free = (slot: number): void => {
      evicted.push(this.#regionOf[slot] ?? 0);
      this.#remove(this.#regionOf[slot] ?? 0);
    };
    if (this.#draining > 0) {
      for (let slot = 0; slot < this.capacity; slot += 1) {
        if (this.#state[slot] === DRAINING && this.#evictable(slot, except)) free(slot);
      }
    }
    for (let step = 0; step < 2 * this.capacity && evicted.length < count; step += 1) {
      const slot = this.#hand;
      this.#hand = (slot + 1) % this.capacity;
      if (this.#state[slot] !== HOT || !this.#evictable(slot, except)) continue;
      if (this.#used[slot] === 1) this.#used[slot] = 0;
      else free(slot);
    }
    this.#evictions += evicted.length;
    return evicted;
  }

  #evictable(slot: number, except: ReadonlySet<number>): boolean {
    return this.#pins[slot] === 0 && !except.has(this.#regionOf[slot] ?? -1);
  }

  #drain(count: number, except: ReadonlySet<number>): void {
    for (let step = 0; step < this.capacity && this.#draining < count; step += 1) {
      const slot = this.#hand;
      this.#hand = (slot + 1) % this.capacity;
      if (this.#state[slot] !== HOT || except.has(this.#regionOf[slot] ?? -1)) continue;
      this.#state[slot] = DRAINING;
      this.#draining += 1;
    }
  }

  #undrain(region: number): void {
    const slot = this.#slotOf.get(region);
    if (slot === undefined || this.#state[slot] !== DRAINING) return;
    this.#state[slot] = HOT;
    this.#draining -= 1;
  }

  #undrainAll(): void {
    if (this.#draining > 0) { for (const region of this.#slotOf.keys()) this.#undrain(region); }
  }
}

/**
 * A queue on an array of power-of-two length: the cheapest first-in first-out there is in JavaScript.
 *
 * It grows by doubling and does not shrink: an empty one goes back to the pool, which keeps small ones for the
 * next actor that gets mail and leaves large ones to the collector. So an idle actor has no queue at all. Linked
 * lists cost an allocation per message; `Array.shift` moves the whole rest.
 */
const CAPACITY_FIRST = 4;

export class Ring<T> {
  #items: (T | undefined)[];
  #mask: number;
  #head = 0;
  /** Items waiting. */
  count = 0;

  constructor() {
    this.#items = [undefined, undefined, undefined, undefined];
    this.#mask = CAPACITY_FIRST - 1;
  }

  get capacity(): number {
    return this.#mask + 1;
  }

  push(item: T): void {
    if (this.count > this.#mask) this.#grow();
    this.#items[(this.#head + this.count) & this.#mask] = item;
    this.count += 1;
  }

  /** Only while `count` > 0; an empty ring answers undefined and must not be asked. */
  shift(): T {
    const head = this.#head;
    const item = this.#items[head] as T;
    this.#items[head] = undefined;
    this.#head = (head + 1) & this.#mask;
    this.count -= 1;
    return item;
  }

  /** Takes the `index`-th waiting item out of its place, 0 ≤ index < count; the last one moves there. */
  takeAt(index: number): T {
    const place = (this.#head + index) & this.#mask;
    const last = (this.#head + this.count - 1) & this.#mask;
    const item = this.#items[place] as T;
    this.#items[place] = this.#items[last];
    this.#items[last] = undefined;
    this.count -= 1;
    return item;
  }

  #grow(): void {
    const items = this.#items;
    const length = items.length;
    const grown: (T | undefined)[] = new Array(length * 2);
    for (let index = 0; index < length; index++) grown[index] = items[(this.#head + index) & this.#mask];
    for (let index = length; index < length * 2; index++) grown[index] = undefined;
    this.#items = grown;
    this.#mask = grown.length - 1;
    this.#head = 0;
  }
}

const POOLED_MAX = 4_096;
const POOLED_CAPACITY_MAX = 64;

/** Empty rings for mailboxes that wake up. */
export class RingPool {
  readonly #idle: Ring<unknown>[] = [];

  take(): Ring<unknown> {
    return this.#idle.pop() ?? new Ring();
  }

  /** Only an empty ring that nobody else holds. */
  giveBack(ring: Ring<unknown>): void {
    if (this.#idle.length < POOLED_MAX && ring.capacity <= POOLED_CAPACITY_MAX) this.#idle.push(ring);
  }
}

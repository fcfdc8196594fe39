/**
 * A slab is a large receive buffer that several readers of its bytes share by counting references.
 *
 * One socket read brings many requests; each payload is a view of the slab, written to the disk and shipped to
 * every leg from where it lies. The slab may be filled again only when nobody holds a view: that is the count.
 * A pool keeps a few slabs warm, because allocating 2 MiB per read would be the dearest thing on the path.
 */
import { invariant } from "./invariant.ts";

export class Slab {
  readonly bytes: Uint8Array;
  #references = 1;
  #recycle: (slab: Slab) => void;

  constructor(byteLength: number, recycle: (slab: Slab) => void) {
    this.bytes = new Uint8Array(byteLength);
    this.#recycle = recycle;
  }

  get references(): number {
    return this.#references;
  }

  /** Called by whoever keeps a view beyond the call that brought it. */
  retain(): void {
    invariant(this.#references > 0, "a slab is retained only while somebody holds it");
    this.#references += 1;
  }

  /** One holder less; at zero the slab goes back to its pool and its bytes may change. */
  release(): void {
    invariant(this.#references > 0, "a slab is released once per holder");
    this.#references -= 1;
    if (this.#references === 0) this.#recycle(this);
  }

  /** For the pool only. */
  revive(): void {
    invariant(this.#references === 0, "only a free slab is handed out again");
    this.#references = 1;
  }
}

export class SlabPool {
  readonly slabBytes: number;
  readonly #idleMax: number;
  readonly #idle: Slab[] = [];

  /** @param options.slabBytes size of each slab · `idleMax` free slabs kept; more are left to the collector */
  constructor(options: { slabBytes: number; idleMax: number }) {
    this.slabBytes = options.slabBytes;
    this.#idleMax = options.idleMax;
  }

  /** A slab with one reference, the caller's. A request larger than `slabBytes` gets a slab of its own size. */
  take(byteLengthMin = 0): Slab {
    if (byteLengthMin > this.slabBytes) return new Slab(byteLengthMin, () => {});
    const idle = this.#idle.pop();
    if (idle === undefined) return new Slab(this.slabBytes, (slab) => this.#recycle(slab));
    idle.revive();
    return idle;
  }

  #recycle(slab: Slab): void {
    if (this.#idle.length < this.#idleMax) this.#idle.push(slab);
  }
}

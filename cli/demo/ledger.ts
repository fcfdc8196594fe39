/**
 * What the demo's client was told is written: the ledger that decides in the end whether anything was lost. Pure.
 *
 * It counts in blocks of 4 KiB. Of each block it keeps the fingerprint of the last acknowledged write, and of those
 * issued since without an answer: after a failure such a write may or may not be there, the acknowledged one must be
 * unless a later one took its place.
 */
export const BLOCK_BYTES = 4096;

interface BlockEntry {
  acknowledged: string | null;
  /** Fingerprints of writes without an answer, in order. At most as many as were in flight at the failures. */
  unanswered: string[];
}

/** A write on its way; `at` is a block's number, each fingerprint that of one block. */
export interface LedgerWrite {
  readonly at: number;
  readonly fingerprints: readonly string[];
}

export class Ledger {
  readonly #blocks = new Map<number, BlockEntry>();
  readonly #fingerprint: (bytes: Uint8Array) => string;
  #acknowledgedWrites = 0;
  #acknowledgedBytes = 0;

  constructor(fingerprint: (bytes: Uint8Array) => string) {
    this.#fingerprint = fingerprint;
  }

  get acknowledgedWrites(): number {
    return this.#acknowledgedWrites;
  }
  get acknowledgedBytes(): number {
    return this.#acknowledgedBytes;
  }
  /** Blocks that an acknowledged write has touched, upwards. */
  get blocks(): readonly number[] {
    return [...this.#blocks].filter(([, entry]) => entry.acknowledged !== null).map(([block]) => block).sort((
      a,
      b,
    ) => a - b);
  }

  /** Before the write goes out. Offset and length are multiples of a block. */
  issued(offset: number, bytes: Uint8Array): LedgerWrite {
    const at = offset / BLOCK_BYTES;
    const fingerprints: string[] = [];
    for (let start = 0; start < bytes.byteLength; start += BLOCK_BYTES) {
      const fingerprint = this.#fingerprint(bytes.subarray(start, start + BLOCK_BYTES));
      fingerprints.push(fingerprint);
      this.#entry(at + start / BLOCK_BYTES).unanswered.push(fingerprint);
    }
    return { at, fingerprints };
  }

  /** The client was told that it is written. */
  acknowledged(write: LedgerWrite): void {
    this.#acknowledgedWrites += 1;
    this.#acknowledgedBytes += write.fingerprints.length * BLOCK_BYTES;
    for (const [index, fingerprint] of write.fingerprints.entries()) {
      const entry = this.#entry(write.at + index);
      entry.acknowledged = fingerprint;
      // Writes to one block are never in flight together here, so whatever was unanswered before it is overwritten.
      entry.unanswered = entry.unanswered.slice(entry.unanswered.indexOf(fingerprint) + 1);
    }
  }

  /** True when a block holds what it must: the acknowledged content, or that of a later write without an answer. */
  holds(block: number, bytes: Uint8Array): boolean {
    const entry = this.#blocks.get(block);
    if (entry === undefined || entry.acknowledged === null) return true;
    const fingerprint = this.#fingerprint(bytes);
    return fingerprint === entry.acknowledged || entry.unanswered.includes(fingerprint);
  }

  #entry(block: number): BlockEntry {
    let entry = this.#blocks.get(block);
    if (entry === undefined) this.#blocks.set(block, entry = { acknowledged: null, unanswered: [] });
    return entry;
  }
}

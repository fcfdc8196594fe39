/**
 * A client that numbers its writes and keeps account of them outside the cluster: which were issued, which were
 * acknowledged, and which a later acknowledged flush covers.
 *
 * Each block of a write is filled with its number, so that reading a block tells which write it holds, or that it is
 * torn. Two writes to one block are never in flight together, so the order per block is known. What was acknowledged
 * also goes to a file, durable before it counts: the account does not depend on the life of any process.
 */
import assert from "node:assert/strict";
import { closeSync, fdatasyncSync, openSync, readFileSync, writeSync } from "node:fs";
import type { NbdClient } from "../../../volume/nbd/client.ts";

export const BLOCK_BYTES = 4096;
const CELL_BYTES = 16;
const MAGIC = 0x48664274;
const READ_BYTES = 512 * 1024;
const RUN_BLOCKS_MAX = 4;

/** Whole numbers from 0 to below `limit`, the same for the same seed (mulberry32). */
export function seeded(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
}

/** The content of write `number` at one block. */
export function filled(bytes: Uint8Array, { number, block }: { number: number; block: number }): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, BLOCK_BYTES);
  for (let at = 0; at < BLOCK_BYTES; at += CELL_BYTES) {
    view.setUint32(at, MAGIC);
    view.setFloat64(at + 4, number);
    view.setUint32(at + 12, block);
  }
}

/** Which write a block holds; 0: none yet. Fails when it holds parts of several. */
export function numberIn(bytes: Uint8Array, block: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, BLOCK_BYTES);
  const magic = view.getUint32(0);
  if (magic === 0) {
    assert.ok(bytes.every((byte) => byte === 0), `block ${block} is torn: it begins with zeroes`);
    return 0;
  }
  const number = view.getFloat64(4);
  for (let at = 0; at < BLOCK_BYTES; at += CELL_BYTES) {
    const whole = view.getUint32(at) === MAGIC && view.getFloat64(at + 4) === number &&
      view.getUint32(at + 12) === block;
    assert.ok(whole, `block ${block} is torn: not all of it is write ${number}`);
  }
  return number;
}

interface Account {
  /** Every number issued that may still be there, upwards; 0 is the empty block. */
  possible: number[];
  acknowledged: number;
  flushed: number;
}

export interface WriterOptions {
  /** Where the account of what was acknowledged is kept. */
  readonly ledger: string;
  readonly blocks: number;
  readonly random: (limit: number) => number;
  /** Writes in flight. Default 12. */
  readonly lanes?: number;
  /** A flush after so many acknowledged writes. Default 40. */
  readonly flushEvery?: number;
}

export class NumberedWriter {
  readonly #options: WriterOptions;
  readonly #accounts: Account[];
  readonly #busy = new Set<number>();
  readonly #ledger: number;
  #unwritten: string[] = [];
  #number = 0;
  #stopping = false;
  acknowledgedWrites = 0;
  acknowledgedFlushes = 0;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#accounts = Array.from(
      { length: options.blocks },
      () => ({ possible: [0], acknowledged: 0, flushed: 0 }),
    );
    this.#ledger = openSync(options.ledger, "w");
  }

  close(): void {
    closeSync(this.#ledger);
  }

  /** Writes until the connection breaks, an answer is an error, or `stop` is called. True: it was stopped. */
  async run(client: NbdClient): Promise<boolean> {
    this.#stopping = false;
    let broken = false;
    const lane = async () => {
      while (!broken && !this.#stopping) broken = !await this.#writeOne(client) || broken;
    };
    const flusher = async () => {
      let next = this.acknowledgedWrites + (this.#options.flushEvery ?? 40);
      while (!broken && !this.#stopping) {
        if (this.acknowledgedWrites >= next) {
          broken = !await this.flush(client) || broken;
          next = this.acknowledgedWrites + (this.#options.flushEvery ?? 40);
        } else await new Promise((resolve) => setTimeout(resolve, 1));
      }
    };
    await Promise.all([...Array.from({ length: this.#options.lanes ?? 12 }, lane), flusher()]);
    this.#persist();
    return !broken;
  }

  stop(): void {
    this.#stopping = true;
  }

  /** True when it was acknowledged; then everything acknowledged before it was issued is covered. */
  async flush(client: NbdClient): Promise<boolean> {
    const covered = this.#accounts.map(({ acknowledged }) => acknowledged);
    const outcome = await client.flush();
    if (!outcome.ok) return false;
    this.acknowledgedFlushes += 1;
    for (const [block, account] of this.#accounts.entries()) {
      account.flushed = Math.max(account.flushed, covered[block] ?? 0);
    }
    return true;
  }

  async #writeOne(client: NbdClient): Promise<boolean> {
    const { random, blocks } = this.#options;
    const length = 1 + random(RUN_BLOCKS_MAX);
    let first = random(blocks - length);
    const taken = () => Array.from({ length }, (_, at) => first + at).some((block) => this.#busy.has(block));
    while (taken()) first = random(blocks - length);
    const run = Array.from({ length }, (_, at) => first + at);
    const number = ++this.#number;
    const bytes = new Uint8Array(length * BLOCK_BYTES);
    for (const [at, block] of run.entries()) {
      this.#busy.add(block);
      filled(bytes.subarray(at * BLOCK_BYTES, (at + 1) * BLOCK_BYTES), { number, block });
      this.#accounts[block]?.possible.push(number);
    }
    const outcome = await client.write(first * BLOCK_BYTES, bytes);
    for (const block of run) this.#busy.delete(block);
    if (!outcome.ok) return false;
    this.#acknowledged(number, run);
    return true;
  }

  #acknowledged(number: number, run: readonly number[]): void {
    this.acknowledgedWrites += 1;
    for (const block of run) {
      const account = this.#accounts[block];
      if (account !== undefined) account.acknowledged = number;
      this.#unwritten.push(`${block} ${number}\n`);
    }
    // One write of the file for all that one turn brought.
    if (this.#unwritten.length === run.length) setImmediate(() => this.#persist());
  }

  #persist(): void {
    if (this.#unwritten.length === 0) return;
    writeSync(this.#ledger, this.#unwritten.join(""));
    this.#unwritten = [];
    fdatasyncSync(this.#ledger);
  }

  /**
   * Reads everything back. Each block must hold a write at or after the last one that counts, and one that was issued
   * to it; what was seen and then flushed counts from here on.
   */
  async verify(client: NbdClient, counts: "acknowledged" | "flushed"): Promise<void> {
    const seen: number[] = [];
    const wrong: string[] = [];
    const { blocks } = this.#options;
    for (let at = 0; at < blocks; at += READ_BYTES / BLOCK_BYTES) {
      const length = Math.min(READ_BYTES, (blocks - at) * BLOCK_BYTES);
      const read = await client.read(at * BLOCK_BYTES, length);
      assert.ok(read.ok, `reading back failed: ${read.ok ? "" : read.failure.detail}`);
      for (let index = 0; index * BLOCK_BYTES < length; index += 1) {
        const block = at + index;
        const number = numberIn(read.value.subarray(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES), block);
        const account = this.#accounts[block];
        if (account === undefined) continue;
        seen.push(number);
        if (number < account[counts] || !account.possible.includes(number)) {
          wrong.push(`block ${block} holds write ${number}, at least ${account[counts]} was ${counts}`);
        }
      }
    }
    assert.deepEqual(wrong.slice(0, 10), [], `${wrong.length} blocks lost what was ${counts}`);
    assert.ok(await this.flush(client), "the flush after reading back");
    for (const [block, account] of this.#accounts.entries()) {
      const number = seen[block] ?? 0;
      Object.assign(account, { possible: [number], acknowledged: number, flushed: number });
    }
  }

  /** The account in the file against a disk's bytes: the last acknowledged write of each block, or a later one. */
  static verifyFile(ledger: string, disk: Uint8Array): number {
    const last = new Map<number, number>();
    for (const line of readFileSync(ledger, "utf8").split("\n")) {
      if (line === "") continue;
      const [block = 0, number = 0] = line.split(" ").map(Number);
      last.set(block, number);
    }
    for (const [block, number] of last) {
      const found = numberIn(disk.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES), block);
      assert.ok(found >= number, `block ${block} holds write ${found}, ${number} was acknowledged`);
    }
    return last.size;
  }
}

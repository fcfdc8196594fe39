/**
 * Every sector is a linearizable register: each read is explained by some order of the writes, and what was
 * acknowledged stays. One file for the promise that matters most (promise 1, I1, I2, I13 as a client sees them).
 *
 * For each sector it keeps the writes that the register may hold *now*. A write belongs to them from its invocation; it
 * leaves when it is certain that something else came after it:
 *
 * ```text
 *   w is acknowledged      → whoever took effect before w was invoked is gone
 *   a read answers v       → whoever took effect before the read was invoked, and is not v, is gone
 * ```
 *
 * «Took effect before» is known of an acknowledged write, and of one that was never answered as soon as a later
 * generation has opened its gate: by then it has happened or never will. A read of anything else is a violation.
 *
 * Power loss is the one thing that may turn the register back: to no earlier than what an acknowledged flush covered.
 * So the writes that a durable one has not made obsolete are remembered too, and come back as possible contents when
 * a source opens its gate on disks that lost their caches.
 */
import type { Simulation } from "../world/simulation.ts";

export interface WriteRecord {
  /** What its sectors contain: its own number, or 0 for zeros. */
  readonly contents: number;
  readonly number: number;
  readonly firstSector: number;
  readonly sectors: number;
  readonly invoked: number;
  /** The generation of the session that it was given to. */
  readonly generation: number;
  /** It has happened by this stamp, or never will. Infinity: nobody knows. */
  effectBy: number;
  acknowledged: boolean;
  durable: boolean;
}

interface Register {
  /** What it may hold now. */
  possible: WriteRecord[];
  /** What it may hold after every cache was lost. */
  retained: WriteRecord[];
}

export interface OpenRead {
  readonly firstSector: number;
  readonly sectors: number;
  readonly invoked: number;
  readonly seen: readonly (readonly WriteRecord[])[];
}

const BEGINNING: WriteRecord = {
  contents: 0,
  number: 0,
  firstSector: 0,
  sectors: 0,
  invoked: -1,
  generation: 0,
  effectBy: 0,
  acknowledged: true,
  durable: true,
};

export class Registers {
  readonly #simulation: Simulation;
  readonly #registers = new Map<number, Register>();
  readonly #writes = new Map<number, WriteRecord>();
  /** Acknowledged, and not covered by a flush yet. */
  #unflushed: WriteRecord[] = [];
  /** Not answered, perhaps never. */
  #open = new Set<WriteRecord>();
  #numbers = 0;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  /** Sectors ever written to, for those who compare disks. */
  get sectors(): IterableIterator<number> {
    return this.#registers.keys();
  }

  writeInvoked(
    range: { readonly firstSector: number; readonly sectors: number },
    options: { readonly zeros: boolean; readonly generation: number },
  ): WriteRecord {
    const number = ++this.#numbers;
    const write: WriteRecord = {
      ...range,
      number,
      contents: options.zeros ? 0 : number,
      invoked: ++this.#simulation.stamp,
      generation: options.generation,
      effectBy: Infinity,
      acknowledged: false,
      durable: false,
    };
    this.#writes.set(number, write);
    this.#open.add(write);
    for (const register of this.#over(range)) {
      register.possible.push(write);
      register.retained.push(write);
    }
    return write;
  }

  writeAcknowledged(write: WriteRecord, { durable }: { readonly durable: boolean }): void {
    write.effectBy = ++this.#simulation.stamp;
    write.acknowledged = true;
    this.#open.delete(write);
    for (const register of this.#over(write)) {
      register.possible = register.possible.filter((other) => other.effectBy >= write.invoked);
    }
    if (durable) this.#makeDurable(write);
    else this.#unflushed.push(write);
  }

  /** A read or a flush is about to be asked. */
  invoked(): number {
    return ++this.#simulation.stamp;
  }

  /** @returns the writes that became durable by it */
  flushAcknowledged(invoked: number): readonly WriteRecord[] {
    this.#simulation.stamp += 1;
    const covered = this.#unflushed.filter((write) => write.effectBy < invoked);
    this.#unflushed = this.#unflushed.filter((write) => write.effectBy >= invoked);
    for (const write of covered) this.#makeDurable(write);
    return covered;
  }

  #makeDurable(write: WriteRecord): void {
    write.durable = true;
    for (const register of this.#over(write)) {
      register.retained = register.retained.filter((other) => other.effectBy >= write.invoked);
    }
  }

  readInvoked(range: { readonly firstSector: number; readonly sectors: number }): OpenRead {
    const invoked = ++this.#simulation.stamp;
    return { ...range, invoked, seen: [...this.#over(range)].map(({ possible }) => possible) };
  }

  /** `contents` by sector; null is a sector that no write of ours looks like. */
  readAnswered(read: OpenRead, contents: readonly (number | null)[]): void {
    this.#simulation.stamp += 1;
    for (let index = 0; index < read.sectors; index++) {
      const sector = read.firstSector + index;
      const register = this.#register(sector);
      const found = contents[index] ?? null;
      const explained = found !== null &&
        (read.seen[index]?.some((write) => write.contents === found) === true ||
          register.possible.some((write) => write.contents === found && write.invoked >= read.invoked));
      if (!explained) {
        const may = register.possible.map(describe).join("; ");
        const was = found === null ? undefined : this.#writes.get(found);
        this.#simulation.fail(
          "promise 1: every read is explained",
          `sector ${sector} reads as ${found === null ? "garbage" : `write ${found}`}${
            was === undefined ? "" : ` (${describe(was)})`
          }, it may hold: ${may}`,
        );
        return;
      }
      register.possible = register.possible.filter((write) =>
        write.contents === found || write.effectBy >= read.invoked
      );
    }
  }

  /** A source of a new generation completes from here on. `lossy`: its disks may lack what no flush has covered. */
  gateOpened(generation: number, { lossy }: { readonly lossy: boolean }): void {
    const now = ++this.#simulation.stamp;
    for (const write of this.#open) {
      if (write.generation >= generation) continue;
      write.effectBy = now;
      this.#open.delete(write);
    }
    if (!lossy) return;
    // Which of them were kept is not known: a later flush makes stable what is there, and proves nothing about them.
    this.#unflushed = this.#unflushed.filter((write) => write.generation >= generation);
    for (const register of this.#registers.values()) register.possible = [...register.retained];
  }

  /** True when `contents`, found in `sector`, is not older than `write` there. */
  isNoOlder(write: WriteRecord, { sector, contents }: { sector: number; contents: number | null }): boolean {
    if (contents === null) return false;
    if (contents === write.contents) return true;
    if (contents !== 0) {
      const found = this.#writes.get(contents);
      return found !== undefined && found.effectBy >= write.invoked;
    }
    return this.#register(sector).retained.some((other) =>
      other.contents === 0 && other.effectBy >= write.invoked
    );
  }

  *#over(range: { readonly firstSector: number; readonly sectors: number }): Generator<Register> {
    for (let index = 0; index < range.sectors; index++) yield this.#register(range.firstSector + index);
  }

  #register(sector: number): Register {
    let register = this.#registers.get(sector);
    if (register === undefined) {
      register = { possible: [BEGINNING], retained: [BEGINNING] };
      this.#registers.set(sector, register);
    }
    return register;
  }
}

function describe(write: WriteRecord): string {
  const what = write.contents === 0 ? "zeros" : `write ${write.contents}`;
  const state = write.durable ? "durable" : write.acknowledged ? "acknowledged" : "open";
  return `${what} #${write.number} g${write.generation} ${state} @${write.invoked}-${write.effectBy}`;
}

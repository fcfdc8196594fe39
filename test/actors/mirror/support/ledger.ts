/**
 * What a client knows of its volume: per sector of 512 bytes every write that it asked for, in order, and how far each is
 * promised. From that follows what a disk may hold after any fault. Pure.
 *
 * Each write fills its sectors with its own number, so a sector names the write that it came from. Of a sector's
 * writes any may be found from the newest promised one on: those after it were asked for and not answered. What was
 * found once is the truth from then on, so a write that was seen to be lost may not come back.
 */
export const SECTOR_BYTES = 512;

export interface Change {
  /** 0: zeros (trim and write_zeroes). */
  readonly id: number;
  readonly volume: number;
  readonly firstSector: number;
  readonly sectors: number;
  completed: boolean;
  failed: boolean;
  /** A flush that covers it was completed. */
  stable: boolean;
}

/** `completed`: what was answered is there. `stable`: what a completed flush covers is there. */
export type Promised = "completed" | "stable";

export class Ledger {
  readonly #histories = new Map<string, Change[]>();
  #lastId = 0;

  change(range: { kind: "write" | "zeroes"; volume: number; firstSector: number; sectors: number }): Change {
    this.#lastId += 1;
    const { kind, volume, firstSector, sectors } = range;
    const change: Change = {
      id: kind === "write" ? this.#lastId : 0,
      volume,
      firstSector,
      sectors,
      completed: false,
      failed: false,
      stable: false,
    };
    for (let sector = firstSector; sector < firstSector + sectors; sector += 1) {
      const key = `${volume}/${sector}`;
      const history = this.#histories.get(key);
      if (history === undefined) this.#histories.set(key, [NOTHING, change]);
      else history.push(change);
    }
    return change;
  }

  /** Everything completed by now: what a flush that is asked for now covers. */
  completedNow(): readonly Change[] {
    const found = new Set<Change>();
    for (const history of this.#histories.values()) {
      for (const change of history) if (change.completed && !change.stable) found.add(change);
    }
    return [...found];
  }

  /** Which sectors do not hold what they may; each line names sector, what was found and what was allowed. */
  check(read: (volume: number, offset: number) => Uint8Array, promised: Promised): string[] {
    const wrong: string[] = [];
    for (const [key, history] of this.#histories) {
      const [volume, sector] = key.split("/").map(Number) as [number, number];
      const id = idOf(read(volume, sector * SECTOR_BYTES));
      const allowed = this.#allowed(history, promised);
      if (id === null || !allowed.includes(id)) {
        wrong.push(`volume ${volume} sector ${sector} holds write ${id}, allowed ${allowed.join(" ")}`);
      }
    }
    return wrong;
  }

  /** What a sector may be read as by the client now: never a write that is not complete when the answer comes. */
  readable(volume: number, sector: number): { ids: readonly number[] } {
    const history = this.#histories.get(`${volume}/${sector}`) ?? [NOTHING];
    return { ids: this.#allowed(history, "completed") };
  }

  isComplete(volume: number, sector: number, id: number): boolean {
    const history = this.#histories.get(`${volume}/${sector}`) ?? [NOTHING];
    return history.some((change) => change.id === id && (change.completed || change === NOTHING));
  }

  /** What is there now is the truth: everything else that was asked for is over. */
  settle(read: (volume: number, offset: number) => Uint8Array): void {
    for (const [key, history] of this.#histories) {
      const [volume, sector] = key.split("/").map(Number) as [number, number];
      const id = idOf(read(volume, sector * SECTOR_BYTES));
      const found = history.findLast((change) => change.id === id) ?? NOTHING;
      history.splice(0, history.length, { ...found, completed: true });
    }
  }

  #allowed(history: readonly Change[], promised: Promised): number[] {
    const from = history.findLastIndex((change) =>
      change === NOTHING || (promised === "stable" ? change.stable : change.completed && !change.failed)
    );
    return history.slice(Math.max(0, from)).map((change) => change.id);
  }
}

const NOTHING: Change = {
  id: 0,
  volume: 0,
  firstSector: 0,
  sectors: 0,
  completed: true,
  failed: false,
  stable: true,
};

/** The content of a write. */
export function fill(change: Change): Uint8Array {
  const bytes = new Uint8Array(change.sectors * SECTOR_BYTES);
  const words = new Uint32Array(bytes.buffer);
  words.fill(change.id);
  return bytes;
}

/** The number of the write that a sector came from; null: it is torn or nobody's. */
export function idOf(sector: Uint8Array): number | null {
  const words = new Uint32Array(sector.slice(0, SECTOR_BYTES).buffer);
  const id = words[0] ?? 0;
  return words.every((word) => word === id) ? id : null;
}

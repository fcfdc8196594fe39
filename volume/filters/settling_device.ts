/**
 * A filter around a block device: says when nothing is under way on it any more.
 *
 * A write that answers later goes on when the actor that asked for it is killed, and may land minutes later on a slow
 * disk: behind what its successor has written by then. So whoever hands the disk on waits until it has settled.
 */
import type { BlockDevice, DiskOutcome, Extent, MaybeLater } from "../block_device.ts";

export class SettlingDevice implements BlockDevice {
  readonly #device: BlockDevice;
  #underWay = 0;
  #waiters: (() => void)[] = [];

  constructor(device: BlockDevice) {
    this.#device = device;
  }

  get name(): string {
    return this.#device.name;
  }
  get size(): number {
    return this.#device.size;
  }

  /** Resolves when no operation is under way; at once when none is. */
  settled(): Promise<void> {
    if (this.#underWay === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  get busy(): boolean {
    return this.#underWay > 0;
  }

  read(offset: number, into: Uint8Array): MaybeLater<DiskOutcome> {
    return this.#watch(this.#device.read(offset, into));
  }

  write(offset: number, bytes: Uint8Array): MaybeLater<DiskOutcome> {
    return this.#watch(this.#device.write(offset, bytes));
  }

  writeZeroes(offset: number, length: number, options: { punch: boolean }): MaybeLater<DiskOutcome> {
    return this.#watch(this.#device.writeZeroes(offset, length, options));
  }

  /** Not waited for: a flush changes nothing that a successor wrote. */
  flush(): Promise<DiskOutcome> {
    return this.#device.flush();
  }

  extents(offset: number, length: number): MaybeLater<readonly Extent[]> {
    return this.#device.extents(offset, length);
  }

  close(): Promise<void> {
    return this.#device.close();
  }

  #watch<T>(outcome: MaybeLater<T>): MaybeLater<T> {
    if (!(outcome instanceof Promise)) return outcome;
    this.#underWay += 1;
    return outcome.finally(() => {
      this.#underWay -= 1;
      if (this.#underWay > 0) return;
      for (const settled of this.#waiters.splice(0)) settled();
    });
  }
}

/**
 * A filter around the device opener: knows since when each disk's oldest operation has been under way.
 *
 * Only operations that answer later are watched. Those that answer at once happen inside the turn; a disk that hangs
 * one of them hangs the main loop, which is watched by itself.
 */
import type { BlockDevice, MaybeLater } from "../../volume/block_device.ts";
import type { DeviceOpener } from "../../volume/device_opener.ts";
import { OpenFailure } from "../../volume/open_failure.ts";
import type { WaitingDisk } from "./machine.ts";

export class WatchedOpener implements DeviceOpener {
  readonly #opener: DeviceOpener;
  readonly #now: () => number;
  /** By operation, in order of start. */
  readonly #waiting = new Map<symbol, WaitingDisk>();

  constructor(opener: DeviceOpener, now: () => number) {
    this.#opener = opener;
    this.#now = now;
  }

  /** The oldest operation of each disk that has one. */
  waitingDisks(): readonly WaitingDisk[] {
    const oldest = new Map<string, WaitingDisk>();
    for (const disk of this.#waiting.values()) {
      if (!oldest.has(disk.name)) oldest.set(disk.name, disk);
    }
    return [...oldest.values()];
  }

  async open(...[path, options]: Parameters<DeviceOpener["open"]>): ReturnType<DeviceOpener["open"]> {
    const opened = await this.#opener.open(path, options);
    return opened instanceof OpenFailure ? opened : { ...opened, device: this.#watched(opened.device) };
  }

  #watched(device: BlockDevice): BlockDevice {
    return {
      name: device.name,
      size: device.size,
      read: (offset, into) => this.#watch(device.name, device.read(offset, into)),
      write: (offset, bytes) => this.#watch(device.name, device.write(offset, bytes)),
      writeZeroes: (offset, length, options) =>
        this.#watch(device.name, device.writeZeroes(offset, length, options)),
      flush: () => this.#track(device.name, device.flush()),
      extents: (offset, length) => this.#watch(device.name, device.extents(offset, length)),
      close: () => device.close(),
    };
  }

  #watch<T>(name: string, outcome: MaybeLater<T>): MaybeLater<T> {
    return outcome instanceof Promise ? this.#track(name, outcome) : outcome;
  }

  #track<T>(name: string, outcome: Promise<T>): Promise<T> {
    const operation = Symbol(name);
    this.#waiting.set(operation, { name, sinceMs: this.#now() });
    return outcome.finally(() => this.#waiting.delete(operation));
  }
}

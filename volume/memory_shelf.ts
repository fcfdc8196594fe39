/**
 * The simulated disks of one node, by path: the sibling of the file system. They survive the "process" that opens
 * them, so a simulator can crash a node and start it again on what its disks really hold.
 */
import type { DeviceOpener, DeviceOpenOptions, OpenedDevice } from "./device_opener.ts";
import { MemoryDisk, type MemoryDiskOptions } from "./memory_device.ts";
import { OpenFailure } from "./open_failure.ts";

export type MemoryShelfDefaults = Omit<MemoryDiskOptions, "name" | "size">;

export class MemoryShelf implements DeviceOpener {
  readonly #disks = new Map<string, MemoryDisk>();
  readonly #defaults: MemoryShelfDefaults;

  /** @param defaults faults, delays and space of each disk that is created here */
  constructor(defaults: MemoryShelfDefaults = {}) {
    this.#defaults = defaults;
  }

  /** The disks that exist, by path, in the order of their creation. */
  get disks(): ReadonlyMap<string, MemoryDisk> {
    return this.#disks;
  }

  /** Puts a disk there (a replaced machine, an image for a test). */
  put(path: string, disk: MemoryDisk): void {
    this.#disks.set(path, disk);
  }

  /** The file is gone. */
  remove(path: string): void {
    this.#disks.get(path)?.abandon();
    this.#disks.delete(path);
  }

  open(path: string, options: DeviceOpenOptions): Promise<OpenedDevice | OpenFailure> {
    let disk = this.#disks.get(path);
    const created = disk === undefined;
    if (disk === undefined) {
      if (options.create === "never") {
        const about = {
          file: path,
          detail: "there is no such file",
          remedy: "check the path in the configuration",
        };
        return Promise.resolve(new OpenFailure("not_found", about));
      }
      disk = new MemoryDisk({ ...this.#defaults, name: path, size: options.size });
      this.#disks.set(path, disk);
    }
    if (disk.size < options.size) {
      const detail = `it has ${disk.size} bytes, but ${options.size} are needed`;
      return Promise.resolve(
        new OpenFailure("too_small", { file: path, detail, remedy: "configure a smaller size" }),
      );
    }
    return Promise.resolve({ device: disk.open(), created, raw: false });
  }

  /** Power loss of the machine: every disk loses what its cache may lose. `random` answers integers in [0, 2^32). */
  crash(random: () => number): void {
    for (const disk of this.#disks.values()) disk.crash(random);
  }

  /** The process ends, the machine goes on: nothing that was written is lost. */
  abandon(): void {
    for (const disk of this.#disks.values()) disk.abandon();
  }
}

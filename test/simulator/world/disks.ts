/**
 * The disks of one host as its process sees them: latency, stalls, errors and full file systems, and eyes on the data
 * disk for the checkers. The media are in the shelf and outlive every process.
 */
import type {
  BlockDevice,
  DiskFailure,
  DiskOutcome,
  Extent,
  MaybeLater,
} from "../../../volume/block_device.ts";
import type { DeviceOpener, DeviceOpenOptions, OpenedDevice } from "../../../volume/device_opener.ts";
import type { MemoryDisk, MemoryOperation } from "../../../volume/memory_device.ts";
import type { MemoryShelf } from "../../../volume/memory_shelf.ts";
import { OpenFailure } from "../../../volume/open_failure.ts";
import type { SimulatedRandom } from "../../../runtime/simulated/random.ts";
import type { ProcessTime } from "./process_time.ts";
import type { Simulation } from "./simulation.ts";

/** What is wrong with the disks of a host at this moment. Latencies in ms of true time. */
export interface DiskWeather {
  /** 0: everything answers within the call, as a page cache does. */
  latencyMs: number;
  flushMs: number;
  /** Nothing is answered before this moment of true time. */
  stalledUntilMs: number;
  /** Which operations fail, on the disks whose path includes `path`. */
  error: {
    readonly path: string;
    readonly operation: MemoryOperation;
    readonly kind: DiskFailure["kind"];
  } | null;
}

export interface DiskEyes {
  /** Before the bytes reach the medium. */
  written(path: string, range: { readonly offset: number; readonly length: number }): void;
}

export class HostDisks implements DeviceOpener {
  readonly #simulation: Simulation;
  readonly #shelf: MemoryShelf;
  readonly #time: ProcessTime;
  readonly #weather: DiskWeather;
  readonly #random: SimulatedRandom;
  readonly #eyes: DiskEyes;

  constructor(options: {
    readonly simulation: Simulation;
    readonly shelf: MemoryShelf;
    readonly time: ProcessTime;
    readonly weather: DiskWeather;
    readonly random: SimulatedRandom;
    readonly eyes: DiskEyes;
  }) {
    this.#simulation = options.simulation;
    this.#shelf = options.shelf;
    this.#time = options.time;
    this.#weather = options.weather;
    this.#random = options.random;
    this.#eyes = options.eyes;
  }

  async open(path: string, options: DeviceOpenOptions): Promise<OpenedDevice | OpenFailure> {
    // A step of a process that is gone must not take the disk from the one that lives.
    if (this.#time.gone) return await new Promise<never>(() => {});
    this.#simulation.promised();
    const opened = await this.#shelf.open(path, options);
    if (opened instanceof OpenFailure) return opened;
    const disk = this.#shelf.disks.get(path);
    if (disk !== undefined) this.#expose(path, disk);
    return { ...opened, device: this.#observed(path, opened.device) };
  }

  /** Puts the medium under the weather of now. */
  #expose(path: string, disk: MemoryDisk): void {
    const weather = this.#weather;
    disk.fault = (operation) => {
      const { error } = weather;
      return error !== null && error.operation === operation && path.includes(error.path) ? error.kind : null;
    };
    disk.later = (work, operation) => this.#later(work, operation);
  }

  #later(work: () => void, operation: MemoryOperation): void {
    const simulation = this.#simulation;
    simulation.events += 1;
    const { latencyMs, flushMs, stalledUntilMs } = this.#weather;
    const most = operation === "flush" ? flushMs : latencyMs;
    const delayMs = Math.max(most * this.#random.float(), stalledUntilMs - simulation.nowMs);
    const answer = () =>
      this.#time.run(() => {
        simulation.promised();
        work();
      });
    if (delayMs <= 0) {
      simulation.promised();
      work();
    } else simulation.clock.after(delayMs, answer);
  }

  #observed(path: string, device: BlockDevice): BlockDevice {
    const simulation = this.#simulation;
    const eyes = this.#eyes;
    return {
      name: device.name,
      size: device.size,
      read(offset: number, into: Uint8Array): MaybeLater<DiskOutcome> {
        simulation.promised();
        return device.read(offset, into);
      },
      write(offset: number, bytes: Uint8Array): MaybeLater<DiskOutcome> {
        simulation.promised();
        eyes.written(path, { offset, length: bytes.length });
        return device.write(offset, bytes);
      },
      writeZeroes(offset: number, length: number, options: { punch: boolean }): MaybeLater<DiskOutcome> {
        simulation.promised();
        eyes.written(path, { offset, length });
        return device.writeZeroes(offset, length, options);
      },
      flush(): Promise<DiskOutcome> {
        simulation.promised();
        return device.flush();
      },
      extents(offset: number, length: number): MaybeLater<readonly Extent[]> {
        simulation.promised();
        return device.extents(offset, length);
      },
      close(): Promise<void> {
        simulation.promised();
        return device.close();
      },
    };
  }
}

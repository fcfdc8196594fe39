/** A volume as it is lent: the same, but its disk can be waited for. */
import type { VolumeStore } from "../../volume/group_store.ts";
import { SettlingDevice } from "../../volume/filters/settling_device.ts";

export class LentVolume implements VolumeStore {
  readonly device: SettlingDevice;
  readonly #volume: VolumeStore;
  /** Held here, since the hot path asks for it at every write. */
  readonly index: number;
  readonly size: number;
  readonly intentLog: VolumeStore["intentLog"];

  constructor(volume: VolumeStore) {
    this.#volume = volume;
    this.device = new SettlingDevice(volume.device);
    this.index = volume.index;
    this.size = volume.size;
    this.intentLog = volume.intentLog;
  }

  get name(): string {
    return this.#volume.name;
  }
  get superblock(): VolumeStore["superblock"] {
    return this.#volume.superblock;
  }
}

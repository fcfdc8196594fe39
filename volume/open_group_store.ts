/**
 * Opens all disks of a group on this node. One that is refused refuses the group: a group moves as one.
 */
import type { BlockDevice, DiskOutcome } from "./block_device.ts";
import type { GroupStore, GroupView, SuperblockChange, VolumeStore } from "./group_store.ts";
import { conflictingGroupIds, viewOf } from "./group_view.ts";
import type { IntentLog } from "./intent_log.ts";
import { OpenFailure } from "./open_failure.ts";
import {
  type OpenedVolume,
  openVolumeStore,
  peerSlot,
  type VolumeStoreOptions,
} from "./open_volume_store.ts";
import type { Superblock } from "./superblock_format.ts";
import { invariant } from "../runtime/invariant.ts";

export interface GroupStoreOptions extends Omit<VolumeStoreOptions, "volume" | "size" | "disk" | "metadata"> {
  /** In the order of configuration. */
  readonly volumes: readonly {
    readonly name: string;
    /** Bytes. */
    readonly size: number;
    readonly disk: string;
    readonly metadata?: string;
  }[];
}

export async function openGroupStore(options: GroupStoreOptions): Promise<GroupStore | OpenFailure> {
  invariant(options.volumes.length > 0, "a group has at least one volume");
  const opened: OpenedVolume[] = [];
  const refuse = async (failure: OpenFailure): Promise<OpenFailure> => {
    for (const volume of opened) await closeVolume(volume);
    return failure;
  };
  for (const volume of options.volumes) {
    const { name, size, disk, metadata } = volume;
    const own = { ...options, volume: name, size, disk };
    const result = await openVolumeStore(metadata === undefined ? own : { ...own, metadata });
    if (result instanceof OpenFailure) return refuse(result);
    opened.push(result);
  }
  const conflict = conflictingGroupIds(opened.map((volume) => volume.value));
  if (conflict !== null) {
    return refuse(
      new OpenFailure("foreign", {
        file: options.volumes.map((volume) => volume.disk).join(", "),
        detail: `its disks belong to different groups of that name (${conflict.join(" and ")})`,
        remedy: "check the disks in the configuration, and replace the replica whose disk is the wrong one",
      }),
    );
  }
  return new DiskGroupStore(options, opened);
}

async function closeVolume(volume: OpenedVolume): Promise<void> {
  await volume.intentLog.abandon();
  await volume.superblock.close();
  await volume.device.close();
}

class DiskVolumeStore implements VolumeStore {
  readonly index: number;
  readonly name: string;
  readonly size: number;
  readonly device: BlockDevice;
  readonly intentLog: IntentLog;
  readonly opened: OpenedVolume;

  constructor(opened: OpenedVolume, place: { index: number; name: string; size: number }) {
    this.index = place.index;
    this.name = place.name;
    this.size = place.size;
    this.device = opened.device;
    this.intentLog = opened.intentLog;
    this.opened = opened;
  }

  get superblock(): Superblock {
    return this.opened.superblock.value ?? this.opened.value;
  }
}

type AnyChange = Partial<Superblock>;

class DiskGroupStore implements GroupStore {
  readonly group: string;
  readonly node: string;
  readonly volumes: readonly DiskVolumeStore[];
  readonly notes: readonly string[];
  readonly #cleanBefore: boolean;
  #running: Promise<DiskOutcome> | null = null;
  #queued: { change: AnyChange; outcome: Promise<DiskOutcome> } | null = null;

  constructor(options: GroupStoreOptions, opened: readonly OpenedVolume[]) {
    this.group = options.group;
    this.node = options.node;
    this.volumes = options.volumes.flatMap(({ name, size }, index) => {
      const volume = opened[index];
      return volume === undefined ? [] : [new DiskVolumeStore(volume, { index, name, size })];
    });
    this.notes = opened.flatMap((volume) => volume.notes);
    this.#cleanBefore = opened.every((volume) => volume.cleanBefore);
  }

  view(): GroupView {
    return viewOf(this.volumes.map((volume) => volume.superblock), this.#cleanBefore);
  }

  update(change: SuperblockChange): Promise<DiskOutcome> {
    return this.#change(change);
  }

  async addPeer(peer: string, options: { marks: "all" | "none" }): Promise<DiskOutcome> {
    for (const volume of this.volumes) {
      const outcome = await volume.intentLog.addPeer(peer, options);
      if (outcome !== null) return outcome;
    }
    return this.#change({ peers: [...this.#peersWithout(peer), peerSlot(peer)] });
  }

  async removePeer(peer: string): Promise<DiskOutcome> {
    // First the superblocks: a bitmap that they name is believed, and this one is kept no longer.
    const outcome = await this.#change({ peers: this.#peersWithout(peer) });
    if (outcome === null) { for (const volume of this.volumes) volume.intentLog.removePeer(peer); }
    return outcome;
  }

  async flush(): Promise<DiskOutcome> {
    const outcomes = await Promise.all(this.volumes.map((volume) => volume.device.flush()));
    return outcomes.find((outcome) => outcome !== null) ?? null;
  }

  async closeClean(): Promise<DiskOutcome> {
    const outcome = await this.#closeCleanly();
    await this.abandon();
    return outcome;
  }

  async abandon(): Promise<void> {
    for (const volume of this.volumes) await closeVolume(volume.opened);
  }

  async #closeCleanly(): Promise<DiskOutcome> {
    const outcome = await this.flush();
    if (outcome !== null) return outcome;
    for (const volume of this.volumes) {
      const closed = await volume.intentLog.closeClean();
      if (closed !== null) return closed;
    }
    return this.#change({ cleanShutdown: true });
  }

  #peersWithout(peer: string): Superblock["peers"] {
    return this.volumes[0]?.superblock.peers.filter((slot) => slot.node !== peer) ?? [];
  }

  #change(change: AnyChange): Promise<DiskOutcome> {
    if (this.#queued !== null) {
      this.#queued.change = { ...this.#queued.change, ...change };
      return this.#queued.outcome;
    }
    if (this.#running === null) return this.#run(change);
    const queued: { change: AnyChange; outcome: Promise<DiskOutcome> } = {
      change,
      outcome: this.#running.then(() => {
        this.#queued = null;
        return this.#run(queued.change);
      }),
    };
    this.#queued = queued;
    return queued.outcome;
  }

  #run(change: AnyChange): Promise<DiskOutcome> {
    this.#running = this.#storeEverywhere(change).finally(() => this.#running = null);
    return this.#running;
  }

  async #storeEverywhere(change: AnyChange): Promise<DiskOutcome> {
    for (const volume of this.volumes) {
      const outcome = await volume.opened.superblock.store({ ...volume.superblock, ...change });
      if (outcome !== null) return outcome;
    }
    return null;
  }
}

/**
 * Opens one disk of a group with everything beside it, or refuses by name. The order matters:
 *
 * ```text
 * lock and open the disk ▸ flush it (what a dead process left in the page cache is stable before it is believed)
 * ▸ superblock: ours? ▸ new disk: is it zero? ▸ intent log (marks what was in flight) ▸ superblock: open, not clean
 * ```
 *
 * A new disk's superblock is stored last: a crash before it leaves a disk that is still new. A disk that is gone while
 * its superblock is there is never made anew: most likely its file system is not mounted.
 */
import { bitmapFileBytes } from "./bitmap_file.ts";
import type { BlockDevice, DiskFailure } from "./block_device.ts";
import type { DeviceOpener, OpenedDevice } from "./device_opener.ts";
import { REGION_BYTES_DEFAULT } from "./dirty_bitmap.ts";
import { hotRegionBytesFor } from "./hot_set.ts";
import type { IntentLog } from "./intent_log.ts";
import { INTENT_LOG_FILE_BYTES, openIntentLog, type PeerBitmapDevice } from "./open_intent_log.ts";
import { OpenFailure } from "./open_failure.ts";
import { openSuperblock, SUPERBLOCK_FILE_BYTES, type SuperblockFile } from "./superblock.ts";
import type { Superblock } from "./superblock_format.ts";
import { scanForData } from "./zero_scan.ts";

export interface VolumeStoreOptions {
  readonly group: string;
  readonly node: string;
  /** The group's other replicas. */
  readonly peers: readonly string[];
  readonly volume: string;
  /** Bytes. */
  readonly size: number;
  /** Path of the disk. */
  readonly disk: string;
  /** Folder for what lies beside the disk; default `<disk>.holdfast`. A raw device needs one. */
  readonly metadata?: string;
  readonly opener: DeviceOpener;
  /** Takes a new disk with whatever is on it (`volume create --adopt`). Default false. */
  readonly adopt?: boolean;
  /** Geometry of a new disk, and the size of the hot set; see `open_intent_log.ts`. */
  readonly regionBytes?: number;
  readonly hotRegionBytes?: number;
  readonly hotCapacity?: number;
  readonly scanBytesMax?: number;
}

export interface OpenedVolume {
  readonly device: BlockDevice;
  readonly superblock: SuperblockFile;
  readonly value: Superblock;
  readonly intentLog: IntentLog;
  readonly cleanBefore: boolean;
  readonly notes: readonly string[];
}

export async function openVolumeStore(options: VolumeStoreOptions): Promise<OpenedVolume | OpenFailure> {
  const opened: BlockDevice[] = [];
  const result = await openAll(options, opened);
  if (result instanceof OpenFailure) { for (const device of opened.reverse()) await device.close(); }
  return result;
}

async function openAll(
  options: VolumeStoreOptions,
  opened: BlockDevice[],
): Promise<OpenedVolume | OpenFailure> {
  const folder = options.metadata ?? `${options.disk}.holdfast`;
  const keep = <T extends OpenedDevice | OpenFailure>(result: T): T => {
    if (!(result instanceof OpenFailure)) opened.push(result.device);
    return result;
  };
  const disk = keep(await openDisk(options, `${folder}/superblock`));
  if (disk instanceof OpenFailure) return disk;
  if (disk.raw && options.metadata === undefined) return noRoomBeside(options.disk);
  const flushed = await disk.device.flush();
  if (flushed !== null) return failed(options.disk, flushed);
  const superblockDevice = keep(
    await openBeside(options, { path: `${folder}/superblock`, size: SUPERBLOCK_FILE_BYTES }),
  );
  if (superblockDevice instanceof OpenFailure) return superblockDevice;
  const identity = { group: options.group, volume: options.volume, node: options.node, size: options.size };
  const superblock = await openSuperblock(superblockDevice.device, identity);
  if (superblock instanceof OpenFailure) return superblock;
  const before = superblock.value ?? await newSuperblock(options, disk);
  if (before instanceof OpenFailure) return before;
  const fresh = superblock.value === null;
  const logDevice = keep(
    await openBeside(options, { path: `${folder}/intent_log`, size: INTENT_LOG_FILE_BYTES }),
  );
  if (logDevice instanceof OpenFailure) return logDevice;

  const notes: string[] = [];
  const peers = new Map<string, PeerBitmapDevice>();
  const geometry = { size: options.size, regionBytes: before.regionBytes };
  const openBitmap = (peer: string) =>
    openBeside(options, { path: `${folder}/${bitmapName(peer)}`, size: bitmapFileBytes(geometry) });
  for (const peer of options.peers) {
    const bitmap = keep(await openBitmap(peer));
    if (bitmap instanceof OpenFailure) return bitmap;
    const known = before.peers.some((slot) => slot.node === peer);
    if (known && bitmap.created) {
      notes.push(`${bitmap.device.name}: it was lost: every region counts as dirty`);
    }
    const create = fresh ? "none" : known && !bitmap.created ? null : "all";
    peers.set(peer, { device: bitmap.device, create });
  }
  const log = await openIntentLog({
    size: options.size,
    identity: `${options.group}/${options.volume}/${options.node}`,
    logDevice: logDevice.device,
    fresh,
    peers,
    openBitmap: async (peer) => {
      const bitmap = await openBitmap(peer);
      return bitmap instanceof OpenFailure ? bitmap : bitmap.device;
    },
    regionBytes: before.regionBytes,
    hotRegionBytes: before.hotRegionBytes,
    ...(options.hotCapacity === undefined ? {} : { hotCapacity: options.hotCapacity }),
  });
  if (log instanceof OpenFailure) return log;
  const value: Superblock = { ...before, peers: options.peers.map(peerSlot), cleanShutdown: false };
  const stored = await superblock.store(value);
  if (stored !== null) return failed(superblockDevice.device.name, stored);
  return {
    device: disk.device,
    superblock,
    value,
    intentLog: log.intentLog,
    cleanBefore: before.cleanShutdown && log.crashedWithHot === null,
    notes: [...notes, ...log.damage],
  };
}

export function peerSlot(node: string): { node: string; bitmap: string } {
  return { node, bitmap: bitmapName(node) };
}

function bitmapName(peer: string): string {
  return `bitmap-${peer}`;
}

async function openDisk(
  options: VolumeStoreOptions,
  superblockPath: string,
): Promise<OpenedDevice | OpenFailure> {
  const { opener, disk, size } = options;
  const found = await opener.open(disk, { size, create: "never", exclusive: true });
  if (!(found instanceof OpenFailure) || found.kind !== "not_found") return found;
  const orphan = await opener.open(superblockPath, {
    size: SUPERBLOCK_FILE_BYTES,
    create: "never",
    exclusive: false,
  });
  if (orphan instanceof OpenFailure && orphan.kind === "not_found") {
    return await opener.open(disk, { size, create: "sparse", exclusive: true });
  }
  if (!(orphan instanceof OpenFailure)) await orphan.device.close();
  return new OpenFailure("not_found", {
    file: disk,
    detail: `the disk is gone, though ${superblockPath} is there`,
    remedy: "mount the file system that it is on; if it is lost, remove that folder and replace the replica",
  });
}

/** Files beside the disk take their space at once: a mark must not fail because the file system filled up. */
function openBeside(
  options: VolumeStoreOptions,
  file: { path: string; size: number },
): Promise<OpenedDevice | OpenFailure> {
  return options.opener.open(file.path, { size: file.size, create: "allocated", exclusive: false });
}

async function newSuperblock(
  options: VolumeStoreOptions,
  disk: OpenedDevice,
): Promise<Superblock | OpenFailure> {
  let zero = disk.created;
  if (!zero) {
    const bytesMax = options.scanBytesMax;
    const scan = await scanForData(disk.device, bytesMax === undefined ? {} : { bytesMax });
    if (scan.kind === "failed") return failed(options.disk, scan.failure);
    if (scan.kind === "data" && options.adopt !== true) {
      return new OpenFailure("holds_data", {
        file: options.disk,
        detail: `it holds data that Holdfast did not write (at offset ${scan.offset} or soon after)`,
        remedy: "name another disk, or wipe this one if nothing on it is needed",
      });
    }
    zero = scan.kind === "zero";
  }
  return {
    group: options.group,
    volume: options.volume,
    node: options.node,
    groupId: null,
    size: options.size,
    regionBytes: options.regionBytes ?? REGION_BYTES_DEFAULT,
    hotRegionBytes: options.hotRegionBytes ?? hotRegionBytesFor(options.size),
    diskState: "empty",
    zero,
    history: [],
    stable: { generation: 0, seq: 0 },
    record: null,
    peers: [],
    resync: null,
    cleanShutdown: true,
  };
}

function noRoomBeside(disk: string): OpenFailure {
  return new OpenFailure("wrong_kind", {
    file: disk,
    detail: "beside a block device there is no durable place for superblock and intent log",
    remedy: "name a folder for them with metadata: in the configuration",
  });
}

function failed(file: string, failure: DiskFailure): OpenFailure {
  const kind = failure.kind === "no_space" ? "no_space" : "io_error";
  return new OpenFailure(kind, {
    file,
    detail: failure.detail,
    remedy: "check the disk and the system's log",
  });
}

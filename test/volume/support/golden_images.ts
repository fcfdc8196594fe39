/**
 * The durable formats as images: each file as today's code writes it from fixed contents, without its blank sectors.
 * `test/vectors/disk_<name>.json` holds what it wrote when its format version was made. A difference means that
 * disks in the field are no longer read: a new format version, and a new image beside the old one, is then due.
 */
import { bitmapFileBytes, createBitmapFile } from "../../../volume/bitmap_file.ts";
import { REGIONS_PER_PAGE } from "../../../volume/dirty_bitmap.ts";
import {
  encodeHotSet,
  HOT_SET_FORMAT_VERSION,
  HOT_SET_MAGIC,
  HOT_SET_PAYLOAD_MAX,
} from "../../../volume/hot_set_format.ts";
import { MemoryDisk } from "../../../volume/memory_device.ts";
import { OpenFailure } from "../../../volume/open_failure.ts";
import { INTENT_LOG_FILE_BYTES } from "../../../volume/open_intent_log.ts";
import { openRecordFile } from "../../../volume/record_file.ts";
import { SECTOR_BYTES } from "../../../volume/sealed_sector.ts";
import { openSuperblock, SUPERBLOCK_FILE_BYTES } from "../../../volume/superblock.ts";
import { fullSuperblock } from "./superblocks.ts";

export interface GoldenImage {
  readonly bytes: number;
  /** Offset of a sector that is not blank → its bytes in hexadecimal digits. */
  readonly sectors: Readonly<Record<string, string>>;
}

export const GOLDEN_IDENTITY = "db/data/alpha";
export const GOLDEN_BITMAP = {
  size: (REGIONS_PER_PAGE + 3) * 65_536,
  regionBytes: 65_536,
  identity: `${GOLDEN_IDENTITY}/beta`,
};
export const GOLDEN_MARKS: readonly (readonly [number, number])[] = [[0, 1], [31, 2], [100, 300], [
  REGIONS_PER_PAGE + 2,
  1,
]];
export const GOLDEN_HOT_REGIONS = Array.from({ length: 130 }, (_, index) => index * 7);

export const GOLDEN_WRITERS: Readonly<Record<string, () => Promise<MemoryDisk>>> = {
  superblock_v1: async () => {
    const disk = new MemoryDisk({ name: "superblock", size: SUPERBLOCK_FILE_BYTES });
    const superblock = fullSuperblock();
    const file = await openSuperblock(disk.open(), superblock);
    if (!(file instanceof OpenFailure)) await file.store(superblock);
    return disk;
  },
  intent_log_v1: async () => {
    const disk = new MemoryDisk({ name: "intent_log", size: INTENT_LOG_FILE_BYTES });
    const record = await openRecordFile(disk.open(), hotSetOptions());
    if (record instanceof OpenFailure) return disk;
    await record.store(encodeHotSet({ clean: false, hotRegionBytes: 4 * 2 ** 20, regions: [1] }));
    await record.store(
      encodeHotSet({ clean: false, hotRegionBytes: 4 * 2 ** 20, regions: GOLDEN_HOT_REGIONS }),
    );
    return disk;
  },
  bitmap_v1: async () => {
    const disk = new MemoryDisk({ name: "bitmap", size: bitmapFileBytes(GOLDEN_BITMAP) });
    const file = await createBitmapFile(disk.open(), { ...GOLDEN_BITMAP, marks: "none" });
    if (file instanceof OpenFailure) return disk;
    for (const [first, count] of GOLDEN_MARKS) file.bitmap.markRun(first, count);
    await file.persist();
    return disk;
  },
};

export function hotSetOptions() {
  return {
    magic: HOT_SET_MAGIC,
    formatVersion: HOT_SET_FORMAT_VERSION,
    payloadMax: HOT_SET_PAYLOAD_MAX,
    identity: GOLDEN_IDENTITY,
  };
}

export function imageOf(disk: MemoryDisk): GoldenImage {
  const sectors: Record<string, string> = {};
  for (let offset = 0; offset < disk.size; offset += SECTOR_BYTES) {
    const sector = disk.peek(offset, SECTOR_BYTES);
    if (sector.some((byte) => byte !== 0)) {
      sectors[offset] = [...sector].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    }
  }
  return { bytes: disk.size, sectors };
}

export function diskOf(name: string, image: GoldenImage): MemoryDisk {
  const disk = new MemoryDisk({ name, size: image.bytes });
  for (const [offset, digits] of Object.entries(image.sectors)) {
    disk.poke(Number(offset), Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16)));
  }
  return disk;
}

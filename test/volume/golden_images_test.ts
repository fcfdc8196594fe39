/** The images in `test/vectors` are read, and are what is still written. */
import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";
import { openBitmapFile } from "../../volume/bitmap_file.ts";
import { decodeHotSet } from "../../volume/hot_set_format.ts";
import type { MemoryDisk } from "../../volume/memory_device.ts";
import { OpenFailure } from "../../volume/open_failure.ts";
import { openRecordFile } from "../../volume/record_file.ts";
import { openSuperblock } from "../../volume/superblock.ts";
import {
  diskOf,
  GOLDEN_BITMAP,
  GOLDEN_HOT_REGIONS,
  GOLDEN_MARKS,
  GOLDEN_WRITERS,
  type GoldenImage,
  hotSetOptions,
  imageOf,
} from "./support/golden_images.ts";
import { fullSuperblock } from "./support/superblocks.ts";

function goldenDisk(name: string): MemoryDisk {
  const file = new URL(`../vectors/disk_${name}.json`, import.meta.url);
  return diskOf(name, JSON.parse(fs.readFileSync(file, "utf8")) as GoldenImage);
}

for (const [name, write] of Object.entries(GOLDEN_WRITERS)) {
  test(`golden image: ${name} is written as it always was, byte for byte`, async () => {
    assert.deepEqual(imageOf(await write()), imageOf(goldenDisk(name)));
  });
}

test("golden image: the superblock is read back, from either copy alone too", async () => {
  const disk = goldenDisk("superblock_v1");
  for (const spoiled of [-1, 40, disk.size / 2 + 40]) {
    const damaged = goldenDisk("superblock_v1");
    if (spoiled >= 0) damaged.poke(spoiled, Uint8Array.of(0xee));
    const file = await openSuperblock(damaged.open(), fullSuperblock());
    assert.ok(!(file instanceof OpenFailure), String(file));
    assert.deepEqual(file.value, fullSuperblock());
  }
});

test("golden image: the hot set is read back", async () => {
  const record = await openRecordFile(goldenDisk("intent_log_v1").open(), hotSetOptions());
  assert.ok(!(record instanceof OpenFailure), String(record));
  assert.deepEqual(decodeHotSet(record.payload ?? new Uint8Array()), {
    clean: false,
    hotRegionBytes: 4 * 2 ** 20,
    regions: GOLDEN_HOT_REGIONS,
  });
});

test("golden image: the bitmap is read back", async () => {
  const file = await openBitmapFile(goldenDisk("bitmap_v1").open(), GOLDEN_BITMAP);
  assert.ok(!(file instanceof OpenFailure), String(file));
  const runs: [number, number][] = [];
  for (let run = file.bitmap.nextRun(0); run !== null; run = file.bitmap.nextRun(run.first + run.count)) {
    runs.push([run.first, run.count]);
  }
  assert.deepEqual([file.damage, runs], [[], GOLDEN_MARKS]);
});

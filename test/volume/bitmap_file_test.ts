import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type BitmapFile,
  bitmapFileBytes,
  createBitmapFile,
  openBitmapFile,
} from "../../volume/bitmap_file.ts";
import { REGIONS_PER_PAGE } from "../../volume/dirty_bitmap.ts";
import { MemoryDisk } from "../../volume/memory_device.ts";
import { OpenFailure } from "../../volume/open_failure.ts";
import { randomFrom } from "./support/seeded_random.ts";

const REGION = 65_536;
const GEOMETRY = {
  size: (5 * REGIONS_PER_PAGE + 7) * REGION,
  regionBytes: REGION,
  identity: "db/data/alpha/beta",
};
const PAGES_AT = 8192;

function freshDisk(): MemoryDisk {
  return new MemoryDisk({ name: "bitmap-beta", size: bitmapFileBytes(GEOMETRY) });
}

async function created(disk: MemoryDisk, marks: "all" | "none" = "none"): Promise<BitmapFile> {
  const file = await createBitmapFile(disk.open(), { ...GEOMETRY, marks });
  assert.ok(!(file instanceof OpenFailure), String(file));
  return file;
}

async function opened(disk: MemoryDisk): Promise<BitmapFile> {
  const file = await openBitmapFile(disk.open(), GEOMETRY);
  assert.ok(!(file instanceof OpenFailure), String(file));
  return file;
}

function marked(file: BitmapFile): string {
  return Array.from({ length: file.bitmap.pageCount }, (_, page) => file.bitmap.page(page)?.join(",") ?? "")
    .join(";");
}

test("bitmap file: what was persisted is read again, all, none and some", async () => {
  const disk = freshDisk();
  assert.equal((await created(disk, "all")).bitmap.dirtyBytes, GEOMETRY.size);
  assert.equal((await opened(disk)).bitmap.dirtyBytes, GEOMETRY.size);
  const file = await created(disk);
  assert.equal((await opened(disk)).bitmap.count, 0);
  file.bitmap.markRange(3 * REGION, 1);
  assert.deepEqual([file.damage, file.bitmap.count], [[], 1]);
});

test("bitmap file: only changed pages are written, and none for asked regions that did not change", async () => {
  const disk = freshDisk();
  const file = await created(disk);
  const { writes, flushes } = disk.counts;
  file.bitmap.markRun(0, 1);
  file.bitmap.markRun(4 * REGIONS_PER_PAGE, 1);
  assert.equal(await file.persist([{ first: 4 * REGIONS_PER_PAGE, count: 10 }]), null);
  assert.deepEqual([disk.counts.writes - writes, disk.counts.flushes - flushes], [1, 1]);
  assert.equal(await file.persist([{ first: 4 * REGIONS_PER_PAGE, count: 10 }]), null);
  assert.deepEqual([disk.counts.writes - writes, disk.counts.flushes - flushes], [1, 1]);
  assert.equal(await file.persist(), null);
  assert.deepEqual([disk.counts.writes - writes, disk.counts.flushes - flushes], [2, 2]);
});

test("bitmap file: after a crash each page is one that was persisted or being persisted, and reported ones stay", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({ region: fc.nat(5 * REGIONS_PER_PAGE), persist: fc.boolean(), await: fc.boolean() }),
        { maxLength: 14 },
      ),
      fc.nat(),
      async (steps, seed) => {
        const disk = freshDisk();
        const file = await created(disk);
        const reported = new Set<number>();
        const all = new Set<number>();
        for (const step of steps) {
          file.bitmap.markRun(step.region, 1);
          all.add(step.region);
          if (!step.persist) continue;
          const now = [...all];
          const stable = file.persist().then((outcome) => {
            assert.equal(outcome, null);
            for (const region of now) reported.add(region);
          });
          if (step.await) await stable;
        }
        const promised = [...reported];
        disk.crash(randomFrom(seed));
        const found = await opened(disk);
        assert.deepEqual(found.damage, [], "a crash damages nothing");
        for (const region of promised) assert.ok(found.bitmap.has(region), "a reported mark is found");
        for (
          let run = found.bitmap.nextRun(0);
          run !== null;
          run = found.bitmap.nextRun(run.first + run.count)
        ) {
          for (let i = 0; i < run.count; i += 1) {
            assert.ok(all.has(run.first + i), "nothing is marked that never was");
          }
        }
      },
    ),
    { numRuns: 200 },
  ));

test("bitmap file: two persists at once: the second answers only when what the first took is stable", async () => {
  const answers: (() => void)[] = [];
  const disk = freshDisk();
  const file = await created(disk);
  disk.later = (work) => answers.push(work);
  file.bitmap.markRun(0, 1);
  let second = false;
  const both = [file.persist(), file.persist([{ first: 0, count: 1 }]).then(() => second = true)];
  for (let turn = 0; turn < 50; turn += 1) await null;
  assert.equal(second, false);
  while (!second) {
    for (const answer of answers.splice(0)) answer();
    await null;
  }
  await Promise.all(both);
});

test("bitmap file: a damaged, blank or misplaced page reads as all dirty, with the file's name, never as clean", async () => {
  const damages: [string, (disk: MemoryDisk) => void][] = [
    ["a flipped bit", (disk) => disk.poke(PAGES_AT + 512 + 100, new Uint8Array([1]))],
    ["blank", (disk) => disk.poke(PAGES_AT + 512, new Uint8Array(512))],
    ["another page in its place", (disk) => disk.poke(PAGES_AT + 512, disk.peek(PAGES_AT, 512))],
  ];
  for (const [label, damage] of damages) {
    const disk = freshDisk();
    await created(disk);
    damage(disk);
    const file = await opened(disk);
    assert.equal(file.bitmap.count, REGIONS_PER_PAGE, label);
    assert.ok(file.bitmap.has(REGIONS_PER_PAGE) && file.bitmap.has(2 * REGIONS_PER_PAGE - 1), label);
    assert.match(file.damage.join(), /^bitmap-beta: pages 1 to 1 are damaged/);
    assert.deepEqual((await opened(disk)).damage, [], "and is whole again from then on");
    assert.equal(marked(await opened(disk)), marked(file));
  }
});

test("bitmap file: a file that was never finished counts as all dirty; foreign and other geometry are refused", async () => {
  const disk = freshDisk();
  const file = await opened(disk);
  assert.equal(file.bitmap.dirtyBytes, GEOMETRY.size);
  assert.match(file.damage.join(), /never finished/);
  const refusal = async (change: Partial<typeof GEOMETRY>): Promise<string> => {
    const result = await openBitmapFile(disk.open(), { ...GEOMETRY, ...change });
    assert.ok(result instanceof OpenFailure);
    return result.kind;
  };
  assert.equal(await refusal({ identity: "db/data/alpha/gamma" }), "foreign");
  assert.equal(await refusal({ size: GEOMETRY.size - REGION }), "foreign");
});

test("bitmap file: a page whose writing failed is written by the next persist", async () => {
  const disk = freshDisk();
  const file = await created(disk);
  disk.fault = (operation) => operation === "write" ? "no_space" : null;
  file.bitmap.markRun(9, 1);
  assert.equal((await file.persist())?.kind, "no_space");
  disk.fault = undefined;
  assert.equal(await file.persist(), null);
  assert.ok((await opened(disk)).bitmap.has(9));
});

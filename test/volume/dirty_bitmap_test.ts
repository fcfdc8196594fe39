import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { applyRuns, encodeRuns } from "../../volume/bitmap_runs.ts";
import { DirtyBitmap, REGIONS_PER_PAGE } from "../../volume/dirty_bitmap.ts";

const REGION = 4096;
/** Two pages and a short third, whose last region is short too. */
const REGIONS = 2 * REGIONS_PER_PAGE + 100;
const SIZE = REGIONS * REGION - 1000;

function fresh(): DirtyBitmap {
  return new DirtyBitmap({ size: SIZE, regionBytes: REGION });
}

const range = fc.tuple(fc.nat(SIZE), fc.oneof(fc.nat(3 * REGION), fc.nat(SIZE))).map(([offset, length]) => ({
  offset,
  length: Math.min(length, SIZE - offset),
}));

test("dirty bitmap: rule 3: marks round outward and clears inward, like a set of regions kept by hand", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), range), { maxLength: 12 }), (changes) => {
      const bitmap = fresh();
      const expected = new Set<number>();
      for (const [mark, { offset, length }] of changes) {
        const before = expected.size;
        for (let region = 0; region < REGIONS; region += 1) {
          const start = region * REGION;
          const end = Math.min(SIZE, start + REGION);
          if (mark && length > 0 && start < offset + length && offset < end) expected.add(region);
          if (!mark && length > 0 && offset <= start && end <= offset + length) expected.delete(region);
        }
        const changed = mark ? bitmap.markRange(offset, length) : bitmap.clearRange(offset, length);
        if (before !== expected.size) assert.ok(changed, "a change is told");
      }
      assert.equal(bitmap.count, expected.size);
      assert.deepEqual(regionsOf(bitmap), [...expected].sort((a, b) => a - b));
      const bytes = [...expected].reduce((sum, region) => sum + Math.min(REGION, SIZE - region * REGION), 0);
      assert.equal(bitmap.dirtyBytes, bytes);
      for (const region of [0, 1, REGIONS_PER_PAGE - 1, REGIONS_PER_PAGE, REGIONS - 1]) {
        assert.equal(bitmap.has(region), expected.has(region));
        assert.equal(bitmap.touches(region * REGION, 1), expected.has(region));
      }
    }),
    { numRuns: 60 },
  );
});

function regionsOf(bitmap: DirtyBitmap): number[] {
  const regions: number[] = [];
  for (let run = bitmap.nextRun(0); run !== null; run = bitmap.nextRun(run.first + run.count)) {
    for (let i = 0; i < run.count; i += 1) regions.push(run.first + i);
  }
  return regions;
}

test("dirty bitmap: marks travel in bounded chunks and arrive as they were; union is union", () => {
  fc.assert(
    fc.property(
      fc.array(range, { maxLength: 30 }),
      range,
      fc.integer({ min: 15, max: 40 }),
      (ranges, own, bytesMax) => {
        const from = fresh();
        for (const { offset, length } of ranges) from.markRange(offset, Math.min(length, 50_000));
        const to = fresh();
        to.markRange(own.offset, own.length);
        const united = fresh();
        united.union(to);
        united.union(from);
        for (let next: number | null = 0; next !== null;) {
          const chunk = encodeRuns(from, { from: next, bytesMax });
          assert.ok(chunk.bytes.length <= bytesMax);
          assert.equal(applyRuns(to, chunk.bytes), null);
          next = chunk.next;
        }
        assert.deepEqual(regionsOf(to), regionsOf(united));
        assert.equal(to.count, united.count);
      },
    ),
    { numRuns: 80 },
  );
});

test("dirty bitmap: a hostile chunk is refused with a reason and never marks outside the volume", () => {
  const cases: [string, number[], RegExp][] = [
    ["empty", [], /begins with a region number/],
    ["cut", [0, 5], /breaks off/],
    ["number without end", [0x80, 0x80, 0x80, 0x80, 0x80, 0x80], /begins with/],
    ["empty run", [0, 1, 0], /empty run/],
    ["beyond the end", [0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f], /names region/],
    ["start beyond the end", [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 1], /names region/],
  ];
  for (const [label, bytes, reason] of cases) {
    assert.match(applyRuns(fresh(), Uint8Array.from(bytes)) ?? "", reason, label);
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
    const bitmap = fresh();
    applyRuns(bitmap, bytes);
    assert.ok(bitmap.count <= REGIONS);
  }));
});

test("dirty bitmap: a change is noticed once per taking, also while a page is being written", () => {
  const bitmap = fresh();
  bitmap.markRange(0, 1);
  bitmap.markRange(SIZE - 1, 1);
  assert.deepEqual(bitmap.takeChangedPages(), [0, 2]);
  assert.deepEqual(bitmap.takeChangedPages(), []);
  bitmap.markRange(0, 1);
  assert.equal(bitmap.takeChanged(0), false);
  bitmap.clearRange(0, REGION);
  assert.equal(bitmap.takeChanged(0), true);
  assert.equal(bitmap.takeChanged(0), false);
  bitmap.noteChanged(1);
  assert.deepEqual(bitmap.takeChangedPages(), [1]);
});

test("dirty bitmap: 16 TiB all clean or all dirty, and in between, stay cheap and exact", () => {
  const size = 16 * 2 ** 40;
  const bitmap = new DirtyBitmap({ size, regionBytes: 65_536 });
  bitmap.markAll();
  assert.equal(bitmap.dirtyBytes, size);
  assert.deepEqual(bitmap.nextRun(5), { first: 5, count: 2 ** 28 - 5 });
  bitmap.clearRange(2 ** 43, 65_536);
  assert.equal(bitmap.dirtyBytes, size - 65_536);
  assert.deepEqual(bitmap.nextRun(2 ** 27), { first: 2 ** 27 + 1, count: 2 ** 27 - 1 });
  const allocated = Array.from({ length: bitmap.pageCount }, (_, page) => bitmap.page(page));
  assert.ok(new Set(allocated).size <= 4, "full pages are one shared page");
  bitmap.clearAll();
  assert.deepEqual([bitmap.count, bitmap.nextRun(0)], [0, null]);
});

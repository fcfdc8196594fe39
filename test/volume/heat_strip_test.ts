/** A bitmap as a strip: every marked region is in its cell, and only there. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { heatStrip } from "../../volume/heat_strip.ts";

function bitmapOf(marks: readonly boolean[]) {
  return {
    regionCount: marks.length,
    nextRun: (from: number) => {
      const first = marks.indexOf(true, from);
      if (first < 0) return null;
      let end = first;
      while (marks[end] === true) end += 1;
      return { first, count: end - first };
    },
  };
}

test("heat strip: a cell is warm when a region of it is marked, and cold otherwise", () => {
  const marks = fc.array(fc.boolean(), { minLength: 1, maxLength: 200 });
  fc.assert(fc.property(marks, fc.integer({ min: 1, max: 64 }), (marked, cells) => {
    const strip = heatStrip(bitmapOf(marked), { cells });
    assert.equal(strip.length, Math.min(cells, marked.length));
    assert.ok(strip.every((cell) => cell >= 0 && cell <= 1));
    assert.equal(strip.some((cell) => cell > 0), marked.includes(true));
    if (marked.every(Boolean)) assert.ok(strip.every((cell) => cell > 0.49), strip.join());
  }));
});

test("heat strip: one marked end of a volume warms that end", () => {
  const strip = heatStrip(bitmapOf(Array.from({ length: 100 }, (_, index) => index < 25)), { cells: 4 });
  assert.deepEqual(strip, [1, 0, 0, 0]);
});

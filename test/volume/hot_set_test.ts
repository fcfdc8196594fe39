import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HotSet } from "../../volume/hot_set.ts";
import { decodeHotSet, encodeHotSet } from "../../volume/hot_set_format.ts";

function heat(set: HotSet, ...requests: number[][]) {
  const plan = set.plan(requests.map((pins) => ({ pins })));
  set.committed(plan);
  return plan;
}

test("hot set: a region is hot from the commit on, not from the plan", () => {
  const set = new HotSet(4);
  const plan = set.plan([{ pins: [7] }]);
  assert.deepEqual([plan.added, set.isHot(7, 7), set.isPinned(7, 7)], [[7], false, false]);
  set.committed(plan);
  assert.deepEqual([set.isHot(7, 7), set.isPinned(7, 7)], [true, true]);
  assert.equal(set.isHot(7, 8), false);
});

test("hot set: a failed commit leaves nothing hot that was not, and no pin", () => {
  const set = new HotSet(4);
  set.unpin(1, heat(set, [1]).added.length);
  const plan = set.plan([{ pins: [1, 2] }]);
  set.failed(plan);
  assert.deepEqual([set.isHot(1, 1), set.isHot(2, 2), set.pinned], [true, false, false]);
});

test("hot set: pinned regions are never evicted; when all are pinned the request waits and is served in order", () => {
  const set = new HotSet(4);
  heat(set, [1, 2, 3, 4]);
  const waiting = [{ pins: [5] }, { pins: [1] }];
  assert.deepEqual(set.plan(waiting), { granted: [], added: [], evicted: [] });
  assert.ok(set.draining);
  const drained = [1, 2, 3, 4].filter((region) => !set.isHot(region, region));
  assert.equal(drained.length, 1, "one region lets no new write in, so that its pins end");
  const [region = 0] = drained;
  assert.equal(set.unpin(region, region), true);
  const plan = set.plan(waiting);
  assert.deepEqual([plan.evicted, plan.granted.length, plan.granted[0]], [
    [region],
    region === 1 ? 1 : 2,
    waiting[0],
  ]);
});

test("hot set: what was used since the hand passed is spared once, what was not goes first", () => {
  const set = new HotSet(4);
  for (const region of [1, 2, 3, 4]) {
    heat(set, [region]);
    set.unpin(region, region);
  }
  assert.deepEqual(heat(set, [5]).evicted, [1]);
  set.unpin(5, 5);
  set.pin(2, 2);
  set.unpin(2, 2);
  assert.deepEqual(heat(set, [6]).evicted, [3], "2 was used, 3 was not");
});

test("hot set: regions are evicted in batches of a sixteenth", () => {
  const set = new HotSet(64);
  const regions = Array.from({ length: 64 }, (_, region) => region);
  heat(set, regions);
  set.unpin(0, 63);
  assert.equal(heat(set, [100]).evicted.length, 4);
});

test("hot set: whatever is asked and ended, pins hold, nothing exceeds the capacity, and everyone is served", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uniqueArray(fc.nat(30), { minLength: 1, maxLength: 6 }), { maxLength: 40 }),
      (asked) => {
        const set = new HotSet(12);
        let waiting = asked.map((pins) => ({ pins }));
        let running: { pins: readonly number[] }[] = [];
        for (let round = 0; waiting.length > 0; round += 1) {
          assert.ok(round < 500, "everyone is served");
          const plan = set.plan(waiting);
          for (const { pins } of running) {
            for (const region of pins) assert.ok(!plan.evicted.includes(region), "a pinned region stays");
          }
          set.committed(plan);
          assert.ok(set.size <= 12);
          assert.deepEqual(plan.granted, waiting.slice(0, plan.granted.length), "first come, first served");
          for (const { pins } of plan.granted) {
            for (const region of pins) {
              assert.ok(set.isPinned(region, region));
            }
          }
          running.push(...plan.granted);
          waiting = waiting.slice(plan.granted.length);
          const ended = running[round % Math.max(1, running.length)];
          if (ended !== undefined) {
            running = running.filter((one) => one !== ended);
            for (const region of ended.pins) set.unpin(region, region);
          }
        }
      },
    ),
    { numRuns: 200 },
  );
});

test("hot set format: what was encoded is decoded; anything else is null", () => {
  for (
    const record of [
      { clean: true, hotRegionBytes: 2 ** 22, regions: [] },
      { clean: false, hotRegionBytes: 2 ** 30, regions: [0, 5, 2 ** 32 - 1] },
    ]
  ) assert.deepEqual(decodeHotSet(encodeHotSet(record)), record);
  const bytes = encodeHotSet({ clean: false, hotRegionBytes: 4096, regions: [1, 2] });
  assert.equal(decodeHotSet(bytes.subarray(0, 11)), null);
  assert.equal(decodeHotSet(bytes.subarray(0, 19)), null);
  assert.equal(decodeHotSet(Uint8Array.from([2, ...bytes.subarray(1)])), null);
  assert.equal(decodeHotSet(Uint8Array.from([1, ...bytes.subarray(1)])), null, "clean and hot at once");
});

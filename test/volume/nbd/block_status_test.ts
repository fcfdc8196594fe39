/** Extents as descriptors: from the first byte asked for, never beyond the last, at least one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Extent } from "../../../volume/block_device.ts";
import { describeExtents } from "../../../volume/nbd/block_status.ts";
import { listContexts, META_CONTEXTS, selectContexts } from "../../../volume/nbd/meta_contexts.ts";

const [allocation] = META_CONTEXTS;
assert.ok(allocation !== undefined);
const context = allocation;

const ROWS: readonly {
  claim: string;
  extents: Extent[];
  offset: number;
  length: number;
  expected: number[];
}[] = [
  { claim: "nothing known is data", extents: [], offset: 5, length: 10, expected: [10, 0] },
  {
    claim: "cut at both ends",
    extents: [{ offset: 0, length: 100, hole: true }, { offset: 100, length: 100, hole: false }],
    offset: 90,
    length: 20,
    expected: [10, 3, 10, 0],
  },
  {
    claim: "neighbours of equal state are joined",
    extents: [{ offset: 0, length: 8, hole: true }, { offset: 8, length: 8, hole: true }],
    offset: 0,
    length: 16,
    expected: [16, 3],
  },
  {
    claim: "a gap in the answer ends it",
    extents: [{ offset: 0, length: 8, hole: false }, { offset: 12, length: 4, hole: true }],
    offset: 0,
    length: 16,
    expected: [8, 0],
  },
  {
    claim: "a gap at the beginning is data",
    extents: [{ offset: 4, length: 4, hole: true }],
    offset: 0,
    length: 8,
    expected: [8, 0],
  },
];

for (const { claim, extents, offset, length, expected } of ROWS) {
  test(`nbd block status: ${claim}`, () => {
    assert.deepEqual(describeExtents(extents, { offset, length, context, extentsMax: 100 }), expected);
  });
}

test("nbd block status: the number of extents has a bound", () => {
  const extents = Array.from(
    { length: 10 },
    (_, index) => ({ offset: index, length: 1, hole: index % 2 === 0 }),
  );
  assert.equal(describeExtents(extents, { offset: 0, length: 10, context, extentsMax: 3 }).length, 6);
});

test("nbd block status: descriptors are positive, differ from their neighbours and never exceed the range", () => {
  const pieces = fc.array(fc.record({ length: fc.integer({ min: 1, max: 50 }), hole: fc.boolean() }), {
    maxLength: 20,
  });
  fc.assert(
    fc.property(pieces, fc.nat(100), fc.integer({ min: 1, max: 200 }), (parts, offset, length) => {
      let at = 0;
      const extents = parts.map((part) => ({ offset: (at += part.length) - part.length, ...part }));
      const pairs = describeExtents(extents, { offset, length, context, extentsMax: 8 });
      let sum = 0;
      for (let index = 0; index < pairs.length; index += 2) {
        assert.ok((pairs[index] ?? 0) > 0);
        assert.ok(index === 0 || pairs[index + 1] !== pairs[index - 1]);
        sum += pairs[index] ?? 0;
      }
      assert.ok(sum > 0 && sum <= length && pairs.length <= 16);
    }),
    { seed: 7, numRuns: 2000 },
  );
});

test("nbd metadata contexts: a list answers to names, namespaces and nothing; a choice only to names", () => {
  const names = (contexts: readonly { name: string }[]) => contexts.map((one) => one.name);
  assert.deepEqual(names(listContexts([])), ["base:allocation"]);
  assert.deepEqual(names(listContexts(["base:"])), ["base:allocation"]);
  assert.deepEqual(names(listContexts(["base:alloc"])), []);
  assert.deepEqual(names(selectContexts(["base:"])), []);
  assert.deepEqual(names(selectContexts(["x:y", "base:allocation", "base:allocation"])), ["base:allocation"]);
});

test("nbd metadata contexts: ids are unique and not zero, so that a reply names one context", () => {
  const ids = META_CONTEXTS.map((one) => one.id);
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(!ids.includes(0));
});

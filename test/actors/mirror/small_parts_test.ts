/** The mirror's small pure parts: the gate, requests in parts, answers under a lease, the cursor of a resync. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Opening } from "../../../actors/failover/messages.ts";
import { isFounding, openingChange, refusal } from "../../../actors/mirror/gate.ts";
import { OpenRequests, REQUEST_BYTES_MAX, REQUESTS_MAX } from "../../../actors/mirror/open_requests.ts";
import { COPY_BYTES_MAX, ResyncCursor } from "../../../actors/mirror/resync_cursor.ts";
import { PART_BYTES_MAX, splitRequest } from "../../../actors/mirror/split_request.ts";
import { DirtyBitmap } from "../../../volume/dirty_bitmap.ts";
import type { GroupView } from "../../../volume/group_store.ts";
import type { VolumeErrorKind, VolumeRequest } from "../../../volume/volume_request.ts";

const GROUP_ID = "a".repeat(32);
const entryOf = (number: number, baseSeq: number) => ({
  generation: { number, id: "b".repeat(32) },
  source: "alpha",
  baseSeq,
  lossless: true,
});

function openingOf(number: number, baseSeq: number): Opening {
  const entry = entryOf(number, baseSeq);
  return {
    generation: entry.generation,
    entry,
    record: {
      groupId: GROUP_ID,
      generation: entry.generation,
      source: "alpha",
      version: 1,
      members: [{ node: "alpha", mode: "sync" }],
      voters: ["alpha"],
      replicas: ["alpha"],
    },
    leaseUntilMs: 1,
    leaseUntilWallMs: 1,
  };
}

function viewOf(more: Partial<GroupView>): GroupView {
  return {
    groupId: GROUP_ID,
    history: [entryOf(3, 0)],
    position: { generation: 3, seq: 50 },
    disk: "up_to_date",
    zero: false,
    record: null,
    cleanBefore: true,
    ...more,
  };
}

const EMPTY = viewOf({
  groupId: null,
  history: [],
  position: { generation: 0, seq: 0 },
  disk: "empty",
  zero: true,
});

const GATES: readonly [
  what: string,
  view: GroupView,
  seq: number,
  opening: Opening,
  expected: RegExp | null,
][] = [
  ["a promoted target", viewOf({}), 50, openingOf(4, 50), null],
  ["a birth", EMPTY, 0, openingOf(1, 0), null],
  ["a generation that was opened before (I1)", viewOf({}), 50, openingOf(3, 50), /I1/],
  ["a lower generation (I1)", viewOf({}), 50, openingOf(2, 50), /I1/],
  ["a disk interrupted in a resync (I12)", viewOf({ disk: "inconsistent" }), 50, openingOf(4, 50), /I12/],
  ["an empty disk of a group that was born before (I6)", EMPTY, 0, openingOf(4, 50), /I6/],
  ["another group's disk", viewOf({ groupId: "c".repeat(32) }), 50, openingOf(4, 50), /another group/],
  ["a disk that stands elsewhere", viewOf({}), 49, openingOf(4, 50), /stands at seq 49/],
];

for (const [what, view, seq, opening, expected] of GATES) {
  test(`gate: ${what} ${expected === null ? "opens" : "stays closed"}`, () => {
    const refused = refusal({ view, position: { generation: 3, seq }, opening });
    if (expected === null) assert.equal(refused, null);
    else assert.match(String(refused), expected);
  });
}

test("gate: I11: what is stored before the first request names generation, record and position, and is no empty disk", () => {
  const opening = openingOf(4, 50);
  const change = openingChange({ view: viewOf({}), opening });
  assert.deepEqual(change.history, [entryOf(3, 0), entryOf(4, 50)]);
  assert.deepEqual(change.stable, { generation: 4, seq: 50 });
  assert.deepEqual([change.record, change.diskState, change.zero], [opening.record, "up_to_date", false]);
});

test("gate: only a disk of zeros without a group is a founding one", () => {
  assert.equal(isFounding(EMPTY), true);
  assert.equal(isFounding({ ...EMPTY, zero: false }), false);
  assert.equal(isFounding(viewOf({ zero: true })), false);
});

function requestOf(
  kind: VolumeRequest["kind"],
  length: number,
  done: (error: VolumeErrorKind | null) => void,
): VolumeRequest {
  return {
    kind,
    volume: 0,
    offset: 512,
    length,
    fua: true,
    noHole: true,
    payload: null,
    slab: null,
    complete: done,
  };
}

test("split request: what only names a range goes in parts that cover it once; what carries bytes stays whole", () => {
  for (const kind of ["trim", "write_zeroes"] as const) {
    const parts = splitRequest(requestOf(kind, 4 * 2 ** 30 - 512, () => {}));
    assert.equal(parts.length, 128);
    let at = 512;
    for (const part of parts) {
      assert.equal(part.offset, at);
      assert.ok(part.length <= PART_BYTES_MAX);
      assert.deepEqual([part.fua, part.noHole], [true, true]);
      at += part.length;
    }
    assert.equal(at, 4 * 2 ** 30);
  }
  const write = requestOf("write", PART_BYTES_MAX + 512, () => {});
  assert.deepEqual(splitRequest(write), [write]);
  const short = requestOf("trim", PART_BYTES_MAX, () => {});
  assert.deepEqual(splitRequest(short), [short]);
});

test("split request: it is complete once, when all parts are, with the first error", () => {
  const answers: (VolumeErrorKind | null)[] = [];
  const parts = splitRequest(requestOf("trim", 3 * PART_BYTES_MAX, (error) => void answers.push(error)));
  parts[1]?.complete("no_space");
  parts[0]?.complete("io_error");
  assert.equal(answers.length, 0);
  parts[2]?.complete(null);
  assert.deepEqual(answers, ["no_space"]);
});

test("open requests: I1: without a lease nothing is answered; with one again all are, in order; dropped, never", () => {
  let leaseRuns = true;
  const answered: string[] = [];
  const open = new OpenRequests({ leaseRuns: () => leaseRuns, answered: () => {} });
  const ask = (name: string) => {
    const request = requestOf("flush", 0, (error) => void answered.push(`${name} ${error}`));
    open.take(request);
    open.answer(request, null);
  };
  ask("first");
  leaseRuns = false;
  ask("second");
  ask("third");
  open.leaseRenewed();
  assert.deepEqual([answered, open.suspended, open.count], [["first null"], 2, 2]);
  leaseRuns = true;
  open.leaseRenewed();
  assert.deepEqual(answered, ["first null", "second null", "third null"]);
  leaseRuns = false;
  ask("fourth");
  open.drop();
  leaseRuns = true;
  open.leaseRenewed();
  assert.equal(answered.length, 3);
});

test("open requests: I8: full at its count and at its bytes", () => {
  const open = new OpenRequests({ leaseRuns: () => true, answered: () => {} });
  const many = Array.from({ length: REQUESTS_MAX }, () => requestOf("flush", 0, () => {}));
  for (const request of many) open.take(request);
  assert.equal(open.full, true);
  open.answer(many[0] as VolumeRequest, null);
  assert.equal(open.full, false);
  const large = requestOf("trim", REQUEST_BYTES_MAX, () => {});
  open.take(large);
  assert.equal(open.full, true);
  open.answer(large, null);
  assert.equal(open.full, false);
});

const REGION = 4096;

function marksOf(size: number, regions: readonly number[]): DirtyBitmap {
  const marks = new DirtyBitmap({ size, regionBytes: REGION });
  for (const region of regions) marks.markRun(region, 1);
  return marks;
}

test("resync cursor: copies run by run, at most so many bytes, the last region cut at the volume's end", () => {
  const size = 1000 * REGION - 512;
  const cursor = new ResyncCursor({
    kind: "partial",
    marks: [marksOf(size, [3, 4, 999]), marksOf(10 * REGION, [9])],
    now: 0,
  });
  assert.deepEqual(cursor.next(), { volume: 0, offset: 3 * REGION, length: 2 * REGION });
  assert.deepEqual(cursor.next(), { volume: 0, offset: 999 * REGION, length: REGION - 512 });
  const last = cursor.next();
  assert.deepEqual(last, { volume: 1, offset: 9 * REGION, length: REGION });
  assert.equal(cursor.next(), null);
  assert.equal(cursor.finished, false, "what is being read is not copied");
  for (let count = 0; count < 3 && last !== null; count += 1) cursor.copied(last);
  assert.equal(cursor.finished, true);
});

test("resync cursor: I7: a live write is left to the copy only where every region of it is still to be copied", () => {
  const cursor = new ResyncCursor({ kind: "partial", marks: [marksOf(100 * REGION, [10, 11, 13])], now: 0 });
  const write = (offset: number, length: number) => cursor.willBring({ volume: 0, offset, length });
  assert.equal(write(10 * REGION, 2 * REGION), true);
  assert.equal(write(11 * REGION + 5, 1), true);
  assert.equal(write(11 * REGION, REGION + 1), false, "12 is not marked");
  assert.equal(write(9 * REGION, 2 * REGION), false);
  assert.deepEqual(cursor.next(), { volume: 0, offset: 10 * REGION, length: 2 * REGION });
  assert.equal(write(10 * REGION, REGION), false, "it is being read: the write must go out behind it");
  assert.equal(write(13 * REGION, REGION), true);
});

test("resync cursor (property): every marked byte is copied once, nothing else is", () => {
  const volumes = fc.array(fc.uniqueArray(fc.nat(299), { maxLength: 200 }), { minLength: 1, maxLength: 3 });
  fc.assert(fc.property(volumes, (regions) => {
    const size = 300 * REGION;
    const cursor = new ResyncCursor({
      kind: "full",
      marks: regions.map((each) => marksOf(size, each)),
      now: 0,
    });
    const total = cursor.leftBytes;
    const seen = new Set<string>();
    for (let range = cursor.next(); range !== null; range = cursor.next()) {
      assert.ok(range.length <= COPY_BYTES_MAX);
      for (let at = range.offset; at < range.offset + range.length; at += REGION) {
        const key: string = `${range.volume}/${at / REGION}`;
        assert.equal(seen.has(key), false);
        seen.add(key);
      }
      cursor.copied(range);
    }
    const marked = regions.flatMap((each, volume) => each.map((region) => `${volume}/${region}`));
    assert.deepEqual([...seen].sort(), marked.sort());
    assert.deepEqual([cursor.finished, cursor.copiedBytes, cursor.leftBytes], [true, total, 0]);
    const progress = cursor.progress(2_000);
    assert.deepEqual([progress.doneBytes, progress.totalBytes], [total, total]);
  }));
});

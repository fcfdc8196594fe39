/** Who waits for whom: the table of the file's comment, order of arrival, and that everybody gets through. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type RangeKind, RangeQueue, type RangeTicket } from "../../../actors/mirror/range_queue.ts";

const at = (kind: RangeKind, offset: number, length: number, volume = 0) => ({
  kind,
  volume,
  offset,
  length,
});

const CONFLICTS: readonly [earlier: RangeKind | "settled", later: RangeKind, waits: boolean][] = [
  ["read", "read", false],
  ["read", "write", true],
  ["read", "copy", false],
  ["write", "read", true],
  ["write", "write", true],
  ["write", "copy", true],
  ["settled", "read", true],
  ["settled", "write", false],
  ["settled", "copy", false],
  ["copy", "read", false],
  ["copy", "write", true],
  ["copy", "copy", false],
];

for (const [earlier, later, waits] of CONFLICTS) {
  const what = earlier === "settled" ? "write that is settled" : earlier;
  test(`range queue: a ${later} ${waits ? "waits for" : "passes"} an earlier ${what}`, () => {
    const queue = new RangeQueue<string>();
    const first = queue.enter("first", at(earlier === "settled" ? "write" : earlier, 0, 10));
    if (earlier === "settled") queue.settle(first);
    const second = queue.enter("second", at(later, 9, 10));
    assert.equal(second.blockedBy, waits ? 1 : 0);
    assert.deepEqual(queue.leave(first), waits ? ["second"] : []);
  });
}

test("range queue: I7: settling lets writes and copies through at once, and readers only with the end", () => {
  const queue = new RangeQueue<string>();
  const write = queue.enter("write", at("write", 0, 8));
  for (const kind of ["read", "copy", "write"] as const) queue.enter(kind, at(kind, 4, 8));
  assert.deepEqual(queue.settle(write), ["copy"], "the later write waits for the read before it");
  assert.deepEqual(queue.leave(write), ["read"]);
});

test("range queue: neighbours and other volumes do not meet; ranges over many buckets meet once", () => {
  const queue = new RangeQueue<string>();
  const mib = 1 << 20;
  const huge = queue.enter("huge", at("write", mib / 2, 5 * mib));
  assert.equal(queue.enter("before", at("write", 0, mib / 2)).blockedBy, 0);
  assert.equal(queue.enter("behind", at("write", 5.5 * mib, 1)).blockedBy, 0);
  assert.equal(queue.enter("elsewhere", at("write", mib, 5 * mib, 1)).blockedBy, 0);
  assert.equal(queue.enter("across", at("write", mib, 4 * mib)).blockedBy, 1);
  assert.deepEqual(queue.leave(huge), ["across"]);
  assert.equal(queue.size, 4);
});

test("range queue: offsets of 8 PiB and the last volumes are kept apart", () => {
  const queue = new RangeQueue<string>();
  const far = 2 ** 53 - 4096;
  queue.enter("far", at("write", far, 4096, 65_535));
  assert.equal(queue.enter("first of the next", at("write", 0, 4096, 65_536)).blockedBy, 0);
  assert.equal(queue.enter("again", at("write", far, 1, 65_535)).blockedBy, 1);
});

test("range queue: a range has a length and leaves once, a write settles once (bugs of ours else)", () => {
  const queue = new RangeQueue<string>();
  assert.throws(() => queue.enter("empty", at("write", 5, 0)), /has a length/);
  const write = queue.enter("write", at("write", 0, 1));
  queue.settle(write);
  assert.throws(() => queue.settle(write), /settles once/);
  queue.leave(write);
  assert.throws(() => queue.leave(write), /leaves once/);
});

test("range queue (property): no conflicting pair is ready together, order of arrival holds, everybody gets ready", () => {
  const aRange = fc.record({
    kind: fc.constantFrom<RangeKind>("read", "write", "copy"),
    offset: fc.nat(40).map((n) => n * (1 << 17)),
    length: fc.integer({ min: 1, max: 24 }).map((n) => n * (1 << 17)),
  });
  fc.assert(
    fc.property(fc.array(aRange, { maxLength: 40 }), fc.infiniteStream(fc.nat(1000)), (ranges, dice) => {
      const queue = new RangeQueue<number>();
      const tickets: RangeTicket<number>[] = [];
      const inside = new Set<number>();
      const ready = new Set<number>();
      const settled = new Set<number>();
      const roll = (count: number) => (dice.next().value as number) % count;
      const overlaps = (a: number, b: number) => {
        const [x, y] = [ranges[a], ranges[b]];
        return x !== undefined && y !== undefined && x.offset < y.offset + y.length &&
          y.offset < x.offset + x.length;
      };
      const mustWait = (later: number) =>
        [...inside].some((earlier) => {
          if (earlier >= later || !overlaps(earlier, later)) return false;
          const [first, second] = [ranges[earlier]?.kind, ranges[later]?.kind];
          if (first === "write") return second === "read" || !settled.has(earlier);
          return second === "write";
        });
      const makeReady = (owners: readonly number[]) => {
        for (const owner of owners) {
          assert.equal(ready.has(owner), false, "ready once");
          assert.equal(mustWait(owner), false, "nobody is ready too early");
          ready.add(owner);
        }
      };
      for (let next = 0; next < ranges.length || inside.size > 0;) {
        const range = ranges[next];
        if (range !== undefined && (ready.size === 0 || roll(2) === 0)) {
          inside.add(next);
          const ticket = queue.enter(next, { ...range, volume: 0 });
          tickets.push(ticket);
          if (ticket.blockedBy === 0) makeReady([next]);
          next += 1;
        } else {
          const running = [...ready];
          assert.ok(running.length > 0, "somebody is always ready: no deadlock");
          const owner = running[roll(running.length)] as number;
          const ticket = tickets[owner] as RangeTicket<number>;
          if (ticket.kind === "write" && !settled.has(owner) && roll(2) === 0) {
            settled.add(owner);
            makeReady(queue.settle(ticket));
          } else {
            inside.delete(owner);
            ready.delete(owner);
            makeReady(queue.leave(ticket));
          }
        }
        for (const waiting of inside) {
          assert.equal(ready.has(waiting), !mustWait(waiting), "nobody waits for nothing");
        }
      }
      assert.equal(queue.size, 0);
    }),
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { DirtyBitmap } from "../../volume/dirty_bitmap.ts";
import { MarkLedger } from "../../volume/mark_ledger.ts";
import { SeqTable } from "../../volume/seq_table.ts";

const GEOMETRY = { size: 64 * 4096, regionBytes: 4096, hotRegionBytes: 4 * 4096 };

function ledger(options: { seqPagesMax?: number; marked?: number } = {}): MarkLedger {
  const made = new MarkLedger({ ...GEOMETRY, seqPagesMax: options.seqPagesMax ?? 100 });
  const bits = new DirtyBitmap(GEOMETRY);
  if (options.marked !== undefined) bits.markRun(options.marked, 1);
  made.addPeer("beta", bits);
  return made;
}

function write(to: MarkLedger, region: number, seq: number): void {
  to.mark(region * 4096 + 10, 20, seq);
}

function dirty(of: MarkLedger): number[] {
  const bits = of.bitmap("beta");
  return Array.from({ length: 64 }, (_, region) => region).filter((region) => bits.has(region));
}

test("mark ledger: rule 2: a bit clears when its newest write is stable here and there, in either order", () => {
  for (const localFirst of [true, false]) {
    const marks = ledger();
    marks.setShipping("beta", true);
    write(marks, 3, 1);
    write(marks, 5, 2);
    write(marks, 3, 3);
    if (localFirst) marks.localStableUpTo(3);
    else marks.stableUpTo("beta", 2);
    assert.deepEqual(dirty(marks), [3, 5]);
    if (localFirst) marks.stableUpTo("beta", 2);
    else marks.localStableUpTo(3);
    assert.deepEqual(dirty(marks), [3], "3 was written again at seq 3");
    marks.stableUpTo("beta", 3);
    assert.deepEqual(dirty(marks), []);
  }
});

test("mark ledger: what was not shipped clears by no seq: absent peer, left to the resync, session that ended", () => {
  const absent = ledger();
  write(absent, 1, 1);
  absent.setShipping("beta", true);
  const skipped = ledger();
  skipped.setShipping("beta", true);
  write(skipped, 1, 1);
  skipped.markOwed("beta", { offset: 4096, length: 1 });
  const ended = ledger();
  ended.setShipping("beta", true);
  write(ended, 1, 1);
  ended.setShipping("beta", false);
  ended.setShipping("beta", true);
  for (const marks of [absent, skipped, ended, ledger({ marked: 1 })]) {
    marks.setShipping("beta", true);
    marks.localStableUpTo(9);
    marks.stableUpTo("beta", 9);
    assert.deepEqual(dirty(marks), [1]);
    assert.ok(marks.isOwed("beta", { offset: 0, length: 3 * 4096 }));
    marks.clearAllUpTo("beta", 9);
    assert.deepEqual(dirty(marks), [], "the peer's being up to date as a whole clears it");
  }
});

test("mark ledger: clearAllUpTo spares what was written after, and what is not stable here yet", () => {
  const marks = ledger({ marked: 60 });
  marks.setShipping("beta", true);
  write(marks, 1, 1);
  write(marks, 2, 2);
  write(marks, 3, 3);
  marks.localStableUpTo(1);
  marks.clearAllUpTo("beta", 2);
  assert.deepEqual(dirty(marks), [2, 3]);
  marks.localStableUpTo(3);
  assert.deepEqual(dirty(marks), [3]);
});

test("mark ledger: I7: a region written after the copy was read keeps its bit, owed unless its rewrites were shipped", () => {
  for (const rewritesShipped of [false, true]) {
    const marks = ledger();
    for (const region of [4, 5, 6]) write(marks, region, region);
    marks.setShipping("beta", true);
    write(marks, 5, 10);
    marks.localStableUpTo(10);
    marks.clearResynced("beta", { offset: 4 * 4096, length: 3 * 4096, version: 6, rewritesShipped });
    assert.deepEqual(dirty(marks), [5]);
    assert.equal(marks.isOwed("beta", { offset: 5 * 4096, length: 1 }), !rewritesShipped);
    marks.stableUpTo("beta", 10);
    assert.deepEqual(dirty(marks), rewritesShipped ? [] : [5]);
  }
});

test("mark ledger: rule 3: a copy that covers a region in part clears nothing of it", () => {
  const marks = ledger();
  for (const region of [1, 2, 3, 63]) write(marks, region, 1);
  marks.localStableUpTo(1);
  marks.clearResynced("beta", { offset: 4097, length: 3 * 4096 - 2, version: 1, rewritesShipped: true });
  assert.deepEqual(dirty(marks), [1, 3, 63]);
  marks.clearResynced("beta", { offset: 63 * 4096, length: 4096, version: 1, rewritesShipped: true });
  assert.deepEqual(dirty(marks), [1, 3], "the end of the volume completes the last region");
});

test("mark ledger: a copy of what is not yet stable here clears only when it is", () => {
  const marks = ledger();
  write(marks, 1, 5);
  marks.setShipping("beta", true);
  marks.clearResynced("beta", { offset: 4096, length: 4096, version: 5, rewritesShipped: true });
  marks.stableUpTo("beta", 5);
  assert.deepEqual(dirty(marks), [1]);
  marks.localStableUpTo(5);
  assert.deepEqual(dirty(marks), []);
});

test("mark ledger: seqs of pages in which nothing waits are given back beyond a working set", () => {
  const marks = ledger({ seqPagesMax: 8 });
  marks.setShipping("beta", true);
  for (let page = 0; page < 8; page += 1) write(marks, page * 4, page + 1);
  marks.localStableUpTo(8);
  marks.stableUpTo("beta", 7);
  assert.deepEqual(dirty(marks), [28]);
  assert.equal(marks.seqPages, 1);
});

test("mark ledger: after forgetSeqs old seqs clear nothing and new, lower ones count", () => {
  const marks = ledger();
  marks.setShipping("beta", true);
  write(marks, 1, 50);
  marks.localStableUpTo(50);
  marks.forgetSeqs();
  write(marks, 2, 10);
  marks.stableUpTo("beta", 10);
  assert.deepEqual(dirty(marks), [1, 2], "stable here was said of the old seqs");
  marks.localStableUpTo(10);
  assert.deepEqual(dirty(marks), [1]);
});

test("seq table: at its bound the oldest quarter is retired, and every answer stays an upper bound", () => {
  const table = new SeqTable({ regionsPerPage: 4, pagesMax: 8 });
  const newest = new Map<number, number>();
  for (let seq = 1; seq <= 200; seq += 1) {
    const region = (seq * 13) % 120;
    table.note(region, region + 1, seq);
    newest.set(region, seq).set(region + 1, seq);
    assert.ok(table.pages <= 9);
    for (const [written, last] of newest) assert.ok(table.newestAtMost(written) >= last);
  }
  assert.ok(table.retired > 0 && table.retired < 200);
});

test("mark ledger: marks whose seqs were retired are owed: they clear late, never early", () => {
  const marks = ledger({ seqPagesMax: 4 });
  marks.setShipping("beta", true);
  for (let page = 0; page < 8; page += 1) write(marks, page * 4, page + 1);
  marks.localStableUpTo(8);
  marks.stableUpTo("beta", 8);
  const kept = dirty(marks);
  assert.ok(kept.length > 0 && kept.every((region) => region < 28));
  for (const region of kept) {
    assert.ok(marks.isOwed("beta", { offset: region * 4096, length: 1 }), "a resync copies it");
  }
  marks.clearAllUpTo("beta", 8);
  assert.deepEqual(dirty(marks), []);
});

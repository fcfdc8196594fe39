/** How far a leg is: acks count frames, the mirror counts seqs and bytes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type CopiedRun, LegProgress } from "../../../actors/mirror/leg_progress.ts";

const nothing = () => {};

function shippedFive(): LegProgress {
  const progress = new LegProgress(10);
  // Frames 1 to 3 were messages: numbers may be left out.
  progress.shipped({ frame: 4, seq: 11, bytes: 100, at: 1 });
  progress.shipped({
    frame: 5,
    seq: 0,
    bytes: 1000,
    at: 2,
    copy: { volume: 0, offset: 0, length: 4096, asOfSeq: 11 },
  });
  progress.shipped({ frame: 7, seq: 14, bytes: 10, at: 3 });
  return progress;
}

test("leg progress: a leg stands where its session began until something is acked", () => {
  const progress = shippedFive();
  assert.deepEqual([progress.appliedSeq, progress.stableSeq, progress.unappliedBytes], [10, 10, 1110]);
  assert.deepEqual([progress.waitingSince, progress.unappliedFrames, progress.copyBytesInFlight], [
    1,
    3,
    1000,
  ]);
});

test("leg progress: acks are cumulative, applied runs ahead of stable, a copy moves no seq", () => {
  const progress = shippedFive();
  const copies: CopiedRun[] = [];
  assert.equal(progress.acked({ applied: 5, stable: 4, sent: 8 }, (run) => copies.push(run)), null);
  assert.deepEqual([progress.appliedSeq, progress.stableSeq, progress.unappliedBytes], [11, 11, 10]);
  assert.equal(copies.length, 0);
  assert.equal(progress.unstableSince, 2);
  assert.equal(progress.acked({ applied: 7, stable: 7, sent: 8 }, (run) => copies.push(run)), null);
  assert.deepEqual([progress.appliedSeq, progress.stableSeq, progress.unappliedBytes], [14, 14, 0]);
  assert.deepEqual(copies.map((run) => run.asOfSeq), [11]);
  assert.deepEqual([progress.waitingSince, progress.unstableSince], [null, null]);
});

test("leg progress: the frame of a message may be acked though nothing was shipped with it", () => {
  assert.equal(new LegProgress(0).acked({ applied: 3, stable: 3, sent: 3 }, nothing), null);
});

test("leg progress: acks that cannot be true are named", () => {
  const table: [{ applied: number; stable: number; sent: number }, RegExp][] = [
    [{ applied: 9, stable: 0, sent: 8 }, /acked frame 9, only 8/],
    [{ applied: 5, stable: 6, sent: 8 }, /as stable, but applied only/],
    [{ applied: 3, stable: 3, sent: 8 }, /less than before/],
    [{ applied: 5, stable: 3, sent: 8 }, /less than before/],
  ];
  for (const [ack, expected] of table) {
    const progress = shippedFive();
    assert.equal(progress.acked({ applied: 4, stable: 4, sent: 8 }, nothing), null);
    assert.match(progress.acked(ack, nothing) ?? "", expected);
  }
});

test("leg progress: frames are numbered upwards (a bug of ours else)", () => {
  const progress = shippedFive();
  assert.throws(() => progress.shipped({ frame: 7, seq: 15, bytes: 1, at: 4 }), /numbered upwards/);
});

test("leg progress: a window that closed lifts the leg to its end, and never lowers it", () => {
  const progress = shippedFive();
  progress.stands(20);
  assert.deepEqual([progress.appliedSeq, progress.stableSeq], [20, 20]);
  progress.stands(15);
  assert.deepEqual([progress.appliedSeq, progress.stableSeq], [20, 20]);
});

test("leg progress (property): against a list of frames", () => {
  const step = fc.record({ write: fc.boolean(), gap: fc.nat(2), applied: fc.nat(9), stable: fc.nat(9) });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const progress = new LegProgress(0);
    const frames: { frame: number; seq: number; bytes: number; copy: boolean }[] = [];
    const copies: number[] = [];
    let [frame, seq, applied, stable] = [0, 0, 0, 0];
    for (const { write, gap, ...ack } of steps) {
      frame += 1 + gap;
      if (write) seq += 1;
      const shipped = { frame, seq: write ? seq : 0, bytes: frame, at: frame };
      const copy = { volume: 0, offset: frame, length: 1, asOfSeq: seq };
      progress.shipped(write ? shipped : { ...shipped, copy });
      frames.push({ ...shipped, copy: !write });
      applied = Math.max(applied, Math.min(frame, applied + ack.applied));
      stable = Math.max(stable, Math.min(applied, stable + ack.stable));
      assert.equal(progress.acked({ applied, stable, sent: frame }, (run) => copies.push(run.offset)), null);
      const upTo = (n: number) => frames.filter((f) => f.frame <= n);
      assert.equal(progress.appliedSeq, Math.max(0, ...upTo(applied).map((f) => f.seq)));
      assert.equal(progress.stableSeq, Math.max(0, ...upTo(stable).map((f) => f.seq)));
      assert.equal(
        progress.unappliedBytes,
        frames.filter((f) => f.frame > applied).reduce((sum, f) => sum + f.bytes, 0),
      );
      assert.deepEqual(copies, upTo(stable).filter((f) => f.copy).map((f) => f.frame));
    }
  }));
});

test("leg progress: thousands of frames leave nothing behind, and go on counting right", () => {
  const progress = new LegProgress(0);
  for (let frame = 1; frame <= 20_000; frame += 1) {
    progress.shipped({ frame, seq: frame, bytes: 1, at: frame });
    if (frame % 100 === 0) {
      assert.equal(progress.acked({ applied: frame, stable: frame - 50, sent: frame }, nothing), null);
    }
  }
  assert.deepEqual([progress.appliedSeq, progress.stableSeq, progress.unappliedBytes], [20_000, 19_950, 0]);
});

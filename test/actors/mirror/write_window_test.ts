/** When an operation of the stream is complete: against a model that looks at everything again each time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NO_LEGS, type WindowEntry, WriteWindow } from "../../../actors/mirror/write_window.ts";

class Entry implements WindowEntry {
  readonly seq: number;
  readonly durable: boolean;
  localDone: boolean;
  completed = false;
  constructor(seq: number, durable = false, localDone = true) {
    this.seq = seq;
    this.durable = durable;
    this.localDone = localDone;
  }
}

function windowFrom(baseSeq: number) {
  const done: number[] = [];
  const window = new WriteWindow<Entry>(baseSeq, (entry) => void done.push(entry.seq));
  return { window, done };
}

test("write window: without legs a local write completes at once, a flush when the disk is stable", () => {
  const { window, done } = windowFrom(10);
  window.add(new Entry(11));
  window.add(new Entry(12, true));
  assert.deepEqual(done, [11]);
  window.setLocalStable(11);
  assert.deepEqual(done, [11]);
  window.setLocalStable(12);
  assert.deepEqual(done, [11, 12]);
  assert.equal(window.size, 0);
});

test("write window: I2, I13: a write waits for the applied floor, a flush for the stable one, each for the local disk", () => {
  const { window, done } = windowFrom(0);
  window.setFloors({ applied: 0, stable: 0 });
  const slow = new Entry(1, false, false);
  window.add(slow);
  window.add(new Entry(2));
  window.add(new Entry(3, true));
  window.setFloors({ applied: 3, stable: 0 });
  assert.deepEqual(done, [2]);
  window.localDone(slow);
  assert.deepEqual(done, [2, 1]);
  window.setLocalStable(3);
  assert.deepEqual(done, [2, 1]);
  window.setFloors({ applied: 3, stable: 3 });
  assert.deepEqual(done, [2, 1, 3]);
});

test("write window: a floor that sinks (a leg joins) takes nothing back, and holds what comes after", () => {
  const { window, done } = windowFrom(0);
  const slow = new Entry(1, false, false);
  window.add(slow);
  window.add(new Entry(2));
  window.setFloors({ applied: 0, stable: 0 });
  window.add(new Entry(3));
  window.localDone(slow);
  assert.deepEqual(done, [2]);
  window.setFloors({ applied: 1, stable: 1 });
  assert.deepEqual(done, [2, 1], "what was not local when the floor was high waits for the newcomer");
  window.setFloors(NO_LEGS);
  assert.deepEqual(done, [2, 1, 3]);
});

test("write window: a flush covers only what is on the local disk", () => {
  const { window } = windowFrom(0);
  const slow = new Entry(2, false, false);
  window.add(new Entry(1));
  window.add(slow);
  window.add(new Entry(3, true));
  assert.equal(window.localDoneThrough, 1);
  assert.equal(window.awaitsStability({ after: 0, through: 1 }), false);
  window.localDone(slow);
  assert.equal(window.localDoneThrough, 3);
  assert.equal(window.awaitsStability({ after: 0, through: 3 }), true);
  assert.equal(window.awaitsStability({ after: 3, through: 3 }), false);
});

test("write window: given up, it names what is not complete, oldest first, and completes nothing any more", () => {
  const { window, done } = windowFrom(0);
  window.setFloors({ applied: 0, stable: 0 });
  for (const seq of [1, 2, 3]) window.add(new Entry(seq, seq === 2));
  window.setFloors({ applied: 1, stable: 0 });
  assert.deepEqual(window.abandon().map((entry) => entry.seq), [2, 3]);
  window.setFloors(NO_LEGS);
  window.setLocalStable(3);
  assert.deepEqual(done, [1]);
});

test("write window: I1: seqs are dense and used once (a bug of ours else)", () => {
  const { window } = windowFrom(5);
  assert.throws(() => window.add(new Entry(5)), /I1/);
  assert.throws(() => window.add(new Entry(7)), /I1/);
  window.add(new Entry(6));
  assert.equal(window.nextSeq, 7);
});

test("write window: a completion may add the next from within", () => {
  const done: number[] = [];
  const window: WriteWindow<Entry> = new WriteWindow<Entry>(0, (entry) => {
    done.push(entry.seq);
    if (entry.seq < 100) window.add(new Entry(window.nextSeq));
  });
  window.setFloors({ applied: 50, stable: 0 });
  window.add(new Entry(1));
  assert.equal(done.length, 50);
  window.setFloors({ applied: 200, stable: 0 });
  assert.deepEqual(done, Array.from({ length: 100 }, (_, index) => index + 1));
  assert.equal(window.size, 0);
});

test("write window (property): the same completions as a model that looks at everything each time", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("add" as const), durable: fc.boolean(), local: fc.boolean() }),
    fc.record({ kind: fc.constant("local" as const), which: fc.nat(50) }),
    fc.record({ kind: fc.constant("stable" as const), by: fc.nat(5) }),
    fc.record({
      kind: fc.constant("floors" as const),
      applied: fc.nat(60),
      stable: fc.nat(60),
      none: fc.boolean(),
    }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const { window, done } = windowFrom(0);
      const entries: Entry[] = [];
      const expected = new Set<number>();
      let floors = NO_LEGS;
      let localStable = 0;
      const look = () => {
        for (const { seq, durable, localDone } of entries) {
          if (!localDone || seq > floors.applied) continue;
          if (!durable || (seq <= floors.stable && seq <= localStable)) expected.add(seq);
        }
      };
      for (const each of steps) {
        switch (each.kind) {
          case "add": {
            // A flush is on the local disk as soon as it is in the stream.
            const entry = new Entry(window.nextSeq, each.durable, each.local || each.durable);
            entries.push(entry);
            window.add(entry);
            break;
          }
          case "local": {
            const entry = entries[each.which];
            if (entry !== undefined && !entry.localDone) window.localDone(entry);
            break;
          }
          case "stable":
            localStable = Math.min(window.localDoneThrough, localStable + each.by);
            window.setLocalStable(localStable);
            break;
          case "floors": {
            const applied = Math.min(each.applied, window.lastSeq);
            floors = each.none ? NO_LEGS : { applied, stable: Math.min(each.stable, applied) };
            window.setFloors(floors);
          }
        }
        look();
        assert.deepEqual([...done].sort((a, b) => a - b), [...expected].sort((a, b) => a - b));
        assert.equal(new Set(done).size, done.length, "each completes once");
      }
    }),
    { numRuns: 400 },
  );
});

/** Which witness still counts, row by row, and how long a counter must stand still. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CounterWatch } from "../../../kits/witness/counter_watch.ts";
import { judgeMemory, type KnownWitness, type MemoryRow } from "../../../kits/witness/memory_table.ts";
import type { WitnessRead } from "../../../kits/witness/witness_register.ts";
import { decodeVote, encodeVote } from "../../../kits/witness/witness_vote_format.ts";
import { sampleVote } from "../../conformance/witness_suite.ts";

const vote = sampleVote();
const found = (change: Partial<Extract<WitnessRead, { kind: "found" }>> = {}): WitnessRead => ({
  kind: "found",
  vote,
  version: 5,
  doubtful: false,
  ...change,
});
const known: KnownWitness = { incarnation: vote.incarnation, version: 5 };
const unreachable: WitnessRead = { kind: "unreachable", cause: "x", timedOut: true };

const ROWS: readonly [string, WitnessRead, KnownWitness | null, MemoryRow][] = [
  ["no answer", unreachable, known, "unreachable"],
  ["no answer of one never enrolled", unreachable, null, "unreachable"],
  ["rubbish", { kind: "damaged", cause: "x" }, known, "damaged"],
  ["nothing, as expected", { kind: "empty" }, null, "not_enrolled"],
  ["nothing any more", { kind: "empty" }, known, "wiped"],
  ["another life", found({ vote: sampleVote({ incarnation: "5".repeat(32) }) }), known, "stranger"],
  ["a vote out of nowhere", found(), null, "stranger"],
  ["a backup", found({ version: 4 }), known, "rolled_back"],
  ["a restart that may have lost", found({ doubtful: true }), known, "may_have_forgotten"],
  ["what was seen last", found(), known, "remembers"],
  ["what others wrote since", found({ version: 9 }), known, "remembers"],
];

for (const [situation, read, expectation, row] of ROWS) {
  test(`witness memory: ${situation} is ${row}`, () => {
    assert.deepEqual(judgeMemory(read, expectation), { row, votes: row === "remembers" });
  });
}

test("witness vote: what is written is read back; one changed letter is found out", () => {
  const text = encodeVote(vote);
  assert.deepEqual(decodeVote(text), vote);
  fc.assert(fc.property(fc.nat(text.length - 1), fc.integer({ min: 1, max: 127 }), (at, by) => {
    const letter = String.fromCharCode((text.charCodeAt(at) + by) % 128);
    const changed = decodeVote(text.slice(0, at) + letter + text.slice(at + 1));
    assert.ok("cause" in changed);
  }));
});

test("witness vote: another format is refused by its number", () => {
  const other = decodeVote(encodeVote(vote).replace("vote 1 ", "vote 2 "));
  assert.ok("cause" in other && /format 2/.test(other.cause));
});

const bounds = { leaseMs: 2_000, marginMs: 100 };
const renewed = (counter: number) =>
  found({
    vote: sampleVote({ lease: { holder: "alpha", generation: vote.promised, counter } }),
    version: counter,
  });

test("counter watch: a lease has ended when its counter stood still for lease and margin, counted from the first answer", () => {
  const watch = new CounterWatch();
  assert.equal(watch.ended(1e9, bounds), false, "nothing was seen yet");
  watch.observe(renewed(7), 1_000);
  watch.observe(renewed(7), 2_500);
  assert.equal(watch.ended(3_099, bounds), false);
  assert.equal(watch.ended(3_100, bounds), true);
});

test("counter watch: each renewal begins the wait again, silence does not shorten it, doubt ends it", () => {
  const watch = new CounterWatch();
  watch.observe(renewed(7), 0);
  watch.observe(renewed(8), 2_000);
  watch.observe(unreachable, 2_050);
  assert.equal(watch.ended(4_099, bounds), false);
  assert.equal(watch.ended(4_100, bounds), true);
  watch.observe(found({ doubtful: true }), 4_200);
  assert.equal(watch.ended(1e9, bounds), false);
});

test("counter watch: who resigned need not be waited for", () => {
  const watch = new CounterWatch();
  watch.observe(found({ vote: sampleVote({ lease: null }) }), 0);
  assert.equal(watch.ended(0, bounds), true);
});

test("counter watch: whatever the delays, it never ends while a renewing source may still count on its lease", () => {
  const delay = fc.integer({ min: 0, max: 900 });
  fc.assert(
    fc.property(fc.array(fc.tuple(delay, delay, delay), { minLength: 1, maxLength: 20 }), (rounds) => {
      const watch = new CounterWatch();
      let nowMs = 0;
      let counter = 0;
      let leaseEndsMs = 0;
      for (const [pauseMs, toStoreMs, backMs] of rounds) {
        nowMs += pauseMs;
        leaseEndsMs = nowMs + bounds.leaseMs;
        counter += 1;
        nowMs += toStoreMs;
        watch.observe(renewed(counter), nowMs + backMs);
        nowMs += backMs;
      }
      for (let lookMs = nowMs; lookMs < leaseEndsMs; lookMs += 50) {
        assert.equal(watch.ended(lookMs, bounds), false);
      }
    }),
  );
});

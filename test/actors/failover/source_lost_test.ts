/** When is there no source any more? Every combination meets exactly one row. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { judgeSource, type LostRow, type Outlook } from "../../../actors/failover/source_lost.ts";

const LEASE_MS = 1_000;
const NOW_MS = 10_000;
const ID = "a".repeat(32);

function outlook(changes: Partial<Outlook> = {}): Outlook {
  return {
    node: "beta",
    heard: null,
    resignedId: null,
    recordedSource: null,
    unborn: false,
    startedAtMs: NOW_MS - 10,
    leaseMs: LEASE_MS,
    nowMs: NOW_MS,
    ...changes,
  };
}

function heard(agoMs: number, restarted = false) {
  const atMs = NOW_MS - agoMs;
  return { node: "alpha", incarnation: "alpha-1", generationId: ID, generation: 3, atMs, restarted };
}

test("source lost: each row", () => {
  const rows: [LostRow, Outlook, number][] = [
    ["alive", outlook({ heard: heard(999) }), NOW_MS + 1],
    ["silent", outlook({ heard: heard(1_000) }), NOW_MS],
    ["resigned", outlook({ heard: heard(0), resignedId: ID }), NOW_MS],
    ["restarted", outlook({ heard: heard(0, true) }), NOW_MS],
    ["unborn", outlook({ unborn: true }), NOW_MS],
    ["was_source", outlook({ recordedSource: "beta" }), NOW_MS],
    ["just_started", outlook({ recordedSource: "alpha" }), NOW_MS + 990],
    ["unclaimed", outlook({ recordedSource: "alpha", startedAtMs: NOW_MS - LEASE_MS }), NOW_MS],
  ];
  for (const [row, seen, lookAgainAtMs] of rows) {
    const verdict = judgeSource(seen);
    assert.equal(verdict.row, row);
    assert.equal(verdict.lookAgainAtMs, lookAgainAtMs, row);
    assert.equal(verdict.lost, row !== "alive" && row !== "just_started", row);
  }
});

test("source lost: a source that was heard within a lease, in that process, and did not resign, is never lost", () => {
  for (const agoMs of [0, 500, 999]) {
    for (const resignedId of [null, "b".repeat(32)]) {
      for (const recordedSource of [null, "alpha", "beta"]) {
        for (const unborn of [false, true]) {
          for (const startedAtMs of [0, NOW_MS]) {
            const seen = outlook({ heard: heard(agoMs), resignedId, recordedSource, unborn, startedAtMs });
            assert.equal(judgeSource(seen).row, "alive");
          }
        }
      }
    }
  }
});

test("source lost: woken at the moment it named, it finds the source lost, whatever fractions the clock shows", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      fc.integer({ min: 1, max: 60_000 }),
      (atMs, leaseMs) => {
        const then = { ...heard(0), atMs };
        const { lookAgainAtMs } = judgeSource(outlook({ heard: then, leaseMs, nowMs: atMs }));
        assert.equal(judgeSource(outlook({ heard: then, leaseMs, nowMs: lookAgainAtMs })).row, "silent");
        const started = judgeSource(outlook({ startedAtMs: atMs, leaseMs, nowMs: atMs }));
        assert.equal(
          judgeSource(outlook({ startedAtMs: atMs, leaseMs, nowMs: started.lookAgainAtMs })).row,
          "unclaimed",
        );
      },
    ),
  );
});

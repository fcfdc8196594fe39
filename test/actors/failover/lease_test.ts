/** The source's arithmetic: never later than the voters'. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { grantedUntil, LeaseBook, wasStopped } from "../../../actors/failover/lease.ts";

const LEASE_MS = 2_000;

test("lease: counted from before the question was sent, with a margin for the clocks' rates", () => {
  assert.equal(grantedUntil({ sentAtMs: 1_000, durationMs: 2_000 }), 1_000 + 1_960 - 10);
});

test("lease: with clocks that are 1 % off each way, the source's end is never after the voter's", () => {
  fc.assert(fc.property(
    fc.integer({ min: 100, max: 60_000 }),
    fc.double({ min: -0.01, max: 0.01, noNaN: true }),
    fc.double({ min: -0.01, max: 0.01, noNaN: true }),
    fc.double({ min: 0, max: 5_000, noNaN: true }),
    (durationMs, sourceRate, voterRate, travelMs) => {
      // In true time from the sending: the voter starts to count when the question arrives.
      const sourceEnd = grantedUntil({ sentAtMs: 0, durationMs }) / (1 + sourceRate);
      const voterEnd = travelMs + durationMs / (1 + voterRate);
      assert.ok(sourceEnd < voterEnd);
    },
  ));
});

test("lease: the end is what a majority granted, not the best of them", () => {
  const book = new LeaseBook({ voters: ["a", "b", "c", "d", "e"], leaseMs: LEASE_MS });
  for (const [round, voter] of ["a", "b", "c", "d"].entries()) {
    book.asked({ round, sentAtMs: round * 100 });
    if (round < 3) assert.equal(book.untilMs, round < 3 ? -Infinity : 0);
    book.granted({ voter, round, durationMs: LEASE_MS });
  }
  // Sent at 0, 100, 200, 300: the third best is the one of 100.
  assert.equal(book.untilMs, grantedUntil({ sentAtMs: 100, durationMs: LEASE_MS }));
  assert.deepEqual(book.missing(0), ["e"]);
});

test("lease: a late answer counts from its own round, and never shortens what a later round gave", () => {
  const book = new LeaseBook({ voters: ["a"], leaseMs: LEASE_MS });
  book.asked({ round: 1, sentAtMs: 0 });
  book.asked({ round: 2, sentAtMs: 500 });
  book.granted({ voter: "a", round: 2, durationMs: LEASE_MS });
  const untilMs = book.untilMs;
  book.granted({ voter: "a", round: 1, durationMs: LEASE_MS });
  assert.equal(book.untilMs, untilMs);
});

test("lease: an answer of an unknown round, of no voter, or longer than configured gives nothing more", () => {
  const book = new LeaseBook({ voters: ["a"], leaseMs: LEASE_MS });
  book.asked({ round: 1, sentAtMs: 0 });
  assert.equal(book.granted({ voter: "a", round: 7, durationMs: LEASE_MS }), false);
  assert.equal(book.granted({ voter: "z", round: 1, durationMs: LEASE_MS }), false);
  assert.equal(book.untilMs, -Infinity);
  book.granted({ voter: "a", round: 1, durationMs: 100 * LEASE_MS });
  assert.equal(book.untilMs, grantedUntil({ sentAtMs: 0, durationMs: LEASE_MS }));
});

test("lease: dropped, nothing that was asked before counts any more", () => {
  const book = new LeaseBook({ voters: ["a"], leaseMs: LEASE_MS });
  book.asked({ round: 1, sentAtMs: 0 });
  book.granted({ voter: "a", round: 1, durationMs: LEASE_MS });
  book.drop();
  assert.equal(book.untilMs, -Infinity);
  assert.equal(book.granted({ voter: "a", round: 1, durationMs: LEASE_MS }), false);
});

test("lease: rounds without answers are forgotten, the oldest first", () => {
  const book = new LeaseBook({ voters: ["a"], leaseMs: LEASE_MS });
  for (let round = 1; round <= 100; round += 1) book.asked({ round, sentAtMs: round });
  assert.equal(book.granted({ voter: "a", round: 68, durationMs: LEASE_MS }), false);
  assert.equal(book.granted({ voter: "a", round: 69, durationMs: LEASE_MS }), true);
});

test("lease: a stop shows in either clock", () => {
  const before = { nowMs: 0, wallMs: 1_000_000 };
  const after = (nowMs: number, wallMs: number) => ({ nowMs, wallMs: before.wallMs + wallMs });
  assert.equal(wasStopped(before, after(250, 250), 250), false);
  assert.equal(wasStopped(before, after(1_000, 1_000), 250), false);
  assert.equal(wasStopped(before, after(1_001, 1_001), 250), true, "SIGSTOP");
  assert.equal(wasStopped(before, after(250, 501), 250), true, "suspend");
  assert.equal(wasStopped(before, after(250, -1), 250), true, "a wall clock set back hides a suspend");
});

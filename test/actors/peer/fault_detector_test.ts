/** Silence is measured against the lease, and nothing else. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultDetector } from "../../../actors/peer/fault_detector.ts";

const TIMES = { heartbeatIntervalMs: 250, leaseMs: 2_100 };

test("fault detector: suspicion begins at two thirds of the lease", () => {
  const detector = new FaultDetector(TIMES, 0);
  detector.heard(1_000);
  assert.equal(detector.isSuspect(1_000 + 1_399), false);
  assert.equal(detector.isSuspect(1_000 + 1_400), true);
});

test("fault detector: a node that never appears is as silent as one that stopped", () => {
  assert.equal(new FaultDetector(TIMES, 500).isSuspect(1_900), true);
});

test("fault detector: a connection is hopeless after two leases of silence", () => {
  const detector = new FaultDetector(TIMES, 0);
  assert.equal(detector.isHopeless(4_199), false);
  assert.equal(detector.isHopeless(4_200), true);
});

test("fault detector: what was heard late never takes back what was heard later", () => {
  const detector = new FaultDetector(TIMES, 0);
  detector.heard(1_000);
  detector.heard(900);
  assert.equal(detector.lastHeardMs, 1_000);
});

test("fault detector: settings with which one lost heartbeat is a suspicion are refused", () => {
  assert.throws(() => new FaultDetector({ heartbeatIntervalMs: 1_000, leaseMs: 2_000 }, 0), /heartbeat/);
});

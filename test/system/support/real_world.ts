/**
 * The conformance suite's world for real sockets: conditions are looked at after each round of the event loop.
 */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";

const DEADLINE_MS = 20_000;
const SETTLE_MS = 60;

/** Waits for a condition that events of real sockets bring about. */
export async function untilReal(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `waited ${DEADLINE_MS} ms for ${what}`);
    await delay(1);
  }
}

/** Long enough on loopback for everything that is going to happen. */
export async function settleReal(): Promise<void> {
  await delay(SETTLE_MS);
}

/** What a node makes of another one: transcripts of the machine in virtual time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  dials,
  type PeerEffect,
  type PeerEvent,
  PeerMachine,
  RETRY_MAX_MS,
} from "../../../actors/peer/machine.ts";

const TIMES = { heartbeatIntervalMs: 250, leaseMs: 2_100 };
const SUSPECT_AFTER_MS = 1_400;

class Bench {
  nowMs = 0;
  readonly machine: PeerMachine;

  constructor(self: string, peer: string, addresses = ["tcp://one", "tcp://two"]) {
    this.machine = new PeerMachine({ self, peer, addresses, ...TIMES }, 0);
  }

  step(event: PeerEvent, chance = 0.5): string[] {
    return this.machine.step(event, { nowMs: this.nowMs, chance }).map(show);
  }

  /** Ticks without hearing anything; answers all effects but heartbeats. */
  silence(ms: number): string[] {
    const seen: string[] = [];
    for (const end = this.nowMs + ms; this.nowMs < end;) {
      this.nowMs += TIMES.heartbeatIntervalMs;
      seen.push(...this.step({ kind: "ticked" }).filter((effect) => !effect.startsWith("send_heartbeat")));
    }
    return seen;
  }
}

function show(effect: PeerEffect): string {
  switch (effect.kind) {
    case "dial":
      return `dial ${effect.address}`;
    case "retry_in":
      return `retry_in ${effect.delayMs}`;
    case "send_heartbeat":
    case "close_connection":
      return `${effect.kind} ${effect.connection}`;
    case "link_up":
    case "tell_up":
      return `${effect.kind} ${effect.incarnation}`;
    default:
      return effect.kind;
  }
}

test("peer: of two nodes exactly the one with the lower name dials", () => {
  assert.equal(dials("alpha", "beta"), true);
  assert.equal(dials("beta", "alpha"), false);
  assert.deepEqual(new Bench("alpha", "beta").machine.start().map(show), ["dial tcp://one"]);
  assert.deepEqual(new Bench("beta", "alpha").machine.start(), []);
});

test("peer: all addresses are tried in order, then it waits longer from round to round, up to a bound", () => {
  const bench = new Bench("alpha", "beta");
  bench.machine.start();
  const delays: number[] = [];
  for (let round = 0; round < 8; round++) {
    assert.deepEqual(bench.step({ kind: "dial_failed", cause: "refused" }), ["dial tcp://two"]);
    const [retry = ""] = bench.step({ kind: "dial_failed", cause: "refused" }, 0.999);
    delays.push(Number(retry.split(" ")[1]));
    assert.deepEqual(bench.step({ kind: "retry_due" }), ["dial tcp://one"]);
  }
  assert.ok(delays.every((delay, index) => index === 0 || delay >= (delays[index - 1] ?? 0)));
  assert.ok(delays.every((delay) => delay >= 100 && delay <= RETRY_MAX_MS));
});

test("peer: chance spreads the retries of nodes that lost one switch together", () => {
  const retry = (chance: number) => {
    const bench = new Bench("alpha", "beta", ["tcp://one"]);
    bench.machine.start();
    return bench.step({ kind: "dial_failed", cause: "refused" }, chance)[0];
  };
  assert.notEqual(retry(0), retry(0.9));
});

test("peer: a handshake makes it up, and heartbeats begin at once", () => {
  const bench = new Bench("alpha", "beta");
  bench.machine.start();
  assert.deepEqual(bench.step({ kind: "dialed", connection: 1, incarnation: "b1" }), [
    "link_up b1",
    "send_heartbeat 1",
    "tell_up b1",
  ]);
  assert.equal(bench.machine.cause, null);
});

test("peer: silence over a connection is suspicion, hearing ends it, lasting silence ends the connection", () => {
  const bench = new Bench("beta", "alpha");
  bench.step({ kind: "accepted", connection: 1, incarnation: "a1" });
  assert.deepEqual(bench.silence(SUSPECT_AFTER_MS - 250), []);
  assert.deepEqual(bench.silence(250), ["tell_suspected"]);
  assert.equal(bench.machine.opinion, "suspected");
  assert.deepEqual(bench.step({ kind: "heard", connection: 1 }), ["tell_up a1"]);
  assert.deepEqual(bench.silence(4_000), ["tell_suspected"]);
  assert.deepEqual(bench.silence(250), ["close_connection 1"]);
  const effects = bench.step({ kind: "connection_ended", connection: 1, cause: "silent" });
  assert.deepEqual(effects, ["link_down", "tell_down"]);
});

test("peer: a connection that was lost and made again within the bound changes nobody's opinion", () => {
  const bench = new Bench("alpha", "beta");
  bench.machine.start();
  bench.step({ kind: "dialed", connection: 1, incarnation: "b1" });
  bench.nowMs += 100;
  assert.deepEqual(bench.step({ kind: "connection_ended", connection: 1, cause: "reset" }), [
    "link_down",
    "retry_in 75",
  ]);
  assert.equal(bench.machine.opinion, "up");
  bench.nowMs += 100;
  bench.step({ kind: "retry_due" });
  assert.deepEqual(bench.step({ kind: "dialed", connection: 2, incarnation: "b1" }), [
    "link_up b1",
    "send_heartbeat 2",
  ]);
});

test("peer: a lost connection and silence are «down», with the cause", () => {
  const bench = new Bench("beta", "alpha");
  bench.step({ kind: "accepted", connection: 1, incarnation: "a1" });
  bench.step({ kind: "connection_ended", connection: 1, cause: "tcp://one: reset by peer" });
  assert.deepEqual(bench.silence(SUSPECT_AFTER_MS), ["tell_down"]);
  assert.match(bench.machine.cause ?? "", /reset by peer/);
  assert.deepEqual(bench.silence(10_000), []);
});

test("peer: a node that never appears is down after the bound, once", () => {
  const bench = new Bench("beta", "alpha");
  assert.deepEqual(bench.silence(10_000), ["tell_down"]);
});

test("peer: another incarnation goes through down to up, however short the absence was", () => {
  const bench = new Bench("beta", "alpha");
  bench.step({ kind: "accepted", connection: 1, incarnation: "a1" });
  bench.nowMs += 10;
  assert.deepEqual(bench.step({ kind: "accepted", connection: 2, incarnation: "a2" }), [
    "close_connection 1",
    "link_down",
    "tell_down",
    "link_up a2",
    "send_heartbeat 2",
    "tell_up a2",
  ]);
});

test("peer: a newer connection of the same process takes the place of the old one without a «down»", () => {
  const bench = new Bench("beta", "alpha");
  bench.step({ kind: "accepted", connection: 1, incarnation: "a1" });
  assert.deepEqual(bench.step({ kind: "accepted", connection: 2, incarnation: "a1" }), [
    "close_connection 1",
    "link_down",
    "link_up a1",
    "send_heartbeat 2",
  ]);
});

test("peer: what a replaced connection still brings proves nothing", () => {
  const bench = new Bench("beta", "alpha");
  bench.step({ kind: "accepted", connection: 1, incarnation: "a1" });
  bench.step({ kind: "accepted", connection: 2, incarnation: "a2" });
  bench.silence(SUSPECT_AFTER_MS);
  assert.deepEqual(bench.step({ kind: "heard", connection: 1 }), []);
  assert.deepEqual(bench.step({ kind: "connection_ended", connection: 1, cause: "reset" }), []);
  assert.equal(bench.machine.opinion, "suspected");
});

test("peer: a dial that fails after the other end came is nothing", () => {
  const bench = new Bench("alpha", "beta");
  bench.machine.start();
  bench.step({ kind: "accepted", connection: 1, incarnation: "b1" });
  assert.deepEqual(bench.step({ kind: "dial_failed", cause: "refused" }), []);
});

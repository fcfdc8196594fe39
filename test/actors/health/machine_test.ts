/** A hung loop or disk takes the node's health away, and gives it back; the wall clock never does. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { healthLimitsFor, HealthMachine, type WaitingDisk } from "../../../actors/health/machine.ts";

const LIMITS = healthLimitsFor(2_000);
const DISK: WaitingDisk = { name: "/srv/a.img", sinceMs: 0 };

class Bench {
  nowMs = 0;
  wallMs = 1_000_000;
  readonly machine = new HealthMachine(LIMITS, { nowMs: 0, wallMs: 1_000_000, waitingDisks: [] });

  /** One tick `lateMs` late; answers the names of reported events. */
  tick(options: { lateMs?: number; wallJumpMs?: number; waitingDisks?: WaitingDisk[] } = {}): string[] {
    const elapsedMs = LIMITS.tickMs + (options.lateMs ?? 0);
    this.nowMs += elapsedMs;
    this.wallMs += elapsedMs + (options.wallJumpMs ?? 0);
    const effects = this.machine.tick({
      nowMs: this.nowMs,
      wallMs: this.wallMs,
      waitingDisks: options.waitingDisks ?? [],
    });
    return effects.flatMap((effect) => effect.kind === "report_event" ? [effect.name] : []);
  }

  get healthy(): boolean {
    return this.machine.judge(this.nowMs, []).healthy;
  }
}

test("health: a punctual loop and idle disks are healthy", () => {
  const bench = new Bench();
  assert.deepEqual(bench.tick(), []);
  assert.equal(bench.healthy, true);
});

test("health: a loop that stalled is trusted again only after several good ticks", () => {
  const bench = new Bench();
  assert.deepEqual(bench.tick({ lateMs: LIMITS.loopStallMs + 1 }), ["loop_stalled", "health_lost"]);
  for (let good = 1; good <= 4; good++) {
    assert.deepEqual(bench.tick(), []);
    assert.equal(bench.healthy, false);
  }
  assert.deepEqual(bench.tick(), ["health_regained"]);
  assert.equal(bench.healthy, true);
});

test("health: a renewal right after a stall is refused before the late tick has run", () => {
  const bench = new Bench();
  bench.tick();
  const verdict = bench.machine.judge(bench.nowMs + LIMITS.tickMs + LIMITS.loopStallMs + 1, []);
  assert.equal(verdict.healthy, false);
  assert.match(verdict.cause ?? "", /main loop/);
});

test("health: a disk that does not answer is named, and its answer ends it", () => {
  const bench = new Bench();
  while (bench.nowMs < LIMITS.diskStallMs) bench.tick({ waitingDisks: [DISK] });
  assert.deepEqual(bench.tick({ waitingDisks: [DISK] }), ["health_lost"]);
  const verdict = bench.machine.judge(bench.nowMs, [DISK]);
  assert.match(verdict.cause ?? "", /\/srv\/a\.img has not answered/);
  assert.notEqual(verdict.remedy, null);
  assert.deepEqual(bench.tick(), ["health_regained"]);
});

test("health: a jump of the wall clock is reported and no sign of ill health", () => {
  const bench = new Bench();
  assert.deepEqual(bench.tick({ wallJumpMs: 251 }), ["clock_jumped"]);
  assert.deepEqual(bench.tick({ wallJumpMs: -3_600_000 }), ["clock_jumped"]);
  assert.deepEqual(bench.tick({ wallJumpMs: 249 }), []);
  assert.equal(bench.healthy, true);
});

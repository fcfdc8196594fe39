/** Levels, retries, delay and proof by status: doubt is failure. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FenceDevice } from "../../../kits/fence/fence_device.ts";
import {
  DEFAULT_FENCE_POLICY,
  fenceByLevels,
  type FenceOutcome,
  type FencePolicy,
} from "../../../kits/fence/fence_levels.ts";
import { type FenceFault, SimulatedFence } from "../../../kits/fence/simulated_fence.ts";
import type { Random } from "../../../runtime/random.ts";
import { SimulatedClock } from "../../../runtime/simulated/clock.ts";
import { settled } from "../virtual_time.ts";

const HALF: Random = {
  uint32: () => 2 ** 31,
  float: () => 0.5,
  bytes: (length) => new Uint8Array(length),
  hex: (length) => "0".repeat(length),
};

class Stage {
  readonly clock = new SimulatedClock();
  device(name: string, fault?: FenceFault, switchesAfterMs = 0): SimulatedFence {
    const device = new SimulatedFence({ name, clock: this.clock, switchesAfterMs });
    device.fault = fault;
    return device;
  }
  fence(
    levels: readonly (readonly FenceDevice[])[],
    policy: Partial<FencePolicy> = {},
    signal?: AbortSignal,
  ) {
    const running = fenceByLevels({
      action: "off",
      levels,
      policy: { ...DEFAULT_FENCE_POLICY, ...policy },
      clock: this.clock,
      random: HALF,
      ...(signal === undefined ? {} : { signal }),
    });
    return settled(this.clock, running);
  }
}

function summary(outcome: FenceOutcome): string {
  return outcome.kind === "confirmed" ? `confirmed at level ${outcome.level}` : outcome.kind;
}

const FAULTS: readonly [FenceFault | undefined, string][] = [
  [undefined, "confirmed at level 1"],
  ["deaf", "confirmed at level 1"],
  ["refuses", "unconfirmed"],
  ["hangs", "unconfirmed"],
  ["lies", "unconfirmed"],
  ["blind", "unconfirmed"],
];

for (const [fault, expected] of FAULTS) {
  test(`fence levels: a single device that ${fault ?? "works"} is ${expected}`, async () => {
    const stage = new Stage();
    assert.equal(summary(await stage.fence([[stage.device("a", fault)]])), expected);
  });
}

test("fence levels: the second level is tried when the first gave no proof, and not before", async () => {
  const stage = new Stage();
  const [first, second] = [stage.device("first", "blind"), stage.device("second")];
  const outcome = await stage.fence([[first], [second]], { attempts: 2 });
  assert.equal(summary(outcome), "confirmed at level 2");
  assert.equal(first.calls.filter((call) => call === "off").length, 2);
  const calm = stage.device("calm");
  await stage.fence([[stage.device("fine")], [calm]]);
  assert.deepEqual(calm.calls, []);
});

test("fence levels: all devices of a level must be off, in the same look", async () => {
  const stage = new Stage();
  const [left, right] = [stage.device("left"), stage.device("right", "lies")];
  const outcome = await stage.fence([[left, right]], { attempts: 1 });
  assert.equal(outcome.kind, "unconfirmed");
  assert.match(outcome.cause, /level 1: not off: right: on/);
  right.fault = undefined;
  assert.equal(summary(await stage.fence([[left, right]])), "confirmed at level 1");
});

test("fence levels: a server that loses its power slowly is waited for, within the bound", async () => {
  const stage = new Stage();
  assert.equal(
    summary(
      await stage.fence([[stage.device("slow", undefined, 9_000)]], { attempts: 1, verifyForMs: 10_000 }),
    ),
    "confirmed at level 1",
  );
  assert.equal(
    summary(
      await stage.fence([[stage.device("slower", undefined, 60_000)]], { attempts: 1, verifyForMs: 10_000 }),
    ),
    "unconfirmed",
  );
});

test("fence levels: the slower of two devices is waited for too", async () => {
  const stage = new Stage();
  const level = [stage.device("quick"), stage.device("slow", undefined, 9_000)];
  assert.equal(
    summary(await stage.fence([level], { attempts: 1, verifyForMs: 10_000 })),
    "confirmed at level 1",
  );
});

test("fence levels: the delay comes before the first order, its random share included", async () => {
  const stage = new Stage();
  const device = stage.device("a");
  const outcome = await stage.fence([[device]], { delayMs: 5_000, delayRandomMaxMs: 4_000 });
  assert.ok(outcome.kind === "confirmed");
  const first = outcome.steps[0];
  assert.ok(first !== undefined && first.atMs - Date.UTC(2026, 0, 1) >= 7_000);
});

test("fence levels: cancelled in the delay nothing is done; after the first order it is carried through", async () => {
  const stage = new Stage();
  const device = stage.device("a");
  const early = new AbortController();
  stage.clock.after(1_000, () => early.abort());
  assert.deepEqual(await stage.fence([[device]], { delayMs: 5_000 }, early.signal), { kind: "cancelled" });
  assert.deepEqual(device.calls, []);
  assert.ok(stage.clock.now() < 5_000);
  const late = new AbortController();
  const slow = stage.device("slow", undefined, 2_000);
  stage.clock.after(1_000, () => late.abort());
  assert.equal(summary(await stage.fence([[slow]], {}, late.signal)), "confirmed at level 1");
});

test("fence levels: no device is no proof", async () => {
  const stage = new Stage();
  assert.equal(summary(await stage.fence([])), "unconfirmed");
  assert.equal(summary(await stage.fence([[]])), "unconfirmed");
});

test("fence levels: the history has every order and what every device said last", async () => {
  const stage = new Stage();
  const outcome = await stage.fence([[stage.device("a", "lies")], [stage.device("b")]], { attempts: 1 });
  assert.ok(outcome.kind === "confirmed");
  assert.deepEqual(outcome.steps.map((step) => `${step.level} ${step.device} ${step.what}: ${step.result}`), [
    "1 a order: took the order",
    "1 a status: on",
    "2 b order: took the order",
    "2 b status: off",
  ]);
});

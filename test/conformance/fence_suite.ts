/** What a fence device promises, as one suite over simulated and real ones. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FenceDevice } from "../../kits/fence/fence_device.ts";

export interface FenceWorld {
  /** Feeds something that is on. */
  readonly device: FenceDevice;
  /** The same with a parameter that does not exist and another of the wrong kind, where that can be. */
  readonly misconfigured: FenceDevice;
  /** What it feeds has power now, found out by other means than the device. */
  hasPower(): boolean;
  /** From now on it answers nothing. */
  hang(): void;
  /** Lets the world's time go on until the answer is there. */
  ended<T>(answer: Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface FenceSuiteOptions {
  /** For calls that should succeed; default 20 s. */
  readonly timeoutMs?: number;
  readonly skip?: string | false;
}

export function fenceSuite(
  name: string,
  open: () => Promise<FenceWorld>,
  options: FenceSuiteOptions = {},
): void {
  const { timeoutMs = 20_000, skip = false } = options;
  const claim = (what: string, check: (world: FenceWorld) => Promise<void>) =>
    test(`${name}: ${what}`, { skip }, async () => {
      const world = await open();
      try {
        await check(world);
      } finally {
        await world.close();
      }
    });

  claim("off takes the power, on gives it back, and status follows both", async (world) => {
    const { device } = world;
    assert.deepEqual(await world.ended(device.status({ timeoutMs })), { kind: "on" });
    assert.deepEqual(await world.ended(device.order("off", { timeoutMs })), { ok: true });
    assert.deepEqual(await world.ended(device.status({ timeoutMs })), { kind: "off" });
    assert.equal(world.hasPower(), false);
    assert.deepEqual(await world.ended(device.order("on", { timeoutMs })), { ok: true });
    assert.deepEqual(await world.ended(device.status({ timeoutMs })), { kind: "on" });
    assert.equal(world.hasPower(), true);
  });

  claim("off may be said twice", async (world) => {
    for (let time = 1; time <= 2; time++) {
      assert.deepEqual(await world.ended(world.device.order("off", { timeoutMs })), { ok: true });
    }
    assert.deepEqual(await world.ended(world.device.status({ timeoutMs })), { kind: "off" });
  });

  claim("a device that hangs has failed within its time, and its status is unknown", async (world) => {
    world.hang();
    const ordered = await world.ended(world.device.order("off", { timeoutMs: 300 }));
    assert.equal(ordered.ok, false);
    const status = await world.ended(world.device.status({ timeoutMs: 300 }));
    assert.equal(status.kind, "unknown");
  });

  claim("a good configuration has no findings, a bad one names its parameter", async (world) => {
    assert.deepEqual(await world.ended(world.device.check({ timeoutMs })), []);
    const findings = await world.ended(world.misconfigured.check({ timeoutMs }));
    assert.ok(findings.length > 0);
    for (const finding of findings) assert.ok(finding.parameter !== "" && finding.remedy !== "");
  });
}

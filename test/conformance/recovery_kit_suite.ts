/** What a recovery kit promises, as one suite over the simulated kit and real programs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RecoveryKit } from "../../kits/recovery/recovery_kit.ts";

export interface KitWorld {
  /** Not running, configured well. */
  readonly kit: RecoveryKit;
  /** The same kind, configured so that `validate` must object. */
  readonly misconfigured: RecoveryKit;
  /** Ends the program behind the kit's back. */
  crash(): Promise<void> | void;
  /** The program runs, found out by other means than the kit. */
  runs(): Promise<boolean> | boolean;
  /** From now on actions do not end. Undefined where it cannot be had. */
  readonly hang?: () => void;
  /** Lets the world's time go on until the answer is there. */
  ended<T>(answer: Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface KitSuiteOptions {
  readonly skip?: string | false;
  /** The world has `hang`. */
  readonly hangs?: boolean;
}

export function recoveryKitSuite(
  name: string,
  open: () => Promise<KitWorld>,
  options: KitSuiteOptions = {},
): void {
  const claim = (what: string, check: (world: KitWorld) => Promise<void>) =>
    test(`${name}: ${what}`, { skip: options.skip ?? false }, async () => {
      const world = await open();
      try {
        await check(world);
      } finally {
        await world.close();
      }
    });
  const expect = async (world: KitWorld, action: "start" | "stop" | "monitor", state: string) => {
    const outcome = await world.ended(world.kit[action]());
    assert.equal(outcome.state, state, `${action}: ${JSON.stringify(outcome)}`);
  };

  claim("it is stopped before it is started, and each action leaves what it says", async (world) => {
    assert.deepEqual(await world.ended(world.kit.validate()), []);
    await expect(world, "monitor", "stopped");
    assert.equal(await world.runs(), false);
    await expect(world, "start", "running");
    assert.equal(await world.runs(), true);
    await expect(world, "monitor", "running");
    await expect(world, "stop", "stopped");
    assert.equal(await world.runs(), false);
    await expect(world, "monitor", "stopped");
  });

  claim("start and stop may be said twice", async (world) => {
    await expect(world, "stop", "stopped");
    await expect(world, "start", "running");
    await expect(world, "start", "running");
    await expect(world, "monitor", "running");
    await expect(world, "stop", "stopped");
    await expect(world, "stop", "stopped");
  });

  claim(
    "what died behind its back is not called running, and can be stopped and started again",
    async (world) => {
      await expect(world, "start", "running");
      await world.crash();
      const seen = await world.ended(world.kit.monitor());
      assert.ok(seen.state === "stopped" || seen.state === "failed", JSON.stringify(seen));
      await expect(world, "stop", "stopped");
      await expect(world, "start", "running");
      await expect(world, "stop", "stopped");
    },
  );

  claim("a bad configuration is found without starting anything", async (world) => {
    const findings = await world.ended(world.misconfigured.validate());
    assert.ok(findings.length > 0);
    for (const { parameter, message, remedy } of findings) assert.ok(parameter && message && remedy);
    assert.equal(await world.runs(), false);
  });

  if (options.hangs !== true) return;
  claim("an action that hangs has failed within its time and says so", async (world) => {
    world.hang?.();
    for (const action of ["start", "monitor", "stop"] as const) {
      const outcome = await world.ended(world.kit[action]({ timeoutMs: 300 }));
      assert.equal(outcome.state, "failed");
      assert.equal(outcome.code, null);
      assert.match(outcome.reason ?? "", /did not end within/);
    }
  });
}

/** A disk that does not answer is known by name and age, and judged at the moment of a renewal. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { healthActor } from "../../../actors/health/actor.ts";
import { Vitals } from "../../../actors/health/environment.ts";
import { healthLimitsFor } from "../../../actors/health/machine.ts";
import { stateProbe } from "../../../actors/health/state_probe.ts";
import { WatchedOpener } from "../../../actors/health/watched_opener.ts";
import { SimulatedWorld } from "../../../runtime/mod.ts";
import type { BlockDevice, DiskOutcome } from "../../../volume/block_device.ts";
import type { DeviceOpener } from "../../../volume/device_opener.ts";
import { MemoryShelf } from "../../../volume/memory_shelf.ts";
import { OpenFailure } from "../../../volume/open_failure.ts";

const LIMITS = healthLimitsFor(2_000);

/** A disk whose flushes answer when the test says so. */
class HangingShelf implements DeviceOpener {
  readonly #shelf = new MemoryShelf();
  answer: ((outcome: DiskOutcome) => void) | null = null;
  hangs = true;

  async open(...[path, options]: Parameters<DeviceOpener["open"]>): ReturnType<DeviceOpener["open"]> {
    const opened = await this.#shelf.open(path, options);
    if (opened instanceof OpenFailure) return opened;
    const { device } = opened;
    const flush = () =>
      this.hangs ? new Promise<DiskOutcome>((resolve) => this.answer = resolve) : device.flush();
    const hanging: BlockDevice = {
      name: path,
      size: device.size,
      read: (offset, into) => device.read(offset, into),
      write: (offset, bytes) => device.write(offset, bytes),
      writeZeroes: (offset, length, zeroes) => device.writeZeroes(offset, length, zeroes),
      flush,
      extents: (offset, length) => device.extents(offset, length),
      close: () => device.close(),
    };
    return { ...opened, device: hanging };
  }
}

test("watched opener: an operation under way is seen with its disk and its start, until it answers", async () => {
  let nowMs = 5;
  const shelf = new HangingShelf();
  const opener = new WatchedOpener(shelf, () => nowMs);
  const opened = await opener.open("/srv/a.img", { size: 4096, create: "sparse", exclusive: false });
  assert.ok(!(opened instanceof OpenFailure));
  assert.equal(await opened.device.write(0, new Uint8Array(512)), null);
  assert.deepEqual(opener.waitingDisks(), []);
  const flushed = opened.device.flush();
  nowMs = 9;
  assert.deepEqual(opener.waitingDisks(), [{ name: "/srv/a.img", sinceMs: 5 }]);
  shelf.answer?.(null);
  assert.equal(await flushed, null);
  assert.deepEqual(opener.waitingDisks(), []);
});

test("health: a state directory that hangs takes the node's health, and its answer gives it back", async () => {
  const world = new SimulatedWorld();
  const system = world.createSystem();
  const shelf = new HangingShelf();
  const vitals = new Vitals();
  const events: string[] = [];
  assert.equal(vitals.verdict(world.clock.now()).healthy, false);
  system.start({
    spec: healthActor({
      limits: LIMITS,
      waitingDisks: () => [],
      probe: stateProbe({ opener: shelf, file: "/state/probe" }),
      vitals,
      event: (kind) => events.push(kind),
    }),
    restart: "permanent",
  });
  await world.advanceAwaiting(LIMITS.diskStallMs);
  assert.equal(vitals.verdict(world.clock.now()).healthy, true);
  await world.advanceAwaiting(2_000);
  const verdict = vitals.verdict(world.clock.now());
  assert.match(verdict.cause ?? "", /\/state\/probe has not answered/);
  shelf.hangs = false;
  shelf.answer?.(null);
  await world.advanceAwaiting(500);
  assert.equal(vitals.verdict(world.clock.now()).healthy, true);
  assert.deepEqual(events, ["health_lost", "health_regained"]);
});

test("health: a probe that fails is an event, once, and the next one opens the file anew", async () => {
  const world = new SimulatedWorld();
  const system = world.createSystem();
  const shelf = new HangingShelf();
  const events: string[] = [];
  system.start({
    spec: healthActor({
      limits: LIMITS,
      waitingDisks: () => [],
      probe: stateProbe({ opener: shelf, file: "/state/probe" }),
      vitals: new Vitals(),
      event: (kind) => events.push(kind),
    }),
    restart: "permanent",
  });
  for (let probes = 0; probes < 3; probes++) {
    await world.advanceAwaiting(1_000);
    shelf.answer?.({ kind: "io_error", detail: "lost writeback" });
  }
  shelf.hangs = false;
  await world.advanceAwaiting(2_000);
  assert.deepEqual(events, ["probe_failed", "probe_succeeded"]);
});

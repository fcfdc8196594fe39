/** The simulated network keeps the promises of every transport, and has every fault in a repeatable way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ByteStream, StreamEnd } from "../../runtime/byte_stream.ts";
import { SimulatedWorld } from "../../runtime/simulated/world.ts";
import { SimulatedNetwork } from "../../transports/memory.ts";
import { isListenFailure, isStreamEnd } from "../../transports/transport.ts";
import { Collector, patterned, transportSuite } from "../conformance/transport_suite.ts";

for (const seed of [1, 2, 3]) {
  transportSuite(`memory, seed ${seed}`, () => {
    const world = new SimulatedWorld({ seed });
    // Cutting every read of 32 MiB at random would only take long: whole reads are tried with one seed.
    const network = new SimulatedNetwork({ ...world, splitReads: seed !== 1 });
    return Promise.resolve({
      transport: network.transport("alpha"),
      address: { scheme: "memory", name: "alpha" },
      deadAddress: { scheme: "memory", name: "alpha/nobody" },
      async until(condition: () => boolean, what: string): Promise<void> {
        await world.settleAwaiting();
        while (!condition()) {
          assert.ok(
            world.clock.fireNext(Number.POSITIVE_INFINITY),
            `nothing is left to happen, waiting for ${what}`,
          );
          await world.settleAwaiting();
        }
      },
      settle: () => world.advanceAwaiting(100),
      close: () => Promise.resolve(),
    });
  });
}

interface Scene {
  readonly world: SimulatedWorld;
  readonly network: SimulatedNetwork;
  readonly near: ByteStream;
  readonly far: ByteStream;
  readonly toNear: Collector;
  readonly toFar: Collector;
}

/** alpha has connected to beta, and both read. */
async function scene(seed = 1): Promise<Scene> {
  const world = new SimulatedWorld({ seed });
  const network = new SimulatedNetwork({ ...world });
  let far: ByteStream | undefined;
  await network.transport("beta").listen({ scheme: "memory", name: "beta" }, (stream) => far = stream);
  const outcome = await connectFrom(world, network, "alpha");
  assert.ok(!isStreamEnd(outcome) && far !== undefined);
  const toNear = new Collector();
  const toFar = new Collector();
  outcome.start(toNear);
  far.start(toFar);
  await world.settleAwaiting();
  return { world, network, near: outcome, far, toNear, toFar };
}

async function connectFrom(
  world: SimulatedWorld,
  network: SimulatedNetwork,
  host: string,
): Promise<ByteStream | StreamEnd> {
  let outcome: ByteStream | StreamEnd | undefined;
  network.transport(host).connect({ scheme: "memory", name: "beta" }, { timeoutMs: 1_000 })
    .then((value) => outcome = value);
  await world.advanceAwaiting(1_001);
  assert.ok(outcome !== undefined, "an attempt has an outcome by its time-out");
  return outcome;
}

test("memory: the same seed gives the same reads at the same times, another seed others", async () => {
  async function history(seed: number): Promise<string> {
    const { world, near, toFar } = await scene(seed);
    const reads: string[] = [];
    toFar.onBytes = (bytes) => reads.push(`${world.clock.now().toFixed(6)}:${bytes.byteLength}`);
    for (let index = 1; index <= 20; index += 1) near.send(patterned(index * 100));
    await world.advanceAwaiting(10);
    assert.equal(toFar.byteLength, 21_000);
    return reads.join(" ");
  }
  assert.equal(await history(7), await history(7));
  assert.notEqual(await history(7), await history(8));
});

test("memory: a one-way partition stops one way only, and healing it delivers everything in order", async () => {
  const { world, network, near, far, toNear, toFar } = await scene();
  network.close("alpha", "beta");
  near.send(patterned(5_000));
  far.send(patterned(3_000));
  await world.advanceAwaiting(500);
  assert.equal(toFar.byteLength, 0);
  assert.equal(toNear.byteLength, 3_000);
  network.open("alpha", "beta");
  await world.advanceAwaiting(5);
  assert.deepEqual(Buffer.concat(toFar.chunks), Buffer.from(patterned(5_000)));
});

test("memory: connecting through a partition times out; after healing it works", async () => {
  const { world, network } = await scene();
  network.isolate("gamma", ["beta"]);
  const outcome = await connectFrom(world, network, "gamma");
  assert.ok(isStreamEnd(outcome));
  assert.equal(outcome.kind, "timed_out");
  network.heal();
  assert.ok(!isStreamEnd(await connectFrom(world, network, "gamma")));
});

test("memory: an attempt that was given up leaves no half-open stream behind", async () => {
  const world = new SimulatedWorld();
  const network = new SimulatedNetwork({ ...world });
  const accepted = new Collector();
  await network.transport("beta").listen(
    { scheme: "memory", name: "beta" },
    (stream) => stream.start(accepted),
  );
  network.close("beta", "alpha");
  const outcome = await connectFrom(world, network, "alpha");
  assert.ok(isStreamEnd(outcome) && outcome.kind === "timed_out");
  network.heal();
  await world.advanceAwaiting(10);
  assert.deepEqual(accepted.ends.map((end) => end.kind), ["ended_by_peer"]);
});

test("memory: a reset comes after exactly the byte it was set for, to both ends", async () => {
  for (const byteLength of [1, 56, 999, 1_000]) {
    const { world, network, near, toNear, toFar } = await scene(byteLength);
    network.resetAfter({ from: "alpha", to: "beta" }, byteLength);
    near.send(patterned(1_000));
    await world.advanceAwaiting(10);
    assert.equal(toFar.byteLength, byteLength);
    assert.deepEqual([toFar.ends[0]?.kind, toNear.ends[0]?.kind], ["reset", "reset"]);
    assert.equal(toFar.ends.length + toNear.ends.length, 2);
  }
});

test("memory: a stopped host receives nothing until it goes on", async () => {
  const { world, network, near, toFar } = await scene();
  network.stop("beta");
  near.send(patterned(100));
  await world.advanceAwaiting(1_000);
  assert.equal(toFar.byteLength, 0);
  network.go("beta");
  await world.advanceAwaiting(1);
  assert.equal(toFar.byteLength, 100);
});

test("memory: a killed process is heard of by its peers and hears nothing itself", async () => {
  const { world, network, near, toNear, toFar } = await scene();
  near.send(patterned(100));
  network.crash("beta", "killed");
  await world.advanceAwaiting(10);
  assert.deepEqual(toNear.ends.map((end) => end.kind), ["reset"]);
  assert.equal(toFar.byteLength + toFar.ends.length, 0);
  const again = await connectFrom(world, network, "alpha");
  assert.ok(isStreamEnd(again) && again.kind === "refused");
  const listener = await network.transport("beta").listen({ scheme: "memory", name: "beta" }, () => {});
  assert.ok(!isListenFailure(listener), "the restarted process listens at its old address");
});

test("memory: a host without power says nothing, and its peers' bytes go nowhere", async () => {
  const { world, network, near, toNear, toFar } = await scene();
  network.crash("beta", "power_lost");
  for (let index = 0; index < 20; index += 1) near.send(patterned(1 << 20));
  await world.advanceAwaiting(10_000);
  assert.equal(toNear.ends.length + toFar.byteLength + toFar.ends.length, 0);
  assert.ok(near.queuedBytes > 0, "what was sent is not accepted for ever");
  near.end();
  await world.advanceAwaiting(3_000);
  assert.deepEqual(toNear.ends.map((end) => end.kind), ["timed_out"]);
});

test("memory: nobody listens at an address of another host", async () => {
  const world = new SimulatedWorld();
  const network = new SimulatedNetwork({ ...world });
  const failure = await network.transport("alpha").listen({ scheme: "memory", name: "beta" }, () => {});
  assert.ok(isListenFailure(failure));
  assert.equal(failure.kind, "not_usable");
});

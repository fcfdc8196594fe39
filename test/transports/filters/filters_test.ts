/** Filters keep every promise of the transport they wrap, alone and stacked; and each does what it says, in virtual time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ByteStream } from "../../../runtime/byte_stream.ts";
import { SimulatedWorld } from "../../../runtime/simulated/world.ts";
import { faulty } from "../../../transports/filters/faulty.ts";
import { metered, WireMeter } from "../../../transports/filters/meter.ts";
import { DelayPace, RatePace } from "../../../transports/filters/pace.ts";
import { throttled } from "../../../transports/filters/throttle.ts";
import { SimulatedNetwork } from "../../../transports/memory.ts";
import { isStreamEnd, type Transport } from "../../../transports/transport.ts";
import { Collector, patterned, transportSuite } from "../../conformance/transport_suite.ts";

type Wrap = (transport: Transport, world: SimulatedWorld) => Transport;

const FAST = 10 ** 9;
const WRAPS: Readonly<Record<string, Wrap>> = {
  "a meter": (transport) =>
    metered(new Map([["memory", transport]]), new WireMeter()).get("memory") as Transport,
  "a throttle": (transport, { clock }) => throttled(transport, { clock, bytesPerSecond: FAST }),
  "a delay with jitter": (transport, { clock, random }) =>
    faulty(transport, { clock, delayMs: 3, jitterMs: 5, random: () => random.float() }).transport,
  "a throttle over a delay": (transport, { clock }) =>
    throttled(faulty(transport, { clock, delayMs: 3 }).transport, { clock, bytesPerSecond: FAST }),
};

for (const [name, wrap] of Object.entries(WRAPS)) {
  transportSuite(`memory through ${name}`, () => {
    const world = new SimulatedWorld({ seed: 1 });
    const network = new SimulatedNetwork({ ...world, splitReads: false });
    return Promise.resolve({
      transport: wrap(network.transport("alpha"), world),
      address: { scheme: "memory", name: "alpha" },
      deadAddress: { scheme: "memory", name: "alpha/nobody" },
      async until(condition: () => boolean, what: string): Promise<void> {
        await world.settleAwaiting();
        while (!condition()) {
          assert.ok(
            world.clock.fireNext(Number.POSITIVE_INFINITY),
            `nothing is left to happen before ${what}`,
          );
          await world.settleAwaiting();
        }
      },
      settle: () => world.advanceAwaiting(200),
      close: () => Promise.resolve(),
    });
  });
}

test("pace: pieces leave in order, no earlier than given, and no faster than the rate beyond the burst", () => {
  const pieces = fc.array(fc.record({ length: fc.integer({ min: 1, max: 100_000 }), restMs: fc.nat(50) }), {
    minLength: 1,
    maxLength: 100,
  });
  fc.assert(fc.property(pieces, (given) => {
    const [bytesPerSecond, burstBytes] = [1_000_000, 50_000];
    const pace = new RatePace({ bytesPerSecond, burstBytes });
    let nowMs = 0;
    let sent = 0;
    let last = 0;
    for (const { length, restMs } of given) {
      nowMs += restMs;
      const at = pace.leaveAtMs(length, nowMs);
      assert.ok(at >= nowMs && at >= last);
      last = at;
      sent += length;
      assert.ok(sent <= at * bytesPerSecond / 1_000 + burstBytes + 1e-3, `${sent} bytes at ${at} ms`);
    }
  }));
});

test("pace: a delay keeps the order whatever its jitter", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { maxLength: 50 }), (dice) => {
      const left = [...dice];
      const pace = new DelayPace({ delayMs: 10, jitterMs: 100, random: () => left.shift() ?? 0 });
      let last = 0;
      for (let nowMs = 0; nowMs < dice.length; nowMs += 1) {
        const at = pace.leaveAtMs(1, nowMs);
        assert.ok(at >= nowMs + 10 && at >= last);
        last = at;
      }
    }),
  );
});

interface Scene {
  readonly near: ByteStream;
  readonly far: ByteStream;
  readonly toNear: Collector;
  readonly toFar: Collector;
}

async function connected(world: SimulatedWorld, near: Transport, far: Transport): Promise<Scene> {
  let accepted: ByteStream | undefined;
  await far.listen({ scheme: "memory", name: "beta" }, (stream) => accepted = stream);
  let outcome: Awaited<ReturnType<Transport["connect"]>> | undefined;
  near.connect({ scheme: "memory", name: "beta" }, { timeoutMs: 5_000 }).then((value) => outcome = value);
  await world.advanceAwaiting(100);
  assert.ok(outcome !== undefined && !isStreamEnd(outcome) && accepted !== undefined);
  const [toNear, toFar] = [new Collector(), new Collector()];
  outcome.start(toNear);
  accepted.start(toFar);
  await world.settleAwaiting();
  return { near: outcome, far: accepted, toNear, toFar };
}

test("throttle: two streams share the rate, and a second's worth takes a second", async () => {
  const world = new SimulatedWorld({ seed: 1 });
  const network = new SimulatedNetwork({ ...world });
  const options = { clock: world.clock, bytesPerSecond: 1_000_000, burstBytes: 100_000 };
  const { near, toFar } = await connected(
    world,
    throttled(network.transport("alpha"), options),
    network.transport("beta"),
  );
  near.send(patterned(1_000_000));
  await world.advanceAwaiting(500);
  assert.ok(
    toFar.byteLength > 450_000 && toFar.byteLength <= 620_000,
    `${toFar.byteLength} bytes after 500 ms`,
  );
  await world.advanceAwaiting(500);
  assert.equal(toFar.byteLength, 1_000_000);
});

test("faulty: what is sent arrives after the delay, and a cut ends both sides until it is mended", async () => {
  const world = new SimulatedWorld({ seed: 1 });
  const network = new SimulatedNetwork({ ...world });
  const wire = faulty(network.transport("alpha"), { clock: world.clock, delayMs: 50 });
  const { near, toFar, toNear } = await connected(world, wire.transport, network.transport("beta"));
  near.send(patterned(10));
  await world.advanceAwaiting(49);
  assert.equal(toFar.byteLength, 0);
  await world.advanceAwaiting(20);
  assert.equal(toFar.byteLength, 10);
  near.send(patterned(10));
  wire.cut();
  await world.advanceAwaiting(100);
  assert.equal(toFar.byteLength, 10, "what was under way is lost");
  assert.equal(toFar.ends.length, 1);
  assert.match(toNear.ends[0]?.detail ?? "", /the wire was cut/);
  const beta = { scheme: "memory", name: "beta" } as const;
  const refused = await wire.transport.connect(beta, { timeoutMs: 100 });
  assert.ok(isStreamEnd(refused));
  assert.equal(refused.kind, "unreachable");
  wire.mend();
  let again: unknown;
  wire.transport.connect(beta, { timeoutMs: 5_000 }).then((value) => again = value);
  await world.advanceAwaiting(100);
  assert.ok(again !== undefined && !isStreamEnd(again as ByteStream));
});

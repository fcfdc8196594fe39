/**
 * The eight rules of design §4.3 at once: whatever happens in whatever order, every region that may differ from a peer
 * is marked, and after a crash at any point it is marked durably.
 */
import process from "node:process";
import { test } from "node:test";
import fc from "fast-check";
import { MirrorModel, REGIONS } from "./support/mirror_model.ts";

const peer = fc.constantFrom("beta" as const, "gamma" as const);
/** Mostly the same few regions, so that writes, copies and evictions meet. */
const region = fc.oneof({ weight: 3, arbitrary: fc.nat(40) }, { weight: 1, arbitrary: fc.nat(REGIONS - 1) });
const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant("write" as const),
      first: region,
      count: fc.integer({ min: 1, max: 9 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("writes" as const),
      first: region,
      stride: fc.integer({ min: 4, max: 30 }),
      times: fc.integer({ min: 8, max: 60 }),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("unpin" as const) }) },
  {
    weight: 16,
    arbitrary: fc.record({ kind: fc.constant("tick" as const), answers: fc.integer({ min: 1, max: 30 }) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("flush_local" as const) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("connect" as const), peer }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("disconnect" as const), peer }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("apply" as const),
      peer,
      frames: fc.integer({ min: 1, max: 40 }),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("flush_peer" as const), peer }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("crash_peer" as const), peer }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("resync" as const),
      peer,
      times: fc.integer({ min: 1, max: 10 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("prove_equal" as const), peer }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("persist" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("crash" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function perform(model: MirrorModel, taken: Step): Promise<void> {
  switch (taken.kind) {
    case "write":
      return model.write(taken.first, taken.count);
    case "writes":
      for (let i = 0; i < taken.times; i += 1) model.write((taken.first + i * taken.stride) % REGIONS, 1);
      return;
    case "unpin":
      return model.endSomePins();
    case "tick":
      return model.tick(taken.answers);
    case "flush_local":
      return model.flushLocal();
    case "connect":
      return model.connect(taken.peer);
    case "disconnect":
      return model.disconnect(taken.peer);
    case "apply":
      return model.apply(taken.peer, taken.frames);
    case "flush_peer":
      return model.flushPeer(taken.peer);
    case "crash_peer":
      return model.crashPeer(taken.peer);
    case "resync":
      for (let i = 0; i < taken.times; i += 1) model.resync(taken.peer);
      return;
    case "prove_equal":
      return model.proveEqual(taken.peer);
    case "persist":
      return model.persist();
    case "crash":
      return model.crash();
    case "restart":
      return model.restartCleanly();
  }
}

test("intent log: I3, I4: for any crash point, every region that may differ is marked; I10: all bits clear at last", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 20, maxLength: 120, size: "max" }),
      fc.nat(),
      async (steps, seed) => {
        const model = new MirrorModel(seed);
        await model.open(true);
        model.connect("beta");
        model.connect("gamma");
        for (const taken of steps) {
          await perform(model, taken);
          await model.tick(0);
          model.check(`I4 after ${taken.kind}`);
        }
        await model.crash();
        await model.calmDown();
      },
    ),
    {
      numRuns: Number(process.env["HOLDFAST_PROPERTY_RUNS"] ?? 40),
      interruptAfterTimeLimit: 60_000,
      markInterruptAsFailure: false,
    },
  );
});

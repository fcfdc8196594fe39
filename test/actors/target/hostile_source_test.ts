/** Whatever a source says, in whatever phase: its session ends with a cause, the target lives and serves the next one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SimulatedRandom } from "../../../runtime/mod.ts";
import type { Cluster } from "../mirror/support/cluster.ts";
import { entryOf, RawSource, sourceView, targetAlone } from "./support/raw_source.ts";

const VIEW = sourceView([entryOf(1)], 0);

/** It lives: a decent source gets through. */
async function stillServes(cluster: Cluster): Promise<void> {
  assert.deepEqual(cluster.node("beta").crashes, []);
  const decent = await RawSource.connect(cluster);
  await decent.open(VIEW, { founding: true });
  assert.equal(decent.last("leg_state")?.kind, "leg_state");
}

type Act = (source: RawSource) => Promise<void>;
const PHASES: Readonly<Record<string, Act>> = {
  opening: () => Promise.resolve(),
  judged: (source) => source.open(VIEW, { founding: true }),
  listening: async (source) => {
    await source.open(VIEW, { founding: true });
    await source.say({ kind: "leg_plan", rule: "founding_replica" });
  },
  window: async (source) => {
    await source.open(VIEW, { founding: true });
    await source.say({ kind: "leg_plan", rule: "founding_replica" });
    await source.say({ kind: "resync_begin", resync: "partial", totalBytes: 4096 });
  },
  replicating: (source) => source.replicate(VIEW),
};

/** What is wrong in every phase. */
const ALWAYS_WRONG: Readonly<Record<string, [Act, RegExp]>> = {
  "an ack": [(source) => source.frame({ kind: "ack", seq: 1, offset: 1 }), /ack|before the plan/],
  "no message of the leg": [(source) => source.sayRaw({ kind: "format_disk" }), /sent a message in which/],
  "a message that is a number": [(source) => source.sayRaw(42), /sent a message in which/],
  "a write outside the volume": [
    (source) => source.write({ seq: 1, offset: 1024 * 1024 - 100, byte: 1 }),
    /outside volume|before/,
  ],
  "a write at a number beyond all volumes": [
    (source) => source.write({ seq: 1, offset: 2 ** 52, byte: 1 }),
    /outside volume|before/,
  ],
  "a volume that is not there": [
    (source) => source.frame({ kind: "trim", seq: 1, volume: 7, span: 512 }),
    /no volume 7|before/,
  ],
  "a frame that covers more than can be hot": [
    (source) => source.frame({ kind: "trim", seq: 1, span: 1000 * 1024 }),
    /at most .* go at once|before/,
  ],
};

for (const [phase, enter] of Object.entries(PHASES)) {
  for (const [what, [act, expected]] of Object.entries(ALWAYS_WRONG)) {
    test(`hostile source: ${what} while ${phase} ends the session, never the target`, async () => {
      const cluster = await targetAlone();
      const source = await RawSource.connect(cluster);
      await enter(source);
      await act(source);
      const end = cluster.node("beta").eventsOf("target_session_ended").at(-1);
      assert.match(String(end?.cause), expected);
      assert.notEqual(source.ended, null);
      await stillServes(cluster);
    });
  }
}

/** What is wrong in one phase. */
const WRONG_HERE: [string, keyof typeof PHASES, Act, RegExp][] = [
  ["the leg opened twice", "judged", (s) => s.open(VIEW), /opened the leg twice/],
  ["another verdict (I14)", "judged", (s) => s.say({ kind: "leg_plan", rule: "target_behind" }), /I14/],
  [
    "a plan before the states",
    "opening",
    (s) => s.say({ kind: "leg_plan", rule: "target_behind" }),
    /before the states/,
  ],
  [
    "a window before the plan",
    "judged",
    (s) => s.say({ kind: "resync_begin", resync: "full", totalBytes: 1 }),
    /out of turn/,
  ],
  [
    "a second window",
    "window",
    (s) => s.say({ kind: "resync_begin", resync: "full", totalBytes: 1 }),
    /out of turn/,
  ],
  ["an end without a window", "judged", (s) => s.say({ kind: "resync_end", seq: 0 }), /out of turn/],
  ["a second end", "replicating", (s) => s.say({ kind: "resync_end", seq: 0 }), /out of turn/],
  [
    "marks outside a window",
    "replicating",
    (s) => s.say({ kind: "marks", volume: 0, peer: "gamma", runs: new Uint8Array() }),
    /outside a window/,
  ],
  [
    "a write before the window",
    "listening",
    (s) => s.write({ seq: 1, offset: 0, byte: 1 }),
    /before the window/,
  ],
  [
    "a copy outside a window",
    "replicating",
    (s) => s.frame({ kind: "copy_zeroes", span: 4096, seq: 0 }),
    /outside a resync window/,
  ],
  ["a seq that jumps (I5)", "replicating", (s) => s.write({ seq: 2, offset: 0, byte: 1 }), /I5/],
  ["a seq that comes again (I5)", "replicating", (s) => s.write({ seq: 0, offset: 0, byte: 1 }), /I5/],
];

for (const [what, phase, act, expected] of WRONG_HERE) {
  test(`hostile source: ${what} while ${phase} ends the session`, async () => {
    const cluster = await targetAlone();
    const source = await RawSource.connect(cluster);
    await PHASES[phase]?.(source);
    await act(source);
    assert.match(String(cluster.node("beta").eventsOf("target_session_ended").at(-1)?.cause), expected);
    await stillServes(cluster);
  });
}

test("hostile source: a window may not end before its last write, nor go back (I5)", async () => {
  for (const [seq, expected] of [[3, /closed before its last write/], [5, null]] as const) {
    const cluster = await targetAlone();
    const source = await RawSource.connect(cluster);
    await PHASES.window?.(source);
    await source.write({ seq: 5, offset: 0, byte: 1 });
    await source.say({ kind: "resync_end", seq });
    const end = cluster.node("beta").eventsOf("target_session_ended").at(-1)?.cause;
    if (expected === null) assert.equal(source.last("up_to_date")?.seq, 5);
    else assert.match(String(end), expected);
  }
  const cluster = await targetAlone();
  const source = await RawSource.connect(cluster);
  await PHASES.window?.(source);
  await source.write({ seq: 5, offset: 0, byte: 1 });
  await source.write({ seq: 5, offset: 0, byte: 2 });
  assert.match(String(cluster.node("beta").eventsOf("target_session_ended").at(-1)?.cause), /I5/);
});

test("hostile source: I8: a flood of marks is bounded, with and without bytes in them", async () => {
  for (const runs of [new Uint8Array(), new Uint8Array(200_000)]) {
    const cluster = await targetAlone();
    const source = await RawSource.connect(cluster);
    await PHASES.window?.(source);
    for (let count = 0; count < 20_000 && source.ended === null; count += 1) {
      source.channel.sendMessage({ kind: "marks", volume: 0, peer: "gamma", runs });
      if (count % 200 === 0) await cluster.pass(2);
    }
    assert.match(String(source.ended), /ended|reset|closed/);
    const cause = String(cluster.node("beta").eventsOf("target_session_ended").at(-1)?.cause);
    assert.match(cause, /more marks than the volumes have regions/);
    await stillServes(cluster);
  }
});

test("hostile source: marks that are no runs end the session", async () => {
  const cluster = await targetAlone({ replicas: { alpha: "sync", beta: "sync", gamma: "sync" } });
  const source = await RawSource.connect(cluster);
  await PHASES.window?.(source);
  await source.say({ kind: "marks", volume: 0, peer: "gamma", runs: new Uint8Array([0xff, 0xff, 0xff]) });
  await source.say({ kind: "resync_end", seq: 0 });
  assert.match(
    String(cluster.node("beta").eventsOf("target_session_ended").at(-1)?.cause),
    /sent marks of which/,
  );
  await stillServes(cluster);
});

test("hostile source: random words and frames, in any order, never end the target", async () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const dice = new SimulatedRandom(seed);
    const pick = (count: number) => dice.uint32() % count;
    const cluster = await targetAlone({ seed });
    const source = await RawSource.connect(cluster);
    const phases = Object.values(PHASES);
    await phases[pick(phases.length)]?.(source);
    for (let step = 0; step < 25 && source.ended === null; step += 1) {
      const seq = pick(3) === 0 ? pick(1 << 30) : step;
      const offset = pick(3) === 0 ? pick(1 << 30) : pick(2048) * 512;
      switch (pick(9)) {
        case 0:
          source.channel.sendFrame({ kind: "barrier", seq });
          break;
        case 1:
          source.channel.sendFrame({ kind: "trim", seq, offset, span: 1 + pick(1 << 22) });
          break;
        case 2:
          source.channel.sendFrame({ kind: "copy_zeroes", seq, offset, span: 1 + pick(1 << 20) });
          break;
        case 3:
          source.channel.sendFrame({ kind: "write", seq, offset, span: 700 }, new Uint8Array(700));
          break;
        case 4:
          source.channel.sendMessage({ kind: "resync_end", seq });
          break;
        case 5:
          source.channel.sendMessage({ kind: "resync_begin", resync: "partial", totalBytes: seq });
          break;
        case 6:
          source.channel.sendMessage({
            kind: "report",
            stable: [["alpha", seq], ["nobody", seq], ["beta", seq]],
          });
          break;
        case 7:
          source.channel.sendMessage({
            kind: "marks",
            volume: pick(2),
            peer: "alpha",
            runs: dice.bytes(pick(20)),
          });
          break;
        default:
          source.channel.sendMessage({ kind: "leg_plan", rule: "target_behind" });
      }
      if (pick(3) === 0) await cluster.pass(pick(20));
    }
    await cluster.pass(20);
    source.channel.destroy("done");
    await cluster.pass(20);
    assert.deepEqual(cluster.node("beta").crashes, [], `seed ${seed}`);
    const status = await cluster.node("beta").targetStatus();
    assert.equal(status.state, "waiting", `seed ${seed}`);
  }
});

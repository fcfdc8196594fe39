/** Whatever a target says, in whatever phase: its session ends with a cause, the mirror serves on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameChannel } from "../../../protocol/frame_channel.ts";
import { type FrameFields, SESSION_LIMITS } from "../../../protocol/frame_header.ts";
import type { ReplicaView } from "../../../protocol/rejoin_table.ts";
import { SimulatedRandom, SlabPool } from "../../../runtime/mod.ts";
import { Cluster } from "./support/cluster.ts";

const EMPTY: ReplicaView = {
  groupId: null,
  history: [],
  position: { generation: 0, seq: 0 },
  positionExact: true,
  disk: "empty",
  zero: true,
};

/** alpha is source with a real mirror, beta is the test: it answers each connection as far as `phase` says. */
class RawTarget {
  readonly cluster: Cluster;
  channel: FrameChannel | null = null;
  sessions = 0;
  readonly words: string[] = [];
  /** Answers decently up to here. */
  phase: "opening" | "marks" | "window" | "closing" | "replicating" = "opening";

  private constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  static async at(phase: RawTarget["phase"], seed = 1): Promise<RawTarget> {
    const cluster = new Cluster({ seed, replicas: { alpha: "sync", beta: "commit" }, memberGraceMs: 50 });
    const target = new RawTarget(cluster);
    target.phase = phase;
    await cluster.node("alpha").start();
    const pool = new SlabPool({ slabBytes: 256 * 1024, idleMax: 2 });
    await cluster.network.transport("beta").listen({ scheme: "memory", name: "beta" }, (stream) => {
      target.sessions += 1;
      const channel: FrameChannel = new FrameChannel(stream, {
        pool,
        limits: SESSION_LIMITS,
        sink: {
          frame: () => {},
          message: (value) => target.#answer(value as Record<string, unknown>, channel),
          drained: () => {},
          ended: () => {
            if (target.channel === channel) target.channel = null;
          },
        },
      });
      target.channel = channel;
      channel.resume();
    });
    await cluster.pass(20);
    await cluster.promote("alpha");
    for (let sector = 0; sector < 200; sector += 10) cluster.client.write({ sector });
    await cluster.pass(20);
    cluster.node("alpha").toMirror({ kind: "peer_up", node: "beta" });
    await cluster.pass(phase === "opening" ? 3 : 50);
    return target;
  }

  #answer(message: Record<string, unknown>, channel: FrameChannel): void {
    this.words.push(String(message.kind));
    if (this.phase === "opening") return;
    if (message.kind === "leg_open") channel.sendMessage({ kind: "leg_state", view: EMPTY });
    if (this.phase === "marks") return;
    if (message.kind === "leg_plan") channel.sendMessage({ kind: "marks_end" });
    if (message.kind === "resync_end" && this.phase !== "closing") {
      channel.sendMessage({ kind: "up_to_date", seq: message.seq });
    }
    // In `window` the copies are never acked, so that it stays open.
  }

  async say(value: unknown): Promise<void> {
    this.channel?.sendMessage(value);
    await this.cluster.pass(5);
  }
  async frame(fields: FrameFields, payload?: Uint8Array): Promise<void> {
    this.channel?.sendFrame(fields, payload);
    await this.cluster.pass(5);
  }

  async serves(): Promise<void> {
    assert.deepEqual(this.cluster.node("alpha").crashes, []);
    const write = this.cluster.client.write({ sector: 3 });
    const flush = this.cluster.client.flush();
    await this.cluster.until("the client goes on", () => write.answered && flush.answered, 45_000);
    assert.equal((await this.cluster.status())?.gate, "open");
  }
}

type Act = (target: RawTarget) => Promise<void>;
const HUGE = 2 ** 50;
const WRONG: Readonly<Record<string, Act>> = {
  "no word of a leg": (target) => target.say({ kind: "promote_me" }),
  "a write": (target) => target.frame({ kind: "write", seq: 1, span: 512 }, new Uint8Array(512)),
  "a barrier": (target) => target.frame({ kind: "barrier", seq: 1 }),
  "an ack of what was never sent": (target) => target.frame({ kind: "ack", seq: HUGE, offset: 0 }),
  "stable beyond applied": (target) => target.frame({ kind: "ack", seq: 1, offset: 2 }),
  "up to date at the wrong place": (target) => target.say({ kind: "up_to_date", seq: HUGE }),
  "marks of a volume that is not there": (target) =>
    target.say({ kind: "marks", volume: 9, runs: new Uint8Array([0]) }),
};

for (const phase of ["opening", "marks", "window", "closing", "replicating"] as const) {
  for (const [what, act] of Object.entries(WRONG)) {
    test(`hostile target: ${what} while ${phase} ends the session, never the mirror`, async () => {
      const target = await RawTarget.at(phase);
      const before = target.sessions;
      assert.ok(before > 0);
      await act(target);
      await target.cluster.pass(1_200);
      assert.ok(target.sessions > before, "the session ended, and another was tried");
      await target.serves();
    });
  }
}

test("hostile target: its state told twice, marks out of turn, broken marks, an end of marks twice", async () => {
  const table: [RawTarget["phase"], unknown, RegExp][] = [
    ["marks", { kind: "leg_state", view: EMPTY }, /told its state twice/],
    ["opening", { kind: "marks", volume: 0, runs: new Uint8Array([0]) }, /marks out of turn/],
    ["marks", { kind: "marks", volume: 0, runs: new Uint8Array([255, 255]) }, /sent marks of which/],
    ["replicating", { kind: "marks_end" }, /ended its marks twice/],
    ["window", { kind: "up_to_date", seq: 0 }, /not where its window ended/],
  ];
  for (const [phase, word, expected] of table) {
    const target = await RawTarget.at(phase);
    await target.say(word);
    const causes = target.cluster.node("alpha").eventsOf("leg_changed").map((event) => String(event.cause));
    assert.ok(causes.some((cause) => expected.test(cause)), `${phase}: ${causes.join(" · ")}`);
    await target.serves();
  }
});

test("hostile target: one that says nothing at all is given up in every phase, and the client goes on (I14)", async () => {
  for (const phase of ["opening", "marks", "window", "closing", "replicating"] as const) {
    const target = await RawTarget.at(phase);
    const before = target.sessions;
    const write = target.cluster.client.write({ sector: 9, fua: true });
    await target.cluster.pass(45_000);
    assert.equal(write.answered, true, phase);
    assert.ok(target.sessions > before, phase);
    await target.serves();
  }
});

test("hostile target: random words, frames and acks, in any order, never end the mirror", async () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const dice = new SimulatedRandom(seed);
    const pick = (count: number) => dice.uint32() % count;
    const phases = ["opening", "marks", "window", "closing", "replicating"] as const;
    const target = await RawTarget.at(phases[pick(5)] ?? "opening", seed);
    for (let step = 0; step < 30; step += 1) {
      const channel = target.channel;
      switch (pick(7)) {
        case 0:
          channel?.sendAck({ appliedThrough: pick(60), stableThrough: pick(60) });
          break;
        case 1:
          channel?.sendMessage({ kind: "up_to_date", seq: pick(30) });
          break;
        case 2:
          channel?.sendMessage({ kind: "marks", volume: 0, runs: dice.bytes(pick(12)) });
          break;
        case 3:
          channel?.sendMessage({ kind: "marks_end" });
          break;
        case 4:
          channel?.sendMessage({ kind: "leg_state", view: { ...EMPTY, zero: pick(2) === 0 } });
          break;
        case 5:
          channel?.sendMessage({ kind: "leg_refused", reason: "not_ready", detail: "later" });
          break;
        default:
          channel?.sendFrame({ kind: "trim", seq: 1, span: 1 + pick(9_999) });
      }
      if (pick(4) === 0) target.cluster.client.write({ sector: pick(500), sectors: 2 });
      await target.cluster.pass(pick(300));
    }
    assert.deepEqual(target.cluster.node("alpha").crashes, [], `seed ${seed}`);
    target.phase = "opening";
    await target.serves();
  }
});

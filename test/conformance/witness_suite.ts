/** What a witness promises, as one suite over the simulated store and real ones. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import type { WitnessRegister, WitnessVote } from "../../kits/witness/witness_register.ts";

export interface WitnessWorld {
  /** One more client of the same store, for the same group. */
  open(): WitnessRegister;
  /** All that the store keeps is gone. */
  wipe(): Promise<void>;
  /** It takes questions and answers nothing; `resume` lets it go on. Undefined where it cannot be had. */
  readonly hang?: () => void;
  readonly resume?: () => void;
  /** The next write is done and its answer lost. Undefined where it cannot be had. */
  readonly loseAnswer?: () => void;
  /** Restarts the store: one that had every answered write on disk, or one that had not. */
  readonly restart?: (how: "kept" | "not_kept") => Promise<void>;
  /** Lets the world's time go on until the answer is there. */
  ended<T>(answer: Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface WitnessSuiteOptions {
  readonly skip?: string | false;
  /** What the world can do; claims that need more are not made. */
  readonly can: readonly ("hang" | "lose_answer" | "restart_kept" | "restart_not_kept")[];
}

const TIMEOUT = { timeoutMs: 10_000 } as const;
const hex = () => randomBytes(16).toString("hex");
const generation = { number: 3, id: "3".repeat(32) };

export function sampleVote(change: Partial<WitnessVote> = {}): WitnessVote {
  return {
    incarnation: "1".repeat(32),
    promised: generation,
    record: {
      groupId: "9".repeat(32),
      generation,
      source: "alpha",
      version: 2,
      members: [{ node: "alpha", mode: "sync" }, { node: "beta", mode: "commit" }],
      voters: ["alpha", "beta", "redis"],
      replicas: ["alpha", "beta"],
    },
    lease: { holder: "alpha", generation, counter: 7 },
    writeId: hex(),
    ...change,
  };
}

export function witnessSuite(
  name: string,
  start: () => Promise<WitnessWorld>,
  options: WitnessSuiteOptions,
): void {
  const claim = (
    what: string,
    check: (world: WitnessWorld, open: () => WitnessRegister) => Promise<void>,
    needs?: WitnessSuiteOptions["can"][number],
  ) => {
    if (needs !== undefined && !options.can.includes(needs)) return;
    test(`${name}: ${what}`, { skip: options.skip ?? false }, async () => {
      const world = await start();
      const opened: WitnessRegister[] = [];
      try {
        await check(world, () => {
          const register = world.open();
          opened.push(register);
          return register;
        });
      } finally {
        for (const register of opened) await register.close();
        await world.close();
      }
    });
  };

  claim("what is set is read by another client, version by version", async (world, open) => {
    const [one, other] = [open(), open()];
    assert.deepEqual(await world.ended(other.read(TIMEOUT)), { kind: "empty" });
    for (let version = 1; version <= 3; version++) {
      const next = sampleVote();
      const write = await world.ended(one.compareAndSet({ ...TIMEOUT, expected: version - 1, next }));
      assert.deepEqual(write, { kind: "set", version });
      const read = await world.ended(other.read(TIMEOUT));
      assert.deepEqual(read, { kind: "found", vote: next, version, doubtful: false });
    }
  });

  claim("a write against an older or a future version changes nothing", async (world, open) => {
    const register = open();
    const kept = sampleVote();
    await world.ended(register.compareAndSet({ ...TIMEOUT, expected: 0, next: sampleVote() }));
    await world.ended(register.compareAndSet({ ...TIMEOUT, expected: 1, next: kept }));
    for (const expected of [0, 1, 3, 70]) {
      const write = await world.ended(register.compareAndSet({ ...TIMEOUT, expected, next: sampleVote() }));
      assert.deepEqual(write, { kind: "conflict" }, `expected ${expected}`);
    }
    const read = await world.ended(register.read(TIMEOUT));
    assert.ok(read.kind === "found" && read.version === 2 && read.vote.writeId === kept.writeId);
  });

  claim(
    "of clients that race for one version exactly one wins, and its vote is there",
    async (world, open) => {
      const clients = Array.from({ length: 5 }, open);
      for (const client of clients) await world.ended(client.read(TIMEOUT));
      for (let version = 0; version < 6; version++) {
        const votes = clients.map(() => sampleVote());
        const writes = await world.ended(Promise.all(clients.map((client, index) => {
          const next = votes[index];
          assert.ok(next !== undefined);
          return client.compareAndSet({ ...TIMEOUT, expected: version, next });
        })));
        const winners = writes.flatMap((write, index) => write.kind === "set" ? [votes[index]?.writeId] : []);
        assert.equal(winners.length, 1, JSON.stringify(writes));
        assert.ok(writes.every((write) => write.kind === "set" || write.kind === "conflict"));
        const read = await world.ended(clients[0]?.read(TIMEOUT) ?? Promise.reject(new Error("no client")));
        assert.ok(read.kind === "found" && read.vote.writeId === winners[0]);
      }
    },
  );

  claim("a lost answer is unknown, and reading again finds the write by its id", async (world, open) => {
    const register = open();
    await world.ended(register.compareAndSet({ ...TIMEOUT, expected: 0, next: sampleVote() }));
    world.loseAnswer?.();
    const next = sampleVote();
    const write = await world.ended(register.compareAndSet({ timeoutMs: 1_500, expected: 1, next }));
    assert.equal(write.kind, "unknown");
    const read = await world.ended(register.read(TIMEOUT));
    assert.ok(read.kind === "found" && read.version === 2 && read.vote.writeId === next.writeId);
  }, "lose_answer");

  claim("a wiped store is empty, and a vote enrolled anew has another incarnation", async (world, open) => {
    const register = open();
    await world.ended(register.compareAndSet({ ...TIMEOUT, expected: 0, next: sampleVote() }));
    await world.wipe();
    assert.deepEqual(await world.ended(register.read(TIMEOUT)), { kind: "empty" });
    const next = sampleVote({ incarnation: "2".repeat(32) });
    const write = await world.ended(register.compareAndSet({ ...TIMEOUT, expected: 0, next }));
    assert.deepEqual(write, { kind: "set", version: 1 });
  });

  claim(
    "a hung server is a time-out by name, and the register works again when it goes on",
    async (world, open) => {
      const register = open();
      await world.ended(register.compareAndSet({ ...TIMEOUT, expected: 0, next: sampleVote() }));
      world.hang?.();
      const read = await world.ended(register.read({ timeoutMs: 400 }));
      assert.ok(read.kind === "unreachable" && read.timedOut, JSON.stringify(read));
      const next = sampleVote();
      const write = await world.ended(register.compareAndSet({ timeoutMs: 400, expected: 1, next }));
      assert.ok((write.kind === "unknown" || write.kind === "unreachable") && write.timedOut);
      world.resume?.();
      const after = await world.ended(register.read(TIMEOUT));
      assert.ok(after.kind === "found", JSON.stringify(after));
      // What timed out may have been done when the server went on, or not: but nothing else may have been.
      assert.ok(after.version === 1 || after.vote.writeId === next.writeId);
    },
    "hang",
  );

  claim("a restart that kept every write is no reason for doubt", async (world, open) => {
    const register = open();
    const vote = sampleVote();
    await world.ended(register.compareAndSet({ ...TIMEOUT, expected: 0, next: vote }));
    await world.restart?.("kept");
    const read = await world.ended(open().read(TIMEOUT));
    assert.deepEqual(read, { kind: "found", vote, version: 1, doubtful: false });
    // The client from before finds back too.
    const again = await world.ended(register.read(TIMEOUT));
    assert.equal(again.kind, "found");
  }, "restart_kept");

  claim("a restart that may have lost writes is doubt until it is enrolled anew", async (world, open) => {
    const first = open();
    await world.ended(first.compareAndSet({ ...TIMEOUT, expected: 0, next: sampleVote() }));
    await world.restart?.("not_kept");
    const register = open();
    const read = await world.ended(register.read(TIMEOUT));
    assert.ok(read.kind === "found" && read.doubtful, JSON.stringify(read));
    const expected = read.version;
    const same = await world.ended(register.compareAndSet({ ...TIMEOUT, expected, next: sampleVote() }));
    assert.deepEqual(same, { kind: "forgotten" });
    const next = sampleVote({ incarnation: "2".repeat(32) });
    const anew = await world.ended(register.compareAndSet({ ...TIMEOUT, expected, next }));
    assert.deepEqual(anew, { kind: "set", version: expected + 1 });
    const after = await world.ended(register.read(TIMEOUT));
    assert.ok(after.kind === "found" && !after.doubtful);
  }, "restart_not_kept");
}

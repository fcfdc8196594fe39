/** The intent_log actor: owner of the disks, lender of the store; whoever borrows may die at any moment (I9). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { intentLogActor } from "../../../actors/intent_log/actor.ts";
import type {
  IntentLogMessage,
  IntentLogStatus,
  ReplicaStore,
  StoreAnswer,
} from "../../../actors/intent_log/messages.ts";
import { type ActorSpec, type ActorSystem, type Ref, SimulatedWorld } from "../../../runtime/mod.ts";
import { MemoryShelf } from "../../../volume/memory_shelf.ts";
import { openGroupStore } from "../../../volume/open_group_store.ts";
import { OpenFailure } from "../../../volume/open_failure.ts";

const KIB = 1024;

interface Stage {
  readonly world: SimulatedWorld;
  readonly system: ActorSystem;
  readonly shelf: MemoryShelf;
  readonly actor: Ref<IntentLogMessage>;
  readonly events: string[];
  lend(): Promise<StoreAnswer>;
}

async function stage(
  shelf = new MemoryShelf(),
  options: { refuse?: boolean; world?: SimulatedWorld } = {},
): Promise<Stage> {
  const world = options.world ?? new SimulatedWorld();
  const system = world.createSystem();
  const events: string[] = [];
  const spec = intentLogActor({
    group: "db",
    environment: {
      open: async () => {
        if (options.refuse) return { ok: false, cause: "it is another group's disk", remedy: "name yours" };
        const store = await openGroupStore({
          group: "db",
          node: "alpha",
          peers: ["beta"],
          volumes: [{ name: "v", size: 1024 * KIB, disk: "/v" }],
          opener: shelf,
          regionBytes: 4 * KIB,
          hotRegionBytes: 16 * KIB,
          hotCapacity: 32,
        });
        assert.ok(!(store instanceof OpenFailure));
        return { ok: true, store };
      },
      event: (kind) => void events.push(kind),
    },
  });
  const actor = system.start({ spec: spec as ActorSpec<IntentLogMessage>, restart: "permanent" });
  const lend = async (): Promise<StoreAnswer> => {
    const asked = system.ask<IntentLogMessage, StoreAnswer>(
      actor,
      (reply) => ({ kind: "store_requested", reply }),
      1_000,
    );
    await world.advanceAwaiting(1);
    const answer = await asked;
    assert.ok(answer.ok);
    return answer.value;
  };
  return { world, system, shelf, actor, events, lend };
}

async function borrowed(from: Stage): Promise<ReplicaStore> {
  const answer = await from.lend();
  assert.ok(answer.ok);
  return answer.store;
}

const BORN = {
  groupId: "a".repeat(32),
  history: [{
    generation: { number: 1, id: "b".repeat(32) },
    source: "alpha",
    baseSeq: 0,
    lossless: true,
  }],
  diskState: "up_to_date",
  zero: false,
} as const;

test("intent log actor: whoever asks while the disks are being opened is answered when they are", async () => {
  const store = await borrowed(await stage());
  assert.equal(store.volumes.length, 1);
  assert.deepEqual(store.position, { generation: 0, seq: 0 });
  assert.equal(store.positionExact, true, "a new disk is exactly where it begins");
});

test("intent log actor: a disk that must not be opened is no crash: it stays and says why", async () => {
  const refused = await stage(new MemoryShelf(), { refuse: true });
  assert.deepEqual(await refused.lend(), {
    ok: false,
    cause: "it is another group's disk",
    remedy: "name yours",
  });
  assert.deepEqual(refused.events, ["disk_refused"]);
  assert.equal(refused.system.inspect()[0]?.restarts, 0);
});

test("intent log actor: I9: a borrower that was killed in mid-write takes no hot region with it", async () => {
  const here = await stage();
  const dead = (await borrowed(here)).volumes[0]?.intentLog;
  // As many regions as the hot set has: all pinned by the one that dies, and more asked for.
  for (let region = 0; region < 32; region += 1) {
    dead?.heat([{ offset: region * 16 * KIB, length: 1 }], () => {});
  }
  await here.world.advanceAwaiting(1);
  dead?.heat([{ offset: 40 * 16 * KIB, length: 1 }], () => assert.fail("the dead are not answered"));
  dead?.setShipping("beta", true);
  const log = (await borrowed(here)).volumes[0]?.intentLog;
  let heated = false;
  log?.heat([{ offset: 50 * 16 * KIB, length: 1 }], (outcome) => heated = outcome === null);
  await here.world.advanceAwaiting(1);
  assert.equal(heated, true, "the next borrower finds room");
  log?.mark(50 * 16 * KIB, 1, 7);
  assert.equal(
    log?.isOwed("beta", { offset: 50 * 16 * KIB, length: 1 }),
    true,
    "nothing is being shipped yet",
  );
});

test("intent log actor: I9: a commit under way when its borrower dies pins nothing for it", async () => {
  const here = await stage();
  const dead = (await borrowed(here)).volumes[0]?.intentLog;
  for (let region = 0; region < 32; region += 1) {
    dead?.heat([{ offset: region * 16 * KIB, length: 1 }], () => assert.fail("the dead are not answered"));
  }
  // The commit begins at the end of this turn; the next borrower comes before it is stable.
  await Promise.resolve();
  const log = (await borrowed(here)).volumes[0]?.intentLog;
  let heated = 0;
  for (let region = 32; region < 64; region += 1) {
    log?.heat([{ offset: region * 16 * KIB, length: 1 }], (outcome) => heated += outcome === null ? 1 : 0);
  }
  await here.world.advanceAwaiting(1);
  assert.equal(heated, 32);
});

test("intent log actor: I4: the store is lent again only when no write of the former borrower is under way", async () => {
  const here = await stage();
  const dead = (await borrowed(here)).volumes[0];
  let land = () => {};
  const disk = here.shelf.disks.get("/v");
  assert.ok(disk !== undefined);
  disk.later = (work) => land = work;
  const written = dead?.device.write(0, new Uint8Array(512).fill(1));
  let answer: StoreAnswer | null = null;
  here.actor.tell({ kind: "store_requested", reply: { reply: (given) => answer = given } });
  await here.world.advanceAwaiting(100);
  assert.equal(answer, null, "a write is under way");
  land();
  await written;
  await here.world.advanceAwaiting(1);
  assert.equal((answer as StoreAnswer | null)?.ok, true);
});

test("intent log actor: stopped in good order, it records the position that stood in memory only", async () => {
  const shelf = new MemoryShelf();
  const first = await stage(shelf);
  const store = await borrowed(first);
  await store.update(BORN);
  store.stands({ generation: 1, seq: 10 });
  store.advance(42);
  await first.system.shutdown();
  assert.equal(store.closed, true);
  const again = await borrowed(await stage(shelf));
  assert.deepEqual(again.position, { generation: 1, seq: 42 });
  assert.equal(again.positionExact, true);
});

test("intent log actor: killed, it comes back with the last recorded position as a lower bound", async () => {
  const here = await stage();
  const store = await borrowed(here);
  await store.update({ ...BORN, stable: { generation: 1, seq: 10 } });
  store.stands({ generation: 1, seq: 10 });
  store.advance(42);
  here.system.kill("intent_log");
  await here.world.advanceAwaiting(10);
  const again = await borrowed(here);
  assert.notEqual(again, store);
  assert.deepEqual(again.position, { generation: 1, seq: 10 });
  assert.equal(again.positionExact, false);
});

test("intent log actor: I12: the position of an inconsistent disk is not recorded at the stop", async () => {
  const shelf = new MemoryShelf();
  const first = await stage(shelf);
  const store = await borrowed(first);
  await store.update({ ...BORN, diskState: "inconsistent", stable: { generation: 1, seq: 10 } });
  store.stands({ generation: 1, seq: 99 });
  await first.system.shutdown();
  assert.deepEqual((await borrowed(await stage(shelf))).position, { generation: 1, seq: 10 });
});

test("intent log actor: a failed disk is final: nothing goes through its store any more, and the stop is unclean", async () => {
  const shelf = new MemoryShelf();
  const first = await stage(shelf);
  const store = await borrowed(first);
  await store.update(BORN);
  const failure = { kind: "io_error", detail: "fdatasync: EIO" } as const;
  store.fail(failure);
  store.fail({ kind: "io_error", detail: "a later one" });
  assert.deepEqual(await store.flush(), failure);
  assert.deepEqual(await store.update({ zero: false }), failure);
  const status = first.system.ask<IntentLogMessage, IntentLogStatus>(
    first.actor,
    (reply) => ({ kind: "status_requested", reply }),
    1_000,
  );
  await first.world.advanceAwaiting(1);
  const answer = await status;
  assert.ok(answer.ok);
  assert.equal(answer.value.state, "failed");
  assert.equal(answer.value.cause, "fdatasync: EIO");
  assert.notEqual(answer.value.remedy, null);
  await first.system.shutdown();
  assert.deepEqual(first.events, ["disk_failed", "disk_not_closed"]);
  assert.equal((await borrowed(await stage(shelf))).positionExact, false);
});

test("intent log actor: I9: killed while it opens, again and again, it opens in the end: no opening disturbs the next", async () => {
  for (let killAt = 1; killAt < 60; killAt += 3) {
    const world = new SimulatedWorld({ seed: killAt });
    // Now and then an answer takes long, so that an opening is overtaken by the one after it.
    const later = (work: () => void) =>
      void world.clock.after(world.random.uint32() % 8 === 0 ? 20 : 0.1, work);
    const here = await stage(new MemoryShelf({ later }), { world });
    for (const wait of [killAt, 1, 5]) {
      await world.advanceAwaiting(wait);
      here.system.kill("intent_log");
    }
    await world.advanceAwaiting(500);
    assert.equal((await borrowed(here)).volumes.length, 1, `killed after ${killAt} ms`);
    assert.deepEqual(here.events, []);
  }
});

import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import type { DeviceOpener } from "../../volume/device_opener.ts";
import type { GroupStore } from "../../volume/group_store.ts";
import type { IntentLog } from "../../volume/intent_log.ts";
import { MemoryDisk } from "../../volume/memory_device.ts";
import { MemoryShelf } from "../../volume/memory_shelf.ts";
import { OpenFailure } from "../../volume/open_failure.ts";
import { fileDeviceOpener } from "../../volume/open_file_device.ts";
import { type GroupStoreOptions, openGroupStore } from "../../volume/open_group_store.ts";
import { pattern } from "./block_device_suite.ts";
import { fullSuperblock, ID_A, ID_B } from "./support/superblocks.ts";

const SIZE = 64 * 2 ** 20;

function optionsFor(shelf: MemoryShelf, change: Partial<GroupStoreOptions> = {}): GroupStoreOptions {
  return {
    group: "db",
    node: "alpha",
    peers: ["beta", "gamma"],
    volumes: [{ name: "data", size: SIZE, disk: "alpha/data.img" }, {
      name: "logs",
      size: SIZE,
      disk: "alpha/logs.img",
    }],
    opener: shelf,
    ...change,
  };
}

async function opened(shelf: MemoryShelf, change: Partial<GroupStoreOptions> = {}): Promise<GroupStore> {
  const store = await openGroupStore(optionsFor(shelf, change));
  assert.ok(!(store instanceof OpenFailure), String(store));
  return store;
}

async function refusal(shelf: MemoryShelf, change: Partial<GroupStoreOptions> = {}): Promise<OpenFailure> {
  const store = await openGroupStore(optionsFor(shelf, change));
  assert.ok(store instanceof OpenFailure, "it is refused");
  assert.match(String(store), /^Cannot open .+: .+ \(try: .+\)$/);
  return store;
}

function logOf(store: GroupStore, volume = 0): IntentLog {
  const found = store.volumes[volume];
  assert.ok(found);
  return found.intentLog;
}

function diskOf(shelf: MemoryShelf, name: string): MemoryDisk {
  const disk = shelf.disks.get(name);
  assert.ok(disk, name);
  return disk;
}

const BORN = {
  groupId: ID_A,
  diskState: "up_to_date",
  zero: false,
  history: fullSuperblock().history,
  stable: { generation: 4, seq: 9 },
} as const;

test("group store: a new group is empty, known to be zero, marks nothing, and lies beside its disks", async () => {
  const shelf = new MemoryShelf();
  const store = await opened(shelf);
  assert.deepEqual(store.view(), {
    groupId: null,
    history: [],
    position: { generation: 0, seq: 0 },
    disk: "empty",
    zero: true,
    record: null,
    cleanBefore: true,
  });
  assert.deepEqual(store.volumes.map((volume) => [volume.index, volume.name, volume.size]), [[
    0,
    "data",
    SIZE,
  ], [1, "logs", SIZE]]);
  assert.deepEqual([...shelf.disks.keys()].filter((name) => name.startsWith("alpha/data")), [
    "alpha/data.img",
    "alpha/data.img.holdfast/superblock",
    "alpha/data.img.holdfast/intent_log",
    "alpha/data.img.holdfast/bitmap-beta",
    "alpha/data.img.holdfast/bitmap-gamma",
  ]);
  assert.equal(logOf(store).dirtyBytes("beta"), 0);
});

test("group store: an update is on every disk, survives a crash, and a clean close is remembered", async () => {
  const shelf = new MemoryShelf();
  const store = await opened(shelf);
  assert.equal(await store.update(BORN), null);
  shelf.crash(() => 0);
  const after = await opened(shelf);
  const view = after.view();
  assert.deepEqual([view.groupId, view.disk, view.position, view.cleanBefore], [
    ID_A,
    "up_to_date",
    BORN.stable,
    false,
  ]);
  assert.equal(await after.closeClean(), null);
  assert.equal((await opened(shelf)).view().cleanBefore, true);
  shelf.crash(() => 0);
  assert.equal((await opened(shelf)).view().cleanBefore, false, "it was open again");
});

test("group store: an update that a crash cut between two disks is believed as far as both have it", async () => {
  const shelf = new MemoryShelf();
  const store = await opened(shelf);
  await store.update(BORN);
  diskOf(shelf, "alpha/logs.img.holdfast/superblock").fault = (kind) => kind === "write" ? "io_error" : null;
  const outcome = await store.update({ stable: { generation: 4, seq: 20 }, diskState: "inconsistent" });
  assert.equal(outcome?.kind, "io_error");
  diskOf(shelf, "alpha/logs.img.holdfast/superblock").fault = undefined;
  shelf.crash(() => 0);
  const view = (await opened(shelf)).view();
  assert.deepEqual([view.position.seq, view.disk], [9, "inconsistent"]);
});

test("group store: updates asked for together are merged, and nothing asked for is lost", async () => {
  const shelf = new MemoryShelf();
  const store = await opened(shelf);
  const outcomes = await Promise.all([
    store.update({ groupId: ID_A }),
    store.update({ stable: { generation: 1, seq: 1 } }),
    store.update({ diskState: "consistent" }),
  ]);
  assert.deepEqual(outcomes, [null, null, null]);
  shelf.crash(() => 0);
  const view = (await opened(shelf)).view();
  assert.deepEqual([view.groupId, view.position.seq, view.disk], [ID_A, 1, "consistent"]);
});

test("group store: after a crash what was hot is marked; the data that a dead process wrote is flushed first", async () => {
  const shelf = new MemoryShelf();
  const store = await opened(shelf);
  const log = logOf(store);
  assert.equal(await new Promise((resolve) => log.heat([{ offset: 0, length: 1 }], resolve)), null);
  store.volumes[0]?.device.write(0, pattern(512, 1));
  shelf.abandon();
  const after = await opened(shelf);
  assert.equal(diskOf(shelf, "alpha/data.img").unstableSectors, 0);
  assert.ok(logOf(after).bitmap("beta").has(0) && logOf(after).bitmap("gamma").has(0));
});

test("group store: refused: a disk that is too small, or foreign, or holds data, or is gone, or of another size", async () => {
  const small = new MemoryShelf();
  small.put("alpha/data.img", new MemoryDisk({ name: "alpha/data.img", size: SIZE - 1 }));
  assert.equal((await refusal(small)).kind, "too_small");

  const holding = new MemoryShelf();
  const used = new MemoryDisk({ name: "alpha/data.img", size: SIZE });
  used.poke(SIZE - 10, pattern(5, 1));
  holding.put("alpha/data.img", used);
  const refused = await refusal(holding);
  assert.deepEqual([refused.kind, refused.file], ["holds_data", "alpha/data.img"]);
  assert.match(refused.detail, /it holds data that Holdfast did not write/);
  const adopted = await opened(holding, { adopt: true });
  assert.deepEqual([adopted.view().zero, adopted.view().disk], [false, "empty"]);

  const foreign = new MemoryShelf();
  await (await opened(foreign)).closeClean();
  assert.equal((await refusal(foreign, { node: "beta" })).kind, "foreign");
  assert.equal((await refusal(foreign, { group: "web" })).kind, "foreign");
  const volumes = [{ name: "data", size: SIZE / 2, disk: "alpha/data.img" }];
  assert.match((await refusal(foreign, { volumes })).detail, /belongs to size/);
  foreign.remove("alpha/data.img");
  const gone = await refusal(foreign);
  assert.deepEqual([gone.kind, gone.file], ["not_found", "alpha/data.img"]);
  assert.match(gone.detail, /the disk is gone, though .+superblock is there/);
});

test("group store: disks of two different groups of that name are refused", async () => {
  const one = new MemoryShelf();
  await (await opened(one)).update({ groupId: ID_A });
  const other = new MemoryShelf();
  await (await opened(other)).update({ groupId: ID_B });
  for (const [name, disk] of other.disks) if (name.startsWith("alpha/logs")) one.put(name, disk);
  const refused = await refusal(one);
  assert.equal(refused.kind, "foreign");
  assert.match(refused.detail, /different groups/);
});

test("group store: an existing disk that is all zero is taken, and zero only if it was read to its end", async () => {
  const written = (): MemoryShelf => {
    const shelf = new MemoryShelf();
    const disk = new MemoryDisk({ name: "alpha/data.img", size: SIZE });
    disk.poke(0, new Uint8Array(3 * 2 ** 20));
    shelf.put("alpha/data.img", disk);
    return shelf;
  };
  assert.equal((await opened(written())).view().zero, true);
  assert.equal((await opened(written(), { scanBytesMax: 2 ** 20 })).view().zero, false);
});

test("group store: a raw device without a folder of its own for metadata is refused", async () => {
  const shelf = new MemoryShelf();
  const raw: DeviceOpener = {
    open: async (...asked) => {
      const result = await shelf.open(...asked);
      return result instanceof OpenFailure ? result : { ...result, raw: true };
    },
  };
  const refused = await refusal(shelf, { opener: raw });
  assert.match(refused.remedy, /metadata:/);
  const volumes = [{ name: "data", size: SIZE, disk: "/dev/sdz", metadata: "state/data" }];
  await opened(shelf, { opener: raw, volumes });
  assert.ok(shelf.disks.has("state/data/superblock"));
});

test("group store: a lost bitmap, a peer that is new, and one that was away from the configuration count as all dirty", async () => {
  const shelf = new MemoryShelf();
  await (await opened(shelf)).closeClean();
  shelf.remove("alpha/data.img.holdfast/bitmap-beta");
  const lost = await opened(shelf);
  assert.deepEqual([logOf(lost).dirtyBytes("beta"), logOf(lost).dirtyBytes("gamma")], [SIZE, 0]);
  assert.deepEqual(lost.notes, [
    "alpha/data.img.holdfast/bitmap-beta: it was lost: every region counts as dirty",
  ]);
  await lost.closeClean();

  const without = await opened(shelf, { peers: ["beta"] });
  await without.closeClean();
  const back = await opened(shelf);
  assert.equal(logOf(back).dirtyBytes("gamma"), SIZE, "nobody kept its marks meanwhile");
  await back.closeClean();
  const more = await opened(shelf, { peers: ["beta", "gamma", "delta"] });
  assert.equal(logOf(more, 1).dirtyBytes("delta"), SIZE);
});

test("group store: a peer that was added at run time is found again, one that was removed is not", async () => {
  const shelf = new MemoryShelf();
  const store = await opened(shelf);
  assert.equal(await store.addPeer("delta", { marks: "none" }), null);
  assert.equal(await store.removePeer("beta"), null);
  shelf.crash(() => 0);
  const after = await opened(shelf, { peers: ["beta", "gamma", "delta"] });
  assert.deepEqual([logOf(after).dirtyBytes("delta"), logOf(after).dirtyBytes("beta")], [0, SIZE]);
});

test("group store: opened again in the same process, the one before can write nothing more", async () => {
  const shelf = new MemoryShelf();
  const first = await opened(shelf);
  await opened(shelf);
  assert.equal((await first.volumes[0]?.device.write(0, pattern(1, 1)))?.kind, "closed");
  assert.equal((await first.update({ zero: false }))?.kind, "closed");
  const heated = await new Promise((resolve) => logOf(first).heat([{ offset: 0, length: 1 }], resolve));
  assert.equal((heated as { kind: string }).kind, "closed");
});

test("group store: on files: created, closed, opened again, taken over, refused to another size", async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-group-store-"));
  try {
    const disk = path.join(folder, "alpha/data.img");
    const options: GroupStoreOptions = {
      group: "db",
      node: "alpha",
      peers: ["beta"],
      volumes: [{ name: "data", size: SIZE, disk }],
      opener: fileDeviceOpener,
    };
    const store = await openGroupStore(options);
    assert.ok(!(store instanceof OpenFailure), String(store));
    const log = logOf(store);
    assert.equal(await new Promise((resolve) => log.heat([{ offset: 0, length: 4096 }], resolve)), null);
    log.mark(0, 4096, 1);
    assert.equal(await store.volumes[0]?.device.write(0, pattern(4096, 1)), null);
    const again = await openGroupStore(options);
    assert.ok(!(again instanceof OpenFailure), String(again));
    assert.equal(logOf(again).dirtyBytes("beta"), log.hotRegionBytes);
    assert.equal(await again.closeClean(), null);
    assert.deepEqual(fs.readdirSync(`${disk}.holdfast`).sort(), ["bitmap-beta", "intent_log", "superblock"]);
    assert.equal(fs.statSync(disk).size, SIZE);
    await store.abandon();
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

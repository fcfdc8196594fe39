import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryDisk } from "../../volume/memory_device.ts";
import { OpenFailure } from "../../volume/open_failure.ts";
import { openSuperblock, SUPERBLOCK_FILE_BYTES, SuperblockFile } from "../../volume/superblock.ts";
import {
  decodeSuperblock,
  encodeSuperblock,
  REPLICAS_MAX,
  type Superblock,
} from "../../volume/superblock_format.ts";
import { HISTORY_ENTRIES_MAX } from "../../protocol/position.ts";
import { fullSuperblock, ID_A } from "./support/superblocks.ts";

test("superblock: every field is found again as it was stored", () => {
  const full = fullSuperblock();
  assert.deepEqual(decodeSuperblock(encodeSuperblock(full)), full);
  const bare: Superblock = { ...full, groupId: null, record: null, resync: null, history: [], peers: [] };
  assert.deepEqual(decodeSuperblock(encodeSuperblock(bare)), bare);
});

test("superblock: the longest history and the most replicas fit its place", () => {
  const name = "n".repeat(64);
  const full = fullSuperblock();
  const entry = {
    generation: { number: 2 ** 53 - 1, id: ID_A },
    source: name,
    baseSeq: 2 ** 53 - 1,
    lossless: false,
  };
  const names = new Array<string>(REPLICAS_MAX).fill(name);
  assert.ok(full.record !== null);
  encodeSuperblock({
    ...full,
    history: new Array(HISTORY_ENTRIES_MAX).fill(entry),
    peers: names.map((node) => ({ node, bitmap: `bitmap-${node}` })),
    record: {
      ...full.record,
      members: names.map((node) => ({ node, mode: "commit" })),
      voters: names,
      replicas: names,
    },
  });
});

test("superblock: whatever is wrong with a field is named, and nothing is guessed", () => {
  const cases: [string, (fields: Record<string, unknown>) => void, RegExp][] = [
    ["missing", (fields) => delete fields["zero"], /^zero: true or false belongs there/],
    ["unknown", (fields) => fields["color"] = "red", /^color: it is not known here/],
    ["state", (fields) => fields["diskState"] = "fine", /^diskState: one of empty, inconsistent/],
    ["negative", (fields) => fields["size"] = -1, /^size: a whole number/],
    ["fraction", (fields) => fields["regionBytes"] = 1000, /^regionBytes: it is no power of two/],
    ["id", (fields) => fields["groupId"] = "xyz", /^groupId: 32 hexadecimal digits/],
    ["history", (fields) => fields["history"] = new Array(65).fill({}), /^history: more than 64 entries/],
    ["entry", (fields) => fields["history"] = [7], /^history: an object belongs there/],
    ["absent null", (fields) => delete fields["record"], /^record: a value or null belongs there/],
    [
      "mode",
      (fields) =>
        fields["record"] = { ...fields["record"] as object, members: [{ node: "a", mode: "async" }] },
      /^mode: one of sync, commit/,
    ],
    ["empty text", (fields) => fields["node"] = "", /^node: a text belongs there/],
  ];
  for (const [label, spoil, expected] of cases) {
    const fields = JSON.parse(new TextDecoder().decode(encodeSuperblock(fullSuperblock())));
    spoil(fields);
    const found = decodeSuperblock(new TextEncoder().encode(JSON.stringify(fields)));
    assert.ok(typeof found === "string", label);
    assert.match(found, expected, label);
  }
  assert.match(String(decodeSuperblock(new TextEncoder().encode("{"))), /^it is not JSON/);
  assert.match(String(decodeSuperblock(Uint8Array.of(0xff))), /^it is not JSON/);
});

const IDENTITY = { group: "db", volume: "data", node: "alpha", size: fullSuperblock().size };

async function opened(disk: MemoryDisk, identity = IDENTITY): Promise<SuperblockFile> {
  const file = await openSuperblock(disk.open(), identity);
  assert.ok(file instanceof SuperblockFile, String(file));
  return file;
}

test("superblock: rule 8: both copies are written, each flushed, before a store is reported", async () => {
  const disk = new MemoryDisk({ name: "superblock", size: SUPERBLOCK_FILE_BYTES });
  const steps: string[] = [];
  disk.fault = (operation, offset) => {
    if (operation !== "read") steps.push(operation === "flush" ? "flush" : offset === 0 ? "first" : "second");
    return null;
  };
  const file = await opened(disk);
  assert.equal(await file.store(fullSuperblock()), null);
  assert.deepEqual(steps, ["first", "flush", "second", "flush"]);
});

test("superblock: after a crash at any point it is the old one or the new one, and in both copies again", async () => {
  for (let crashAt = 0; crashAt < 40; crashAt += 1) {
    const disk = new MemoryDisk({ name: "superblock", size: SUPERBLOCK_FILE_BYTES });
    const file = await opened(disk);
    assert.equal(await file.store(fullSuperblock()), null);
    let outcome: unknown = "none";
    void file.store({ ...fullSuperblock(), diskState: "up_to_date" }).then((result) => outcome = result);
    for (let turn = 0; turn < crashAt; turn += 1) await null;
    let state = crashAt;
    disk.crash(() => state = (state * 1103515245 + 12345) >>> 0);
    const found = (await opened(disk)).value?.diskState;
    if (outcome === null) assert.equal(found, "up_to_date");
    assert.ok(found === "up_to_date" || found === "inconsistent");
    disk.poke(100, new Uint8Array([1, 2, 3]));
    assert.equal((await opened(disk)).value?.diskState, found, "the other copy says the same");
  }
});

test("superblock: another group's, volume's, node's or size's is refused, naming whose it is", async () => {
  const disk = new MemoryDisk({ name: "disk.img.holdfast/superblock", size: SUPERBLOCK_FILE_BYTES });
  await (await opened(disk)).store(fullSuperblock());
  for (const change of [{ group: "web" }, { volume: "logs" }, { node: "beta" }, { size: 4096 }]) {
    const refusal = await openSuperblock(disk.open(), { ...IDENTITY, ...change });
    assert.ok(refusal instanceof OpenFailure);
    assert.equal(refusal.kind, "foreign");
    assert.match(
      String(refusal),
      /disk\.img\.holdfast\/superblock: it belongs to .+db\/data on alpha.+\(try: /,
    );
  }
  assert.deepEqual((await opened(disk)).value, fullSuperblock());
});

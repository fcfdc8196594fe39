import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MemoryDisk } from "../../volume/memory_device.ts";
import { OpenFailure } from "../../volume/open_failure.ts";
import {
  openRecordFile,
  RecordFile,
  recordFileBytes,
  type RecordFileOptions,
} from "../../volume/record_file.ts";
import { sealRecord } from "../../volume/record_format.ts";
import { pattern } from "./block_device_suite.ts";
import { randomFrom } from "./support/seeded_random.ts";

const OPTIONS: RecordFileOptions = {
  magic: "TEST",
  formatVersion: 2,
  payloadMax: 2000,
  identity: "db/data/alpha",
};
const COPY_BYTES = recordFileBytes(OPTIONS.payloadMax) / 2;

function freshDisk(): MemoryDisk {
  return new MemoryDisk({ name: "record", size: recordFileBytes(OPTIONS.payloadMax) });
}

async function opened(disk: MemoryDisk, options: Partial<RecordFileOptions> = {}): Promise<RecordFile> {
  const record = await openRecordFile(disk.open(), { ...OPTIONS, ...options });
  assert.ok(record instanceof RecordFile, String(record));
  return record;
}

async function refusal(disk: MemoryDisk, options: Partial<RecordFileOptions> = {}): Promise<OpenFailure> {
  const record = await openRecordFile(disk.open(), { ...OPTIONS, ...options });
  assert.ok(record instanceof OpenFailure);
  assert.ok(record.toString().includes("record"));
  return record;
}

test("record file: a fresh one is empty, and what was stored last is found again", async () => {
  for (const both of [false, true]) {
    const disk = freshDisk();
    assert.equal((await opened(disk, { both })).payload, null);
    for (const length of [0, 1, 480, 481, 2000, 3]) {
      const record = await opened(disk, { both });
      assert.equal(await record.store(pattern(length, length)), null);
      disk.abandon();
      assert.deepEqual((await opened(disk, { both })).payload, pattern(length, length));
    }
  }
});

test("record file: whatever a crash keeps of a store, the record is the old one or the new one, and the reported one for ever", () =>
  fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.array(
        fc.record({ length: fc.integer({ min: 0, max: 2000 }), crash: fc.boolean(), turns: fc.nat(12) }),
        {
          minLength: 1,
          maxLength: 10,
        },
      ),
      fc.nat(),
      async (both, stores, seed) => {
        const random = randomFrom(seed);
        const disk = freshDisk();
        let record = await opened(disk, { both });
        let reported: Uint8Array | null = null;
        for (const [number, { length, crash, turns }] of stores.entries()) {
          const payload = pattern(length, number);
          let outcome: unknown = "none";
          const stored = record.store(payload).then((result) => outcome = result);
          if (crash) { for (let turn = 0; turn < turns; turn += 1) await null; }
          else await stored;
          if (outcome === null) reported = payload;
          if (crash) {
            disk.crash(random);
            record = await opened(disk, { both });
            const found: Uint8Array | null = record.payload;
            const possible: (Uint8Array | null)[] = outcome === null ? [payload] : [reported, payload];
            assert.ok(
              possible.some((one) => sameBytes(one, found)),
              "found is what was reported, or what was being stored",
            );
            reported = found;
          }
        }
      },
    ),
    { numRuns: 400 },
  ));

function sameBytes(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : a.length === b.length && a.every((byte, i) => byte === b[i]);
}

test("record file: an attempt that was cut short never mixes with the next one of the same number", async () => {
  const disk = freshDisk();
  await (await opened(disk)).store(pattern(900, 1));
  // An attempt at revision 2 of which only the second sector arrived.
  const seal = { magic: OPTIONS.magic, formatVersion: 2, identity: OPTIONS.identity ?? "" };
  const attempt = sealRecord(seal, { revision: 2, payload: pattern(900, 2) });
  disk.poke(COPY_BYTES + 512, attempt.subarray(512));
  const record = await opened(disk);
  assert.deepEqual(record.payload, pattern(900, 1));
  await record.store(pattern(900, 3));
  assert.equal(record.revision, 3);
});

test("record file: nor when it left the shorter record before it whole, and only its own later sectors arrived", async () => {
  const disk = freshDisk();
  const before = await opened(disk);
  for (const number of [1, 2, 3]) await before.store(pattern(3, number));
  // Revision 3, one sector, lies in the first copy. Revision 4 goes to the second, where revision 2 is one sector too.
  const seal = { magic: OPTIONS.magic, formatVersion: 2, identity: OPTIONS.identity ?? "" };
  const attempt = sealRecord(seal, { revision: 4, payload: pattern(900, 4) });
  disk.poke(COPY_BYTES + 512, attempt.subarray(512));
  const record = await opened(disk);
  assert.deepEqual(record.payload, pattern(3, 3));
  await record.store(pattern(900, 5));
  assert.equal(record.revision, 5, "a number that no sector shows");
});

test("record file: damage of the newest copy is refused, or with `both` made good by the other copy", async () => {
  for (const both of [false, true]) {
    const disk = freshDisk();
    const record = await opened(disk, { both });
    await record.store(pattern(900, 1));
    await record.store(pattern(900, 2));
    const newest = both ? [0, COPY_BYTES] : [COPY_BYTES];
    for (const copy of newest) {
      const before = disk.peek(copy + 600, 1);
      disk.poke(copy + 600, new Uint8Array([(before[0] ?? 0) ^ 1]));
      if (both) assert.deepEqual((await opened(disk, { both })).payload, pattern(900, 2));
      else {
        assert.equal((await refusal(disk)).kind, "damaged");
        const older = await opened(disk, { acceptOlder: true });
        assert.deepEqual([older.payload, older.newerMayBeLost], [pattern(900, 1), true]);
      }
    }
  }
});

test("record file: damage of the older copy alone changes nothing", async () => {
  const disk = freshDisk();
  const record = await opened(disk);
  await record.store(pattern(900, 1));
  await record.store(pattern(900, 2));
  disk.poke(600, new Uint8Array([99]));
  const found = await opened(disk);
  assert.deepEqual([found.payload, found.newerMayBeLost], [pattern(900, 2), false]);
});

test("record file: both copies damaged, foreign, newer: refused by name, never guessed at", async () => {
  const written = async (): Promise<MemoryDisk> => {
    const disk = freshDisk();
    await (await opened(disk, { both: true })).store(pattern(100, 1));
    return disk;
  };
  const damaged = await written();
  damaged.poke(50, new Uint8Array([1, 2, 3]));
  damaged.poke(COPY_BYTES + 50, new Uint8Array([1, 2, 3]));
  assert.equal((await refusal(damaged, { both: true })).kind, "damaged");
  assert.equal((await refusal(await written(), { identity: "db/data/beta" })).kind, "foreign");
  assert.equal((await refusal(await written(), { magic: "ELSE" })).kind, "foreign");
  const newer = await refusal(await written(), { formatVersion: 1 });
  assert.equal(newer.kind, "newer_version");
  assert.match(newer.detail, /version 2, and 1 is the newest known here/);
  const text = freshDisk();
  text.poke(0, new TextEncoder().encode("#!/bin/sh\necho somebody else's file\n"));
  assert.equal((await refusal(text)).kind, "foreign");
});

test("record file: at most one store runs and one waits, and the waiting one is the latest", async () => {
  const disk = freshDisk();
  const record = await opened(disk);
  const outcomes = [1, 2, 3, 4, 5].map((seed) => record.store(pattern(10, seed)));
  assert.deepEqual(await Promise.all(outcomes), [null, null, null, null, null]);
  assert.deepEqual([record.payload, record.revision, disk.counts.flushes], [pattern(10, 5), 2, 2]);
});

test("record file: a store that fails says so and leaves the former record in force", async () => {
  const disk = freshDisk();
  const record = await opened(disk);
  await record.store(pattern(10, 1));
  disk.fault = (operation) => operation === "write" ? "no_space" : null;
  assert.equal((await record.store(pattern(10, 2)))?.kind, "no_space");
  assert.deepEqual(record.payload, pattern(10, 1));
  disk.fault = undefined;
  assert.deepEqual((await opened(disk)).payload, pattern(10, 1));
});

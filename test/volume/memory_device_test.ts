import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MemoryDisk } from "../../volume/memory_device.ts";
import { MemoryShelf } from "../../volume/memory_shelf.ts";
import { OpenFailure } from "../../volume/open_failure.ts";
import { randomFrom } from "./support/seeded_random.ts";
import { blockDeviceSuite, pattern, readBack } from "./block_device_suite.ts";

blockDeviceSuite({
  name: "memory device",
  sparse: true,
  open: (size) => Promise.resolve(new MemoryDisk({ name: "memory", size }).open()),
});

const SECTOR = 512;

test("memory device: a crash finds of each sector some version since the last flush, and of flushed ones the last", () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant("write" as const),
      sector: fc.nat(7),
      sectors: fc.integer({ min: 1, max: 4 }),
    }),
    fc.record({
      kind: fc.constant("zero" as const),
      sector: fc.nat(7),
      sectors: fc.integer({ min: 1, max: 12 }),
    }),
    fc.record({ kind: fc.constant("flush" as const) }),
  );
  return fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.nat(), async (steps, seed) => {
      const disk = new MemoryDisk({ name: "memory", size: 20 * SECTOR });
      const device = disk.open();
      const possible = Array.from({ length: 20 }, () => [0]);
      for (const [number, taken] of steps.entries()) {
        if (taken.kind === "flush") {
          assert.equal(await device.flush(), null);
          for (const [sector, values] of possible.entries()) possible[sector] = values.slice(-1);
          continue;
        }
        const length = Math.min(taken.sectors, 20 - taken.sector) * SECTOR;
        const value = taken.kind === "zero" ? 0 : number + 1;
        if (taken.kind === "zero") {
          device.writeZeroes(taken.sector * SECTOR, length, { punch: number % 2 === 0 });
        } else device.write(taken.sector * SECTOR, new Uint8Array(length).fill(value));
        for (let i = 0; i < length / SECTOR; i += 1) possible[taken.sector + i]?.push(value);
      }
      disk.crash(randomFrom(seed));
      const found = disk.peek(0, 20 * SECTOR);
      for (const [sector, values] of possible.entries()) {
        const bytes = found.subarray(sector * SECTOR, (sector + 1) * SECTOR);
        assert.ok(bytes.every((byte) => byte === bytes[0]), "a sector is never torn");
        assert.ok(values.includes(bytes[0] ?? -1), `sector ${sector} holds ${bytes[0]}, possible ${values}`);
      }
    }),
    { numRuns: 300 },
  );
});

test("memory device: crashes do tear, lose and keep writes", () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 60; seed += 1) {
    const disk = new MemoryDisk({ name: "memory", size: 2 * SECTOR });
    disk.open().write(0, new Uint8Array(2 * SECTOR).fill(1));
    disk.crash(randomFrom(seed));
    seen.add(`${disk.peek(0, 1)[0]}${disk.peek(SECTOR, 1)[0]}`);
  }
  assert.deepEqual([...seen].sort(), ["00", "01", "10", "11"]);
});

test("memory device: a flush covers what was written before it and nothing after", async () => {
  const waiting: (() => void)[] = [];
  const disk = new MemoryDisk({
    name: "memory",
    size: 4096,
    later: (work, operation) => operation === "flush" ? waiting.push(work) : work(),
  });
  const device = disk.open();
  await device.write(0, pattern(SECTOR, 1));
  const flushed = device.flush();
  await device.write(SECTOR, pattern(SECTOR, 2));
  while (waiting.length === 0) await null;
  waiting.shift()?.();
  assert.equal(await flushed, null);
  disk.crash(() => 0);
  assert.deepEqual(disk.peek(0, SECTOR), pattern(SECTOR, 1));
  assert.deepEqual(disk.peek(SECTOR, SECTOR), new Uint8Array(SECTOR));
});

test("memory device: rule 7: after one failed flush all further ones fail, though the disk would answer", async () => {
  const disk = new MemoryDisk({ name: "memory", size: 4096 });
  const device = disk.open();
  disk.fault = (operation) => operation === "flush" ? "io_error" : null;
  assert.equal((await device.flush())?.kind, "io_error");
  disk.fault = undefined;
  assert.equal((await device.flush())?.kind, "io_error");
});

test("memory device: a lost write fails every later flush, no space does not", async () => {
  const disk = new MemoryDisk({ name: "memory", size: 40960, spaceBytesMax: 8192 });
  const device = disk.open();
  assert.equal(await device.write(0, pattern(8192, 1)), null);
  assert.deepEqual((await device.write(8192, pattern(10, 1)))?.kind, "no_space");
  assert.equal(await device.flush(), null);
  assert.equal(await device.writeZeroes(0, 4096, { punch: true }), null);
  assert.equal(await device.write(8192, pattern(10, 1)), null);
  disk.fault = (operation) => operation === "write" ? "io_error" : null;
  assert.equal((await device.write(0, pattern(10, 1)))?.kind, "io_error");
  assert.equal((await device.flush())?.kind, "io_error");
});

test("memory device: 16 TiB cost what was written", async () => {
  const disk = new MemoryDisk({ name: "memory", size: 16 * 2 ** 40 });
  const device = disk.open();
  assert.equal(await device.write(16 * 2 ** 40 - 100, pattern(100, 1)), null);
  assert.equal(await device.writeZeroes(0, 8 * 2 ** 40, { punch: true }), null);
  assert.deepEqual(await readBack(device, 16 * 2 ** 40 - 100, 100), pattern(100, 1));
  assert.equal((await device.extents(0, device.size)).length, 2);
  assert.equal(disk.allocatedBytes, 4096);
});

test("memory shelf: disks outlive those who open them, and the next opener cuts off the one before", async () => {
  const shelf = new MemoryShelf();
  const options = { size: 4096, create: "sparse", exclusive: true } as const;
  assert.equal(
    (await shelf.open("a/disk", { ...options, create: "never" }) as OpenFailure).kind,
    "not_found",
  );
  const first = await shelf.open("a/disk", options);
  assert.ok(!(first instanceof OpenFailure) && first.created);
  assert.equal(first.device.write(0, pattern(10, 1)), null);
  const second = await shelf.open("a/disk", options);
  assert.ok(!(second instanceof OpenFailure) && !second.created);
  assert.equal((await first.device.write(0, pattern(10, 2)))?.kind, "closed");
  assert.deepEqual(await readBack(second.device, 0, 10), pattern(10, 1));
  assert.equal((await shelf.open("a/disk", { ...options, size: 5000 }) as OpenFailure).kind, "too_small");
});

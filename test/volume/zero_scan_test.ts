import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryDisk } from "../../volume/memory_device.ts";
import { scanForData } from "../../volume/zero_scan.ts";

const SIZE = 2 ** 40;

test("zero scan: holes cost nothing, zeros are read, and one byte is found wherever it is", async () => {
  const disk = new MemoryDisk({ name: "disk", size: SIZE });
  assert.deepEqual(await scanForData(disk.open()), { kind: "zero" });
  assert.equal(disk.counts.reads, 0);
  disk.poke(SIZE / 2, new Uint8Array(5000));
  assert.deepEqual(await scanForData(disk.open()), { kind: "zero" });
  disk.poke(SIZE - 1, Uint8Array.of(1));
  assert.deepEqual(await scanForData(disk.open()), { kind: "data", offset: SIZE - 4096 });
});

test("zero scan: beyond its bound it does not know, and a read that fails is told", async () => {
  const disk = new MemoryDisk({ name: "disk", size: SIZE });
  disk.poke(0, new Uint8Array(4 * 2 ** 20));
  assert.deepEqual(await scanForData(disk.open(), { bytesMax: 2 ** 20 }), { kind: "unknown" });
  disk.fault = (operation) => operation === "read" ? "io_error" : null;
  assert.equal((await scanForData(disk.open())).kind, "failed");
});

import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import type { BlockDevice } from "../../volume/block_device.ts";
import type { DeviceOpenOptions } from "../../volume/device_opener.ts";
import { FileDevice } from "../../volume/file_device.ts";
import { type HoleCalls, loadHoleCalls } from "../../volume/hole_calls.ts";
import { OpenFailure } from "../../volume/open_failure.ts";
import { metadataFolderOf, openFileDevice } from "../../volume/open_file_device.ts";
import { blockDeviceSuite, pattern, readBack } from "./block_device_suite.ts";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-file-device-"));
after(() => fs.rmSync(folder, { recursive: true, force: true }));
let files = 0;

function freshPath(): string {
  files += 1;
  return path.join(folder, `disk-${files}.img`);
}

const SPARSE: DeviceOpenOptions = { size: 65_536, create: "sparse", exclusive: false };

async function opened(file: string, options: DeviceOpenOptions = SPARSE): Promise<BlockDevice> {
  const result = await openFileDevice(file, options);
  assert.ok(!(result instanceof OpenFailure), String(result));
  return result.device;
}

async function refused(file: string, options: Partial<DeviceOpenOptions> = {}): Promise<OpenFailure> {
  const result = await openFileDevice(file, { ...SPARSE, ...options });
  assert.ok(result instanceof OpenFailure, "it is refused");
  assert.match(String(result), /^Cannot open .+: .+ \(try: .+\)$/);
  assert.ok(result.toString().includes(file));
  return result;
}

/** The device as it is where no call for holes can be made. */
function openPlain(size: number, holes: HoleCalls | null): BlockDevice {
  const file = freshPath();
  const descriptor = fs.openSync(file, "w+");
  fs.ftruncateSync(descriptor, size);
  return new FileDevice({ descriptor, name: file, size, holes, onClosed: () => fs.rmSync(file) });
}

const holes = await loadHoleCalls();

blockDeviceSuite({
  name: holes === null ? "file device" : `file device with holes by ${holes.via}`,
  sparse: holes !== null,
  open: (size) => opened(freshPath(), { ...SPARSE, size }),
});
blockDeviceSuite({
  name: "file device without calls for holes",
  sparse: false,
  open: (size) => Promise.resolve(openPlain(size, null)),
});

test("file device: a call for holes that fails falls back to zeros", async () => {
  const failing: HoleCalls = {
    via: "nothing",
    nextData: () => null,
    nextHole: () => null,
    punch: () => false,
    zero: () => false,
  };
  const device = openPlain(3 * 2 ** 20, failing);
  await device.write(0, pattern(3 * 2 ** 20, 1));
  assert.equal(await device.writeZeroes(10, 2 ** 21, { punch: true }), null);
  assert.deepEqual(await readBack(device, 10, 2 ** 21), new Uint8Array(2 ** 21));
  assert.deepEqual(await device.extents(0, 100), [{ offset: 0, length: 100, hole: false }]);
  await device.close();
});

test("file device: a file that takes no space is one hole even without calls for holes", async () => {
  const device = openPlain(2 ** 20, null);
  assert.deepEqual(await device.extents(0, 2 ** 20), [{ offset: 0, length: 2 ** 20, hole: true }]);
  await device.close();
});

test("file device: created files have exactly the asked size, their folder too, and no space taken", async () => {
  const file = path.join(folder, "deep/er/disk.img");
  const device = await opened(file, { ...SPARSE, size: 10 * 2 ** 30 });
  const stat = fs.statSync(file);
  assert.deepEqual([stat.size, stat.blocks, fs.readdirSync(path.dirname(file))], [10 * 2 ** 30, 0, [
    "disk.img",
  ]]);
  await device.close();
  const allocated = await opened(path.join(folder, "allocated.img"), { ...SPARSE, create: "allocated" });
  assert.ok(fs.statSync(allocated.name).blocks * 512 >= 65_536);
  await allocated.close();
});

test("file device: refused with the file's name and a remedy: directory, missing, too small, odd kinds", async () => {
  assert.equal((await refused(folder)).kind, "is_directory");
  assert.equal((await refused(freshPath(), { create: "never" })).kind, "not_found");
  assert.equal((await refused("/dev/null")).kind, "wrong_kind");
  const file = freshPath();
  await (await opened(file)).close();
  const small = await refused(file, { size: 65_537 });
  assert.deepEqual([small.kind, small.detail], ["too_small", "it has 65536 bytes, but 65537 are needed"]);
  assert.equal((await refused(path.join(file, "below"))).kind, "wrong_kind");
});

test("file device: a file that may not be written is refused, even where the user may write everything", async () => {
  // A read-only attribute of the kernel: its permission bits hold for root too.
  assert.equal((await refused("/sys/kernel/uevent_seqnum", { size: 1 })).kind, "no_permission");
});

test("file device: opened again in the same process it is taken over, lock and all", async () => {
  const file = freshPath();
  const first = await opened(file, { ...SPARSE, exclusive: true });
  const second = await opened(file, { ...SPARSE, exclusive: true });
  assert.equal((await first.write(0, pattern(10, 1)))?.kind, "closed");
  assert.equal(await second.write(0, pattern(10, 2)), null);
  await first.close();
  assert.deepEqual(locksOf(file), ["lock.1"]);
  await second.close();
  assert.deepEqual(locksOf(file), []);
});

test("file lock: a living process keeps its disk, a dead one or another boot loses it", async () => {
  const boot = fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  const parent = process.ppid;
  const stat = fs.readFileSync(`/proc/${parent}/stat`, "utf8");
  const startedTicks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  const cases: [string, unknown, boolean][] = [
    ["alive", { pid: parent, startedTicks, boot }, false],
    ["alive, start unknown", { pid: parent, startedTicks: null, boot }, false],
    ["alive, boot unknown", { pid: parent, startedTicks, boot: null }, false],
    ["the pid was used again", { pid: parent, startedTicks: "1", boot }, true],
    ["our own pid used again", { pid: process.pid, startedTicks: "1", boot }, true],
    ["dead", { pid: 2 ** 22 + 1, startedTicks, boot }, true],
    ["another boot", { pid: parent, startedTicks, boot: "another" }, true],
    ["cut short", "{", true],
  ];
  for (const [label, owner, taken] of cases) {
    const file = freshPath();
    fs.mkdirSync(metadataFolderOf(file));
    fs.writeFileSync(path.join(metadataFolderOf(file), "lock.7"), JSON.stringify(owner));
    if (taken) {
      const device = await opened(file, { ...SPARSE, exclusive: true });
      assert.deepEqual(locksOf(file), ["lock.8"], label);
      await device.close();
      assert.deepEqual(locksOf(file), [], label);
    } else {
      const failure = await refused(file, { exclusive: true });
      assert.equal(failure.kind, "busy", label);
      assert.match(failure.remedy, /lock\.7/);
      assert.deepEqual(locksOf(file), ["lock.7"], label);
    }
  }
});

function locksOf(file: string): string[] {
  return fs.readdirSync(metadataFolderOf(file)).filter((name) => name.startsWith("lock"));
}

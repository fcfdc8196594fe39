/** A real block device under the file device: a loop device over a file of our own. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { test } from "node:test";
import type { DeviceOpenOptions } from "../../volume/device_opener.ts";
import { OpenFailure } from "../../volume/open_failure.ts";
import { openFileDevice } from "../../volume/open_file_device.ts";
import { scanForData } from "../../volume/zero_scan.ts";

const SIZE = 64 * 2 ** 20;
const OPTIONS: DeviceOpenOptions = { size: SIZE / 2, create: "never", exclusive: false };

function whyNot(): string | false {
  if (process.getuid?.() !== 0) return "loop devices need root";
  if (spawnSync("losetup", ["--version"]).error !== undefined) return "losetup is missing";
  if (!fs.existsSync("/dev/loop-control")) return "kernel has no loop devices";
  return spawnSync("mkfs.ext4", ["-V"]).error === undefined ? false : "mkfs.ext4 is missing";
}

test(
  "raw device: size, zeros, taking over, and one that the system has mounted",
  { skip: whyNot() },
  async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-raw-"));
    const image = path.join(folder, "image");
    fs.writeFileSync(image, "");
    fs.truncateSync(image, SIZE);
    const device = execFileSync("losetup", ["--find", "--show", image], { encoding: "utf8" }).trim();
    try {
      const first = await openFileDevice(device, OPTIONS);
      assert.ok(!(first instanceof OpenFailure), String(first));
      assert.deepEqual([first.raw, first.created, first.device.size], [true, false, SIZE / 2]);
      assert.deepEqual(await scanForData(first.device), { kind: "zero" });
      assert.equal(await first.device.write(SIZE / 2 - 3, Uint8Array.of(1, 2, 3)), null);
      const second = await openFileDevice(device, OPTIONS);
      assert.ok(!(second instanceof OpenFailure), String(second));
      assert.equal((await first.device.write(0, Uint8Array.of(1)))?.kind, "closed");
      assert.deepEqual(await scanForData(second.device), { kind: "data", offset: SIZE / 2 - 2 ** 20 });
      assert.equal(await second.device.writeZeroes(0, SIZE / 2, { punch: true }), null);
      assert.equal(await second.device.flush(), null);
      assert.deepEqual(await scanForData(second.device), { kind: "zero" });
      await second.device.close();

      const small = await openFileDevice(device, { ...OPTIONS, size: SIZE + 1 });
      assert.ok(small instanceof OpenFailure);
      assert.deepEqual([small.kind, small.detail], [
        "too_small",
        `it has ${SIZE} bytes, but ${SIZE + 1} are needed`,
      ]);

      const mountPoint = path.join(folder, "mounted");
      fs.mkdirSync(mountPoint);
      execFileSync("mkfs.ext4", ["-q", device]);
      execFileSync("mount", [device, mountPoint]);
      try {
        const mounted = await openFileDevice(device, OPTIONS);
        assert.ok(mounted instanceof OpenFailure);
        assert.equal(mounted.kind, "busy");
      } finally {
        execFileSync("umount", [mountPoint]);
      }
    } finally {
      execFileSync("losetup", ["--detach", device]);
      fs.rmSync(folder, { recursive: true, force: true });
    }
  },
);

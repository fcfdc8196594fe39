/**
 * A real file system on a mirrored volume: made and filled on the source, whose process is then killed; mounted,
 * compared and checked on the survivor. The volume becomes a block device through nbdfuse and a loop device.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { MIB, TestCluster } from "./support/cluster.ts";
import { ROOT, runOk, runToEnd } from "./support/holdfast.ts";
import { missing } from "./support/nbd_server_process.ts";

const PART = ["actors", "cli", "protocol", "runtime", "transports", "volume", "bin"];
const READY_MS = 15_000;

/** Why a block device cannot be had here, or false. */
function noBlockDevice(): string | false {
  if (process.getuid?.() !== 0) return "not root: no loop devices";
  if (!existsSync("/dev/fuse")) return "the kernel lacks FUSE";
  if (spawnSync("losetup", ["--find"]).status !== 0) return "the kernel lacks loop devices";
  return missing("nbdfuse", "losetup", "mkfs.ext4", "fsck.ext4", "mount");
}

/** The volume at one address as a block device; whoever opens it closes it. */
class BlockDevice {
  readonly path: string;
  readonly #mountpoint: string;
  readonly #fuse: ChildProcess;
  readonly #ended: Promise<unknown>;

  private constructor(
    fuse: ChildProcess,
    ended: Promise<unknown>,
    { path, at }: { path: string; at: string },
  ) {
    this.#fuse = fuse;
    this.#ended = ended;
    this.path = path;
    this.#mountpoint = at;
  }

  static async open(uri: string, folder: string): Promise<BlockDevice> {
    mkdirSync(folder, { recursive: true });
    const fuse = spawn("nbdfuse", [folder, uri], { stdio: ["ignore", "inherit", "inherit"] });
    const ended = new Promise((resolve) => fuse.once("exit", resolve));
    const file = join(folder, "nbd");
    const deadline = performance.now() + READY_MS;
    while (!existsSync(file)) {
      assert.ok(fuse.exitCode === null && performance.now() < deadline, "nbdfuse did not come up");
      await delay(20);
    }
    assert.ok(statSync(file).size > 0);
    const loop = (await runOk("losetup", ["--find", "--show", file])).trim();
    return new BlockDevice(fuse, ended, { path: loop, at: folder });
  }

  /** Also when what is behind it is gone. */
  async close(): Promise<void> {
    await runToEnd("losetup", ["--detach", this.path]);
    const unmounted = await runToEnd("umount", [this.#mountpoint]);
    if (unmounted.code !== 0) await runToEnd("umount", ["-l", this.#mountpoint]);
    await this.#ended;
    assert.equal(this.#fuse.exitCode === null && this.#fuse.signalCode === null, false);
  }
}

function copyTree(to: string): void {
  for (const folder of PART) cpSync(join(ROOT, folder), join(to, folder), { recursive: true });
}

test(
  "file system: ext4 with this project's files survives the death of the source, clean at both ends [kernel: FUSE, loop devices]",
  {
    skip: noBlockDevice(),
  },
  async () => {
    const cluster = await TestCluster.inService({ sizeBytes: 64 * MIB });
    const mountpoint = join(cluster.folder, "mounted");
    const copy = join(cluster.folder, "copy");
    mkdirSync(mountpoint);
    copyTree(copy);
    let device: BlockDevice | undefined;
    let mounted = false;
    const mount = async (path: string) => {
      await runOk("mount", ["-t", "ext4", path, mountpoint]);
      mounted = true;
    };
    const unmount = async () => {
      await runOk("umount", [mountpoint]);
      mounted = false;
    };
    try {
      const source = await cluster.source();
      device = await BlockDevice.open(cluster.uri(source), join(cluster.folder, "fuse-1"));
      await runOk("mkfs.ext4", ["-q", device.path]);
      await mount(device.path);
      cpSync(copy, mountpoint, { recursive: true });
      await unmount();
      await runOk("fsck.ext4", ["-f", "-n", device.path]);
      await device.close();
      device = undefined;

      await cluster.kill(source);
      const survivor = await cluster.sourceOtherThan(source);
      device = await BlockDevice.open(cluster.uri(survivor), join(cluster.folder, "fuse-2"));
      await runOk("fsck.ext4", ["-f", "-n", device.path]);
      await mount(device.path);
      await runOk("diff", ["-r", "-x", "lost+found", copy, mountpoint]);
      cpSync(join(copy, "bin"), join(mountpoint, "bin-again"), { recursive: true });
      await unmount();
      await runOk("fsck.ext4", ["-f", "-n", device.path]);
      await device.close();
      device = undefined;

      await cluster.start(source);
      await cluster.healthy();
      await cluster.assertIdentical();
      // A replica is the volume and nothing else: it can be checked without Holdfast.
      await runOk("fsck.ext4", ["-f", "-n", cluster.disk("gamma")]);
    } finally {
      if (mounted) await runToEnd("umount", ["-l", mountpoint]);
      await device?.close();
      await cluster.close();
    }
  },
);

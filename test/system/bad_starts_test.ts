/**
 * Starts that cannot go well: what is wrong is said with its name and its remedy, the exit code tells it to scripts, and
 * nothing that was there is touched. What only one disk is concerned with does not end the node: it may hold others,
 * and votes.
 */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { MIB, TestCluster } from "./support/cluster.ts";

const SIZE_BYTES = 8 * MIB;
const SECTOR_BYTES = 512;

async function oneNode(work: (cluster: TestCluster) => Promise<void>, node = "alpha"): Promise<void> {
  const cluster = await TestCluster.make({ modes: { [node]: "sync" }, sizeBytes: SIZE_BYTES });
  try {
    await work(cluster);
  } finally {
    await cluster.close();
  }
}

const superblockOf = (cluster: TestCluster, node = "alpha") =>
  join(`${cluster.disk(node)}.holdfast`, "superblock");

/** A replica of a healthy cluster whose only node is `node`, as it lies on the disk of a stopped machine. */
async function layReplica(cluster: TestCluster, node: string): Promise<void> {
  await oneNode(async (other) => {
    await other.start(node);
    await other.source();
    assert.equal(await other.stop(node), 0);
    cpSync(dirname(other.disk(node)), dirname(cluster.disk("alpha")), { recursive: true });
  }, node);
}

/** Every sector of the superblock says that a later version wrote it, and its checksum is right. */
function makeNewer(file: string): void {
  const bytes = readFileSync(file);
  for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
    if (bytes.toString("latin1", at, at + 4) !== "HFsb") continue;
    bytes.writeUInt16LE(9, at + 4);
    bytes.writeUInt32LE(crc32(bytes.subarray(at, at + SECTOR_BYTES - 4)), at + SECTOR_BYTES - 4);
  }
  writeFileSync(file, bytes);
}

interface BadDisk {
  readonly name: string;
  readonly prepare: (cluster: TestCluster) => Promise<void> | void;
  readonly cause: RegExp;
  /** The disk is a file whose bytes must stay. */
  readonly file: boolean;
}

const BAD_DISKS: readonly BadDisk[] = [
  {
    name: "a directory",
    prepare: (cluster) => void mkdirSync(cluster.disk("alpha"), { recursive: true }),
    cause: /data\.img: it is a directory/,
    file: false,
  },
  {
    name: "too small",
    prepare: (cluster) => writeDisk(cluster, new Uint8Array(MIB)),
    cause: /data\.img: it has 1048576 bytes, but 8388608 are needed/,
    file: true,
  },
  {
    name: "full of somebody's data",
    prepare: (cluster) => {
      writeDisk(cluster, randomBytes(MIB));
      truncateSync(cluster.disk("alpha"), SIZE_BYTES);
    },
    cause: /data\.img: it holds data that Holdfast did not write/,
    file: true,
  },
  {
    name: "another node's replica",
    prepare: (cluster) => layReplica(cluster, "beta"),
    cause: /superblock: it belongs to node beta, not alpha/,
    file: true,
  },
  {
    name: "of a newer version",
    prepare: async (cluster) => {
      await layReplica(cluster, "alpha");
      makeNewer(superblockOf(cluster));
    },
    cause: /superblock: .*version 9/,
    file: true,
  },
  {
    name: "gone, while its superblock is there",
    prepare: async (cluster) => {
      await layReplica(cluster, "alpha");
      rmSync(cluster.disk("alpha"));
    },
    cause: /data\.img: the disk is gone, though .*superblock is there/,
    file: false,
  },
];

function writeDisk(cluster: TestCluster, bytes: Uint8Array): void {
  mkdirSync(dirname(cluster.disk("alpha")), { recursive: true });
  writeFileSync(cluster.disk("alpha"), bytes);
}

function sumOf(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}

for (const { name, prepare, cause, file } of BAD_DISKS) {
  test(`bad start: a disk that is ${name} is refused by name with a remedy, twice, and stays as it is`, async () => {
    await oneNode(async (cluster) => {
      await prepare(cluster);
      const before = file ? sumOf(cluster.disk("alpha")) : "";
      for (const _ of ["first", "second"]) {
        await cluster.start("alpha");
        const { source, replicas } = await cluster.waitFor(
          "the disk to be refused",
          (group) => group.replicas["alpha"]?.disk === "failed",
        );
        assert.equal(source, null);
        assert.match(replicas["alpha"]?.cause ?? "", cause);
        assert.ok((replicas["alpha"]?.remedy ?? "").length > 5, "there is a remedy");
        const { code, out } = await cluster.holdfast("status");
        assert.equal(code, 0);
        assert.match(out.replaceAll(/\s+/g, " "), cause, "a person sees it too");
        assert.equal(await cluster.stop("alpha"), 0);
      }
      if (file) assert.equal(sumOf(cluster.disk("alpha")), before);
    });
  });
}

const start = (cluster: TestCluster) => cluster.holdfast("node", "start", "--node", "alpha");

for (const [field, port] of [["nbd", "nbdPort"], ["http", "httpPort"], ["listen", "peerPort"]] as const) {
  test(`bad start: a port in use (${field}) ends the node with its name and code 1`, async () => {
    await oneNode(async (cluster) => {
      const taken = createServer();
      const number = cluster[port]("alpha");
      await new Promise<void>((resolve) => taken.listen(number, "127.0.0.1", resolve));
      const { code, err, out } = await start(cluster);
      await new Promise((resolve) => taken.close(resolve));
      assert.equal(code, 1, err);
      assert.doesNotMatch(out, /ready/);
      assert.match(
        err,
        new RegExp(`^holdfast: Cannot start node "alpha": .*${field}.*${number}.*in use.*\\(try: .*\\)`, "m"),
      );
      assert.doesNotMatch(err, /^\s+at /m, "no stack for what is no bug");
    });
  });
}

test("bad start: a second process of a running node is refused with the first one's number, and harms nothing", async () => {
  await oneNode(async (cluster) => {
    const { pid } = await cluster.start("alpha");
    await cluster.source();
    const { code, err } = await start(cluster);
    assert.equal(code, 1);
    assert.match(
      err,
      new RegExp(`Cannot start node "alpha": .*process ${pid} runs this node already \\(try: `),
    );
    assert.ok((await cluster.group())?.state === "in_service");
    await cluster.kill("alpha");
    await cluster.start("alpha");
    assert.equal(await cluster.source(), "alpha", "a lock dies with its process");
  });
});

test("bad start: an unknown node and a missing configuration are wrong use, code 2", async () => {
  await oneNode(async (cluster) => {
    const unknown = await cluster.holdfast("node", "start", "--node", "alhpa");
    assert.equal(unknown.code, 2);
    assert.match(unknown.err, /Cannot find the node alhpa: .*\(try: .*alpha/);
    rmSync(cluster.config);
    const missing = await start(cluster);
    assert.equal(missing.code, 2);
    assert.match(missing.err, /cluster\.yaml/);
  });
});

/**
 * Public clients on a volume that is mirrored to a sync and an async target: whatever they do, all three disks hold
 * the same bytes afterwards and nothing stays marked.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { MIB, TestCluster } from "./support/cluster.ts";
import { runOk, runToEnd } from "./support/holdfast.ts";
import { missing, pythonWithLibnbd } from "./support/nbd_server_process.ts";
import { connectTo } from "./support/volume.ts";

let cluster: TestCluster;
let uri = "";

before(async () => {
  cluster = await TestCluster.inService();
  uri = cluster.uri(await cluster.source());
});

after(() => cluster?.close());

function image(name: string, { dataBytes }: { dataBytes: number }): string {
  const path = join(cluster.folder, name);
  writeFileSync(path, dataBytes === 0 ? new Uint8Array(0) : randomBytes(dataBytes));
  truncateSync(path, cluster.sizeBytes);
  return path;
}

/** After a flush by a client of its own, so that nothing is under way. */
async function assertMirrored(): Promise<void> {
  await cluster.healthy();
  await cluster.assertIdentical();
}

test("mirrored: nbdinfo reads size and flags at the source, and is sent there by a target", {
  skip: missing("nbdinfo"),
}, async () => {
  const [found] = JSON.parse(await runOk("nbdinfo", ["--json", uri])).exports;
  assert.equal(found["export-size"], cluster.sizeBytes);
  for (const flag of ["can_multi_conn", "can_fua", "can_flush", "can_trim", "can_zero"]) {
    assert.equal(found[flag], true, flag);
  }
  const source = await cluster.source();
  for (const target of cluster.nodes.filter((node) => node !== source)) {
    assert.notEqual((await runToEnd("nbdinfo", [cluster.uri(target)])).code, 0);
    assert.match(String(await connectTo(cluster, target)), new RegExp(`served by ${source}: ${uri}`));
  }
});

test("mirrored: nbdcopy there and back, byte by byte", { skip: missing("nbdcopy", "cmp") }, async () => {
  const there = image("there.img", { dataBytes: 20 * MIB });
  const back = image("back.img", { dataBytes: 0 });
  await runOk("nbdcopy", ["--flush", there, uri]);
  await assertMirrored();
  await runOk("cmp", [there, cluster.disk("gamma")]);
  await runOk("nbdcopy", ["--connections=4", "--requests=64", uri, back]);
  await runOk("cmp", [there, back]);
});

test(
  "mirrored: qemu-io patterns, odd offsets, zeroes, discard and FUA",
  { skip: missing("qemu-io") },
  async () => {
    const commands = [
      "write -P 0x5a 1M 3M",
      "read -P 0x5a 1M 3M",
      "write -P 7 513 33",
      "read -P 7 513 33",
      "write -z -u 2M 1M",
      "read -P 0 2M 1M",
      "write -z 1025k 513",
      "read -P 0 1025k 513",
      "discard 3M 1M",
      "write -f -P 9 0 4k",
      "read -P 9 0 4k",
      "write -P 1 32M 32M",
      "read -P 1 32M 32M",
      "flush",
    ];
    const said = await runOk("qemu-io", ["-f", "raw", uri, ...commands.flatMap((each) => ["-c", each])]);
    assert.doesNotMatch(said, /failed|Pattern verification/i);
    await assertMirrored();
  },
);

test(
  "mirrored: qemu-img convert in, compare and convert out",
  { skip: missing("qemu-img", "cmp") },
  async () => {
    const there = image("convert.img", { dataBytes: 8 * MIB });
    const back = join(cluster.folder, "convert-back.img");
    await runOk("qemu-img", ["convert", "-n", "-f", "raw", "-O", "raw", there, uri]);
    assert.match(await runOk("qemu-img", ["compare", "-f", "raw", "-F", "raw", there, uri]), /identical/);
    await runOk("qemu-img", ["convert", "-f", "raw", "-O", "raw", uri, back]);
    await runOk("cmp", [there, back]);
    await assertMirrored();
  },
);

test(
  "mirrored: fio verifies random writes of mixed sizes by checksum",
  { skip: missing("fio") },
  async () => {
    const options = [
      "--name=mirrored",
      "--ioengine=nbd",
      `--uri=${uri}`,
      "--rw=randwrite",
      "--bsrange=512-64k",
      "--blockalign=512",
      "--size=48m",
      "--io_size=32m",
      "--iodepth=16",
      "--verify=crc32c",
      "--verify_fatal=1",
      "--fsync=64",
      "--randseed=7",
      "--minimal",
    ];
    await runOk("fio", options, { cwd: cluster.folder });
    await assertMirrored();
  },
);

const LIBNBD = `
import nbd, os, sys
uri, size = sys.argv[1], int(sys.argv[2])
def connect():
    h = nbd.NBD()
    h.add_meta_context("base:allocation")
    h.connect_uri(uri)
    return h
first, second = connect(), connect()
assert first.can_multi_conn()
block = os.urandom(65536)
first.pwrite(block, 4096)
assert second.pread(65536, 4096) == block, "one connection reads what the other wrote"
second.flush()
first.pwrite(block, size - 65536, nbd.CMD_FLAG_FUA)
first.trim(16384, 8192, nbd.CMD_FLAG_FUA)
assert second.pread(16384, 8192) == bytes(16384), "what was trimmed reads as zeroes"
first.zero(4096, 40960, nbd.CMD_FLAG_NO_HOLE)
assert second.pread(4096, 40960) == bytes(4096)
entries = []
first.zero(8 * 2**20, 0)
first.block_status(8 * 2**20, 0, lambda context, offset, extents, error: entries.extend(extents))
assert sum(entries[0::2]) >= 8 * 2**20 and entries[1] & 2, entries
cookies = [first.aio_pwrite(nbd.Buffer.from_bytearray(bytearray(os.urandom(4096))), 4096 * i) for i in range(256)]
while first.aio_in_flight() > 0:
    first.poll(-1)
for cookie in cookies:
    assert first.aio_command_completed(cookie)
first.flush()
first.shutdown()
second.shutdown()
`;

test("mirrored: libnbd from Python: two connections, FUA, trim, zeroes, block status, many in flight", {
  skip: pythonWithLibnbd() === undefined && "python3-libnbd not installed",
}, async () => {
  await runOk(pythonWithLibnbd() ?? "", ["-c", LIBNBD, uri, String(cluster.sizeBytes)]);
  await assertMirrored();
});

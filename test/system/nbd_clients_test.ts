/**
 * The NBD server beside public clients: libnbd's tools and Python, qemu's, fio's, and our own, over a real socket.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { after, before, test } from "node:test";
import { parseAddress } from "../../transports/address.ts";
import { isStreamEnd } from "../../transports/transport.ts";
import { unixTransport } from "../../transports/unix.ts";
import { connectNbd, type NbdClient } from "../../volume/nbd/client.ts";
import {
  type FileServer,
  missing,
  pythonWithLibnbd,
  run,
  runFailing,
  SIZE_BYTES,
  startFileServer,
} from "./support/nbd_server_process.ts";

let server: FileServer;

before(async () => {
  server = await startFileServer();
});

after(async () => {
  await server.stop();
});

function randomImage(name: string): string {
  const image = path.join(server.folder, name);
  fs.writeFileSync(image, randomBytes(8 * 1024 * 1024));
  fs.truncateSync(image, SIZE_BYTES);
  return image;
}

test("nbdinfo: reads size, flags and block sizes of the export", { skip: missing("nbdinfo") }, () => {
  const info = JSON.parse(run("nbdinfo", ["--json", server.uri()]));
  const [found] = info.exports;
  assert.equal(info.protocol, "newstyle-fixed");
  assert.equal(info.structured, true);
  assert.equal(found["export-size"], SIZE_BYTES);
  assert.equal(found.description, "a file for tests");
  for (
    const flag of [
      "can_multi_conn",
      "can_fua",
      "can_flush",
      "can_trim",
      "can_zero",
      "can_fast_zero",
      "can_df",
      "can_cache",
    ]
  ) {
    assert.equal(found[flag], true, flag);
  }
  assert.equal(found.is_read_only, false);
  assert.deepEqual(
    [found.block_size_minimum, found.block_size_preferred, found.block_size_maximum],
    [1, 4096, 33_554_432],
  );
  assert.deepEqual(found.contexts, ["base:allocation"]);
});

test("nbdinfo: the default export and a read-only one", { skip: missing("nbdinfo") }, () => {
  assert.equal(JSON.parse(run("nbdinfo", ["--json", server.uri("")])).exports[0]["export-size"], SIZE_BYTES);
  assert.equal(JSON.parse(run("nbdinfo", ["--json", server.uri("locked")])).exports[0].is_read_only, true);
});

test("nbdinfo --list: names every export", { skip: missing("nbdinfo") }, () => {
  const listing = run("nbdinfo", ["--list", "--no-content", server.uri("")]);
  assert.match(listing, /export="data"/);
  assert.match(listing, /export="locked"/);
});

test("nbdinfo: an export that another node serves is refused", { skip: missing("nbdinfo") }, () => {
  assert.match(runFailing("nbdinfo", [server.uri("elsewhere")]), /elsewhere/);
});

test("nbdcopy: there and back again, byte by byte", { skip: missing("nbdcopy", "cmp") }, () => {
  const there = randomImage("there.img");
  const back = path.join(server.folder, "back.img");
  fs.writeFileSync(back, "");
  fs.truncateSync(back, SIZE_BYTES);
  run("nbdcopy", ["--flush", there, server.uri()]);
  run("cmp", [there, server.image]);
  run("nbdcopy", ["--connections=4", "--requests=64", server.uri(), back]);
  run("cmp", [there, back]);
});

test("nbdinfo --map: data and holes as they are", { skip: missing("nbdinfo", "nbdcopy") }, () => {
  run("nbdcopy", ["--allocated", randomImage("mapped.img"), server.uri()]);
  const map: { offset: number; length: number; type: number }[] = JSON.parse(
    run("nbdinfo", ["--map", "--json", server.uri()]),
  );
  assert.deepEqual(map.map(({ offset, length, type }) => [offset, length, type]), [
    [0, 8 * 1024 * 1024, 0],
    [8 * 1024 * 1024, SIZE_BYTES - 8 * 1024 * 1024, 3],
  ]);
});

test("qemu-io: patterns, odd offsets, zeroes, discard and flush", { skip: missing("qemu-io") }, () => {
  const said = run("qemu-io", [
    "-f",
    "raw",
    server.uri(),
    ...[
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
    ].flatMap((command) => ["-c", command]),
  ]);
  assert.doesNotMatch(said, /failed|Pattern verification/i);
});

test("qemu-io: a write to a read-only export fails", { skip: missing("qemu-io") }, () => {
  const said = runFailing("qemu-io", ["-f", "raw", server.uri("locked"), "-c", "write 0 4k"]);
  assert.match(said, /read-only|not permitted|Permission/i);
});

test("qemu-img: info, convert both ways, map", { skip: missing("qemu-img", "cmp") }, () => {
  const there = randomImage("convert.img");
  const back = path.join(server.folder, "convert-back.img");
  assert.match(run("qemu-img", ["info", "-f", "raw", server.uri()]), /64 MiB/);
  run("qemu-img", ["convert", "-n", "-f", "raw", "-O", "raw", there, server.uri()]);
  run("qemu-img", ["convert", "-f", "raw", "-O", "raw", server.uri(), back]);
  run("cmp", [there, back]);
  const map: { data: boolean; zero: boolean }[] = JSON.parse(
    run("qemu-img", ["map", "-f", "raw", "--output=json", server.uri()]),
  );
  assert.ok(map.some((extent) => extent.data) && map.some((extent) => extent.zero));
});

test("fio: random writes of mixed sizes verify by checksum", { skip: missing("fio") }, () => {
  run("fio", [
    "--name=verify",
    "--ioengine=nbd",
    `--uri=${server.uri()}`,
    "--rw=randwrite",
    "--bsrange=512-128k",
    "--blockalign=512",
    "--iodepth=16",
    "--size=32M",
    "--verify=crc32c",
    "--verify_fatal=1",
    "--do_verify=1",
    "--fsync=64",
    "--output-format=json",
  ], { cwd: server.folder });
});

const python = pythonWithLibnbd();

test("libnbd: every call of its Python, on two connections", {
  skip: python === undefined && "python3-libnbd not installed",
}, () => {
  const script = `
import errno, nbd
def connect(name="data", structured=True):
    h = nbd.NBD()
    h.set_request_structured_replies(structured)
    h.add_meta_context("base:allocation")
    h.connect_uri("${server.uri("")}".replace(":///?", ":///" + name + "?"))
    return h
one, two = connect(), connect()
assert one.can_multi_conn() and one.get_structured_replies_negotiated()
one.pwrite(b"A" * 1000, 5000, nbd.CMD_FLAG_FUA)
assert two.pread(1000, 5000) == b"A" * 1000
two.zero(100, 5000, nbd.CMD_FLAG_NO_HOLE | nbd.CMD_FLAG_FUA)
assert one.pread(101, 5000) == bytes(100) + b"A"
one.flush(); two.trim(65536, 131072, nbd.CMD_FLAG_FUA); one.cache(4096, 0)
chunks = []
def chunk(data, offset, status, error):
    chunks.append((len(data), offset, status)); return 0
assert one.pread_structured(4096, 4096, chunk, nbd.CMD_FLAG_DF) is not None
assert chunks == [(4096, 4096, nbd.READ_DATA)], chunks
extents = []
one.block_status(1 << 20, 0, lambda context, offset, entries, error: extents.append((context, entries)) or 0, nbd.CMD_FLAG_REQ_ONE)
assert len(extents) == 1 and extents[0][0] == "base:allocation" and len(extents[0][1]) == 2, extents
try:
    one.zero(4096, 0, nbd.CMD_FLAG_FAST_ZERO); assert False
except nbd.Error as error: assert error.errnum == errno.ENOTSUP, error
one.set_strict_mode(0)
for call, number in [
    (lambda: one.pread(4096, ${SIZE_BYTES}), errno.EINVAL),
    (lambda: one.pwrite(b"x" * 512, ${SIZE_BYTES} - 511), errno.ENOSPC),
    (lambda: one.trim(0, 0), errno.EINVAL),
    (lambda: one.pwrite(b"x" * 512, 0, 0x4000), errno.EINVAL),
]:
    try: call(); assert False, number
    except nbd.Error as error: assert error.errnum == number, (error, number)
assert one.pread(1, 5100) == b"A"
handles = [one.aio_pread(nbd.Buffer(65536), index * 65536) for index in range(64)]
while handles:
    handles = [handle for handle in handles if not one.aio_command_completed(handle)]
    if handles: one.poll(-1)
simple = connect(structured=False)
assert not simple.get_structured_replies_negotiated()
assert simple.pread(1, 5100) == b"A"
locked = connect("locked")
locked.set_strict_mode(0)
try: locked.pwrite(b"x", 0); assert False
except nbd.Error as error: assert error.errnum == errno.EPERM, error
wait = nbd.NBD(); wait.set_opt_mode(True); wait.connect_unix("${server.socket}")
names = []
assert wait.opt_list(lambda name, text: names.append(name) or 0) == 2 and names == ["data", "locked"]
wait.set_export_name("nothing")
try: wait.opt_go(); assert False
except nbd.Error: pass
wait.set_export_name("data"); wait.opt_info(); assert wait.get_size() == ${SIZE_BYTES}
wait.opt_go(); assert wait.pread(1, 5100) == b"A"
for handle in (one, two, simple, locked, wait): handle.shutdown()
print("all held")
`;
  assert.match(run(python ?? "", ["-c", script]), /all held/);
});

/** A raw connection that has read the greeting. */
function rawConnection(): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(server.socket);
    socket.once("error", reject);
    socket.once("data", () => resolve(socket));
  });
}

function answer(socket: net.Socket, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let got = Buffer.alloc(0);
    const onData = (bytes: Buffer) => {
      got = Buffer.concat([got, bytes]);
      if (got.length < length) return;
      socket.off("data", onData);
      resolve(got);
    };
    socket.on("data", onData);
    socket.once("close", () => reject(new Error("the connection ended")));
  });
}

function option(number: number, data: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(16);
  header.write("IHAVEOPT");
  header.writeUInt32BE(number, 8);
  header.writeUInt32BE(data.length, 12);
  return Buffer.concat([header, data]);
}

test("raw socket: an unknown option and an unknown command get their errors, and the connection lives on", async () => {
  const socket = await rawConnection();
  socket.write(Buffer.concat([Buffer.from([0, 0, 0, 3]), option(0xbeef, Buffer.from("?"))]));
  assert.equal((await answer(socket, 20)).readUInt32BE(12), 0x80000001);
  socket.write(option(1, Buffer.from("data")));
  assert.equal((await answer(socket, 10)).readBigUInt64BE(0), BigInt(SIZE_BYTES));
  const request = Buffer.alloc(28);
  request.writeUInt32BE(0x25609513);
  request.writeUInt16BE(1234, 6);
  request.write("handle!!", 8);
  socket.write(request);
  assert.equal((await answer(socket, 16)).toString("latin1"), "\x67\x44\x66\x98\0\0\0\x16handle!!");
  request.writeUInt16BE(3, 6);
  socket.write(request);
  assert.equal((await answer(socket, 16)).readUInt32BE(4), 0);
  socket.destroy();
});

test("raw socket: rubbish and broken connections leave the server serving", async () => {
  for (let index = 0; index < 50; index += 1) {
    const socket = await rawConnection();
    socket.on("error", () => socket.destroy());
    socket.write(randomBytes(1 + index * 37));
    if (index % 2 === 0) socket.destroy();
    else socket.end();
  }
  const client = await ownClient();
  assert.ok((await client.flush()).ok);
  await client.disconnect();
});

async function ownClient(): Promise<NbdClient> {
  const address = parseAddress(`unix:${server.socket}`);
  assert.ok("scheme" in address);
  const stream = await unixTransport.connect(address, { timeoutMs: 5000 });
  assert.ok(!isStreamEnd(stream));
  const outcome = await connectNbd(stream, {
    exportName: "data",
    startTimer(delayMs, onElapsed) {
      const timer = setTimeout(onElapsed, delayMs);
      return () => clearTimeout(timer);
    },
  });
  assert.ok(outcome.ok);
  return outcome.client;
}

test("our own client: many requests in flight, 32 MiB in one, and a goodbye", async () => {
  const client = await ownClient();
  const blocks = Array.from({ length: 256 }, () => randomBytes(16 * 1024));
  const written = await Promise.all(blocks.map((block, index) => client.write(index * block.length, block)));
  assert.ok(written.every((outcome) => outcome.ok));
  assert.ok((await client.flush()).ok);
  const read = await client.read(0, 4 * 1024 * 1024);
  assert.ok(read.ok && Buffer.concat(blocks).equals(read.value));
  const large = randomBytes(32 * 1024 * 1024);
  assert.ok((await client.write(7, large, { fua: true })).ok);
  const back = await client.read(7, large.length);
  assert.ok(back.ok && large.equals(back.value));
  await client.disconnect();
});

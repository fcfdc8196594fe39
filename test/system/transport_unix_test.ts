/** Unix sockets keep the promises of every transport, and their own about the socket file. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { isListenFailure } from "../../transports/transport.ts";
import { unixTransport } from "../../transports/unix.ts";
import { transportSuite } from "../conformance/transport_suite.ts";
import { settleReal, untilReal } from "./support/real_world.ts";

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-unix-"));
  try {
    await run(folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

transportSuite("unix", () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-unix-"));
  return Promise.resolve({
    transport: unixTransport,
    address: { scheme: "unix", path: path.join(folder, "a.sock") },
    deadAddress: { scheme: "unix", path: path.join(folder, "nobody.sock") },
    until: untilReal,
    settle: settleReal,
    close: () => Promise.resolve(fs.rmSync(folder, { recursive: true, force: true })),
  });
});

test("unix: the socket file is for its owner only, and is gone after close", () =>
  inFolder(async (folder) => {
    const file = path.join(folder, "a.sock");
    const umask = process.umask();
    const listener = await unixTransport.listen({ scheme: "unix", path: file }, () => {});
    assert.ok(!isListenFailure(listener));
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    assert.equal(process.umask(), umask, "the process's mask is as it was");
    await listener.close();
    assert.ok(!fs.existsSync(file));
  }));

test("unix: the stale socket file of a killed process is replaced", () =>
  inFolder(async (folder) => {
    const file = path.join(folder, "a.sock");
    const script = `require("node:net").createServer().listen(process.argv[1], () => console.log("ready"))`;
    const child = spawn("node", ["-e", script, file], { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    const live = await unixTransport.listen({ scheme: "unix", path: file }, () => {});
    assert.ok(isListenFailure(live), "a live socket is refused");
    assert.equal(live.kind, "address_in_use");
    assert.match(live.detail, /another process listens there \(try: stop it/);
    const exited = new Promise((resolve) => child.once("exit", resolve));
    process.kill(child.pid as number, "SIGKILL");
    await exited;
    assert.ok(fs.existsSync(file), "a killed process leaves its file");
    const listener = await unixTransport.listen({ scheme: "unix", path: file }, () => {});
    assert.ok(!isListenFailure(listener));
    await listener.close();
  }));

test("unix: a file that is no socket is left alone", () =>
  inFolder(async (folder) => {
    const file = path.join(folder, "precious");
    fs.writeFileSync(file, "data");
    const failure = await unixTransport.listen({ scheme: "unix", path: file }, () => {});
    assert.ok(isListenFailure(failure));
    assert.equal(failure.kind, "not_usable");
    assert.equal(fs.readFileSync(file, "utf8"), "data");
  }));

test("unix: a missing folder is a failure that says what to make", () =>
  inFolder(async (folder) => {
    const failure = await unixTransport.listen(
      { scheme: "unix", path: path.join(folder, "no", "a.sock") },
      () => {},
    );
    assert.ok(isListenFailure(failure));
    assert.match(failure.detail, /Cannot listen on unix:.* \(try: /);
  }));

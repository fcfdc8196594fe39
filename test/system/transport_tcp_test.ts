/** TCP on loopback keeps the promises of every transport, and its own. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { isListenFailure, isStreamEnd } from "../../transports/transport.ts";
import { tcpTransport } from "../../transports/tcp.ts";
import { Collector, patterned, transportSuite } from "../conformance/transport_suite.ts";
import { settleReal, untilReal } from "./support/real_world.ts";

/** A port that was free a moment ago and that nobody listens on now. */
async function deadPort(): Promise<number> {
  const listener = await tcpTransport.listen({ scheme: "tcp", host: "127.0.0.1", port: 0 }, () => {});
  assert.ok(!isListenFailure(listener));
  await listener.close();
  return Number(listener.address.split(":").at(-1));
}

transportSuite("tcp", async () => ({
  transport: tcpTransport,
  address: { scheme: "tcp", host: "127.0.0.1", port: 0 },
  deadAddress: { scheme: "tcp", host: "127.0.0.1", port: await deadPort() },
  until: untilReal,
  settle: settleReal,
  close: () => Promise.resolve(),
}));

test("tcp: an address of another host cannot be listened on, and the failure says what to try", async () => {
  const failure = await tcpTransport.listen({ scheme: "tcp", host: "192.0.2.1", port: 0 }, () => {});
  assert.ok(isListenFailure(failure));
  assert.equal(failure.kind, "not_usable");
  assert.match(failure.detail, /Cannot listen on tcp:\/\/192\.0\.2\.1:0: .* \(try: .*\)/);
});

/** A process that listens and never accepts: after its backlog is full, the kernel drops every further attempt. */
const DEAF_LISTENER = `
  const server = require("node:net").createServer();
  server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
    require("node:fs").writeSync(1, String(server.address().port) + "\\n");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });`;

test("tcp: connecting gives up at its time-out", async () => {
  const child = spawn("node", ["-e", DEAF_LISTENER], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const port = Number(String(await new Promise((resolve) => child.stdout.once("data", resolve))));
    const outcomes = await Promise.all(
      Array.from(
        { length: 6 },
        () => tcpTransport.connect({ scheme: "tcp", host: "127.0.0.1", port }, { timeoutMs: 200 }),
      ),
    );
    const ends = outcomes.filter((outcome) => isStreamEnd(outcome));
    assert.ok(ends.length >= 1, "some attempt finds the backlog full");
    for (const end of ends) {
      assert.equal(end.kind, "timed_out");
      assert.equal(end.detail, `tcp://127.0.0.1:${port}: no connection within 200 ms`);
    }
    for (const outcome of outcomes) if (!isStreamEnd(outcome)) outcome.destroy("done");
  } finally {
    process.kill(child.pid as number, "SIGKILL");
  }
});

test("tcp: a peer whose process is killed is noticed at once", async () => {
  const echo = `require("node:net").createServer((s) => s.pipe(s))
    .listen({ port: 0, host: "127.0.0.1" }, function () { console.log(this.address().port); })`;
  const child = spawn("node", ["-e", echo], { stdio: ["ignore", "pipe", "inherit"] });
  const port = Number(String(await new Promise((resolve) => child.stdout.once("data", resolve))));
  const stream = await tcpTransport.connect({ scheme: "tcp", host: "127.0.0.1", port }, { timeoutMs: 1_000 });
  assert.ok(!isStreamEnd(stream));
  const collector = new Collector();
  stream.start(collector);
  stream.send(patterned(1_000));
  await untilReal(() => collector.byteLength === 1_000, "the echo");
  process.kill(child.pid as number, "SIGKILL");
  await untilReal(() => collector.ends.length === 1, "the end");
  assert.ok(["ended_by_peer", "reset"].includes(collector.ends[0]?.kind ?? ""));
});

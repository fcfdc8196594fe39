/** TCP on loopback keeps the promises of every transport, and its own. */
import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";
import { isListenFailure, isStreamEnd } from "../../transports/transport.ts";
import { tcpTransport } from "../../transports/tcp.ts";
import { transportSuite } from "../conformance/transport_suite.ts";
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

test("tcp: connecting gives up at its time-out", async () => {
  // A listener whose backlog is full answers no further connection; a raw socket is never accepted here.
  const silent = net.createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve) => silent.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, resolve));
  const address = silent.address();
  assert.ok(address !== null && typeof address === "object");
  const outcome = await tcpTransport.connect({ scheme: "tcp", host: "192.0.2.1", port: 9 }, {
    timeoutMs: 50,
  });
  assert.ok(isStreamEnd(outcome));
  assert.ok(["timed_out", "unreachable", "refused"].includes(outcome.kind), outcome.kind);
  await new Promise<void>((resolve) => silent.close(() => resolve()));
});

/** The wide-area network on one machine: its delay, its rate and its switch are what was asked for, over real sockets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openWan } from "../../bench/wan.ts";
import type { ByteStream } from "../../runtime/byte_stream.ts";
import { isAddressRefusal, parseAddress } from "../../transports/address.ts";
import { tcpTransport } from "../../transports/tcp.ts";
import { isListenFailure, isStreamEnd } from "../../transports/transport.ts";
import { Collector, patterned } from "../conformance/transport_suite.ts";
import { untilReal } from "./support/real_world.ts";

test("wan: bytes take the round trip and the time of the thin wire, arrive unchanged, and a cut ends both sides", async () => {
  const echoes: ByteStream[] = [];
  const server = await tcpTransport.listen({ scheme: "tcp", host: "127.0.0.1", port: 0 }, (stream) => {
    echoes.push(stream);
    const collector = new Collector();
    collector.onBytes = (bytes) => stream.send(bytes.slice());
    stream.start(collector);
  });
  assert.ok(!isListenFailure(server));
  const wan = await openWan({
    listen: "tcp://127.0.0.1:0",
    to: server.address,
    delayMs: 25,
    jitterMs: 2,
    bytesPerSecond: 2_000_000,
  });
  const address = parseAddress(wan.address);
  assert.ok(!isAddressRefusal(address));
  const stream = await tcpTransport.connect(address, { timeoutMs: 5_000 });
  assert.ok(!isStreamEnd(stream));
  const back = new Collector();
  stream.start(back);
  stream.send(patterned(1));
  await untilReal(() => back.byteLength === 1, "the first echo");
  const pingAt = performance.now();
  stream.send(patterned(1));
  await untilReal(() => back.byteLength === 2, "the second echo");
  const roundTripMs = performance.now() - pingAt;
  assert.ok(roundTripMs >= 50 && roundTripMs < 500, `${roundTripMs} ms for a round trip of 50`);
  const message = patterned(1_000_000);
  const bulkAt = performance.now();
  stream.send(message);
  await untilReal(() => back.byteLength === 2 + message.byteLength, "the whole message");
  const bulkMs = performance.now() - bulkAt;
  assert.ok(bulkMs >= 450 && bulkMs < 3_000, `${bulkMs} ms for half a second of the wire`);
  assert.deepEqual(Buffer.concat(back.chunks).subarray(2), Buffer.from(message));
  wan.cut();
  await untilReal(() => back.ends.length === 1, "the end");
  stream.destroy("done");
  for (const echo of echoes) echo.destroy("done");
  await wan.close();
  await server.close();
});

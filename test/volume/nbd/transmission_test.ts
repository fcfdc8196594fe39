/**
 * What one connection promises beyond single replies: batches, bounds, and ways to end.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { VolumeErrorKind } from "../../../volume/volume_request.ts";
import { NBD_LIMITS } from "../../../volume/nbd/limits.ts";
import { MemoryPort } from "./support/memory_port.ts";
import { MEBIBYTE, request, serveRaw, simpleReplies } from "./support/served.ts";

const READ = 0;
const WRITE = 1;
const DISC = 2;
const FLUSH = 3;

function writes(count: number, length = 512): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, index) => {
    return request({
      type: WRITE,
      handle: index,
      offset: index * length,
      payload: Buffer.alloc(length, index + 1),
    });
  }));
}

test("nbd transmission: what one read brought is one batch, and its replies are one send", () => {
  const { raw, turns, port, stream } = serveRaw();
  const sendsBefore = stream.sends;
  raw.stream.send(writes(32));
  turns.run();
  assert.deepEqual(port.batches, [32]);
  assert.equal(stream.sends - sendsBefore, 1);
  assert.equal(simpleReplies(raw.take()).length, 32);
});

test("nbd transmission: a batch of reads leaves in one send, and nothing of it is copied", () => {
  const { raw, turns, port, stream } = serveRaw({ structured: true });
  port.bytes.fill(7);
  const sendsBefore = stream.sends;
  raw.stream.send(
    Buffer.concat([1, 2, 3, 4].map((handle) => request({ type: READ, handle, offset: 0, length: 4096 }))),
  );
  turns.run();
  assert.equal(stream.sends - sendsBefore, 1);
  assert.equal(raw.take().length, 4 * (28 + 4096));
});

test("nbd transmission: read data that lie elsewhere are sent from there", () => {
  const { raw, turns, port } = serveRaw();
  port.readsInPlace = false;
  port.bytes.set(Buffer.from("here"), 100);
  raw.stream.send(request({ type: READ, handle: 1, offset: 100, length: 4 }));
  turns.run();
  assert.equal(raw.take().subarray(16).toString(), "here");
});

test("nbd transmission: completions of one turn, in any order, are one send", () => {
  const { raw, turns, port, stream } = serveRaw({ immediate: false });
  raw.stream.send(writes(8));
  turns.run();
  const sendsBefore = stream.sends;
  port.answerAll((count) => count - 1);
  turns.run();
  assert.equal(stream.sends - sendsBefore, 1);
  assert.deepEqual(simpleReplies(raw.take()).map((reply) => reply.handle), [7, 6, 5, 4, 3, 2, 1, 0]);
});

test("nbd transmission: payloads stay unchanged while their writes wait, however much comes after them", () => {
  const { raw, turns, port } = serveRaw({ immediate: false, slabBytes: 16 * 1024, size: 4 * MEBIBYTE });
  raw.stream.send(writes(200, 4000));
  turns.run();
  assert.equal(port.waiting.length, 200);
  port.answerAll();
  for (let index = 0; index < 200; index += 1) {
    const block = port.bytes.subarray(index * 4000, index * 4000 + 4000);
    assert.ok(block.every((byte) => byte === (index + 1) % 256), `block ${index}`);
  }
});

test("nbd transmission: at the bound of requests in flight the socket is not read, and goes on after a completion", () => {
  const { raw, turns, port, session } = serveRaw({ immediate: false, limits: { requestsInFlightMax: 4 } });
  raw.stream.send(writes(10));
  turns.run();
  assert.equal(session.requestsInFlight, 4);
  const [first] = port.waiting;
  assert.ok(first !== undefined);
  port.fail(first, "io_error");
  turns.run();
  assert.equal(session.requestsInFlight, 4);
  while (port.waiting.length > 0) {
    port.answerAll();
    turns.run();
  }
  assert.equal(simpleReplies(raw.take()).length, 10);
});

test("nbd transmission: reads that nobody fetches hold up further requests, not the heap", () => {
  const size = 4 * MEBIBYTE;
  const limits = { payloadBytesMax: MEBIBYTE, replyBytesMax: 4 * MEBIBYTE, payloadSkipBytesMax: MEBIBYTE };
  const { raw, turns, stream } = serveRaw({ size, limits, highWaterBytes: 2 * MEBIBYTE });
  raw.deaf = true;
  raw.stream.send(Buffer.concat(Array.from({ length: 40 }, (_, handle) => {
    return request({ type: READ, handle, length: MEBIBYTE });
  })));
  turns.run();
  assert.ok(stream.queuedBytesPeak <= 8 * MEBIBYTE, `${stream.queuedBytesPeak}`);
  raw.deaf = false;
  raw.stream.resume();
  turns.run();
  assert.equal(raw.take().length, 40 * (16 + MEBIBYTE));
});

test("nbd transmission: a flood of bad requests that nobody hears answers of is held up too", () => {
  const { raw, turns, stream } = serveRaw({
    structured: true,
    highWaterBytes: 64 * 1024,
    slabBytes: 4 * MEBIBYTE,
  });
  raw.deaf = true;
  const bad = request({ type: 99, handle: 1 });
  raw.stream.send(Buffer.concat(Array.from({ length: 100_000 }, () => bad)));
  turns.run();
  assert.ok(stream.queuedBytesPeak < 2 * MEBIBYTE, `${stream.queuedBytesPeak}`);
});

test("nbd transmission: buffers pinned by waiting writes hold up further requests", () => {
  const size = 64 * MEBIBYTE;
  const limits = { payloadBytesMax: MEBIBYTE, payloadSkipBytesMax: MEBIBYTE, pinnedBytesMax: 3 * MEBIBYTE };
  const { raw, turns, port } = serveRaw({ size, limits, immediate: false, slabBytes: MEBIBYTE + 1024 });
  raw.stream.send(writes(32, MEBIBYTE));
  turns.run();
  assert.ok(port.waiting.length <= 5, `${port.waiting.length} megabytes wait`);
  while (port.waiting.length > 0) {
    port.answerAll();
    turns.run();
  }
  assert.equal(simpleReplies(raw.take()).length, 32);
});

test("nbd transmission: a port that is full is not given more until it says so", () => {
  const { raw, turns, port, session } = serveRaw();
  port.writable = false;
  raw.stream.send(writes(3));
  turns.run();
  assert.deepEqual(port.batches, []);
  port.writable = true;
  session.onWritable();
  turns.run();
  assert.equal(simpleReplies(raw.take()).length, 3);
});

const ERRORS: readonly { error: VolumeErrorKind; number: number; type: number }[] = [
  { error: "io_error", number: 5, type: WRITE },
  { error: "no_space", number: 28, type: WRITE },
  { error: "out_of_range", number: 28, type: WRITE },
  { error: "out_of_range", number: 22, type: READ },
  { error: "not_supported", number: 95, type: FLUSH },
  { error: "shutting_down", number: 108, type: READ },
];

for (const { error, number, type } of ERRORS) {
  test(`nbd transmission: ${error} of request type ${type} is error ${number} on the wire, without data`, () => {
    const { raw, turns, port } = serveRaw({ immediate: false });
    raw.stream.send(
      request({
        type,
        handle: 9,
        length: type === FLUSH ? 0 : 4,
        ...(type === WRITE ? { payload: Buffer.from("four") } : {}),
      }),
    );
    turns.run();
    const [waiting] = port.waiting;
    assert.ok(waiting !== undefined);
    if (type === READ) waiting.replySpace?.();
    port.fail(waiting, error);
    turns.run();
    assert.deepEqual(simpleReplies(raw.take()), [{ handle: 9, error: number }]);
  });
}

test("nbd transmission: the payload of a refused write is skipped, and the next request is served", () => {
  const { raw, turns } = serveRaw({ size: 1024 });
  const late = request({ type: WRITE, handle: 1, offset: 1000, payload: Buffer.alloc(700_000) });
  raw.stream.send(Buffer.concat([late, request({ type: READ, handle: 2, length: 4 })]));
  turns.run();
  const replies = raw.take();
  assert.deepEqual(simpleReplies(replies.subarray(0, 32)), [{ handle: 1, error: 28 }, {
    handle: 2,
    error: 0,
  }]);
});

test("nbd transmission: a write that is too large to skip ends the connection after what came before it", () => {
  const limits = { payloadBytesMax: 65_536, payloadSkipBytesMax: 65_536 };
  const { raw, turns, ends } = serveRaw({ limits });
  const huge = request({ type: WRITE, handle: 2, length: 65_537 });
  raw.stream.send(Buffer.concat([request({ type: FLUSH, handle: 1 }), huge]));
  turns.run();
  assert.deepEqual(simpleReplies(raw.take()), [{ handle: 1, error: 0 }]);
  assert.match(ends[0]?.cause ?? "", /a write of 65537 bytes/);
});

test("nbd transmission: bytes that are no request end the connection", () => {
  const { raw, turns, ends } = serveRaw();
  raw.stream.send(Buffer.alloc(64, 0x41));
  turns.run();
  assert.match(ends[0]?.cause ?? "", /no NBD request/);
  assert.notEqual(raw.end, null);
});

test("nbd transmission: a farewell waits for what is in flight, then the connection ends", () => {
  const { raw, turns, port, ends } = serveRaw({ immediate: false });
  raw.stream.send(Buffer.concat([writes(2), request({ type: DISC, handle: 0 }), writes(1)]));
  turns.run();
  assert.equal(ends.length, 0);
  assert.equal(port.waiting.length, 2, "nothing is read behind a farewell");
  port.answerAll();
  turns.run();
  assert.equal(simpleReplies(raw.take()).length, 2);
  assert.equal(raw.end?.kind, "ended_by_peer");
  assert.equal(ends.length, 1);
});

test("nbd transmission: I1: after close no write is reported as done, completed late or in the same turn", () => {
  const { raw, turns, port, session, ends } = serveRaw({ immediate: false });
  raw.stream.send(writes(3));
  turns.run();
  const [first] = port.waiting.splice(0, 1);
  assert.ok(first !== undefined);
  first.complete(null);
  session.close("the source was demoted");
  port.answerAll();
  turns.run();
  assert.equal(raw.take().length, 0);
  assert.equal(ends[0]?.cause, "the source was demoted");
  assert.notEqual(raw.end, null);
});

test("nbd transmission: a close inside of submit leaves the payloads of that batch alone", () => {
  const port = new MemoryPort({ size: MEBIBYTE, immediate: true });
  const served = serveRaw({ port });
  const submit = port.submit.bind(port);
  let seen: number[] = [];
  port.submit = (batch) => {
    served.session.close("in the middle");
    served.slabs.take().bytes.fill(0xee);
    seen = batch.map((one) => one.payload?.[0] ?? -1);
    submit(batch);
  };
  served.raw.stream.send(writes(3));
  served.turns.run();
  assert.deepEqual(seen, [1, 2, 3]);
  assert.equal(served.raw.take().length, 0);
});

test("nbd transmission: finish answers what is in flight and reads no more", () => {
  const { raw, turns, port, session, ends } = serveRaw({ immediate: false });
  raw.stream.send(writes(2));
  turns.run();
  session.finish("this node stops");
  raw.stream.send(writes(1));
  turns.run();
  assert.equal(ends.length, 0);
  port.answerAll();
  turns.run();
  assert.equal(simpleReplies(raw.take()).length, 2);
  assert.equal(ends[0]?.cause, "this node stops");
});

test("nbd transmission: a client that does not take its last replies is dropped when its time is up", () => {
  const { raw, turns, timers, session, ends } = serveRaw();
  raw.deaf = true;
  raw.stream.send(writes(2));
  turns.run();
  session.finish("this node stops");
  turns.run();
  assert.equal(ends.length, 0);
  assert.deepEqual(timers.pending.map((timer) => timer.delayMs), [NBD_LIMITS.lingerMs]);
  timers.elapse();
  turns.run();
  assert.equal(ends.length, 1);
});

test("nbd transmission: a request is completed once; a second time is a bug that is noticed", () => {
  const { raw, turns, port } = serveRaw({ immediate: false });
  raw.stream.send(request({ type: FLUSH, handle: 1 }));
  turns.run();
  const [waiting] = port.waiting;
  assert.ok(waiting !== undefined);
  port.answerAll();
  assert.throws(() => waiting.complete(null), /completed once/);
});

test("nbd transmission: after the end every slab is free for the next client, also of late completions", () => {
  const { raw, turns, port, slabs, session } = serveRaw({ immediate: false });
  raw.stream.send(Buffer.concat([
    writes(3),
    ...[7, 8, 9].map((handle) => {
      return request({ type: READ, handle, length: 4096 });
    }),
  ]));
  turns.run();
  const [write, ...others] = port.waiting;
  const late = others.find((one) => one.kind === "read");
  assert.ok(write !== undefined && late !== undefined);
  const space = late.replySpace?.();
  port.waiting = others.filter((one) => one !== late);
  port.answer(write);
  write.slab?.release();
  session.close("over");
  turns.run();
  late.complete(null, space);
  port.answerAll();
  turns.run();
  assert.equal(slabs.held, 0);
});

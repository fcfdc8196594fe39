/**
 * Where requests lie: nothing that is held is overwritten, slabs come back, and large requests are not copied about.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SlabPool } from "../../../runtime/slab.ts";
import { RequestDecoder } from "../../../volume/nbd/request_decoder.ts";
import { request } from "./support/served.ts";

const SLAB_BYTES = 256 * 1024;

function decoder(): { decoder: RequestDecoder; slabs: SlabPool } {
  const slabs = new SlabPool({ slabBytes: SLAB_BYTES, idleMax: 4 });
  return { decoder: new RequestDecoder(slabs), slabs };
}

/** Puts bytes into the space as a socket would, as many as fit; the length that was taken. */
function feed(into: RequestDecoder, bytes: Uint8Array): number {
  const space = into.space();
  const length = Math.min(space.length, bytes.length);
  space.set(bytes.subarray(0, length));
  into.received(length);
  return length;
}

test("nbd decoder: after everything was consumed, filling starts at the slab's beginning again", () => {
  const { decoder: one } = decoder();
  const first = one.space();
  feed(one, request({ type: 1, handle: 1, payload: Buffer.alloc(5000) }));
  assert.equal(one.readHeader(), "header");
  assert.ok(one.hasPayload());
  one.consumePayload();
  assert.equal(one.space().byteOffset, first.byteOffset);
  assert.equal(one.space().buffer, first.buffer);
});

test("nbd decoder: a slab that somebody holds is never written where its payloads lie", () => {
  const { decoder: one } = decoder();
  feed(one, request({ type: 1, handle: 1, payload: Buffer.alloc(5000, 0x11) }));
  one.readHeader();
  one.hasPayload();
  const payload = one.consumePayload();
  const buffer = one.submitted();
  buffer.slab.retain();
  for (let round = 0; round < 200; round += 1) {
    feed(one, request({ type: 1, handle: 2, payload: Buffer.alloc(5000, 0x22) }));
    one.readHeader();
    one.hasPayload();
    one.consumePayload();
  }
  assert.ok(payload.every((byte) => byte === 0x11));
  assert.equal(one.pinnedBytes, SLAB_BYTES);
  one.completed(buffer);
  assert.equal(one.pinnedBytes, 0);
});

test("nbd decoder: a large request is read to its end and no further, so that the next begins at a boundary", () => {
  const { decoder: one } = decoder();
  const large = request({ type: 1, handle: 1, payload: Buffer.alloc(200_000) });
  feed(one, large.subarray(0, 40));
  assert.equal(one.readHeader(), "header");
  assert.ok(!one.hasPayload());
  assert.equal(one.space().length, large.length - 40);
});

test("nbd decoder: a request larger than a slab gets a slab of its own, kept while more of its size come", () => {
  const { decoder: one, slabs } = decoder();
  const large = request({ type: 1, handle: 1, payload: Buffer.alloc(3 * SLAB_BYTES, 0x33) });
  let buffer: ArrayBufferLike | null = null;
  for (let round = 0; round < 3; round += 1) {
    let sent = 0;
    while (sent < large.length) {
      sent += feed(one, large.subarray(sent));
      one.readHeader();
      if (!one.hasPayload()) continue;
      const payload = one.consumePayload();
      assert.ok(payload.every((byte) => byte === 0x33));
      if (buffer !== null) assert.equal(payload.buffer, buffer);
      buffer = payload.buffer;
    }
  }
  feed(one, request({ type: 3, handle: 2 }));
  one.readHeader();
  one.consume();
  assert.equal(one.space().buffer.byteLength, slabs.slabBytes, "a small request ends the large slab");
});

test("nbd decoder: a header cut by the end of a slab is put together", () => {
  const { decoder: one } = decoder();
  const payload = Buffer.alloc(1000, 0x44);
  const stream = Buffer.concat(
    Array.from({ length: 600 }, (_, handle) => request({ type: 1, handle, payload })),
  );
  let sent = 0;
  let found = 0;
  const held: Uint8Array[] = [];
  while (sent < stream.length) {
    sent += feed(one, stream.subarray(sent, sent + 7777));
    while (one.readHeader() === "header" && one.hasPayload()) {
      assert.equal(one.handleLow, found);
      held.push(one.consumePayload());
      one.submitted().slab.retain();
      found += 1;
    }
  }
  assert.equal(found, 600);
  assert.ok(held.every((bytes) => bytes.length === 1000 && bytes.every((byte) => byte === 0x44)));
});

test("nbd decoder: the slab goes back to the pool at the end, once", () => {
  const { decoder: one, slabs } = decoder();
  const lent = one.space().buffer;
  one.close();
  one.close();
  assert.equal(slabs.take().bytes.buffer, lent);
  assert.notEqual(slabs.take().bytes.buffer, lent);
});

/**
 * A client may send anything, cut in any way. Properties, seeded: how the bytes are cut changes nothing, and
 * whatever one client sends, the next one is served and memory stays bounded.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { MemoryPort } from "./support/memory_port.ts";
import { hex, MEBIBYTE, option, request, serve, serveRaw, text } from "./support/served.ts";
import { RawPeer } from "./support/stream_pair.ts";

const SIZE = 64 * 1024;

/** A valid conversation with some of everything. */
function conversation(): Buffer {
  return Buffer.concat([
    hex("00000003"),
    option(3),
    option(8),
    option(77, "00".repeat(300)),
    option(6, "00000004", text("data"), "0003", "000100020003"),
    option(10, "00000004", text("data"), "00000001", "0000000f", text("base:allocation")),
    option(7, "00000009", text("elsewhere"), "0000"),
    option(7, "00000004", text("data"), "0000"),
    request({ type: 1, handle: 1, offset: 100, payload: Buffer.alloc(3000, 0xa1) }),
    request({ type: 0, handle: 2, offset: 90, length: 4000 }),
    request({ type: 99, handle: 3 }),
    request({ type: 1, handle: 4, offset: SIZE, payload: Buffer.alloc(5000, 0xb2) }),
    request({ type: 7, handle: 5, offset: 0, length: SIZE }),
    request({ type: 6, handle: 6, offset: 1000, length: 1000, flags: 3 }),
    request({ type: 4, handle: 7, offset: 2000, length: 100, flags: 1 }),
    request({ type: 1, handle: 8, offset: 0, payload: Buffer.alloc(20_000, 0xc3) }),
    request({ type: 0, handle: 9, offset: 0, length: 30_000 }),
    request({ type: 3, handle: 10 }),
    request({ type: 2, handle: 0 }),
  ]);
}

/** Digests of what the server says in the handshake, then of each reply, and what it keeps in the end. */
interface Outcome {
  readonly handshake: string;
  /** Sorted: replies may come in any order. */
  readonly replies: readonly string[];
  readonly kept: string;
  readonly ends: number;
}

function converse(bytes: Buffer, cut?: (available: number) => number): Outcome {
  const port = new MemoryPort({ size: SIZE, immediate: true });
  const { far, turns, ends } = serve({ port, size: SIZE, cut, slabBytes: 8 * 1024 });
  const raw = new RawPeer(far);
  far.send(bytes);
  turns.run();
  const said = raw.take();
  const at = Math.min(...["67446698", "668e33ef"].map((magic) => said.indexOf(Buffer.from(magic, "hex"))));
  return {
    handshake: digest(said.subarray(0, at)),
    replies: splitReplies(said.subarray(at)).map(digest).sort(),
    kept: digest(port.bytes),
    ends: ends.length,
  };
}

function splitReplies(bytes: Buffer): Buffer[] {
  const replies: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32BE(at) === 0x67446698 ? 16 : 20 + bytes.readUInt32BE(at + 16);
    replies.push(bytes.subarray(at, at + length));
    at += length;
  }
  return replies;
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

test("nbd: how a conversation is cut into reads changes neither what is said nor what is kept", () => {
  const bytes = conversation();
  const whole = converse(bytes);
  assert.equal(whole.ends, 1);
  assert.equal(whole.replies.length, 10);
  assert.deepEqual(converse(bytes, () => 1), whole);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 40 }), (lengths) => {
      let turn = 0;
      const cut = () => lengths[turn++ % lengths.length] ?? 1;
      assert.deepEqual(converse(bytes, cut), whole);
    }),
    { seed: 42, numRuns: 150 },
  );
});

/** A server, one hostile client, and then an honest one on the same slabs and port. */
function survives(bytes: Uint8Array): void {
  const port = new MemoryPort({ size: SIZE, immediate: true });
  const limits = { payloadBytesMax: 32 * 1024, payloadSkipBytesMax: 64 * 1024, replyBytesMax: 256 * 1024 };
  const options = { port, size: SIZE, limits, slabBytes: 8 * 1024, highWaterBytes: 128 * 1024 };
  const hostile = serve(options);
  const raw = new RawPeer(hostile.far);
  hostile.far.send(bytes);
  hostile.turns.run();
  assert.ok(hostile.stream.queuedBytesPeak < 3 * MEBIBYTE, `${hostile.stream.queuedBytesPeak} bytes queued`);
  hostile.session.close("enough");
  hostile.turns.run();
  assert.equal(hostile.ends.length, 1);
  assert.equal(hostile.slabs.held, 0, "every slab came back");
  raw.take();
  const honest = serveRaw(options);
  honest.raw.stream.send(request({ type: 3, handle: 0x77 }));
  honest.turns.run();
  assert.equal(honest.raw.take().toString("hex"), "67446698000000000000000000000077");
}

test("nbd: thousands of random byte streams leave the server serving", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), survives), { seed: 1, numRuns: 1500 });
});

test("nbd: random bytes behind a good beginning leave the server serving", () => {
  const greeted = hex("00000003");
  const chosen = Buffer.concat([greeted, option(7, "00000000", "0000")]);
  const tails = fc.uint8Array({ maxLength: 400 });
  fc.assert(
    fc.property(
      fc.boolean(),
      tails,
      (serving, tail) => survives(Buffer.concat([serving ? chosen : greeted, tail])),
    ),
    { seed: 2, numRuns: 1500 },
  );
});

test("nbd: mutated conversations leave the server serving", () => {
  const bytes = conversation();
  const mutation = fc.record({
    at: fc.nat(bytes.length - 1),
    kind: fc.constantFrom("flip", "drop", "repeat", "cut"),
    value: fc.integer({ min: 1, max: 255 }),
  });
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 1, maxLength: 6 }), (mutations) => {
      let mutated = Buffer.from(bytes);
      for (const { at, kind, value } of mutations) {
        const place = at % Math.max(1, mutated.length);
        if (kind === "flip") mutated[place] = (mutated[place] ?? 0) ^ value;
        else if (kind === "cut") mutated = mutated.subarray(0, place);
        else {
          const rest = mutated.subarray(kind === "drop" ? place + value : Math.max(0, place - value));
          mutated = Buffer.concat([mutated.subarray(0, place), rest]);
        }
      }
      survives(mutated);
    }),
    { seed: 3, numRuns: 2000 },
  );
});

test("nbd: valid headers with hostile numbers leave the server serving", () => {
  const number = (max: number) => fc.oneof(fc.nat(max), fc.constantFrom(0, 1, max - 1, max));
  const hostile = fc.record({
    type: number(12),
    flags: number(0xffff),
    offset: number(2 ** 53 - 1),
    length: number(2 ** 32 - 1),
  });
  const opening = Buffer.concat([hex("00000003"), option(8), option(7, "00000000", "0000")]);
  fc.assert(
    fc.property(fc.array(hostile, { maxLength: 20 }), (headers) => {
      survives(Buffer.concat([opening, ...headers.map((header, handle) => request({ ...header, handle }))]));
    }),
    { seed: 4, numRuns: 1000 },
  );
});

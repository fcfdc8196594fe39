/** The decoder: the same frames however the bytes were cut, and every damage named before it costs anything. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { FrameDecoder } from "../../protocol/frame_decoder.ts";
import { FrameEncoder } from "../../protocol/frame_encoder.ts";
import {
  DATA_PAYLOAD_BYTES_MAX,
  FLAG_FUA,
  FLAG_NO_HOLE,
  type FrameFailure,
  type FrameFields,
  type FrameLimits,
  HANDSHAKE_LIMITS,
  HEADER_BYTES,
  SESSION_LIMITS,
} from "../../protocol/frame_header.ts";
import { InvariantError } from "../../runtime/invariant.ts";
import { type Slab, SlabPool } from "../../runtime/slab.ts";
import { feed } from "./support/feed.ts";

const SEED = 20_261_122;

interface Seen {
  readonly kind: string;
  readonly seq: number;
  readonly payload: Uint8Array;
  readonly slab: Slab;
}

function decoderWith(options: { keep?: boolean; limits?: FrameLimits; slabBytes?: number } = {}) {
  const seen: Seen[] = [];
  const failures: FrameFailure[] = [];
  const decoder = new FrameDecoder({
    pool: new SlabPool({ slabBytes: options.slabBytes ?? 4_096, idleMax: 4 }),
    limits: options.limits ?? SESSION_LIMITS,
    receiver: {
      frame({ kind, seq, payload, slab }) {
        if (options.keep === true) {
          slab.retain();
          seen.push({ kind, seq, payload, slab });
        } else {
          seen.push({ kind, seq, payload: payload.slice(), slab });
        }
      },
      failed: (failure) => failures.push(failure),
    },
  });
  return { decoder, seen, failures };
}

function encode(frames: readonly { fields: FrameFields; payload?: Uint8Array }[]): Buffer {
  const encoder = new FrameEncoder();
  return Buffer.concat(
    frames.flatMap(({ fields, payload }) => [encoder.header(fields, payload), payload ?? Buffer.alloc(0)]),
  );
}

function write(seq: number, payload: Uint8Array): { fields: FrameFields; payload: Uint8Array } {
  return { fields: { kind: "write", seq, offset: seq * 4_096, span: payload.byteLength }, payload };
}

/** A valid header with some bytes changed and the header checksum made right again. */
function forged(
  change: (header: Buffer) => void,
  frame: { fields: FrameFields; payload?: Uint8Array },
): Buffer {
  const bytes = encode([frame]);
  change(bytes);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 52)), 52);
  return bytes;
}

const anyFrames = fc.array(
  fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 9_000 }).map((payload) => ({ kind: "write" as const, payload })),
    fc.uint8Array({ minLength: 1, maxLength: 300 }).map((payload) => ({ kind: "copy" as const, payload })),
    fc.constantFrom("barrier" as const, "ack" as const, "trim" as const).map((kind) => ({
      kind,
      payload: undefined,
    })),
  ),
  { minLength: 1, maxLength: 30 },
).map((frames) =>
  frames.map(({ kind, payload }, index) => ({
    fields: { kind, seq: index + 1, span: kind === "trim" ? 512 : payload?.byteLength ?? 0 },
    ...(payload === undefined ? {} : { payload }),
  }))
);

test("decoder: any cut of the bytes into reads gives the same frames, kept payloads stay unchanged", () => {
  fc.assert(
    fc.property(
      anyFrames,
      fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 10 }),
      (frames, cuts) => {
        const { decoder, seen, failures } = decoderWith({ keep: true });
        const bytes = encode(frames);
        assert.equal(feed(decoder, bytes, cuts), bytes.byteLength);
        assert.deepEqual(failures, []);
        assert.deepEqual(
          seen.map(({ kind, seq, payload }) => ({
            kind,
            seq,
            payload: Buffer.from(payload).toString("hex"),
          })),
          frames.map(({ fields, payload }) => ({
            kind: fields.kind,
            seq: fields.seq,
            payload: Buffer.from(payload ?? []).toString("hex"),
          })),
        );
        for (const { slab } of seen) slab.release();
      },
    ),
    { numRuns: 300, seed: SEED },
  );
});

test("decoder: a slab nobody retained is used again, a retained one is not", () => {
  const idle = decoderWith();
  const bytes = encode(Array.from({ length: 100 }, (_, index) => write(index, Buffer.alloc(1_000, index))));
  feed(idle.decoder, bytes, [1_056]);
  assert.equal(new Set(idle.seen.map(({ slab }) => slab)).size, 1);
  const kept = decoderWith({ keep: true });
  feed(kept.decoder, bytes, [1_056]);
  assert.ok(new Set(kept.seen.map(({ slab }) => slab)).size > 25);
});

test("decoder: a payload larger than a slab gets one of its own, and the pool's afterwards", () => {
  const { decoder, seen } = decoderWith();
  const large = Buffer.alloc(1 << 20, 7);
  feed(decoder, encode([write(1, large), write(2, Buffer.from("small")), write(3, Buffer.from("again"))]), [
    3_000,
  ]);
  assert.deepEqual(seen.map(({ payload }) => payload.byteLength), [1 << 20, 5, 5]);
  assert.ok(seen[0]?.slab.bytes.byteLength === (1 << 20) + HEADER_BYTES);
  assert.equal(seen[2]?.slab.bytes.byteLength, 4_096);
});

test("decoder: paused it hands on nothing, resumed it hands on what had arrived", () => {
  const seen: number[] = [];
  const decoder = new FrameDecoder({
    pool: new SlabPool({ slabBytes: 4_096, idleMax: 1 }),
    receiver: {
      frame({ seq }) {
        seen.push(seq);
        if (seq === 2) decoder.pause();
      },
      failed: (failure) => assert.fail(failure.detail),
    },
  });
  const bytes = encode([1, 2, 3, 4].map((seq) => write(seq, Buffer.alloc(10))));
  assert.equal(feed(decoder, bytes, [bytes.byteLength]), bytes.byteLength);
  assert.deepEqual(seen, [1, 2]);
  assert.equal(decoder.space(), null);
  decoder.resume();
  assert.deepEqual(seen, [1, 2, 3, 4]);
  assert.notEqual(decoder.space(), null);
});

test("decoder: stopped inside a frame it hands on no further one", () => {
  const seen: number[] = [];
  const decoder = new FrameDecoder({
    pool: new SlabPool({ slabBytes: 4_096, idleMax: 1 }),
    receiver: {
      frame({ seq }) {
        seen.push(seq);
        decoder.stop();
      },
      failed: (failure) => assert.fail(failure.detail),
    },
  });
  feed(decoder, encode([1, 2].map((seq) => write(seq, Buffer.alloc(10)))), [500]);
  assert.deepEqual(seen, [1]);
  assert.equal(decoder.space(), null);
});

const DAMAGES: readonly { what: string; kind: FrameFailure["kind"]; says: RegExp; bytes: () => Buffer }[] = [
  {
    what: "another protocol",
    kind: "bad_magic",
    says: /47 45 54 20 begin no frame/,
    bytes: () => Buffer.from("GET / HTTP/1.1\r\nHost: somewhere\r\n\r\n".padEnd(80)),
  },
  {
    what: "a header of a later version",
    kind: "other_header_version",
    says: /version 2, version 1 is known/,
    bytes: () => forged((header) => header.writeUInt8(2, 4), write(1, Buffer.from("x"))),
  },
  {
    what: "one flipped bit in a header",
    kind: "header_checksum",
    says: /checksum/,
    bytes: () => {
      const bytes = encode([write(1, Buffer.from("x"))]);
      bytes[33] = (bytes[33] ?? 0) ^ 4;
      return bytes;
    },
  },
  {
    what: "a kind from the future",
    kind: "unknown_kind",
    says: /kind 9/,
    bytes: () => forged((header) => header.writeUInt8(9, 5), write(1, Buffer.from("x"))),
  },
  {
    what: "a flag the kind does not have",
    kind: "bad_flags",
    says: /a write frame has flags 2/,
    bytes: () => forged((header) => header.writeUInt8(FLAG_NO_HOLE, 6), write(1, Buffer.from("x"))),
  },
  ...[7, 10, 48].map((at) => ({
    what: `a reserved byte at ${at}`,
    kind: "bad_reserved" as const,
    says: /reserved bytes/,
    bytes: () => forged((header) => header.writeUInt8(1, at), write(1, Buffer.from("x"))),
  })),
  {
    what: "a payload above the bound",
    kind: "payload_too_long",
    says: /announces 33619969 bytes, 33619968 are allowed/,
    bytes: () =>
      forged((header) => header.writeUInt32LE(DATA_PAYLOAD_BYTES_MAX + 1, 12), write(1, Buffer.from("x"))),
  },
  {
    what: "a message above its bound",
    kind: "payload_too_long",
    says: /a message frame announces/,
    bytes: () =>
      forged((header) => header.writeUInt32LE((1 << 20) + 1, 12), {
        fields: { kind: "message" },
        payload: Buffer.from("x"),
      }),
  },
  {
    what: "a barrier with a payload",
    kind: "payload_too_long",
    says: /a barrier frame announces 4 bytes, 0 are allowed/,
    bytes: () => forged((header) => header.writeUInt32LE(4, 12), { fields: { kind: "barrier" } }),
  },
  {
    what: "a span that is not the payload's length",
    kind: "bad_lengths",
    says: /payload of 1 and a span of 2/,
    bytes: () => forged((header) => header.writeUInt32LE(2, 20), write(1, Buffer.from("x"))),
  },
  {
    what: "a trim of nothing",
    kind: "bad_lengths",
    says: /a trim frame/,
    bytes: () => forged((header) => header.writeUInt32LE(0, 20), { fields: { kind: "trim", span: 1 } }),
  },
  ...[24, 32, 40].map((at) => ({
    what: `a number above 2^53 − 1 at ${at}`,
    kind: "number_too_large" as const,
    says: /above 2\^53/,
    bytes: () => forged((header) => header.writeUInt32LE(1 << 21, at + 4), write(1, Buffer.from("x"))),
  })),
  {
    what: "a frame number that jumps",
    kind: "frame_jumped",
    says: /frame 3 came after frame 0/,
    bytes: () => forged((header) => header.writeUInt32LE(3, 24), write(1, Buffer.from("x"))),
  },
  {
    what: "one flipped bit in a payload",
    kind: "payload_checksum",
    says: /payload of write frame 1 \(seq 5\) gives checksum/,
    bytes: () => {
      const bytes = encode([write(5, Buffer.alloc(100))]);
      bytes[99] = 1;
      return bytes;
    },
  },
  {
    what: "a payload checksum without a payload",
    kind: "payload_checksum",
    says: /without payload/,
    bytes: () => forged((header) => header.writeUInt32LE(7, 16), { fields: { kind: "barrier" } }),
  },
];

for (const { what, kind, says, bytes } of DAMAGES) {
  test(`decoder: ${what} ends the connection as ${kind}`, () => {
    const { decoder, seen, failures } = decoderWith();
    feed(decoder, Buffer.concat([bytes(), encode([write(1, Buffer.from("after"))])]), [13]);
    assert.deepEqual(failures.map((failure) => failure.kind), [kind]);
    assert.match(failures[0]?.detail ?? "", says);
    assert.equal(seen.length, 0);
    assert.equal(decoder.space(), null);
  });
}

test("decoder: a stranger may send a hello's worth and no data, and costs a small slab", () => {
  const { decoder, failures } = decoderWith({ limits: HANDSHAKE_LIMITS, slabBytes: 1 << 20 });
  assert.ok((decoder.space()?.byteLength ?? 0) <= 16 * 1024);
  feed(decoder, encode([write(1, Buffer.from("x"))]), [100]);
  assert.equal(failures[0]?.kind, "payload_too_long");
});

test("decoder: limits that widen after the first frame hold for the next, with the pool's slabs", () => {
  const seen: Seen[] = [];
  const decoder = new FrameDecoder({
    pool: new SlabPool({ slabBytes: 1 << 20, idleMax: 1 }),
    limits: HANDSHAKE_LIMITS,
    receiver: {
      frame({ kind, seq, payload, slab }) {
        seen.push({ kind, seq, payload: payload.slice(), slab });
        decoder.limit(SESSION_LIMITS);
      },
      failed: (failure) => assert.fail(failure.detail),
    },
  });
  const hello = { fields: { kind: "message" as const }, payload: Buffer.from("hi") };
  feed(decoder, encode([hello, write(1, Buffer.alloc(100_000, 3)), write(2, Buffer.from("x"))]), [5_000]);
  assert.deepEqual(seen.map(({ payload }) => payload.byteLength), [2, 100_000, 1]);
  assert.equal(seen[2]?.slab.bytes.byteLength, 1 << 20);
});

test("decoder: thousands of random and of mutated streams end as typed failures, in bounded memory", () => {
  const valid = encode([
    write(1, Buffer.alloc(600, 1)),
    { fields: { kind: "trim", span: 512, flags: FLAG_FUA } },
    { fields: { kind: "message" }, payload: Buffer.alloc(50, 0x20) },
    write(2, Buffer.alloc(5_000, 2)),
    { fields: { kind: "ack", seq: 3, offset: 2 } },
  ]);
  const mutated = fc.array(
    fc.record({ at: fc.nat(valid.byteLength - 1), value: fc.nat(255), drop: fc.integer({ min: 0, max: 3 }) }),
    { minLength: 1, maxLength: 6 },
  ).map((mutations) => {
    let bytes = Buffer.from(valid);
    for (const { at, value, drop } of mutations) {
      bytes[at % bytes.byteLength] = value;
      if (drop > 0) {
        bytes = Buffer.concat([
          bytes.subarray(0, at % bytes.byteLength),
          bytes.subarray(at % bytes.byteLength + drop),
        ]);
      }
    }
    return bytes;
  });
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array({ maxLength: 3_000 }), mutated),
      fc.integer({ min: 1, max: 999 }),
      (bytes, cut) => {
        const { decoder, seen, failures } = decoderWith();
        feed(decoder, bytes, [cut]);
        assert.ok(failures.length <= 1);
        for (const { slab } of seen) {
          assert.ok(
            slab.bytes.byteLength <= 8_192,
            "no space is made for what was not proven",
          );
        }
        if (failures.length === 1) assert.equal(decoder.space(), null);
      },
    ),
    { numRuns: 3_000, seed: SEED },
  );
});

test("encoder: what a kind may not carry is a bug of the caller", () => {
  const encoder = new FrameEncoder();
  const bugs: readonly { fields: FrameFields; payload?: Uint8Array }[] = [
    { fields: { kind: "write", span: 2 }, payload: Buffer.from("x") },
    { fields: { kind: "write", span: 0 } },
    { fields: { kind: "barrier", span: 1 } },
    { fields: { kind: "barrier", flags: FLAG_FUA } },
    { fields: { kind: "trim", span: 2 ** 32 } },
    { fields: { kind: "barrier", seq: 2 ** 53 } },
    { fields: { kind: "barrier", seq: -1 } },
    { fields: { kind: "barrier", seq: 0.5 } },
    { fields: { kind: "barrier", volume: 65_536 } },
  ];
  for (const { fields, payload } of bugs) {
    assert.throws(() => encoder.header(fields, payload), InvariantError, JSON.stringify(fields));
  }
});

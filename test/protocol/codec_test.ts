/** The codec: plain data there and back; hostile bytes cost nothing and end as a named failure. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DEPTH_MAX, ITEMS_MAX, scanCbor } from "../../protocol/cbor_scan.ts";
import { DecodeFailure, decodeMessage, encodeMessage } from "../../protocol/codec.ts";
import { InvariantError } from "../../runtime/invariant.ts";

const SEED = 20_261_122;

const plainData = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }),
    fc.boolean(),
    fc.constant(null),
    fc.string({ maxLength: 200, unit: "grapheme" }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie("value"), { maxLength: 20 }),
    fc.dictionary(fc.string({ maxLength: 20 }).filter((key) => key !== "__proto__"), tie("value"), {
      maxKeys: 10,
      noNullPrototype: true,
    }),
  ),
})).value;

function failureOf(bytes: readonly number[] | Uint8Array): string {
  const outcome = decodeMessage(Uint8Array.from(bytes));
  assert.ok(outcome instanceof DecodeFailure, "hostile bytes are refused");
  return outcome.detail;
}

test("codec: plain data comes back equal", () => {
  fc.assert(
    fc.property(plainData, (value) => {
      assert.deepEqual(normal(decodeMessage(encodeMessage(value))), normal(value));
    }),
    { numRuns: 1_000, seed: SEED },
  );
});

/** −0 travels as a number that equals 0, and byte strings are Uint8Arrays whatever their class. */
function normal(value: unknown): unknown {
  if (typeof value === "number") return value + 0;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (Array.isArray(value)) return value.map(normal);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, normal(item)]));
  }
  return value;
}

test("codec: decoded byte strings are copies, the slab below may change", () => {
  const bytes = Uint8Array.from(encodeMessage({ bits: Uint8Array.of(1, 2, 3) }));
  const value = decodeMessage(bytes) as { bits: Uint8Array };
  bytes.fill(0);
  assert.deepEqual([...value.bits], [1, 2, 3]);
});

const HOSTILE: readonly { what: string; bytes: readonly number[]; says: RegExp }[] = [
  { what: "nothing at all", bytes: [], says: /ends too early/ },
  { what: "a bignum", bytes: [0xc2, 0x42, 1, 2], says: /a tag at byte 0/ },
  { what: "a record definition", bytes: [0xd9, 0xdf, 0xff, 0x82, 1, 0x80], says: /a tag/ },
  { what: "a shared reference", bytes: [0xd8, 0x1c, 0x80], says: /a tag/ },
  { what: "a number above 2^53 − 1", bytes: [0x1b, 0, 0x20, 0, 0, 0, 0, 0, 0], says: /above 2\^53/ },
  { what: "a number below −(2^53 − 1)", bytes: [0x3b, 0, 0x1f, 255, 255, 255, 255, 255, 255], says: /below/ },
  { what: "a list longer than its bytes", bytes: [0x9a, 0xff, 0xff, 0xff, 0xff], says: /list longer/ },
  { what: "a map longer than its bytes", bytes: [0xba, 0x80, 0, 0, 0], says: /map longer/ },
  { what: "a string longer than its bytes", bytes: [0x5a, 0x7f, 0xff, 0xff, 0xff], says: /string longer/ },
  { what: "a text of 2^60 bytes", bytes: [0x7b, 0x10, 0, 0, 0, 0, 0, 0, 0], says: /string longer/ },
  { what: "a list of unknown length", bytes: [0x9f, 1, 0xff], says: /unknown length/ },
  { what: "a text of unknown length", bytes: [0x7f, 0x61, 0x61, 0xff], says: /unknown length/ },
  { what: "a lone break", bytes: [0xff], says: /not plain/ },
  { what: "a simple value of no meaning", bytes: [0xf8, 0x20], says: /not plain/ },
  { what: "a malformed head", bytes: [0x1c], says: /malformed/ },
  { what: "a head cut short", bytes: [0x19, 1], says: /cut short/ },
  { what: "a float cut short", bytes: [0xfb, 1, 2], says: /cut short/ },
  { what: "a map key that is a number", bytes: [0xa1, 1, 1], says: /map key at byte 1 is not text/ },
  { what: "a map key that is a list", bytes: [0xa1, 0x80, 1], says: /map key/ },
  { what: "two items", bytes: [1, 2], says: /1 bytes follow/ },
  { what: "an unfinished list", bytes: [0x82, 0x81, 1], says: /ends too early/ },
];

for (const { what, bytes, says } of HOSTILE) {
  test(`codec: ${what} is refused`, () => assert.match(failureOf(bytes), says));
}

test("codec: nesting has a bound, and one less than it is fine", () => {
  const nested = (depth: number) => [...new Array<number>(depth).fill(0x81), 0x01];
  assert.match(failureOf(nested(DEPTH_MAX + 1)), /nested deeper/);
  assert.match(failureOf(nested(100_000)), /nested deeper/);
  assert.equal(scanCbor(Uint8Array.from(nested(DEPTH_MAX))), null);
});

test("codec: items have a bound however they are arranged", () => {
  const list = new Uint8Array(5 + ITEMS_MAX).fill(0x80);
  list.set([0x9a, 0, 1, 0, 0]);
  assert.match(failureOf(list), /more than 65536 items/);
});

test("codec: a megabyte of the worst is looked over within a turn and never throws", () => {
  for (const byte of [0x00, 0x80, 0x81, 0xa0, 0x60, 0x5f, 0xc2, 0xf7, 0xfb, 0xff, 0x1b, 0x78]) {
    const outcome = decodeMessage(new Uint8Array(1 << 20).fill(byte));
    assert.ok(outcome instanceof DecodeFailure, byte.toString(16));
  }
  assert.match(failureOf(new Uint8Array((1 << 20) + 1)), /a message has 1048576 at most/);
});

test("codec: thousands of random and mutated messages decode or are refused, and never throw", () => {
  const valid = encodeMessage({
    list: [1, -2, 3.5, null, true],
    bytes: new Uint8Array(40),
    text: "grün",
    deep: [[[{ a: 1 }]]],
  });
  const mutated = fc.array(fc.tuple(fc.nat(valid.byteLength - 1), fc.nat(255)), {
    minLength: 1,
    maxLength: 5,
  }).map(
    (mutations) => {
      const bytes = Uint8Array.from(valid);
      for (const [at, value] of mutations) bytes[at] = value;
      return bytes;
    },
  );
  let decoded = 0;
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated), (bytes) => {
      const outcome = decodeMessage(bytes);
      if (!(outcome instanceof DecodeFailure)) {
        decoded += 1;
        encodeMessage(outcome);
      }
    }),
    { numRuns: 5_000, seed: SEED },
  );
  assert.ok(decoded > 500, `the property meets both outcomes (${decoded} decoded)`);
});

test("codec: a key named __proto__ changes no prototype", () => {
  const value = decodeMessage(
    Uint8Array.from([0xa1, 0x69, ...new TextEncoder().encode("__proto__"), 0xa1, 0x61, 0x78, 1]),
  );
  assert.ok(!(value instanceof DecodeFailure));
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  assert.equal((value as { x?: number }).x, undefined);
});

test("codec: what is not plain data is a bug of the sender", () => {
  for (
    const value of [new Date(0), new Map([[1, 2]]), new Set([1]), 2n ** 70n, /x/, { a: new Float64Array(2) }]
  ) {
    assert.throws(() => encodeMessage(value), InvariantError);
  }
  assert.throws(() => encodeMessage(new Uint8Array((1 << 20) + 1)), InvariantError);
});

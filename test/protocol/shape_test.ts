/** Shapes: what fits passes untouched; what does not is named by its path. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  aBoolean,
  aName,
  anything,
  byteString,
  hexText,
  integer,
  isShapeFailure,
  listOf,
  nullable,
  number,
  oneOf,
  optional,
  record,
  type Shape,
  text,
  tuple,
  variantOf,
} from "../../protocol/shape.ts";

const member = record({ node: aName, mode: oneOf("sync", "commit"), note: optional(text({ lengthMax: 5 })) });
const question = variantOf({
  join: record({
    kind: oneOf("join"),
    members: listOf(member, { lengthMax: 3 }),
    at: tuple(integer(), integer()),
  }),
  leave: record({ kind: oneOf("leave"), why: nullable(text({ lengthMax: 10 })) }),
});

const FITTING: readonly unknown[] = [
  { kind: "leave", why: null },
  { kind: "leave", why: "tired" },
  { kind: "join", members: [], at: [1, 2] },
  {
    kind: "join",
    members: [{ node: "beta", mode: "sync" }, { node: "c", mode: "commit", note: "" }],
    at: [0, 0],
  },
];

const MISFITS: readonly { shape: Shape<unknown>; value: unknown; says: string }[] = [
  { shape: question, value: 1, says: "the message is not a map" },
  { shape: question, value: null, says: "the message is not a map" },
  { shape: question, value: {}, says: "kind is not one of join, leave" },
  { shape: question, value: { kind: "constructor" }, says: "kind is not one of join, leave" },
  { shape: question, value: { kind: "leave" }, says: "why is not text of at most 10 characters" },
  { shape: question, value: { kind: "leave", why: null, x: 1 }, says: "x is not a known field" },
  { shape: question, value: { kind: "join", members: [], at: [1] }, says: "at is not a list of 2" },
  {
    shape: question,
    value: { kind: "join", members: [{ node: "a", mode: "sync" }, { node: "b", mode: "async" }], at: [1, 1] },
    says: `members[1].mode is not one of "sync", "commit"`,
  },
  {
    shape: question,
    value: { kind: "join", members: [1, 2, 3, 4], at: [1, 1] },
    says: "members is not a list of at most 3",
  },
  { shape: member, value: { node: "../x", mode: "sync" }, says: "node is not a name" },
  {
    shape: member,
    value: { node: "a", mode: "sync", note: "too long" },
    says: "note is not text of at most 5 characters",
  },
  { shape: integer(), value: 1.5, says: "the message is not a whole number from 0 to 9007199254740991" },
  { shape: integer({ min: 1, max: 3 }), value: 4, says: "the message is not a whole number from 1 to 3" },
  { shape: integer(), value: "1", says: "the message is not a whole number from 0 to 9007199254740991" },
  { shape: number({ min: 0, max: 1 }), value: Number.NaN, says: "the message is not a number from 0 to 1" },
  { shape: aBoolean, value: 1, says: "the message is not true or false" },
  {
    shape: byteString({ lengthMax: 2 }),
    value: new Uint8Array(3),
    says: "the message is not at most 2 bytes",
  },
  { shape: hexText(4), value: "00FF", says: "the message is not 4 hexadecimal digits" },
  { shape: record({}), value: new Uint8Array(0), says: "the message is not a map" },
];

test("shape: what fits is handed back itself, not a copy", () => {
  for (const value of FITTING) assert.equal(question.check(value, ""), value);
  const body = { anything: "at all" };
  assert.equal(anything.check(body, ""), body);
});

for (const { shape, value, says } of MISFITS) {
  test(`shape: ${says}`, () => {
    const failure = shape.check(value, "");
    assert.ok(isShapeFailure(failure));
    assert.equal(failure.detail, says);
  });
}

test("shape: a field taken from the prototype does not count", () => {
  const failure = record({ toString: text({ lengthMax: 9 }) }).check(Object.create({ toString: "x" }), "");
  assert.ok(isShapeFailure(failure));
});

test("shape: unknown fields pass only where they are said to be ignored", () => {
  const value = { kind: "leave", later: true };
  assert.ok(isShapeFailure(record({ kind: oneOf("leave") }).check(value, "")));
  assert.equal(record({ kind: oneOf("leave") }, { unknownFields: "ignored" }).check(value, ""), value);
});

test("shape: no value at all makes a check throw", () => {
  fc.assert(
    fc.property(
      fc.anything({ withBigInt: true, withMap: true, withTypedArray: true, withNullPrototype: true }),
      (value) => {
        question.check(value, "");
        listOf(question, { lengthMax: 2 }).check([value], "");
      },
    ),
    { numRuns: 2_000, seed: 20_261_122 },
  );
});

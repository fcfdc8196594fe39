/** Names: one narrow alphabet; what is refused says which field, which value and what to write instead. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  isNameRefusal,
  parseGroupName,
  parseIncarnation,
  parseNodeName,
  parseVolumeName,
} from "../../protocol/ids.ts";

test("names: letters, digits, «-», «_» and «.» up to 64 characters", () => {
  for (const text of ["a", "alpha", "A-1_b.c", "9", "x".repeat(64)]) {
    assert.equal(parseNodeName(text), text);
    assert.equal(parseGroupName(text), text);
    assert.equal(parseVolumeName(text), text);
    assert.equal(parseIncarnation(text), text);
  }
});

const BAD: readonly { text: string; message: string }[] = [
  { text: "", message: `Cannot use node name "": it is empty (try: alpha)` },
  {
    text: "a/b",
    message:
      `Cannot use node name "a/b": it may hold letters, digits, «-», «_» and «.», and begins with a letter or ` +
      `digit (try: a-b)`,
  },
  {
    text: "..",
    message:
      `Cannot use node name "..": it may hold letters, digits, «-», «_» and «.», and begins with a letter or ` +
      `digit (try: alpha)`,
  },
  {
    text: "x".repeat(65),
    message: `Cannot use node name "${"x".repeat(64)}…": it has 65 characters, 64 are allowed (try: ${
      "x".repeat(64)
    })`,
  },
];

test("names: a refusal names field, value, cause and remedy", () => {
  for (const { text, message } of BAD) {
    const refusal = parseNodeName(text);
    assert.ok(isNameRefusal(refusal));
    assert.equal(refusal.message, message);
  }
});

test("names: no space, slash, zero byte or line break ever passes", () => {
  for (const bad of [" ", "/", "\0", "\n", "é", "\\", ":", "*"]) {
    for (const text of [`a${bad}`, `a${bad}b`, bad]) {
      assert.ok(isNameRefusal(parseVolumeName(text)), JSON.stringify(text));
    }
  }
});

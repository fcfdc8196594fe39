/** Every mutant still fits the source that it changes: a stale one would prove nothing. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { MUTANTS } from "./list.ts";

for (const { name, edits } of MUTANTS) {
  test(`mutant ${name}: its text stands once in the source`, () => {
    for (const { file, find, replace } of edits) {
      const text = readFileSync(fileURLToPath(new URL(`../../../${file}`, import.meta.url)), "utf8");
      assert.equal(text.split(find).length - 1, 1, `in ${file}: ${find}`);
      assert.notEqual(find, replace);
    }
  });
}

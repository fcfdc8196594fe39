import assert from "node:assert/strict";
import { test } from "node:test";
import { didYouMean, suggestion } from "../../runtime/did_you_mean.ts";

const KEYS = ["listen", "nbd", "http", "replicas", "volumes"];

const rows: readonly [string, string | undefined][] = [
  ["lisen", "listen"],
  ["Listen", "listen"],
  ["ndb", "nbd"],
  ["replica", "replicas"],
  ["volume", "volumes"],
  ["xyz", undefined],
  ["completely_other", undefined],
  ["", undefined],
];
for (const [word, meant] of rows) {
  test(`did you mean: «${word}» → ${meant ?? "nothing near"}`, () =>
    assert.equal(didYouMean(word, KEYS), meant));
}

test("did you mean: what is near nothing is answered with the choices", () => {
  assert.equal(suggestion("completely_other", ["a", "b"]), "one of: a, b");
  assert.equal(suggestion("x", []), "define it first");
});

/** What Tab offers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { complete } from "../../../cli/repl/complete.ts";

const KNOWN = {
  names: ["tree", "trace", "top", "peek"],
  paths: ["node", "node/groups/group:db/mirror", "node/peers/peer:beta", "node/peers/peer:gamma"],
  words: ["alpha", "beta", "db"],
};

const ROWS: readonly [string, string, readonly string[]][] = [
  ["a name", "tr", ["trace", "tree"]],
  ["a name inside a call", "peek(t", ["top", "trace", "tree"]],
  ["the end of a path", 'peek("mir', ["mirror"]],
  ["a whole path", 'peek("node/g', ["node/groups/group:db/mirror"]],
  ["a node beside paths of that beginning", "tree('be", ["beta"]],
  ["a second argument in quotes", 'pause("db", "b', ["beta"]],
  ["after the quotes names again", 'peek("x") + p', ["peek"]],
  ["nothing of that name", "zz", []],
];

for (const [what, line, expected] of ROWS) {
  test(`completion: ${what}`, () => assert.deepEqual(complete(line, KNOWN)[0], expected));
}

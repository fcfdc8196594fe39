/** What is typed at the prompt: values, declarations that stay, awaits, mistakes in words. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate, isUnfinished, type Scope } from "../../../cli/repl/evaluate.ts";

async function typed(...lines: readonly string[]): Promise<unknown> {
  const scope: Scope = { peek: (path: string) => Promise.resolve(`state of ${path}`), tree: () => 1 };
  let value: unknown;
  for (const line of lines) value = await evaluate(line, scope);
  return value;
}

const ROWS: readonly [string, readonly string[], unknown][] = [
  ["an expression", ["1 + 1"], 2],
  ["a promise is waited for", ['peek("x")'], "state of x"],
  ["await at the top", ['(await peek("x")).length'], 10],
  ["a constant stays", ["const a = 20", "a + 1"], 21],
  ["a constant of an await stays", ['let s = await peek("y")', "s"], "state of y"],
  ["a function stays", ["function twice(n) { return n * 2 }", "twice(4)"], 8],
  ["braces are an object", ["{ a: 1 }"], { a: 1 }],
  ["of several statements the last counts", ["const a = 1; const b = 2", "a; 7"], 7],
  ["a loop", ["n = 0", "for (let i = 0; i < 3; i++) n += i", "n"], 3],
  ["the language's own names", ["Math.max(1, 2)"], 2],
  ["over several lines", ["[1,\n2,\n3].length"], 3],
];

for (const [what, lines, expected] of ROWS) {
  test(`prompt: ${what}`, async () => assert.deepEqual(await typed(...lines), expected));
}

test("prompt: a name that does not exist says what was meant", async () => {
  await assert.rejects(typed("pek(1)"), /Cannot find pek: .*try: peek/);
});

test("prompt: a mistake in the syntax is one, and changes nothing", async () => {
  await assert.rejects(typed("1 +* 2"), SyntaxError);
  assert.equal(await typed("tree()"), 1);
});

test("prompt: what is begun and not ended waits for the next line", () => {
  for (const begun of ["peek(", "[1,", "{ a:", "function f() {", "`a"]) {
    assert.equal(isUnfinished(begun), true, begun);
  }
  for (const whole of ["peek()", "1 +* 2", "a)", '"("', "{}"]) {
    assert.equal(isUnfinished(whole), false, whole);
  }
});

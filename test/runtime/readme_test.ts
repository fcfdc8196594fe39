/** The README's example is the file that this test runs. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

const RUNTIME = new URL("../../runtime/", import.meta.url);

test("readme: the example has ten lines, is the file beside it, and runs", async () => {
  const example = readFileSync(new URL("example.ts", RUNTIME), "utf8");
  const readme = readFileSync(new URL("README.md", RUNTIME), "utf8");
  assert.equal(example.trimEnd().split("\n").length, 10);
  assert.ok(readme.includes("```ts\n" + example + "```"));
  const lines: unknown[] = [];
  const { log } = console;
  console.log = (line: unknown) => void lines.push(line);
  try {
    await import(new URL("example.ts", RUNTIME).href);
  } finally {
    console.log = log;
  }
  assert.deepEqual(lines, [{ ok: true, value: "Hello, world!" }]);
});

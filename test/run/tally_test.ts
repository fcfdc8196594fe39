import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestCase } from "./junit.ts";
import { addTallies, type FileResult, lastLine, tallyFile } from "./tally.ts";

const passed: TestCase = { name: "fine", outcome: "passed", reason: "" };
const failed: TestCase = { name: "broken", outcome: "failed", reason: "" };
const skipped: TestCase = { name: "needs fio", outcome: "skipped", reason: "fio is not installed" };
const kernelByName: TestCase = { name: "attach [kernel: nbd]", outcome: "skipped", reason: "" };
const kernelByReason: TestCase = { name: "attach", outcome: "skipped", reason: "kernel has no /dev/nbd0" };

function result(change: Partial<FileResult>): FileResult {
  return {
    label: "unit: a_test.ts",
    cases: [passed],
    exitCode: 0,
    leaks: [],
    timedOut: false,
    output: "",
    ...change,
  };
}

const rows: readonly [string, Partial<FileResult>, boolean, string][] = [
  ["all fine", {}, false, "1 passed, 0 failed, 0 skipped"],
  ["a failed case", { cases: [passed, failed], exitCode: 1 }, false, "1 passed, 1 failed, 0 skipped"],
  ["a file that runs nothing", { cases: [] }, false, "0 passed, 1 failed, 0 skipped"],
  [
    "a file that crashes before its first test",
    { cases: [], exitCode: 1 },
    false,
    "0 passed, 1 failed, 0 skipped",
  ],
  ["a crash after tests passed", { exitCode: 139 }, false, "1 passed, 1 failed, 0 skipped"],
  ["a rejection that nobody awaited", { leaks: ["Error: x"] }, false, "1 passed, 1 failed, 0 skipped"],
  ["a hang", { timedOut: true, exitCode: 1 }, false, "1 passed, 1 failed, 0 skipped"],
  ["a skip on a developer's machine", { cases: [passed, skipped] }, false, "1 passed, 0 failed, 1 skipped"],
  ["a skip in CI", { cases: [passed, skipped] }, true, "1 passed, 1 failed, 0 skipped"],
  [
    "what the kernel lacks, in CI",
    { cases: [kernelByName, kernelByReason] },
    true,
    "0 passed, 0 failed, 2 skipped",
  ],
];

for (const [name, change, strict, expected] of rows) {
  test(`tally: ${name} gives «${expected}»`, () => {
    assert.equal(lastLine(tallyFile(result(change), { strict })), expected);
  });
}

test("tally: every failure that no case stands for is said in words", () => {
  const tally = tallyFile(result({ leaks: ["Error: x", "Error: y"], timedOut: true }), { strict: false });
  assert.deepEqual(tally.problems, [
    "unit: a_test.ts: ran into its time limit",
    "unit: a_test.ts: 2 failure(s) that no test awaited, the first: Error: x",
  ]);
  assert.equal(tally.failed, tally.problems.length);
});

test("tally: the last line adds all files up", () => {
  const tallies = [result({}), result({ cases: [failed, skipped], exitCode: 1 })].map((each) =>
    tallyFile(each, { strict: false })
  );
  assert.equal(lastLine(addTallies(tallies)), "1 passed, 1 failed, 1 skipped");
});

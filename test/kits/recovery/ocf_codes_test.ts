/** Every action with every exit code: what is known afterwards, and where trying again makes sense. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { kitOutcome } from "../../../kits/recovery/kit_outcome.ts";
import { judgeCode, OCF_CODES } from "../../../kits/recovery/ocf_code_table.ts";
import type { KitAction, KitState } from "../../../kits/recovery/recovery_kit.ts";
import type { ProgramOutcome } from "../../../kits/program.ts";

const EXPECTED: Readonly<Record<KitAction, readonly (readonly [number, KitState])[]>> = {
  start: [[0, "running"], [8, "promoted"]],
  stop: [[0, "stopped"], [7, "stopped"]],
  monitor: [[0, "running"], [7, "stopped"], [8, "promoted"], [190, "running"], [191, "promoted"]],
  promote: [[0, "promoted"], [8, "promoted"]],
  demote: [[0, "running"], [7, "stopped"]],
};
const CODES = [...OCF_CODES.map((row) => row.code), -1, 10, 42, 126, 127, 137, 255];

for (
  const [action, known] of Object.entries(EXPECTED) as [KitAction, readonly (readonly [number, KitState])[]][]
) {
  test(`OCF codes: after ${action} only its own codes are good news`, () => {
    for (const code of CODES) {
      const expected = known.find(([each]) => each === code)?.[1] ?? "failed";
      const verdict = judgeCode(action, code);
      assert.equal(verdict.state, expected, `code ${code}`);
      assert.equal(verdict.degraded, expected !== "failed" && code >= 190, `code ${code}`);
    }
  });
}

test("OCF codes: a missing program bans the node, a wrong configuration bans all", () => {
  assert.equal(judgeCode("start", 1).retry, "here");
  for (const code of [2, 3, 4, 5]) assert.equal(judgeCode("start", code).retry, "elsewhere");
  assert.equal(judgeCode("start", 6).retry, "nowhere");
});

test("kit outcome: without an exit code nothing is known, whatever was printed", () => {
  const traces = { stdout: "all is well", stderr: "", elapsedMs: 5 };
  const outcomes: readonly ProgramOutcome[] = [
    { kind: "timed_out", ...traces },
    { kind: "cancelled", ...traces },
    { kind: "killed", signal: "SIGKILL", ...traces },
    { kind: "not_started", missing: true, cause: "ENOENT" },
  ];
  for (const outcome of outcomes) {
    const read = kitOutcome(outcome, { program: "x", judge: () => judgeCode("stop", 0) });
    assert.equal(read.state, "failed");
    assert.equal(read.code, null);
    assert.ok(read.reason);
  }
});

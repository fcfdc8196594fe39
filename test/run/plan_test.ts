import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRunOptions } from "./options.ts";
import { planTests } from "./plan.ts";

const FILES = [
  "runtime/clock.ts",
  "test/runtime/clock_test.ts",
  "test/runtime/scheduler_deno_test.ts",
  "test/runtime/scheduler_node_test.ts",
  "test/system/transport_tcp_test.ts",
  "test/system/demo_test.ts",
  "test/tidy/imports_test.ts",
  "test/tidy_test.ts",
];

test("plan: each test file runs in its stages and nothing else runs", () => {
  assert.deepEqual(planTests(FILES), {
    tidy: ["test/tidy/imports_test.ts", "test/tidy_test.ts"],
    unit: ["test/runtime/clock_test.ts", "test/runtime/scheduler_deno_test.ts"],
    node: ["test/runtime/clock_test.ts", "test/runtime/scheduler_node_test.ts"],
    system: ["test/system/transport_tcp_test.ts", "test/system/demo_test.ts"],
    systemOnNode: ["test/system/transport_tcp_test.ts"],
  });
});

test("plan: a part of a path narrows every stage", () => {
  const plan = planTests(FILES, "clock");
  assert.deepEqual([plan.tidy, plan.system], [[], []]);
  assert.deepEqual(plan.unit, ["test/runtime/clock_test.ts"]);
});

const commandLines: readonly [string[], unknown][] = [
  [[], { stages: ["check", "tidy", "unit", "node", "system"] }],
  [["--only", "unit", "clock"], { stages: ["unit"], pattern: "clock" }],
  [["--only", "node,unit"], { stages: ["unit", "node"] }],
  [["--only", "fast"], { wrong: '--only "fast" is none of check, tidy, unit, node, system' }],
  [["--only"], { wrong: '--only "" is none of check, tidy, unit, node, system' }],
  [["--quick"], { wrong: "the option --quick is unknown" }],
  [["a", "b"], { wrong: 'one part of a path is enough, and "b" is a second' }],
];
for (const [args, expected] of commandLines) {
  test(`options: «${args.join(" ")}»`, () => assert.deepEqual(parseRunOptions(args), expected));
}

/** Completion is made of the program's own list. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command } from "../../cli/command.ts";
import { completionScript, SHELLS } from "../../cli/completion_script.ts";
import { EXIT } from "../../cli/failure.ts";

const run = () => Promise.resolve(EXIT.done);
const COMMANDS: readonly Command[] = [
  {
    words: "status",
    summary: "the cluster",
    options: [{ flags: "--watch", means: "again" }],
    examples: [],
    run,
  },
  {
    words: "mirror pause <group>",
    summary: "stop shipping",
    options: [{ flags: "--leg <node>", means: "" }],
    examples: [],
    run,
  },
  { words: "mirror resume <group>", summary: "don't stop", examples: [], run },
];

for (const shell of SHELLS) {
  test(`completion: ${shell} knows every command and option, and no argument's name`, () => {
    const script = completionScript(shell, COMMANDS);
    for (const word of ["status", "mirror", "pause", "resume", "watch", "leg"]) {
      assert.ok(script.includes(word), word);
    }
    assert.ok(!script.includes("<group>"));
  });
}

/** One seed is one history on both runtimes: the other one plays it in a process of its own and gets the same hash. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { findNode } from "../run/runtimes.ts";
import { runHistory } from "../simulator/history.ts";
import { runProcess } from "../run/run_file.ts";

const MAIN = fileURLToPath(new URL("../simulator/main.ts", import.meta.url));
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const node = findNode(ROOT);

for (const seed of [3, 8]) {
  const skip = node === undefined ? "there is no Node.js that runs TypeScript" : false;
  test(`simulator: seed ${seed} has the same hash on Node.js`, { skip }, async () => {
    const here = await runHistory({ seed, profile: "swarm" });
    const ended = await runProcess(
      node?.binary ?? "",
      [MAIN, "--replay", String(seed), "--profile", "swarm"],
      {
        cwd: ROOT,
        env: {},
        limitMs: 60_000,
      },
    );
    assert.equal(ended.exitCode, 0, ended.output.slice(-2_000));
    assert.match(ended.output, new RegExp(`hash ${here.hash}, clean`));
  });
}

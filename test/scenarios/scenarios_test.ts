/** Every scenario beside this file comes to pass as its text says. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseScenario, playScenario } from "../simulator/scenario.ts";

const FOLDER = dirname(fileURLToPath(import.meta.url));

for (const name of readdirSync(FOLDER).filter((file) => file.endsWith(".txt")).sort()) {
  test(`scenario: ${name.slice(0, -4).replaceAll("_", " ")}`, async () => {
    const { problems, outcome } = await playScenario(parseScenario(readFileSync(join(FOLDER, name), "utf8")));
    assert.deepEqual(problems, [], outcome.lines.slice(-40).join("\n"));
  });
}

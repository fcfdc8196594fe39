/** `holdfast check`: everything that is wrong with a configuration, at once. */
import { loadConfig } from "../../config/load_config.ts";
import { formatProblem } from "../../config/problem.ts";
import { configJsonSchema } from "../../config/schema.ts";
import type { Command } from "../command.ts";
import { EXIT } from "../failure.ts";
import { configFile } from "../target.ts";

export const check: Command = {
  words: "check",
  summary: "validate a configuration: every problem with line, column, field and remedy",
  options: [{ flags: "--schema", means: "print the JSON Schema of the configuration instead, for editors" }],
  examples: [
    "check --config cluster.yaml",
    "check --config cluster.yaml --json",
    "check --schema > cluster.schema.json",
  ],
  run: async ({ shared, options, terminal }) => {
    if (options["schema"] === true) {
      terminal.out(`${JSON.stringify(configJsonSchema(), null, 2)}\n`);
      return EXIT.done;
    }
    const file = configFile(shared);
    const outcome = loadConfig(file);
    const problems = outcome.ok ? [] : outcome.problems;
    if (shared.json) {
      const document = { file, ok: outcome.ok, problems, warnings: outcome.warnings };
      terminal.out(`${JSON.stringify(document, null, 2)}\n`);
      return outcome.ok ? EXIT.done : EXIT.usage;
    }
    for (const warning of outcome.warnings) {
      terminal.err(`holdfast: Warning: ${formatProblem(file, warning)}\n`);
    }
    for (const problem of problems) terminal.err(`holdfast: Cannot accept ${formatProblem(file, problem)}\n`);
    if (!outcome.ok) return EXIT.usage;
    const { config } = outcome;
    const volumes = config.groups.reduce((sum, group) => sum + group.volumes.length, 0);
    terminal.out(
      `${file}: fine: ${config.nodes.length} nodes, ${config.groups.length} groups, ${volumes} volumes\n`,
    );
    return EXIT.done;
  },
};

/** `holdfast switchover`: the planned move of a group to another node. */
import { command } from "../ask_cluster.ts";
import type { Command } from "../command.ts";
import { EXIT, Failure } from "../failure.ts";

export const switchover: Command = {
  words: "switchover <group>",
  summary: "move a group to another node: drain, resign, promote",
  options: [{ flags: "--to <node>", means: "the node that becomes source" }],
  examples: ["switchover db --to beta"],
  run: async ({ shared, args, options, terminal }) => {
    const group = args["group"] ?? "";
    const to = options["to"];
    if (typeof to !== "string") {
      const remedy = `holdfast switchover ${group} --to NODE`;
      throw new Failure(`move ${group}: no node was named`, { exitCode: EXIT.usage, remedy });
    }
    const result = await command(shared, { kind: "switchover", group, to }, `move ${group} to ${to}`);
    const generation = typeof result["generation"] === "number"
      ? ` in generation ${result["generation"]}`
      : "";
    terminal.out(
      shared.json ? `${JSON.stringify({ ok: true, result })}\n` : `${group}: ${to} is source${generation}\n`,
    );
    return EXIT.done;
  },
};

/** `holdfast actors`: the supervision tree of each node. */
import { renderActors } from "../actors_view.ts";
import { type ActorsReport, ADMIN_PATHS } from "../../protocol/admin_messages.ts";
import { gather } from "../ask_cluster.ts";
import type { Command } from "../command.ts";
import { EXIT } from "../failure.ts";
import { targetsOf } from "../target.ts";

export const actors: Command = {
  words: "actors",
  summary: "the supervision tree: mailbox depth, restarts, last error",
  options: [{ flags: "--tree", means: "indented by supervisor instead of whole paths" }],
  examples: ["actors --tree --node alpha", "actors --json"],
  run: async ({ shared, options, terminal }) => {
    const question = { path: ADMIN_PATHS.actors, timeoutMs: shared.timeoutMs, doing: "show the actors" };
    const { answers } = await gather<ActorsReport>(targetsOf(shared).targets, question);
    if (shared.json) {
      terminal.out(`${JSON.stringify({ nodes: answers.map(({ value }) => value) })}\n`);
      return EXIT.done;
    }
    const view = { columns: terminal.columns(), tree: options["tree"] === true };
    terminal.out(`${answers.map(({ value }) => renderActors(value, view).join("\n")).join("\n\n")}\n`);
    return EXIT.done;
  },
};

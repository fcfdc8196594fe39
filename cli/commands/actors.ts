/** `holdfast actors`: the supervision tree of each node; and one actor of one node ended, as a bug of its own would. */
import { renderActors } from "../actors_view.ts";
import { type ActorKill, type ActorsReport, ADMIN_PATHS } from "../../protocol/admin_messages.ts";
import { gather, order } from "../ask_cluster.ts";
import type { Command, Invocation } from "../command.ts";
import { EXIT, type ExitCode, Failure } from "../failure.ts";
import { targetsOf } from "../target.ts";

export const actors: Command = {
  words: "actors",
  summary: "the supervision tree: mailbox depth, restarts, last error",
  options: [
    { flags: "--tree", means: "indented by supervisor instead of whole paths" },
    { flags: "--kill <path>", means: "end one actor of --node at once; its supervisor starts it again" },
  ],
  examples: [
    "actors --tree --node alpha",
    "actors --json",
    "actors --node alpha --kill node/groups/group:db/export",
  ],
  run: async (invocation) => {
    const { shared, options, terminal } = invocation;
    const path = options["kill"];
    if (typeof path === "string") return await kill(invocation, path);
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

async function kill({ shared, terminal }: Invocation, path: string): Promise<ExitCode> {
  if (shared.node === undefined && shared.admin === undefined) {
    throw new Failure(`kill the actor ${path}: of which node was not said`, {
      exitCode: EXIT.usage,
      remedy: "--node NODE",
    });
  }
  if (!shared.yes && !await terminal.confirm(`End ${path} now? What it served stops until it is back.`)) {
    throw new Failure(`kill the actor ${path}: nobody said yes`, { exitCode: EXIT.refused, remedy: "--yes" });
  }
  const body: ActorKill = { kill: path };
  const result = await order(shared, { path: ADMIN_PATHS.actors, body, doing: `kill the actor ${path}` });
  terminal.out(shared.json ? `${JSON.stringify({ ok: true, result })}\n` : `${path}: killed\n`);
  return EXIT.done;
}

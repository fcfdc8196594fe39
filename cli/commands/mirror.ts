/** `holdfast mirror pause|resume|resync`: the legs of a group, a volume or one node. */
import type { AdminCommand, LegSelection } from "../../protocol/admin_messages.ts";
import { command } from "../ask_cluster.ts";
import type { Command, CommandOption, Invocation } from "../command.ts";
import { EXIT, type ExitCode, Failure } from "../failure.ts";

const SELECTION: readonly CommandOption[] = [
  { flags: "--leg <node>", means: "the leg to this node only (default: all legs)" },
  { flags: "--volume <name>", means: "this volume only (default: all of the group)" },
];

export const mirrorPause: Command = {
  words: "mirror pause <group>",
  summary: "stop shipping; what is written meanwhile is marked and shipped later",
  options: SELECTION,
  examples: ["mirror pause db --leg gamma"],
  run: (invocation) =>
    give(invocation, { kind: "mirror_pause", ...selectionOf(invocation) }, "pause the mirror of"),
};

export const mirrorResume: Command = {
  words: "mirror resume <group>",
  summary: "go on shipping; first what was marked",
  options: SELECTION,
  examples: ["mirror resume db --leg gamma"],
  run: (invocation) =>
    give(invocation, { kind: "mirror_resume", ...selectionOf(invocation) }, "resume the mirror of"),
};

export const mirrorResync: Command = {
  words: "mirror resync <group>",
  summary: "ship again what may differ, or with --full everything",
  options: [...SELECTION, { flags: "--full", means: "copy all regions, whatever the bitmaps say" }],
  examples: ["mirror resync db --leg beta", "mirror resync db --leg beta --full --yes"],
  run: async (invocation) => {
    const full = invocation.options["full"] === true;
    const selection = selectionOf(invocation);
    if (full && !invocation.shared.yes) {
      const question = `Copy all of ${selection.group} to ${
        selection.leg ?? "all targets"
      }? They are not promotable meanwhile.`;
      if (!await invocation.terminal.confirm(question)) {
        throw new Failure(`resynchronise ${selection.group} in full: nobody said yes`, {
          exitCode: EXIT.refused,
          remedy: "--yes",
        });
      }
    }
    return await give(invocation, { kind: "mirror_resync", full, ...selection }, "resynchronise");
  },
};

function selectionOf({ args, options }: Invocation): LegSelection {
  const { leg, volume } = options;
  return {
    group: args["group"] ?? "",
    ...(typeof leg === "string" ? { leg } : {}),
    ...(typeof volume === "string" ? { volume } : {}),
  };
}

async function give(
  { shared, terminal }: Invocation,
  asked: AdminCommand & LegSelection,
  doing: string,
): Promise<ExitCode> {
  const where = asked.leg === undefined ? asked.group : `${asked.group} to ${asked.leg}`;
  const result = await command(shared, asked, `${doing} ${where}`);
  terminal.out(
    shared.json
      ? `${JSON.stringify({ ok: true, result })}\n`
      : `${asked.kind.replace("_", " ")}: ${where}: done\n`,
  );
  return EXIT.done;
}

/** `holdfast why GROUP`: the chain of causes behind a group's state, and the command that mends each. */
import { ADMIN_PATHS, type EventsReport } from "../../protocol/admin_messages.ts";
import { clusterStatus, gather } from "../ask_cluster.ts";
import type { Command } from "../command.ts";
import { mergeEvents } from "../event_order.ts";
import { EXIT } from "../failure.ts";
import { paint, wrap } from "../paint.ts";
import { targetsOf, unknownName } from "../target.ts";
import { whyOf } from "../why_chain.ts";

const EVENTS_MAX = 300;

export const why: Command = {
  words: "why <group>",
  summary: "why a group is as it is: the chain of causes, and the command that mends each",
  examples: ["why db", "why db --json"],
  run: async ({ shared, args, terminal }) => {
    const name = args["group"] ?? "";
    const doing = `explain ${name}`;
    const status = await clusterStatus(shared, doing);
    const path = `${ADMIN_PATHS.events}?limit=${EVENTS_MAX}`;
    const { answers } = await gather<EventsReport>(targetsOf(shared).targets, {
      path,
      timeoutMs: shared.timeoutMs,
      doing,
    });
    const found = whyOf(name, { status, events: mergeEvents(answers.map(({ value }) => value.events)) });
    if (found === undefined) throw unknownName("group", name, Object.keys(status.groups));
    if (shared.json) {
      terminal.out(`${JSON.stringify(found)}\n`);
      return EXIT.done;
    }
    const columns = terminal.columns();
    const lines = found.links.flatMap(({ depth, says, mend }) => {
      const indent = "   ".repeat(depth);
      const lead = depth === 0 ? "" : "└─ ";
      const text = wrap(`${indent}${lead}${says}`, { columns, indent: `${indent}   ` });
      return mend === null ? text : [...text, `${indent}   ${paint(`→ ${mend}`, "strong", terminal)}`];
    });
    const lately = found.lately.length === 0 ? [] : [
      "",
      "What happened:",
      ...found.lately.flatMap((line) => wrap(`  ${line}`, { columns, indent: "    " })),
    ];
    terminal.out(`${[...lines, ...lately].join("\n")}\n`);
    return EXIT.done;
  },
};

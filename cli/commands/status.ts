/** `holdfast status`: the cluster, merged from all reachable nodes, once or again and again. */
import { clusterStatus } from "../ask_cluster.ts";
import type { Command, Invocation } from "../command.ts";
import { EXIT, Failure, formatFailure } from "../failure.ts";
import { renderStatus } from "../status_view.ts";
import { interrupted } from "../interrupt.ts";

const WATCH_PERIOD_MS = 1_000;

export const status: Command = {
  words: "status",
  summary: "the cluster, merged from all reachable nodes",
  options: [{ flags: "--watch", means: "again every second, until Ctrl-C" }],
  examples: [
    "status --config cluster.yaml",
    "status --watch",
    "status --json",
    "status --admin http://127.0.0.1:7481",
  ],
  run: async (invocation) => {
    if (invocation.options["watch"] === true) return await watch(invocation);
    invocation.terminal.out(await once(invocation));
    return EXIT.done;
  },
};

async function once({ shared, terminal }: Invocation): Promise<string> {
  const now = await clusterStatus(shared, "show the cluster's status");
  if (shared.json) return `${JSON.stringify(now)}\n`;
  return `${renderStatus(now, { columns: terminal.columns(), colour: terminal.colour }).join("\n")}\n`;
}

async function watch(invocation: Invocation): Promise<typeof EXIT.done> {
  const { terminal, shared } = invocation;
  const redraws = terminal.interactive && !shared.json;
  const stop = interrupted();
  if (redraws) terminal.out("\u001b[?25l\u001b[2J");
  try {
    while (!stop.now()) {
      const text = await once(invocation).catch((error: unknown) => {
        // A cluster that is down now may be up in a second: that is what one watches for.
        if (error instanceof Failure && error.exitCode === EXIT.unreachable) {
          return `${formatFailure(error)}\n`;
        }
        throw error;
      });
      terminal.out(redraws ? redrawn(text, terminal.rows()) : text);
      await stop.within(WATCH_PERIOD_MS);
    }
  } finally {
    if (redraws) terminal.out("\u001b[?25h\n");
  }
  return EXIT.done;
}

/** Over what was there, line by line, and only then the rest is cleared: nothing is ever blank in between. */
export function redrawn(text: string, rows: number): string {
  const lines = text.trimEnd().split("\n").slice(0, Math.max(1, rows - 1));
  return `\u001b[H${lines.map((line) => `${line}\u001b[K`).join("\n")}\u001b[J`;
}

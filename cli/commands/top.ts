/** `holdfast top`: the cluster at work, live in the terminal; into a pipe one frame, out of two looks. */
import { type ActorsReport, ADMIN_PATHS } from "../../protocol/admin_messages.ts";
import { CLUSTER_PATHS, type LoadReport } from "../../protocol/admin_questions.ts";
import { askJson } from "../admin_client.ts";
import { clusterStatus } from "../ask_cluster.ts";
import type { Command, Invocation } from "../command.ts";
import { EXIT, Failure, formatFailure } from "../failure.ts";
import { interrupted } from "../interrupt.ts";
import { targetsOf } from "../target.ts";
import { type Look, renderTop } from "../top_view.ts";
import { redrawn } from "./status.ts";

const PERIOD_MS = 1_000;
const ASK_MS = 2_000;

export const top: Command = {
  words: "top",
  summary: "the cluster at work, live: throughput, legs, busy actors",
  options: [{ flags: "--once", means: "one frame, out of two looks a second apart" }],
  examples: ["top", "top --once"],
  run: async (invocation) => {
    const { terminal, options } = invocation;
    const once = options["once"] === true || !terminal.interactive;
    const stop = interrupted();
    let before: Look | null = once ? await look(invocation) : null;
    if (once) await stop.within(PERIOD_MS);
    // The other screen: what was on this one is there again afterwards.
    if (!once) terminal.out("\u001b[?1049h\u001b[?25l");
    try {
      while (!stop.now()) {
        const frame = await drawn(invocation, before);
        if (once) {
          terminal.out(`${frame.text}\n`);
          break;
        }
        before = frame.look ?? before;
        terminal.out(redrawn(frame.text, terminal.rows()));
        await stop.within(PERIOD_MS);
      }
    } finally {
      if (!once) terminal.out("\u001b[?25h\u001b[?1049l");
    }
    return EXIT.done;
  },
};

async function drawn(
  invocation: Invocation,
  before: Look | null,
): Promise<{ readonly text: string; readonly look: Look | null }> {
  const { terminal } = invocation;
  try {
    const now = await look(invocation);
    const options = { columns: terminal.columns(), rows: terminal.rows(), colour: terminal.colour };
    return { text: renderTop(now, before, options).join("\n"), look: now };
  } catch (error) {
    // A cluster that is down now may be up in a second: that is what one watches for.
    if (error instanceof Failure && error.exitCode === EXIT.unreachable) {
      return { text: formatFailure(error), look: null };
    }
    throw error;
  }
}

async function look({ shared }: Invocation): Promise<Look> {
  const status = await clusterStatus(shared, "show the cluster at work");
  const loads = new Map<string, LoadReport>();
  const actors = new Map<string, ActorsReport>();
  await Promise.all(
    targetsOf(shared).targets.map(async (target) => {
      const told = await askJson(target, { path: ADMIN_PATHS.actors, timeoutMs: ASK_MS });
      if (!told.ok || told.status !== 200) return;
      const report = told.value as ActorsReport;
      actors.set(report.node, report);
      const path = `${CLUSTER_PATHS.nodes}/${encodeURIComponent(report.node)}/load`;
      const load = await askJson(target, { path, timeoutMs: ASK_MS });
      if (load.ok && load.status === 200) loads.set(report.node, load.value as LoadReport);
    }),
  );
  return { atMs: performance.now(), status, loads, actors };
}

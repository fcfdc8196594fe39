/** `holdfast events`: what happened, on all nodes, each with its cause. */
import { parseDuration } from "../../config/units.ts";
import {
  ADMIN_PATHS,
  type EventLine,
  EVENTS_WAIT_SECONDS_MAX,
  type EventsReport,
} from "../../protocol/admin_messages.ts";
import { askJson } from "../admin_client.ts";
import { gather } from "../ask_cluster.ts";
import type { Command, Invocation } from "../command.ts";
import { formatEvent, mergeEvents, sinceOf } from "../event_order.ts";
import { EXIT, type ExitCode, Failure } from "../failure.ts";
import { interrupted } from "../interrupt.ts";
import { type Target, targetsOf } from "../target.ts";

const LIMIT = 500;
/** Between two tries to reach a node that does not answer. */
const RETRY_MS = 1_000;

export const events: Command = {
  words: "events",
  summary: "what happened, on all nodes, each with its cause",
  options: [
    { flags: "--follow", means: "go on printing what happens, until Ctrl-C" },
    { flags: "--since <time>", means: "from a moment (RFC 3339) or a while ago (10min)" },
  ],
  examples: ["events --since 10min", "events --follow", "events --json --node alpha"],
  run: async (invocation) => {
    const { shared, options, terminal } = invocation;
    const { targets } = targetsOf(shared);
    const path = `${ADMIN_PATHS.events}?limit=${LIMIT}${sinceQuery(options["since"])}`;
    const doing = "show the events";
    const { answers } = await gather<EventsReport>(targets, { path, timeoutMs: shared.timeoutMs, doing });
    const merged = mergeEvents(answers.map(({ value }) => value.events));
    if (options["follow"] !== true) {
      terminal.out(
        shared.json
          ? `${JSON.stringify({ events: merged })}\n`
          : merged.map((event) => `${formatEvent(event)}\n`).join(""),
      );
      return EXIT.done;
    }
    print(invocation, merged);
    return await follow(
      invocation,
      targets,
      new Map(answers.map(({ target, value }) => [target, value.lastSeq])),
    );
  },
};

function sinceQuery(since: string | boolean | undefined): string {
  if (typeof since !== "string") return "";
  const duration = parseDuration(since);
  const moment = sinceOf(since, { nowMs: Date.now(), durationMs: duration.ok ? duration.value : undefined });
  if (moment === undefined) {
    const remedy = "--since 10min or --since 2026-11-22T13:00:00Z";
    throw new Failure(`show events since ${since}: it is neither a moment nor a time with its unit`, {
      exitCode: EXIT.usage,
      remedy,
    });
  }
  return `&since=${encodeURIComponent(moment)}`;
}

function print({ shared, terminal }: Invocation, happened: readonly EventLine[]): void {
  for (const event of happened) terminal.out(`${shared.json ? JSON.stringify(event) : formatEvent(event)}\n`);
}

/** One long poll per node, all at once; a node that is down is tried again until it is back. */
async function follow(
  invocation: Invocation,
  targets: readonly Target[],
  lastSeqs: ReadonlyMap<Target, number>,
): Promise<ExitCode> {
  const stop = interrupted();
  const timeoutMs = (EVENTS_WAIT_SECONDS_MAX + 5) * 1_000;
  const followOne = async (target: Target) => {
    let after = lastSeqs.get(target);
    while (!stop.now()) {
      const position = after === undefined ? "" : `&after=${after}`;
      const path = `${ADMIN_PATHS.events}?limit=${LIMIT}&wait=${EVENTS_WAIT_SECONDS_MAX}${position}`;
      const outcome = await askJson(target, { path, timeoutMs });
      if (stop.now()) return;
      if (!outcome.ok || outcome.status !== 200) {
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        continue;
      }
      const report = outcome.value as EventsReport;
      print(invocation, report.events);
      after = report.lastSeq;
    }
  };
  const following = targets.map(followOne);
  while (!stop.now()) await stop.within(RETRY_MS);
  // The open questions are not waited for: nobody reads their answers any more.
  void Promise.allSettled(following);
  return EXIT.done;
}

/**
 * The actors themselves as metrics: depth, messages and restarts per path, read when somebody asks.
 *
 * Counting per message would be paid by every message; the cells count anyway, so a scrape only reads them. The number of paths
 * is bounded, since a label value that is never forgotten is a leak: beyond it actors are summed under `other`.
 */
import type { ActorReport } from "./inspect.ts";
import { watchLoopDelay } from "./loop_delay.ts";
import type { ActorSystem } from "./system.ts";

const PATHS_MAX = 1_000;
const OTHER = "other";

/**
 * Registers `actor_mailbox_depth{actor,lane}`, `actor_messages_total{actor}`, `actor_restarts_total{actor}` and
 * `event_loop_delay_seconds` with the system's metrics. The totals of an actor start again when its supervisor does. Answers how to
 * stop measuring the event loop.
 */
export function registerActorMetrics(system: ActorSystem): () => void {
  const { metrics } = system;
  const depth = metrics.gauge("actor_mailbox_depth", "Messages waiting in a lane of a mailbox.", [
    "actor",
    "lane",
  ]);
  const messages = metrics.total("actor_messages_total", "Messages an actor has received.", ["actor"]);
  const restarts = metrics.total("actor_restarts_total", "Restarts of an actor.", ["actor"]);
  const delay = metrics.histogram("event_loop_delay_seconds", "How late the event loop ran a timer.", [], {
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  });
  metrics.beforeText(() => {
    depth.reset();
    messages.reset();
    restarts.reset();
    for (const report of bounded(system.inspect())) {
      const { path: actor } = report;
      depth.set(report.depth.control, { actor, lane: "control" });
      depth.set(report.depth.data, { actor, lane: "data" });
      depth.set(report.depth.system, { actor, lane: "system" });
      messages.set(report.messages, { actor });
      restarts.set(report.restarts, { actor });
    }
  });
  return watchLoopDelay(system.clock, { onDelay: (delayMs) => delay.observe(delayMs / 1_000) });
}

type Counts = Pick<ActorReport, "path" | "depth" | "messages" | "restarts">;

function bounded(reports: readonly ActorReport[]): Counts[] {
  const kept: Counts[] = reports.slice(0, PATHS_MAX);
  const rest = reports.slice(PATHS_MAX);
  if (rest.length === 0) return kept;
  const sum = (of: (report: ActorReport) => number) => rest.reduce((total, report) => total + of(report), 0);
  kept.push({
    path: OTHER,
    depth: {
      system: sum((report) => report.depth.system),
      control: sum((report) => report.depth.control),
      data: sum((report) => report.depth.data),
    },
    messages: sum((report) => report.messages),
    restarts: sum((report) => report.restarts),
  });
  return kept;
}

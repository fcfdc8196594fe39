/**
 * Every metric of the contract, there from the first scrape on, with its help: a dashboard that was built beside an
 * idle cluster must not miss a line when something happens.
 *
 * Facts that are counted where they happen get their counters from here; states are set from one status, right before
 * each scrape, because a gauge that is kept current at every change costs more than it tells.
 */
import {
  type Counter,
  type Gauge,
  type Histogram,
  type Metrics,
  registerActorMetrics,
} from "../../runtime/mod.ts";
import type { ActorSystem } from "../../runtime/mod.ts";
import type { GroupState, LegState, NodeReport } from "../../protocol/admin_messages.ts";

export interface NodeMetrics {
  readonly ioRequests: Counter;
  readonly ioBytes: Counter;
  readonly ioDurations: Histogram;
  readonly wireBytes: Counter;
  readonly heartbeatRtt: Gauge;
  readonly failovers: Counter;
  /** Sets all gauges of states. */
  show(report: NodeReport): void;
  /** The event loop is measured no more: without this a process would never end by itself. */
  stop(): void;
}

const GROUP_STATES: readonly GroupState[] = [
  "in_service",
  "degraded",
  "electing",
  "promoting",
  "blocked",
  "diverged",
  "stopped",
];
const LEG_STATES: readonly LegState[] = [
  "offline",
  "handshaking",
  "resyncing",
  "replicating",
  "lagging",
  "paused",
  "diverged",
];
/** From a write into the page cache to a disk that is in trouble. */
const DURATION_BUCKETS = [
  0.000_05,
  0.000_1,
  0.000_25,
  0.000_5,
  0.001,
  0.002_5,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  10,
];

export function createNodeMetrics(
  system: ActorSystem,
  build: { readonly version: string; readonly runtime: string; readonly node: string },
): NodeMetrics {
  const { metrics } = system;
  const stop = registerActorMetrics(system);
  metrics.gauge("build_info", "Always 1; the labels say what runs.", ["version", "runtime", "node"])
    .set(1, { version: build.version, runtime: build.runtime, node: build.node });
  metrics.gauge("compression_ratio", "Bytes before over bytes after compression of a leg.", ["group", "leg"]);
  metrics.counter("fences_total", "Fencing actions by outcome.", ["target", "outcome"]);
  const show = stateGauges(metrics);
  return {
    ioRequests: metrics.counter("io_requests_total", "Requests of NBD clients that were answered.", [
      "volume",
      "op",
      "result",
    ]),
    ioBytes: metrics.counter("io_bytes_total", "Bytes of the successful requests of NBD clients.", [
      "volume",
      "op",
    ]),
    ioDurations: metrics.histogram(
      "io_duration_seconds",
      "Durations of requests by stage, of a sample: the first request of every sixteenth batch.",
      ["stage", "op"],
      { buckets: DURATION_BUCKETS },
    ),
    wireBytes: metrics.counter("wire_bytes_total", "Bytes on the connections between nodes.", ["direction"]),
    heartbeatRtt: metrics.gauge("heartbeat_rtt_seconds", "Smoothed round trip of heartbeats.", ["peer"]),
    failovers: metrics.counter("failovers_total", "Times this node took a group over from another source.", [
      "group",
    ]),
    show,
    stop,
  };
}

function stateGauges(metrics: Metrics): (report: NodeReport) => void {
  const role = metrics.gauge("group_role", "1 for the role that this node has in the group.", [
    "group",
    "role",
  ]);
  const state = metrics.gauge("group_state", "1 for the state that the group is in.", ["group", "state"]);
  const leg = metrics.gauge("leg_state", "1 for the state that the leg is in, as its source sees it.", [
    "group",
    "leg",
    "state",
  ]);
  const legLabels = ["group", "leg"];
  const lagWrites = metrics.gauge("leg_lag_writes", "Writes that the leg has not applied yet.", legLabels);
  const lagBytes = metrics.gauge("leg_lag_bytes", "Bytes that the leg has not applied yet.", legLabels);
  const lagSeconds = metrics.gauge(
    "leg_lag_seconds",
    "Age of the oldest write that the leg has not applied.",
    legLabels,
  );
  const dirty = metrics.gauge("dirty_bytes", "Bytes marked towards the replica.", legLabels);
  const resyncDone = metrics.gauge(
    "resync_done_bytes",
    "Bytes that the running resync has copied.",
    legLabels,
  );
  const resyncTotal = metrics.gauge(
    "resync_total_bytes",
    "Bytes that the running resync copies in all.",
    legLabels,
  );
  const gauges = [role, state, leg, lagWrites, lagBytes, lagSeconds, dirty, resyncDone, resyncTotal];
  return (report) => {
    for (const gauge of gauges) gauge.reset();
    for (const [group, status] of Object.entries(report.groups)) {
      for (const each of GROUP_STATES) state.set(each === status.state ? 1 : 0, { group, state: each });
      const own = status.replicas[report.reporter.node];
      for (const each of ["source", "target", "none"]) {
        role.set(each === (own?.role ?? "none") ? 1 : 0, { group, role: each });
      }
      for (const [node, replica] of Object.entries(status.replicas)) {
        if (replica.leg === null) continue;
        const labels = { group, leg: node };
        for (const each of LEG_STATES) leg.set(each === replica.leg ? 1 : 0, { ...labels, state: each });
        lagWrites.set(replica.lag.writes, labels);
        lagBytes.set(replica.lag.bytes, labels);
        lagSeconds.set(replica.lag.seconds, labels);
        dirty.set(replica.dirtyBytes, labels);
        resyncDone.set(replica.resync?.doneBytes ?? 0, labels);
        resyncTotal.set(replica.resync?.totalBytes ?? 0, labels);
      }
    }
  };
}

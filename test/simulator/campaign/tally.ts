/** Sums over the histories of a campaign, mergeable over its jobs, and the lines that a person reads at the end. */
import type { HistoryOutcome } from "../history.ts";

export interface Tally {
  seeds: number;
  failed: number;
  events: number;
  virtualMs: number;
  requests: number;
  lossyGates: number;
  faults: Record<string, number>;
  coverage: Record<string, number>;
}

export function emptyTally(): Tally {
  return {
    seeds: 0,
    failed: 0,
    events: 0,
    virtualMs: 0,
    requests: 0,
    lossyGates: 0,
    faults: {},
    coverage: {},
  };
}

export function tallyOf(outcome: HistoryOutcome): Tally {
  const { events, virtualMs, requests, lossyGates, faults, coverage, violation } = outcome;
  return {
    seeds: 1,
    failed: violation === null ? 0 : 1,
    events,
    virtualMs,
    requests,
    lossyGates,
    faults,
    coverage,
  };
}

export function addTo(sum: Tally, more: Tally): void {
  sum.seeds += more.seeds;
  sum.failed += more.failed;
  sum.events += more.events;
  sum.virtualMs += more.virtualMs;
  sum.requests += more.requests;
  sum.lossyGates += more.lossyGates;
  for (const part of ["faults", "coverage"] as const) {
    for (const [name, count] of Object.entries(more[part])) sum[part][name] = (sum[part][name] ?? 0) + count;
  }
}

/** Rows that a campaign is expected to fire; what is missing is named. */
export const EXPECTED_ROWS: readonly string[] = [
  "rejoin founding_replica",
  "rejoin target_empty",
  "rejoin target_inconsistent",
  "rejoin same_position",
  "rejoin target_behind",
  "rejoin unacknowledged_tail",
  "rejoin rival_without_writes",
  "rejoin lost_acknowledged_tail",
  "candidate birth",
  "candidate birth_again",
  "candidate promote_source",
  "candidate promote_sync",
  "candidate promote_commit",
];

export function describeTally(tally: Tally): string[] {
  const hours = tally.virtualMs / 3_600_000;
  const sorted = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts).sort(([one], [other]) => one < other ? -1 : 1).map(([name, count]) =>
      `${name} ${count}`
    );
  const rows = Object.entries(tally.coverage).filter(([name]) => !name.startsWith("event "));
  const missing = EXPECTED_ROWS.filter((row) => tally.coverage[row] === undefined);
  return [
    `${tally.requests} requests answered, ${tally.events} events, ${hours.toFixed(2)} simulated hours`,
    `${tally.lossyGates} gates opened on disks that had lost their caches`,
    `faults: ${sorted(tally.faults).join(", ")}`,
    `rows fired: ${sorted(Object.fromEntries(rows)).join(", ")}`,
    `rows that never fired: ${missing.length === 0 ? "none" : missing.join(", ")}`,
  ];
}

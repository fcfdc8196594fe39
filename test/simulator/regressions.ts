/**
 * Histories that failed once, by seed and profile, with the bug that each of them found. A seed means the same history
 * only as long as cluster, workload and faults are drawn alike; a find that must be kept whatever happens to the dice is
 * also a text in test/scenarios.
 */
import type { Profile } from "./faults/plan.ts";

export interface Regression {
  readonly seed: number;
  readonly profile: Profile;
  readonly found: string;
}

export const REGRESSIONS: readonly Regression[] = [
  { seed: 53, profile: "swarm", found: "a diverged leg was never tried again after its disk was replaced" },
  { seed: 150, profile: "swarm", found: "the same, in a group of commit replicas" },
  { seed: 20017, profile: "disk", found: "a frame was taken though its intent could not be kept (I3)" },
  { seed: 20225, profile: "swarm", found: "the same, with a source that fails over meanwhile" },
  { seed: 20286, profile: "network", found: "an old report cleared marks whose seqs were forgotten (I4)" },
];

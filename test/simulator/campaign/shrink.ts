/**
 * Finds out which faults of a failing history are needed: leaves out halves, then quarters, and so on to single ones, as
 * long as the same checker still fails (delta debugging). Everything else of the seed stays as it was.
 */
import type { PlannedFault, Profile } from "../faults/plan.ts";
import { type HistoryOutcome, runHistory } from "../history.ts";

const RUNS_MAX = 120;

export async function shrink(failed: HistoryOutcome, profile: Profile): Promise<HistoryOutcome> {
  let best = failed;
  let runs = 0;
  for (let parts = 2; best.planned.length > 0 && runs < RUNS_MAX;) {
    const size = Math.max(1, Math.ceil(best.planned.length / parts));
    let smaller: HistoryOutcome | null = null;
    for (let from = 0; from < best.planned.length && smaller === null && runs < RUNS_MAX; from += size) {
      const faults: PlannedFault[] = best.planned.filter((_, index) => index < from || index >= from + size);
      runs += 1;
      const outcome = await runHistory({ seed: failed.seed, profile, faults });
      if (outcome.violation?.checker === failed.violation?.checker) smaller = outcome;
    }
    if (smaller !== null) best = smaller;
    else if (size === 1) return best;
    else parts *= 2;
  }
  return best;
}

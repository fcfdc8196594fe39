/** One job of a campaign: its share of the seeds, one after the other, told line by line on standard output. */
import process from "node:process";
import type { Profile } from "../faults/plan.ts";
import { runHistory } from "../history.ts";
import { addTo, emptyTally, type Tally, tallyOf } from "./tally.ts";

export type JobLine =
  | { readonly kind: "tally"; readonly tally: Tally }
  | { readonly kind: "failure"; readonly seed: number; readonly profile: Profile; readonly detail: string };

export interface Share {
  readonly first: number;
  readonly seeds: number;
  readonly step: number;
  /** Taken in turn. */
  readonly profiles: readonly Profile[];
  /** For mutants: one failure is enough. */
  readonly untilFailure?: boolean;
}

const TELL_EVERY = 20;

export async function runShare(share: Share, tell: (line: JobLine) => void): Promise<void> {
  let sum = emptyTally();
  for (let index = 0; index < share.seeds; index++) {
    const seed = share.first + index * share.step;
    const profile = profileOf(seed, share.profiles);
    const outcome = await runHistory({ seed, profile });
    addTo(sum, tallyOf(outcome));
    if (outcome.violation !== null) {
      {
        tell({ kind: "failure", seed, profile, detail: outcome.violation.detail });
        if (share.untilFailure === true) return;
      }
    }
    if ((index + 1) % TELL_EVERY === 0 || index + 1 === share.seeds) {
      tell({ kind: "tally", tally: sum });
      sum = emptyTally();
    }
  }
}

/** By the seed alone, so that a campaign cut into jobs otherwise is the same campaign. */
export function profileOf(seed: number, profiles: readonly Profile[]): Profile {
  return profiles[seed % profiles.length] ?? "swarm";
}

export function tellOnOutput(line: JobLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

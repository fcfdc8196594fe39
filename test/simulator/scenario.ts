/**
 * A history as a text that a person can read, edit and keep: the cluster, the faults, and what is expected of it.
 *
 * ```text
 * # a comment
 * seed 7                     dice of the workload and of everything that no line says
 * cluster {"modes":[…],…}    optional; as the first line of a trace shows it
 * 730+5 pause node=gamma forMs=2624
 * expect gamma gate_opened   in this order, each somewhere in a line of the trace
 * never split_brain          nowhere in it
 * ```
 */
import { type PlannedFault, type Profile, PROFILES } from "./faults/plan.ts";
import { parseFault } from "./faults/text.ts";
import { type HistoryOptions, type HistoryOutcome, runHistory } from "./history.ts";
import type { ClusterPlan } from "./world/cluster_plan.ts";

export interface Scenario {
  readonly options: HistoryOptions;
  readonly expected: readonly string[];
  readonly never: readonly string[];
}

export function parseScenario(text: string): Scenario {
  let seed = 1;
  let profile: Profile = "swarm";
  let cluster: ClusterPlan | null = null;
  const faults: PlannedFault[] = [];
  const expected: string[] = [];
  const never: string[] = [];
  for (const line of text.split("\n").map((each) => each.trim())) {
    const [word = "", rest = ""] = [line.split(" ", 1)[0], line.slice(line.indexOf(" ") + 1)];
    if (line === "" || word === "#") continue;
    else if (word === "seed") seed = Number(rest);
    else if (word === "profile") profile = PROFILES.find((known) => known === rest) ?? profile;
    else if (word === "cluster") cluster = JSON.parse(rest) as ClusterPlan;
    else if (word === "expect") expected.push(rest);
    else if (word === "never") never.push(rest);
    else faults.push(parseFault(line));
  }
  const options = { seed, profile, faults, trace: true };
  return { options: cluster === null ? options : { ...options, cluster }, expected, never };
}

/** What is wrong with it, in words; empty when all is as the text says. */
export async function playScenario(
  scenario: Scenario,
): Promise<{ problems: string[]; outcome: HistoryOutcome }> {
  const outcome = await runHistory(scenario.options);
  const problems = outcome.violation === null ? [] : [outcome.violation.detail];
  // Remarks are indented: only what is part of the hash counts.
  const lines = outcome.lines.filter((line) => !/^\S+ {2}/.test(line));
  let from = 0;
  for (const expected of scenario.expected) {
    const at = lines.findIndex((line, index) => index >= from && line.includes(expected));
    if (at < 0) problems.push(`after line ${from} nothing says: ${expected}`);
    else from = at + 1;
  }
  for (const never of scenario.never) {
    const line = lines.find((each) => each.includes(never));
    if (line !== undefined) problems.push(`it says: ${line}`);
  }
  return { problems, outcome };
}

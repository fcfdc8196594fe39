/**
 * `npm run simulate`: a campaign of histories, or one of them again.
 *
 *   npm run simulate -- --seeds 1000 [--first 1] [--jobs 2] [--profile all|swarm|network|disk|failover|resync]
 *   npm run simulate -- --replay 42 --profile swarm [--shrink] [--faults FILE of test/scenarios]
 *
 * Exit 0 only if every history was clean; the last line is the summary.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { profileOf, runShare, type Share, tellOnOutput } from "./campaign/job.ts";
import { runJob } from "./campaign/run_jobs.ts";
import { shrink } from "./campaign/shrink.ts";
import { addTo, describeTally, emptyTally } from "./campaign/tally.ts";
import { type Profile, PROFILES } from "./faults/plan.ts";
import { formatFault } from "./faults/text.ts";
import { runHistory } from "./history.ts";
import { parseScenario } from "./scenario.ts";

const PROGRESS_SECONDS = 10;
/** Failures that are shrunk by themselves: each costs some dozens of histories. */
const SHRUNK_MAX = 3;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function wholeNumber(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new Error(
    `Cannot run a campaign: --${name} ${text} is no whole number (try: --${name} ${otherwise})`,
  );
}

function profilesOf(text: string): readonly Profile[] {
  if (text === "all") return PROFILES;
  return text.split(",").map((name) => {
    const profile = PROFILES.find((known) => known === name);
    if (profile === undefined) {
      throw new Error(
        `Cannot run a campaign: --profile ${name} is unknown (try: all, ${PROFILES.join(", ")})`,
      );
    }
    return profile;
  });
}

function commit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  } catch {
    return "unknown commit";
  }
}

async function replay(
  options: { seed: number; profile: Profile; shrinks: boolean; file: string | undefined },
): Promise<number> {
  const { seed, profile, file } = options;
  const { faults, cluster } = file === undefined ? {} : parseScenario(readFileSync(file, "utf8")).options;
  const given = {
    ...(faults === undefined ? {} : { faults }),
    ...(cluster === undefined ? {} : { cluster }),
  };
  let outcome = await runHistory({ seed, profile, ...given });
  if (options.shrinks && outcome.violation !== null) outcome = await shrink(outcome, profile);
  const told = await runHistory({ seed, profile, ...given, faults: outcome.planned, trace: true });
  for (const line of told.lines) say(line);
  say("faults:");
  for (const fault of told.planned) say(`  ${formatFault(fault)}`);
  say(
    `seed ${seed} ${profile} at ${commit()}: ${told.events} events, hash ${told.hash}, ${
      told.violation === null ? "clean" : told.violation.detail
    }`,
  );
  return told.violation === null ? 0 : 1;
}

async function campaign(
  options: { first: number; seeds: number; jobs: number; profiles: readonly Profile[] },
): Promise<number> {
  const { first, seeds, jobs, profiles } = options;
  const sum = emptyTally();
  const failures: { seed: number; profile: Profile }[] = [];
  const startedSeconds = process.uptime();
  const seconds = () => process.uptime() - startedSeconds;
  const speed = () =>
    `${(sum.seeds / seconds()).toFixed(1)} seeds/s, ${Math.round(sum.events / seconds())} events/s`;
  let toldSeconds = startedSeconds;
  const codes = await Promise.all(Array.from({ length: Math.min(jobs, seeds) }, (_, job) => {
    const share: Share = {
      first: first + job,
      step: jobs,
      seeds: Math.ceil((seeds - job) / jobs),
      profiles,
    };
    return runJob(share, (line) => {
      if (line.kind === "failure") {
        failures.push(line);
        say(`FAILED seed ${line.seed} ${line.profile} at ${commit()}: ${line.detail.slice(0, 1_000)}`);
        say(`  again: npm run simulate -- --replay ${line.seed} --profile ${line.profile} --shrink`);
        return;
      }
      addTo(sum, line.tally);
      if (process.uptime() - toldSeconds < PROGRESS_SECONDS) return;
      toldSeconds = process.uptime();
      say(`${sum.seeds} of ${seeds} seeds, ${sum.failed} failed, ${speed()}`);
    });
  }));
  for (const { seed, profile } of failures.slice(0, SHRUNK_MAX)) await tellShrunk(seed, profile);
  for (const line of describeTally(sum)) say(line);
  const broken = codes.filter((code) => code !== 0).length;
  say(
    `seeds ${first}–${first + seeds - 1} ${profiles.join("+")} at ${commit()}: ${sum.seeds} histories, ` +
      `${sum.failed} failed${broken === 0 ? "" : `, ${broken} jobs ended badly`}, ${speed()}, ${
        seconds().toFixed(0)
      } s`,
  );
  return sum.failed === 0 && broken === 0 && sum.seeds === seeds ? 0 : 1;
}

async function tellShrunk(seed: number, profile: Profile): Promise<void> {
  const failed = await runHistory({ seed, profile });
  if (failed.violation === null) return;
  const smallest = await shrink(failed, profile);
  say(`seed ${seed} ${profile} needs ${smallest.planned.length} of ${failed.planned.length} faults:`);
  for (const fault of smallest.planned) say(`  ${formatFault(fault)}`);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string" },
      first: { type: "string" },
      jobs: { type: "string" },
      step: { type: "string" },
      profile: { type: "string", default: "all" },
      replay: { type: "string" },
      shrink: { type: "boolean", default: false },
      faults: { type: "string" },
      "until-failure": { type: "boolean", default: false },
      job: { type: "boolean", default: false },
    },
  });
  const profiles = profilesOf(values.profile);
  const first = wholeNumber("first", values.first, 1);
  const seeds = wholeNumber("seeds", values.seeds, 200);
  if (values.job) {
    const step = wholeNumber("step", values.step, 1);
    await runShare({ first, seeds, step, profiles, untilFailure: values["until-failure"] }, tellOnOutput);
    return 0;
  }
  if (values.replay !== undefined) {
    const seed = wholeNumber("replay", values.replay, 1);
    const profile = profileOf(seed, profiles);
    return await replay({ seed, profile, shrinks: values.shrink, file: values.faults });
  }
  return await campaign({ first, seeds, jobs: Math.max(1, wholeNumber("jobs", values.jobs, 2)), profiles });
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}

/**
 * The one gate: `npm test`, `deno task ok` and CI run this and nothing beside it.
 *
 * It goes on after a failure, so that one run tells everything, prints one line per file and the whole output of
 * each that failed, and ends with one line of counts in which every number is a number of test cases (a type check,
 * a lint or a format check is one case).
 */
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { installMissing } from "./install_debian.ts";
import { parseRunOptions, USAGE } from "./options.ts";
import { listFiles, planTests } from "./plan.ts";
import { runFile, runProcess, stopAll } from "./run_file.ts";
import { findNode, type Runtime, thisDeno } from "./runtimes.ts";
import { addTallies, type FileResult, lastLine, type Tally, tallyFile } from "./tally.ts";

const root = join(fileURLToPath(import.meta.url), "..", "..", "..");
const strict = process.env["CI"] === "true";
/** Unit tests know no real time, so one that takes this long hangs. */
const UNIT_LIMIT_MS = 180_000;
const SYSTEM_LIMIT_MS = 600_000;
const CHECK_LIMIT_MS = 300_000;
/** The machine that decides has two cores. */
const SIDE_BY_SIDE = 2;

const tallies: Tally[] = [];

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function report(result: FileResult, startedAtMs: number): void {
  const tally = tallyFile(result, { strict });
  tallies.push(tally);
  const mark = tally.failed > 0 ? "FAILED" : "ok";
  const seconds = ((Date.now() - startedAtMs) / 1000).toFixed(1);
  say(`${mark.padEnd(6)} ${result.label}  (${lastLine(tally)}; ${seconds} s)`);
  if (tally.failed === 0) return;
  say(result.output.trimEnd().split("\n").map((line) => `    ${line}`).join("\n"));
}

/** A tool's verdict over the whole tree counts as one test case. */
async function check(name: string, args: readonly string[]): Promise<void> {
  const startedAtMs = Date.now();
  const ended = await runProcess(thisDeno().binary, args, {
    cwd: root,
    env: { ...process.env, NO_COLOR: "1" },
    limitMs: CHECK_LIMIT_MS,
  });
  report({
    ...ended,
    label: `check: ${name}`,
    cases: [{ name, outcome: ended.exitCode === 0 ? "passed" : "failed", reason: "" }],
    leaks: [],
  }, startedAtMs);
}

interface Batch {
  readonly stage: string;
  readonly files: readonly string[];
  readonly runtime: Runtime;
  readonly limitMs: number;
  readonly sideBySide: number;
}

/** Takes files off one queue, some at a time; a result is reported as soon as it is there. */
async function runBatch(batch: Batch): Promise<void> {
  const waiting = [...batch.files];
  const worker = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const startedAtMs = Date.now();
      const { stage, runtime, limitMs } = batch;
      report(await runFile({ root, file, stage, runtime, limitMs }), startedAtMs);
    }
  };
  await Promise.all(Array.from({ length: batch.sideBySide }, worker));
}

function skipStage(stage: string, reason: string): void {
  report({
    label: stage,
    cases: [{ name: stage, outcome: "skipped", reason }],
    exitCode: 0,
    leaks: [],
    timedOut: false,
    output: reason,
  }, Date.now());
}

async function main(): Promise<number> {
  const options = parseRunOptions(process.argv.slice(2));
  if ("wrong" in options) {
    process.stderr.write(`holdfast: Cannot run the tests: ${options.wrong} (try: ${USAGE})\n`);
    return 2;
  }
  const startedAt = Date.now();
  const files = listFiles(root);
  const plan = planTests(files, options.pattern);
  const unit = { limitMs: UNIT_LIMIT_MS, sideBySide: SIDE_BY_SIDE };
  const system = { limitMs: SYSTEM_LIMIT_MS, sideBySide: 1 };
  const deno = thisDeno();
  const node = findNode(root);

  for (const stage of options.stages) {
    switch (stage) {
      case "check": {
        if (options.pattern !== undefined) break;
        const sources = files.filter((file) => file.endsWith(".ts"));
        await check("types", ["check", "--quiet", ...sources]);
        await check("lint", ["lint", "--quiet"]);
        await check("format", ["fmt", "--check"]);
        break;
      }
      case "tidy":
        await runBatch({ stage: "tidy", files: plan.tidy, runtime: deno, ...unit });
        break;
      case "unit":
        await runBatch({ stage: "unit", files: plan.unit, runtime: deno, ...unit });
        break;
      case "node":
        if (node === undefined) {
          skipStage("node: all unit tests", "no Node.js of version 24 or newer is there");
        } else await runBatch({ stage: "node", files: plan.node, runtime: node, ...unit });
        break;
      case "system":
        if (plan.system.length === 0) break;
        await installMissing(root, say);
        await runBatch({ stage: "system", files: plan.system, runtime: deno, ...system });
        if (node !== undefined) {
          await runBatch({ stage: "system on node", files: plan.systemOnNode, runtime: node, ...system });
        }
        break;
    }
  }

  const all = addTallies(tallies);
  if (all.passed + all.failed + all.skipped === 0) {
    process.stderr.write(`holdfast: Cannot run the tests: none matches (try: ${USAGE})\n`);
    return 2;
  }
  for (const problem of all.problems) say(`✗ ${problem}`);
  say(`${((Date.now() - startedAt) / 1000).toFixed(0)} s`);
  say(lastLine(all));
  return all.failed === 0 ? 0 : 1;
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    stopAll();
    process.stderr.write(`holdfast: the tests were stopped by ${signal}\n`);
    process.exit(1);
  });
}
process.exitCode = await main();

/**
 * Runs every mutant (or those that are named) in a copy of the tree until a checker finds it:
 *
 *   deno run -A test/simulator/mutants/main.ts [--seeds N] [--jobs 2] [name …]
 *
 * Exit 0 only if all were found. The last line is the summary.
 */
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { JobLine } from "../campaign/job.ts";
import { type Mutant, MUTANTS } from "./list.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** What a simulated cluster is made of. */
const COPIED = ["actors", "config", "protocol", "runtime", "transports", "volume", "kits", "test/simulator"];

export interface Found {
  readonly mutant: Mutant;
  /** Null: every history was clean. */
  readonly seeds: number | null;
  readonly detail: string;
}

/** A copy of the tree with the mutant in it. Throws when an edit does not fit any more. */
function copyWith(mutant: Mutant): string {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-mutant-"));
  for (const part of COPIED) cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  for (const file of ["package.json", "deno.json"]) cpSync(join(ROOT, file), join(folder, file));
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  for (const { file, find, replace } of mutant.edits) {
    const path = join(folder, file);
    const parts = readFileSync(path, "utf8").split(find);
    if (parts.length !== 2) {
      rmSync(folder, { recursive: true });
      throw new Error(
        `Cannot make the mutant ${mutant.name}: its text stands ${parts.length - 1} times in ${file}`,
      );
    }
    writeFileSync(path, parts.join(replace));
  }
  return folder;
}

function hunt(mutant: Mutant, seeds: number): Promise<Found> {
  const folder = copyWith(mutant);
  const main = join(folder, "test/simulator/main.ts");
  const runtime = "Deno" in globalThis ? ["run", "--no-check", "--allow-all", main] : [main];
  const args = [
    "--job",
    "--first=1",
    `--seeds=${seeds}`,
    `--profile=${mutant.profiles ?? "all"}`,
    "--until-failure",
  ];
  const child = spawn(process.execPath, [...runtime, ...args], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let found: Found = { mutant, seeds: null, detail: `${seeds} histories were clean` };
  let trouble = "";
  child.stderr.on("data", (bytes: Uint8Array) => trouble = (trouble + String(bytes)).slice(-600));
  createInterface({ input: child.stdout }).on("line", (text) => {
    const line = JSON.parse(text) as JobLine;
    if (line.kind === "failure") found = { mutant, seeds: line.seed, detail: line.detail };
  });
  return new Promise((resolve) => {
    child.on("close", (code) => {
      rmSync(folder, { recursive: true });
      resolve(code === 0 ? found : { mutant, seeds: null, detail: `the run itself ended badly: ${trouble}` });
    });
  });
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { seeds: { type: "string" }, jobs: { type: "string", default: "2" } },
    allowPositionals: true,
  });
  const wanted = MUTANTS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const waiting = [...wanted];
  let missed = 0;
  const lane = async () => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      let found: Found;
      try {
        found = await hunt(mutant, values.seeds === undefined ? mutant.seedsMax : Number(values.seeds));
      } catch (error) {
        found = { mutant, seeds: null, detail: String(error) };
      }
      if (found.seeds === null) missed += 1;
      const verdict = found.seeds === null ? "MISSED" : `found after ${found.seeds}`;
      process.stdout.write(`${mutant.name} (${mutant.breaks}): ${verdict}: ${found.detail.slice(0, 160)}\n`);
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, lane));
  process.stdout.write(`${wanted.length} mutants, ${wanted.length - missed} found, ${missed} missed\n`);
  return missed === 0 && wanted.length > 0 ? 0 : 1;
}

process.exitCode = await main();

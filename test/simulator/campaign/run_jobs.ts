/** Runs the jobs of a campaign as processes of the same runtime, and hands on what they tell. */
import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { JobLine, Share } from "./job.ts";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));

/** Resolves with the exit code. */
export function runJob(share: Share, heard: (line: JobLine) => void): Promise<number> {
  const args = [
    "--job",
    `--first=${share.first}`,
    `--seeds=${share.seeds}`,
    `--step=${share.step}`,
    `--profile=${share.profiles.join(",")}`,
  ];
  const runtime = "Deno" in globalThis ? ["run", "--no-check", "--allow-all", MAIN] : [MAIN];
  const child = spawn(process.execPath, [...runtime, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  createInterface({ input: child.stdout }).on("line", (text) => heard(JSON.parse(text) as JobLine));
  return new Promise((resolve) => {
    child.on("error", () => resolve(1));
    child.on("close", (code) => resolve(code ?? 1));
  });
}

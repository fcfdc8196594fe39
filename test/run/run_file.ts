/**
 * Runs one test file in a process of its own. One file, one process: a file that crashes, hangs or leaks says so
 * about itself and not about its neighbour, and two can run side by side.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { readJunit } from "./junit.ts";
import type { Runtime } from "./runtimes.ts";
import type { FileResult } from "./tally.ts";

/** What one file may print before the middle of it is dropped. */
const OUTPUT_MAX_CHARACTERS = 400_000;

export interface FileRun {
  readonly root: string;
  readonly stage: string;
  /** Relative to the root. */
  readonly file: string;
  readonly runtime: Runtime;
  readonly limitMs: number;
}

export async function runFile(run: FileRun): Promise<FileResult> {
  const scratch = mkdtempSync(join(tmpdir(), "holdfast-test-"));
  const report = join(scratch, "report.xml");
  const leaks = join(scratch, "leaks");
  const args = argumentsFor(run, report);
  const env = { ...process.env, HOLDFAST_UNHANDLED_FILE: leaks, NO_COLOR: "1", FORCE_COLOR: undefined };
  const ended = await runProcess(run.runtime.binary, args, { cwd: run.root, env, limitMs: run.limitMs });
  const read = (path: string) => existsSync(path) ? readFileSync(path, "utf8") : "";
  const result: FileResult = {
    label: `${run.stage}: ${run.file}`,
    cases: readJunit(read(report)),
    leaks: read(leaks).split("\n").filter((line) => line !== ""),
    ...ended,
  };
  rmSync(scratch, { recursive: true, force: true });
  return result;
}

function argumentsFor(run: FileRun, report: string): string[] {
  const hook = join(run.root, "test", "run", "unhandled_failure.ts");
  const file = join(run.root, run.file);
  if (run.runtime.name === "deno") {
    const config = join(run.root, "deno.json");
    return [
      "test",
      "--no-check",
      "--allow-all",
      `--config=${config}`,
      `--preload=${hook}`,
      `--junit-path=${report}`,
      file,
    ];
  }
  const reporters = [
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    "--test-reporter=junit",
    `--test-reporter-destination=${report}`,
  ];
  return ["--import", hook, "--no-warnings", ...reporters, file];
}

export interface Ended {
  readonly exitCode: number;
  readonly output: string;
  readonly timedOut: boolean;
}

interface ProcessOptions {
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly limitMs: number;
}

const running = new Set<number>();

/** A runner that is stopped leaves nothing behind that it started. */
export function stopAll(): void {
  for (const pid of running) process.kill(pid, "SIGKILL");
}

/** Runs a program to its end, its standard input empty, its output kept; past the limit it is killed. */
export function runProcess(
  program: string,
  args: readonly string[],
  options: ProcessOptions,
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const pid = child.pid ?? 0;
    if (child.pid !== undefined) running.add(pid);
    let output = "";
    let timedOut = false;
    const keep = (chunk: Uint8Array) => {
      output += new TextDecoder().decode(chunk);
      if (output.length > OUTPUT_MAX_CHARACTERS) {
        const half = OUTPUT_MAX_CHARACTERS / 4;
        output = `${output.slice(0, half)}\n… ${output.length - 2 * half} characters left out …\n${
          output.slice(-half)
        }`;
      }
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    const limit = setTimeout(() => {
      timedOut = true;
      if (running.has(pid)) process.kill(pid, "SIGKILL");
    }, options.limitMs);
    child.on("error", (error) => {
      clearTimeout(limit);
      resolve({ exitCode: 127, output: output + error.message, timedOut });
    });
    // `exit`, then a moment for the pipes: a daemon that a test left behind would keep `close` waiting for ever.
    child.on("exit", (code) => {
      running.delete(pid);
      clearTimeout(limit);
      const end = () => resolve({ exitCode: code ?? 1, output, timedOut });
      const patience = setTimeout(end, 2_000);
      child.on("close", () => {
        clearTimeout(patience);
        end();
      });
    });
  });
}

/** Runs programs beside the nodes without holding up this process: `holdfast` itself, and everybody else's. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

export const ROOT = join(fileURLToPath(import.meta.url), "..", "..", "..", "..");
export const HOLDFAST = join(ROOT, "bin", "holdfast");

const LIMIT_MS = 120_000;

export interface Ran {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

/** To its end, whatever that is; past two minutes it is killed. */
export function runToEnd(program: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args], {
      cwd: options.cwd,
      env: { ...process.env, NO_COLOR: "1", HOLDFAST_CONFIG: "", ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
      timeout: LIMIT_MS,
      killSignal: "SIGKILL",
    });
    const texts = { out: "", err: "" };
    child.stdout.on("data", (chunk: Uint8Array) => void (texts.out += new TextDecoder().decode(chunk)));
    child.stderr.on("data", (chunk: Uint8Array) => void (texts.err += new TextDecoder().decode(chunk)));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, ...texts }));
    child.stdin.end(options.input ?? "");
  });
}

/** Must succeed: what it said, or an error with all of it. */
export async function runOk(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { code, out, err } = await runToEnd(program, args, options);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}\n${out}\n${err}`);
  return out;
}

export function holdfast(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return runToEnd(HOLDFAST, args, options);
}

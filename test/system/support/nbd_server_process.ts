/**
 * Starts the file server of these tests in a process of its own, and runs public programs beside it.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";

export interface FileServer {
  readonly folder: string;
  readonly image: string;
  readonly socket: string;
  /** For libnbd, qemu and fio. */
  uri(exportName?: string): string;
  stop(): Promise<void>;
}

export const SIZE_BYTES = 64 * 1024 * 1024;

/** The reason to skip, naming the program, or false. */
export function missing(...programs: string[]): string | false {
  const absent = programs.filter((program) => spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0);
  return absent.length > 0 && `${absent.join(", ")} not installed`;
}

/** A Python that has libnbd: Debian's package serves Debian's interpreter, which need not be the first in the path. */
export function pythonWithLibnbd(): string | undefined {
  return ["python3", "/usr/bin/python3"].find((python) =>
    spawnSync(python, ["-c", "import nbd"]).status === 0
  );
}

export async function startFileServer(): Promise<FileServer> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-nbd-"));
  const socket = path.join(folder, "nbd.sock");
  const image = path.join(folder, "disk.img");
  const script = path.join(import.meta.dirname ?? ".", "nbd_file_server.ts");
  const flags = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
  const child = spawn(
    process.execPath,
    [...flags, script, "--listen", `unix:${socket}`, "--file", image, "--size", String(SIZE_BYTES)],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  await readyLine(child);
  return {
    folder,
    image,
    socket,
    uri: (exportName = "data") => `nbd+unix:///${exportName}?socket=${socket}`,
    async stop() {
      const exited = new Promise((resolve) => child.once("exit", resolve));
      child.stdin?.end();
      await exited;
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}

function readyLine(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout?.once("data", () => resolve());
    child.once("exit", (code) => reject(new Error(`the file server ended with ${code}`)));
  });
}

/** Runs a program to its end; its output, or an error with all of it. */
export function run(
  program: string,
  args: readonly string[],
  options: { input?: string; cwd?: string } = {},
): string {
  const done = spawnSync(program, args, { encoding: "utf8", timeout: 120_000, ...options });
  if (done.status !== 0) {
    throw new Error(`${program} ${args.join(" ")} ended with ${done.status}\n${done.stdout}\n${done.stderr}`);
  }
  return done.stdout;
}

/** Like `run` for a program that must fail: what it said on its way. */
export function runFailing(program: string, args: readonly string[]): string {
  const done = spawnSync(program, args, { encoding: "utf8", timeout: 120_000 });
  if (done.status === 0) throw new Error(`${program} ${args.join(" ")} did not fail`);
  return `${done.stdout}${done.stderr}`;
}

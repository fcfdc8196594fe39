/**
 * Brings the independent clients that system tests need, when this process may: root, and a system with apt.
 */
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { type DebianPackage, SYSTEM_PACKAGES } from "../system/packages.ts";
import { runProcess } from "./run_file.ts";

/** Debian keeps some programs where only root's PATH looks. */
const SYSTEM_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin"];
const INSTALL_LIMIT_MS = 600_000;

export function missingPackages(): DebianPackage[] {
  return SYSTEM_PACKAGES.filter((each) => !isOnPath(each.program));
}

function isOnPath(program: string): boolean {
  return [...(process.env["PATH"] ?? "").split(":"), ...SYSTEM_FOLDERS].some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Installs what is missing. Says what it does; what could not be installed is for the tests to be skipped by name. */
export async function installMissing(root: string, say: (line: string) => void): Promise<void> {
  const missing = missingPackages();
  if (missing.length === 0) return;
  const names = missing.map((each) => each.name);
  if (process.getuid?.() !== 0 || !isOnPath("apt-get")) {
    say(`not installed, and this is not root on a system with apt: ${names.join(" ")}`);
    return;
  }
  say(`installing Debian packages: ${names.join(" ")} …`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  for (const args of [["-q", "update"], ["-q", "install", "-y", "--no-install-recommends", ...names]]) {
    const ended = await runProcess("apt-get", args, { cwd: root, env, limitMs: INSTALL_LIMIT_MS });
    if (ended.exitCode !== 0) {
      say(`apt-get ${args.join(" ")} ended with code ${ended.exitCode}:\n${ended.output}`);
      return;
    }
  }
}

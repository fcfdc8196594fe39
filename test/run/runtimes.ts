/**
 * Where the two runtimes are. The runner itself runs on the first; the second proves that the source is portable.
 */
import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import process from "node:process";

export type RuntimeName = "deno" | "node";

export interface Runtime {
  readonly name: RuntimeName;
  readonly binary: string;
}

/** Below it Node runs no TypeScript. */
const NODE_MAJOR_MIN = 24;

/** The Deno that runs this very process. */
export function thisDeno(): Runtime {
  return { name: "deno", binary: process.execPath };
}

/** The Node among the packages, else the system's when it is new enough, else undefined. */
export function findNode(root: string): Runtime | undefined {
  const candidates = [join(root, "node_modules", `node-linux-${process.arch}`, "bin", "node")];
  for (const folder of (process.env["PATH"] ?? "").split(":")) {
    if (folder !== "" && !folder.includes("node_modules")) candidates.push(join(folder, "node"));
  }
  const binary = candidates.find((candidate) => majorOf(candidate) >= NODE_MAJOR_MIN);
  return binary === undefined ? undefined : { name: "node", binary };
}

function majorOf(binary: string): number {
  try {
    accessSync(binary, constants.X_OK);
  } catch {
    return 0;
  }
  return Number(execFileSync(binary, ["-p", "process.versions.node.split('.')[0]"], { encoding: "utf8" }));
}

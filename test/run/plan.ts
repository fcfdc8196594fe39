/**
 * Which files there are, and which stage runs which. Names decide, so that nobody keeps a list:
 *
 *   test/tidy_test.ts, test/tidy/     tidy: the house rules, on Deno
 *   test/system/**_test.ts            system: real sockets, processes and tools, one at a time
 *   every other **_test.ts            unit on Deno, and again on Node
 *   **_deno_test.ts, **_node_test.ts  on that runtime alone
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";

/** Cheap checks first; a stage goes on even when the one before it failed, so that one run tells everything. */
export const STAGES = ["check", "tidy", "unit", "node", "system"] as const;
export type Stage = (typeof STAGES)[number];

/** System tests that run on Node as well, since what they test differs most between the runtimes: sockets and disks. */
const SYSTEM_ON_BOTH = /^test\/system\/(transport_|raw_device|nbd_clients)/;

export interface Plan {
  readonly tidy: readonly string[];
  readonly unit: readonly string[];
  readonly node: readonly string[];
  readonly system: readonly string[];
  readonly systemOnNode: readonly string[];
}

/** All files under `folder`, relative to the root, sorted, packages and hidden folders left out. */
export function listFiles(root: string, folder = ""): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    if (entry.name === "node_modules" || (entry.name.startsWith(".") && entry.isDirectory())) continue;
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) found.push(...listFiles(root, path));
    else if (entry.isFile()) found.push(path);
  }
  return found.sort();
}

/** `pattern` is a part of the path; undefined takes all. */
export function planTests(files: readonly string[], pattern?: string): Plan {
  const tests = files.filter((file) => file.startsWith("test/") && file.endsWith("_test.ts"))
    .filter((file) => pattern === undefined || file.includes(pattern));
  const isTidy = (file: string) => file === "test/tidy_test.ts" || file.startsWith("test/tidy/");
  const isSystem = (file: string) => file.startsWith("test/system/");
  const onDeno = tests.filter((file) => !file.endsWith("_node_test.ts"));
  const onNode = tests.filter((file) => !file.endsWith("_deno_test.ts"));
  return {
    tidy: onDeno.filter(isTidy),
    unit: onDeno.filter((file) => !isTidy(file) && !isSystem(file)),
    node: onNode.filter((file) => !isTidy(file) && !isSystem(file)),
    system: onDeno.filter(isSystem),
    systemOnNode: onNode.filter((file) => isSystem(file) && SYSTEM_ON_BOTH.test(file)),
  };
}

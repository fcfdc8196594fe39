/**
 * Prints the Deno permission flags that a command needs under its configuration, one per line, for `bin/holdfast`.
 *
 * A node needs its disks, its state and its addresses and nothing else on the machine, and only its configuration
 * says which those are. So a first short run, allowed to read, tells the flags of the second. What is wrong with the
 * configuration or the command is for the second run to say: here it only means fewer flags.
 */
import { existsSync, realpathSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadConfig } from "../config/load_config.ts";
import { Failure } from "./failure.ts";
import { doorFlags, nodeFlags } from "./permission_flags.ts";
import { type Door, REPL_SOCKET, stateDirOf, targetsOf } from "./target.ts";

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  options: {
    config: { type: "string" },
    node: { type: "string" },
    state: { type: "string" },
    admin: { type: "string" },
    timeout: { type: "string" },
  },
  strict: false,
});

function given(name: keyof typeof values): string | undefined {
  const value = values[name];
  return typeof value === "string" ? value : undefined;
}

function flags(): string[] {
  if (positionals[0] === "repl") return replFlags();
  if (positionals[0] !== "node") {
    return doorFlags({ doors: doors(), room: positionals[0] === "doctor", realPath });
  }
  const file = resolve(given("config") ?? process.env["HOLDFAST_CONFIG"] ?? "cluster.yaml");
  const outcome = loadConfig(file);
  const node = given("node") ?? "";
  return nodeFlags({
    config: outcome.ok ? outcome.config : undefined,
    node,
    root: resolve(dirname(fileURLToPath(import.meta.url)), ".."),
    file,
    stateDir: resolve(given("state") ?? stateDirOf(file, node)),
    notify: (process.env["NOTIFY_SOCKET"] ?? "") !== "",
    realPath,
  });
}

/** The shell opens the socket beside the admin socket, and keeps its history beside the nodes' states. */
function replFlags(): string[] {
  const sockets = doors().flatMap((door) => door.kind === "unix" ? [door.path] : []);
  const repl = sockets.map((path) => join(dirname(path), REPL_SOCKET));
  const file = resolve(given("config") ?? process.env["HOLDFAST_CONFIG"] ?? "cluster.yaml");
  return doorFlags({
    doors: [...new Set([...sockets, ...repl])].map((path) => ({ kind: "unix", path })),
    kept: [join(dirname(file), ".holdfast", "repl_history")],
    realPath,
  });
}

function doors(): Door[] {
  const shared = {
    config: given("config"),
    node: given("node"),
    admin: given("admin"),
    json: false,
    yes: false,
    timeoutMs: 0,
  };
  try {
    return targetsOf(shared).targets.flatMap((target) => target.doors);
  } catch (error) {
    if (error instanceof Failure) return [];
    throw error;
  }
}

/** Through links, also for what does not exist yet. */
function realPath(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  const parent = dirname(path);
  return parent === path ? path : join(realPath(parent), path.slice(parent === "/" ? 1 : parent.length + 1));
}

process.stdout.write(flags().map((flag) => `${flag}\n`).join(""));

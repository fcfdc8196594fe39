/** Which nodes a command asks, and at which of their doors. */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { hostAndPort } from "../config/address.ts";
import type { ClusterConfig } from "../config/cluster_config.ts";
import { suggestion } from "../runtime/did_you_mean.ts";
import { loadConfig } from "../config/load_config.ts";
import { formatProblem } from "../config/problem.ts";
import type { SharedOptions } from "./command.ts";
import { EXIT, Failure } from "./failure.ts";

export type Door = { readonly kind: "http"; readonly host: string; readonly port: number } | {
  readonly kind: "unix";
  readonly path: string;
};

export interface Target {
  /** "" when only an address was given. */
  readonly node: string;
  /** Tried in order. */
  readonly doors: readonly Door[];
}

export const ADMIN_SOCKET = "admin.sock";
export const REPL_SOCKET = "repl.sock";

/** `<folder of the configuration>/.holdfast/<node>` unless a person says otherwise. */
export function stateDirOf(configFile: string, node: string): string {
  return join(dirname(configFile), ".holdfast", node);
}

/** The shell's socket: of a node of this configuration, or beside the admin socket that `--admin` names. */
export function replSocketOf(nodeOrAdmin: string, configFile?: string): string {
  if (configFile !== undefined) return join(stateDirOf(configFile, nodeOrAdmin), REPL_SOCKET);
  const door = parseDoor(nodeOrAdmin);
  if (door.kind === "unix") return door.path.replace(/admin\.sock$/, REPL_SOCKET);
  throw new Failure(`attach to ${nodeOrAdmin}: a shell goes through the node's own socket`, {
    exitCode: EXIT.usage,
    remedy: `on the node's host: --admin unix:STATE/${REPL_SOCKET}`,
  });
}

export function doorText(door: Door): string {
  return door.kind === "unix"
    ? `unix:${door.path}`
    : `http://${hostAndPort({ scheme: "tcp", text: "", ...door })}`;
}

/** The file that was named, or the default one that is there. */
export function configFile(shared: SharedOptions): string {
  const named = shared.config ?? process.env["HOLDFAST_CONFIG"];
  if (named !== undefined && named !== "") return resolve(named);
  if (existsSync("cluster.yaml")) return resolve("cluster.yaml");
  throw new Failure("find the cluster's file: there is no cluster.yaml here", {
    exitCode: EXIT.usage,
    remedy: "--config FILE, or set HOLDFAST_CONFIG",
  });
}

/** The checked configuration, or every problem at once. */
export function needConfig(shared: SharedOptions): ClusterConfig {
  const file = configFile(shared);
  const outcome = loadConfig(file);
  if (outcome.ok) return outcome.config;
  const problems = outcome.problems.map((problem) => `\n  ${formatProblem(file, problem)}`).join("");
  throw new Failure(`use the configuration ${file}: ${outcome.problems.length} problem(s):${problems}\n`, {
    exitCode: EXIT.usage,
    remedy: `holdfast check --config ${file}`,
  });
}

/** The nodes that the options select. The configuration is not read when an address was given. */
export function targetsOf(
  shared: SharedOptions,
): { readonly targets: readonly Target[]; readonly config?: ClusterConfig } {
  if (shared.admin !== undefined) return { targets: [{ node: "", doors: [parseDoor(shared.admin)] }] };
  const config = needConfig(shared);
  const targets = config.nodes.map(({ name, http }): Target => {
    const socket: Door = { kind: "unix", path: join(stateDirOf(config.file, name), ADMIN_SOCKET) };
    return {
      node: name,
      doors: http === undefined ? [socket] : [{ kind: "http", host: http.host, port: http.port }, socket],
    };
  });
  if (shared.node === undefined) return { targets, config };
  const named = targets.filter(({ node }) => node === shared.node);
  if (named.length === 0) throw unknownName("node", shared.node, targets.map(({ node }) => node));
  return { targets: named, config };
}

/** `Cannot find the node gama …` */
export function unknownName(noun: string, name: string, known: readonly string[]): Failure {
  return new Failure(`find the ${noun} ${name}: the configuration has none of that name`, {
    exitCode: EXIT.usage,
    remedy: suggestion(name, known),
  });
}

function parseDoor(text: string): Door {
  if (text.startsWith("unix:")) return { kind: "unix", path: resolve(text.slice("unix:".length)) };
  const match = /^http:\/\/(\[[0-9A-Fa-f:]+\]|[^:/]+):(\d+)\/?$/.exec(text);
  if (match === null) {
    throw new Failure(`use --admin ${text}: it is no address of a node's admin door`, {
      exitCode: EXIT.usage,
      remedy: "--admin http://127.0.0.1:7481 or --admin unix:PATH",
    });
  }
  return { kind: "http", host: (match[1] ?? "").replace(/^\[|\]$/g, ""), port: Number(match[2]) };
}

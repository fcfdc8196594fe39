/** Which Deno permissions a command needs under a configuration. Pure; the reasons are in docs/decisions/0002. */
import { dirname, join } from "node:path";
import { type Door, doorText } from "./target.ts";
import {
  type ClusterConfig,
  nodeNamed,
  type PeerAddress,
  replicasOn,
  tlsFilesOf,
} from "../config/cluster_config.ts";

export interface FlagOptions {
  /** undefined: it cannot be used; the node will only say so. */
  readonly config: ClusterConfig | undefined;
  readonly node: string;
  /** Where Holdfast itself is. */
  readonly root: string;
  readonly file: string;
  readonly stateDir: string;
  /** systemd waits for notices, which a program sends. */
  readonly notify: boolean;
  /** A path with its links followed; Deno checks both. */
  readonly realPath: (path: string) => string;
}

const ENVIRONMENT = [
  "HOLDFAST_*",
  "NOTIFY_SOCKET",
  "WATCHDOG_USEC",
  "NO_COLOR",
  "FORCE_COLOR",
  "TERM",
  "COLUMNS",
  "PATH",
  "PWD",
];
const SYSTEM = [
  "hostname",
  "osRelease",
  "osUptime",
  "cpus",
  "loadavg",
  "systemMemoryInfo",
  "uid",
  "gid",
  "umask",
];

export function nodeFlags(options: FlagOptions): string[] {
  const { config, root, file, stateDir } = options;
  const environment = [
    "--ignore-env",
    `--allow-env=${ENVIRONMENT.join(",")}`,
    `--allow-sys=${SYSTEM.join(",")}`,
  ];
  const own = config === undefined ? undefined : nodeNamed(config, options.node);
  if (config === undefined || own === undefined) {
    return [listFlag("read", [root, file], options), ...environment];
  }
  const disks = replicasOn(config, options.node).flatMap(({ replica }) => replica.disks);
  // Deno opens nothing under /dev without all permissions, so a real disk costs the fence. Said in the decision record.
  if (disks.some(({ path }) => options.realPath(path).startsWith("/dev/"))) return ["--allow-all"];
  const folders = disks.flatMap(({ path, metadata }) => [dirname(path), metadata]);
  const sockets = [...own.listen, ...own.nbd].flatMap((address) =>
    address.scheme === "unix" ? [address.path] : []
  );
  const written = [stateDir, ...folders, ...sockets];
  const certificates = config.security === undefined
    ? []
    : Object.values(tlsFilesOf(config.security, options.node)).flatMap((path) =>
      // A renewal may lead the link to a new file beside the old one.
      options.realPath(path) === path ? [path] : [path, dirname(options.realPath(path))]
    );
  return [
    listFlag("read", [root, file, ...written, ...certificates], options),
    listFlag("write", written, options),
    `--allow-net=${networkOf(config, options).map(escaped).join(",")}`,
    ...environment,
    // lseek, fallocate and flock of the C library: holes, and locks that die with their process.
    "--allow-ffi",
    ...(options.notify ? ["--allow-run=systemd-notify"] : []),
  ];
}

export interface DoorFlagOptions {
  readonly doors: readonly Door[];
  /** Files that the command keeps for itself. */
  readonly kept?: readonly string[];
  /** It looks how much room there is on file systems. */
  readonly room?: boolean;
  readonly realPath: (path: string) => string;
}

/** A command that asks nodes opens their doors and reads files, and that is all. */
export function doorFlags({ doors, kept = [], room = false, realPath }: DoorFlagOptions): string[] {
  const sockets = doors.flatMap((door) => door.kind === "unix" ? [door.path] : []);
  const hosts = doors.flatMap((door) => door.kind === "http" ? [doorText(door).slice("http://".length)] : []);
  const network = [...hosts, ...sockets.flatMap((path) => [`unix:${path}`, `unix:${realPath(path)}`])];
  return [
    "--allow-read",
    ...(network.length === 0 ? [] : [`--allow-net=${[...new Set(network)].map(escaped).join(",")}`]),
    // Deno takes connecting to a socket for writing to its file.
    ...(sockets.length + kept.length === 0 ? [] : [listFlag("write", [...sockets, ...kept], { realPath })]),
    ...(room ? ["--allow-sys=statfs"] : []),
    "--ignore-env",
    `--allow-env=${ENVIRONMENT.join(",")}`,
  ];
}

/** Its own addresses to listen on, and those of the others to connect to. */
function networkOf(config: ClusterConfig, { node, stateDir }: FlagOptions): string[] {
  const addresses: PeerAddress[] = config.nodes.flatMap((each) =>
    each.name === node
      ? [...each.listen, ...each.nbd, ...(each.http === undefined ? [] : [each.http])]
      : each.listen
  );
  const names = addresses.map((address) => {
    if (address.scheme === "unix") return address.text;
    const host = address.host.includes(":") ? `[${address.host}]` : address.host;
    return address.port === 0 ? host : `${host}:${address.port}`;
  });
  const sockets = ["admin.sock", "repl.sock"].map((name) => `unix:${join(stateDir, name)}`);
  return [...new Set([...names, ...sockets])];
}

function listFlag(
  kind: "read" | "write",
  paths: readonly string[],
  { realPath }: Pick<FlagOptions, "realPath">,
): string {
  const both = paths.flatMap((path) => [path, realPath(path)]);
  return `--allow-${kind}=${[...new Set(both)].map(escaped).join(",")}`;
}

/** Deno's lists are separated by commas; a doubled one is a comma. */
function escaped(text: string): string {
  return text.replaceAll(",", ",,");
}

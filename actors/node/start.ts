/**
 * Starts a node over the real world: host clock, sockets, files. The thin shell over `build.ts`.
 *
 * What goes wrong at the start is a person's to mend, so each failure names the field, the value and the remedy and
 * is thrown as one sentence; what goes wrong later is the tree's.
 */
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { createLog, createMetrics, createSystem, stderrSink, systemRandom } from "../../runtime/mod.ts";
import type { ClusterConfig } from "../../config/cluster_config.ts";
import { nodeNamed } from "../../config/cluster_config.ts";
import { takeFileLock } from "../../volume/file_lock.ts";
import type { FileLock } from "../../volume/file_lock.ts";
import { fileDeviceOpener } from "../../volume/open_file_device.ts";
import { openHttpDoors } from "../admin/http_server.ts";
import { type PageFiles, withPage } from "../admin/page_door.ts";
import { openReplDoor } from "../admin/repl_door.ts";
import { systemEventFiles } from "../events/event_files.ts";
import { buildNode, type BuiltNode, type ReadyNode } from "./build.ts";
import { mintIncarnation } from "./parts.ts";
import { openPeerSecurity } from "./peer_security.ts";
import { CrashFeed } from "./world.ts";

export interface StartOptions {
  readonly config: ClusterConfig;
  readonly node: string;
  /** Made if it is not there. */
  readonly stateDir: string;
  /** The dashboard; without it the HTTP door has the API alone. */
  readonly page?: PageFiles;
  /** All doors are open. */
  onReady(info: ReadyInfo): void;
}

export interface ReadyInfo extends ReadyNode {
  readonly node: string;
  readonly incarnation: string;
}

export interface RunningNode {
  /** Hands over what it serves, closes the doors, stops; bounded. Callable twice. */
  stop(reason: string): Promise<void>;
  /** The exit code: 0 after `stop`, 1 when the node fell. */
  readonly stopped: Promise<number>;
}

/** "Cannot start node "alpha": …: … (try: …)" */
export class NodeStartError extends Error {
  override name = "NodeStartError";
}

/** Rejects with a `NodeStartError` when something is in the way that a person can move. */
export async function startNode(options: StartOptions): Promise<RunningNode> {
  const { config, node, page } = options;
  if (nodeNamed(config, node) === undefined) {
    const known = config.nodes.map(({ name }) => name).join(", ");
    throw failure(node, `nodes: there is no node of that name in ${config.file} (try: one of ${known})`);
  }
  const stateDir = path.resolve(options.stateDir);
  const lock = lockStateDir(node, stateDir);
  const incarnation = mintIncarnation(systemRandom());
  const log = createLog({ sink: stderrSink(), fields: { node } });
  const security = openPeerSecurity(config, { node, log });
  if ("kind" in security) {
    lock.release();
    throw failure(node, security.detail);
  }
  const crashes = new CrashFeed();
  const system = createSystem({
    log,
    metrics: createMetrics({ prefix: "holdfast_" }),
    onCrash: crashes.report,
  });
  const built = buildNode({
    system,
    crashes,
    transports: security.transports,
    opener: fileDeviceOpener,
    eventFiles: systemEventFiles(path.join(stateDir, "events")),
    stateDir,
    openHttpDoors: (handler, addresses) =>
      openHttpDoors(page === undefined ? handler : withPage(handler, page), addresses),
    openReplDoor,
  }, { config, node, incarnation, version: packageVersion(), runtime: runtimeName() });
  const release = () => {
    security.close();
    lock.release();
  };
  const outcome = await built.ready();
  if (!outcome.ok) {
    await built.abandon();
    release();
    throw failure(node, outcome.detail);
  }
  log.info("node_ready", { incarnation, ...outcome.ready });
  const running = run(built, release);
  options.onReady({ node, incarnation, ...outcome.ready });
  return running;
}

function run(built: BuiltNode, release: () => void): RunningNode {
  let stopping: Promise<void> | null = null;
  let ended = (_exitCode: number) => {};
  const stopped = new Promise<number>((resolve) => {
    ended = resolve;
  });
  const { system } = built.parts.world;
  built.fallen.then(async (reason) => {
    if (stopping !== null) return;
    system.log.error("node_fell", { cause: reason });
    await built.abandon();
    release();
    ended(1);
  });
  return {
    stopped,
    stop: (reason) =>
      stopping ??= (async () => {
        system.log.info("node_stopping", { cause: reason });
        await built.stop();
        release();
        ended(0);
      })(),
  };
}

function lockStateDir(node: string, stateDir: string): FileLock {
  try {
    fs.mkdirSync(stateDir, { recursive: true, mode: 0o750 });
    fs.accessSync(stateDir, fs.constants.W_OK);
    const lock = takeFileLock(path.join(stateDir, "lock"));
    if ("release" in lock) return lock;
    throw failure(
      node,
      `--state ${stateDir}: process ${lock.pid} runs this node already (try: stop it, or another --state)`,
    );
  } catch (error) {
    if (error instanceof NodeStartError || !(error instanceof Error)) throw error;
    throw failure(node, `--state ${stateDir}: ${error.message} (try: a folder that this user may write)`);
  }
}

function failure(node: string, detail: string): NodeStartError {
  return new NodeStartError(`Cannot start node "${node}": ${detail}`);
}

function packageVersion(): string {
  const file = path.join(path.dirname(fileURLToPath(import.meta.url)), "..", "..", "package.json");
  const { version } = JSON.parse(fs.readFileSync(file, "utf8")) as { readonly version?: string };
  return version ?? "unknown";
}

function runtimeName(): string {
  const { deno } = process.versions;
  return deno === undefined ? `node ${process.versions.node}` : `deno ${deno}`;
}

/**
 * A cluster of real node processes in a folder of its own, on loopback: started, killed, stopped and resumed one by
 * one, looked at through the admin doors, and waited for by condition.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { freePorts } from "../../../cli/demo/demo_cluster.ts";
import { askJson, askNode } from "../../../cli/admin_client.ts";
import { mergeStatus } from "../../../protocol/merge_status.ts";
import { ADMIN_SOCKET, type Target } from "../../../cli/target.ts";
import {
  type ActorsReport,
  ADMIN_PATHS,
  type ClusterStatus,
  type EventLine,
  type EventsReport,
  type GroupStatus,
  type NodeReport,
} from "../../../protocol/admin_messages.ts";
import type { LegMode } from "../../../protocol/member_set.ts";
import { holdfast, type Ran, runToEnd } from "./holdfast.ts";
import { ClusterNode } from "./cluster_node.ts";

export const GROUP = "db";
export const VOLUME = "data";
export const MIB = 2 ** 20;

const ANSWER_MS = 3_000;
const LOOK_EVERY_MS = 50;
const WITHIN_MS = 40_000;
const STOP_MS = 15_000;

export interface ClusterOptions {
  /** In order of priority. Default: alpha and beta sync, gamma async. */
  readonly modes?: Readonly<Record<string, LegMode>>;
  readonly sizeBytes?: number;
  /** Default `{ interval: 100ms, lease: 1s }`. */
  readonly heartbeat?: string;
}

const MODES_DEFAULT = { alpha: "sync", beta: "sync", gamma: "async" } as const;

export class TestCluster {
  readonly folder: string;
  readonly config: string;
  readonly nodes: readonly string[];
  readonly sizeBytes: number;
  readonly #ports: ReadonlyMap<
    string,
    { readonly peer: number; readonly nbd: number; readonly http: number }
  >;
  readonly #processes = new Map<string, ClusterNode>();

  private constructor(
    folder: string,
    options: Required<Pick<ClusterOptions, "modes" | "sizeBytes" | "heartbeat">>,
    ports: readonly number[],
  ) {
    const { modes, sizeBytes, heartbeat } = options;
    this.folder = folder;
    this.config = join(folder, "cluster.yaml");
    this.nodes = Object.keys(modes);
    this.sizeBytes = sizeBytes;
    const port = (index: number) => ports[index] ?? 0;
    this.#ports = new Map(
      this.nodes.map((
        node,
        index,
      ) => [node, { peer: port(index * 3), nbd: port(index * 3 + 1), http: port(index * 3 + 2) }]),
    );
    const lines = [
      "cluster: test",
      `heartbeat: ${heartbeat}`,
      "nodes:",
      ...this.nodes.map((node, index) =>
        `  ${node}: { listen: [tcp://127.0.0.1:${port(index * 3)}], ` +
        `nbd: [127.0.0.1:${port(index * 3 + 1)}], http: 127.0.0.1:${port(index * 3 + 2)} }`
      ),
      "groups:",
      `  ${GROUP}:`,
      `    volumes: { ${VOLUME}: { size: ${sizeBytes / 1024}KiB } }`,
      "    replicas:",
      ...this.nodes.map((node) =>
        `      ${node}: { disk: { ${VOLUME}: ${node}/data.img }, mode: ${modes[node]} }`
      ),
    ];
    writeFileSync(this.config, `${lines.join("\n")}\n`);
  }

  static async make(options: ClusterOptions = {}): Promise<TestCluster> {
    const modes = options.modes ?? MODES_DEFAULT;
    const ports = await freePorts(Object.keys(modes).length * 3);
    return new TestCluster(mkdtempSync(join(tmpdir(), "holdfast-cluster-")), {
      modes,
      sizeBytes: options.sizeBytes ?? 64 * MIB,
      heartbeat: options.heartbeat ?? "{ interval: 100ms, lease: 1s }",
    }, ports);
  }

  /** Made, started, and every leg replicating. */
  static async inService(options: ClusterOptions = {}): Promise<TestCluster> {
    const cluster = await TestCluster.make(options);
    try {
      await cluster.startAll();
      await cluster.healthy();
    } catch (error) {
      await cluster.close();
      throw error;
    }
    return cluster;
  }

  // ---- processes ----

  async start(node: string, env: Readonly<Record<string, string>> = {}): Promise<ClusterNode> {
    const process = new ClusterNode({
      config: this.config,
      name: node,
      log: join(this.folder, `${node}.log`),
      env,
    });
    this.#processes.set(node, process);
    await process.ready();
    return process;
  }

  async startAll(): Promise<void> {
    await Promise.all(this.nodes.map((node) => this.start(node)));
  }

  process(node: string): ClusterNode {
    const process = this.#processes.get(node);
    assert.ok(process !== undefined, `${node} was never started`);
    return process;
  }

  /** `kill -9`: no handler runs. */
  kill(node: string): Promise<void> {
    return this.process(node).kill();
  }

  /** SIGTERM, and waits for the end. Answers the exit code. */
  async stop(node: string): Promise<number | string | null> {
    const stopped = this.process(node);
    stopped.signal("SIGTERM");
    const late = setTimeout(() => stopped.signal("SIGKILL"), STOP_MS);
    await stopped.ended;
    clearTimeout(late);
    return stopped.outcome;
  }

  /** SIGSTOP: the process stands still and knows nothing of it. */
  pause(node: string): void {
    this.process(node).signal("SIGSTOP");
  }

  resume(node: string): void {
    this.process(node).signal("SIGCONT");
  }

  async close(): Promise<void> {
    await Promise.all([...this.#processes.values()].map((node) => node.kill()));
    if (process.env["HOLDFAST_KEEP"] !== "1") rmSync(this.folder, { recursive: true, force: true });
  }

  // ---- addresses ----

  disk(node: string): string {
    return join(this.folder, node, "data.img");
  }
  nbdPort(node: string): number {
    return this.#ports.get(node)?.nbd ?? 0;
  }
  peerPort(node: string): number {
    return this.#ports.get(node)?.peer ?? 0;
  }
  httpPort(node: string): number {
    return this.#ports.get(node)?.http ?? 0;
  }
  uri(node: string): string {
    return `nbd://127.0.0.1:${this.nbdPort(node)}/${VOLUME}`;
  }
  stateDir(node: string): string {
    return join(this.folder, ".holdfast", node);
  }

  // ---- looking ----

  #target(node: string): Target {
    return {
      node,
      doors: [
        { kind: "http", host: "127.0.0.1", port: this.httpPort(node) },
        { kind: "unix", path: join(this.stateDir(node), ADMIN_SOCKET) },
      ],
    };
  }

  async #get<T>(node: string, path: string): Promise<T | undefined> {
    const outcome = await askJson(this.#target(node), { path, timeoutMs: ANSWER_MS });
    return outcome.ok && outcome.status === 200 ? outcome.value as T : undefined;
  }

  /** What one node says; undefined when it does not answer. */
  report(node: string): Promise<NodeReport | undefined> {
    return this.#get(node, ADMIN_PATHS.status);
  }

  /** What `holdfast status` would show; undefined when no node answers. */
  async status(): Promise<ClusterStatus | undefined> {
    const asked = this.nodes.filter((node) => this.#processes.get(node)?.running === true);
    const reports = (await Promise.all(asked.map((node) => this.report(node)))).filter((each) =>
      each !== undefined
    );
    return reports.length === 0
      ? undefined
      : mergeStatus(reports, { nodes: this.nodes, unreachable: new Map() });
  }

  async group(): Promise<GroupStatus | undefined> {
    return (await this.status())?.groups[GROUP];
  }

  async events(node: string): Promise<readonly EventLine[]> {
    // The admin actor may be the one that was just killed: its door is back in a moment.
    let events: readonly EventLine[] | undefined;
    await until(async () => {
      events = (await this.#get<EventsReport>(node, `${ADMIN_PATHS.events}?limit=1000`))?.events;
      return events !== undefined;
    }, `${node} tells its events`);
    return events ?? [];
  }

  async actors(node: string): Promise<ActorsReport> {
    const report = await this.#get<ActorsReport>(node, ADMIN_PATHS.actors);
    assert.ok(report !== undefined, `${node} tells no actors`);
    return report;
  }

  async metrics(node: string): Promise<string> {
    const answer = await askNode(this.#target(node), { path: ADMIN_PATHS.metrics, timeoutMs: ANSWER_MS });
    assert.ok(answer.ok && answer.status === 200, `${node} tells no metrics`);
    return answer.text;
  }

  /** Ends one actor as a bug of its own would. Its own door may be cut by it, so an answer is not waited for. */
  async killActor(node: string, path: string): Promise<void> {
    const body = { kill: path };
    const outcome = await askJson(this.#target(node), {
      path: ADMIN_PATHS.actors,
      body,
      timeoutMs: ANSWER_MS,
    });
    if (!outcome.ok && outcome.kind === "broken") return;
    assert.ok(outcome.ok && (outcome.value as { ok?: boolean }).ok === true, JSON.stringify(outcome));
  }

  holdfast(...args: readonly string[]): Promise<Ran> {
    return holdfast([...args, "--config", this.config], { cwd: this.folder });
  }

  // ---- waiting ----

  /** Looks again and again until the group is as wanted; fails with what it saw last. */
  async waitFor(
    what: string,
    fits: (group: GroupStatus, status: ClusterStatus) => boolean,
    withinMs = WITHIN_MS,
  ): Promise<GroupStatus> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const status = await this.status();
      const group = status?.groups[GROUP];
      if (status !== undefined && group !== undefined && fits(group, status)) return group;
      if (performance.now() > deadline) {
        assert.fail(`waited ${withinMs} ms for ${what}; ${this.#scene(group)}`);
      }
      await delay(LOOK_EVERY_MS);
    }
  }

  #scene(group: GroupStatus | undefined): string {
    const logs = [...this.#processes.values()].map((node) =>
      `--- ${node.name} (${node.outcome ?? "running"}) ---\n${node.lastWords()}`
    );
    return `the group is ${JSON.stringify(group, null, 1)}\n${logs.join("\n")}`;
  }

  /** Served, all legs replicating, nothing outstanding and nothing marked. */
  healthy(withinMs = WITHIN_MS): Promise<GroupStatus> {
    return this.waitFor("all legs replicating and nothing dirty", (group) => {
      const targets = Object.values(group.replicas).filter(({ role }) => role !== "source");
      return group.state === "in_service" && targets.length === this.nodes.length - 1 &&
        targets.every(({ leg, lag, dirtyBytes }) =>
          leg === "replicating" && lag.writes === 0 && dirtyBytes === 0
        );
    }, withinMs);
  }

  /** Served, and every leg replicating, also while somebody writes. */
  whole(): Promise<GroupStatus> {
    return this.waitFor("all legs replicating", ({ state }) => state === "in_service");
  }

  /** A node other than `except` serves the volume. */
  async sourceOtherThan(...except: readonly string[]): Promise<string> {
    const group = await this.waitFor(
      `a source other than ${except.join(", ")}`,
      ({ source, state }) =>
        source !== null && !except.includes(source) && (state === "in_service" || state === "degraded"),
    );
    return group.source ?? "";
  }

  async source(): Promise<string> {
    return await this.sourceOtherThan();
  }

  /** All disk files are equal, byte by byte. */
  async assertIdentical(): Promise<void> {
    const [first, ...others] = this.nodes;
    for (const other of others) {
      const { code, out, err } = await runToEnd("cmp", [this.disk(first ?? ""), this.disk(other)]);
      assert.equal(code, 0, `${first} and ${other} differ: ${out}${err}`);
    }
  }
}

/** Asks again and again. For what no status tells. */
export async function until(
  holds: () => Promise<boolean>,
  what: string,
  withinMs = WITHIN_MS,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!await holds()) {
    assert.ok(performance.now() < deadline, `waited ${withinMs} ms for ${what}`);
    await delay(LOOK_EVERY_MS);
  }
}

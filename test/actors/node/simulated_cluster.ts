/**
 * Whole nodes in virtual time: the production tree over a simulated network and simulated disks, which survive the
 * process that used them. One seed is one history.
 */
import assert from "node:assert/strict";
import { type AskOutcome, SimulatedWorld } from "../../../runtime/mod.ts";
import type { AdminAnswer, AdminCommand, NodeReport } from "../../../protocol/admin_messages.ts";
import type { Address, ClusterConfig } from "../../../config/cluster_config.ts";
import type { LegMode } from "../../../protocol/member_set.ts";
import type { AdminMessage } from "../../../actors/admin/messages.ts";
import type { HttpHandler } from "../../../actors/admin/http_app.ts";
import { memoryEventFiles } from "../../../actors/events/event_files.ts";
import { buildNode, type BuiltNode } from "../../../actors/node/build.ts";
import { mintIncarnation } from "../../../actors/node/parts.ts";
import { CrashFeed } from "../../../actors/node/world.ts";
import { SimulatedNetwork } from "../../../transports/memory.ts";
import { isStreamEnd } from "../../../transports/transport.ts";
import { connectNbd, type NbdClient } from "../../../volume/nbd/client.ts";
import { MemoryShelf } from "../../../volume/memory_shelf.ts";

/** Several hot regions, so that a partial resync is less than a full one. */
export const VOLUME_BYTES = 16 * 1024 * 1024;

interface Host {
  readonly shelf: MemoryShelf;
  readonly eventFiles: Map<string, string>;
  node: BuiltNode | null;
  http: HttpHandler | null;
}

export class SimulatedCluster {
  readonly world: SimulatedWorld;
  readonly network: SimulatedNetwork;
  readonly config: ClusterConfig;
  readonly #hosts = new Map<string, Host>();

  /** @param modes the replicas in order of priority, e.g. `{ alpha: "sync" }` */
  constructor(modes: Readonly<Record<string, LegMode>>, options: { readonly seed?: number } = {}) {
    this.world = new SimulatedWorld({ seed: options.seed ?? 1 });
    const { clock, scheduler, random } = this.world;
    this.network = new SimulatedNetwork({ clock, scheduler, random });
    this.config = configOf(modes);
    for (const name of Object.keys(modes)) {
      this.#hosts.set(name, { shelf: new MemoryShelf(), eventFiles: new Map(), node: null, http: null });
    }
  }

  /** A process of the node on what its disks hold. */
  start(name: string): BuiltNode {
    const host = this.#host(name);
    assert.equal(host.node, null, `${name} runs already`);
    const crashes = new CrashFeed();
    const system = this.world.createSystem({ onCrash: crashes.report });
    host.node = buildNode({
      system,
      crashes,
      transports: new Map([["memory", this.network.transport(name)]]),
      opener: host.shelf,
      eventFiles: memoryEventFiles(host.eventFiles),
      stateDir: `/state/${name}`,
      openHttpDoors: (handler) => {
        host.http = handler;
        return Promise.resolve({ ok: true, door: { addresses: [], close: () => Promise.resolve() } });
      },
    }, {
      config: this.config,
      node: name,
      incarnation: mintIncarnation(this.world.random),
      version: "1.2.3",
      runtime: "simulated",
    });
    return host.node;
  }

  startAll(): void {
    for (const name of this.#hosts.keys()) this.start(name);
  }

  /** `kill -9` of the process: its disks keep what was written. */
  kill(name: string): void {
    const host = this.#host(name);
    const { metrics, world: { system } } = this.node(name).parts;
    metrics.stop();
    system.kill("guardian");
    system.kill("node");
    this.network.crash(name, "killed");
    host.shelf.abandon();
    host.node = null;
  }

  node(name: string): BuiltNode {
    const { node } = this.#host(name);
    assert.ok(node !== null, `${name} does not run`);
    return node;
  }

  advance(ms: number): Promise<void> {
    return this.world.advanceAwaiting(ms);
  }

  /** Lets time pass while the promise is open. */
  async during<T>(promise: Promise<T>, forMs = 60_000): Promise<T> {
    let settled = false;
    const outcome = promise.finally(() => settled = true);
    for (let waitedMs = 0; !settled && waitedMs < forMs; waitedMs += 50) await this.advance(50);
    assert.ok(settled, `nothing came of it within ${forMs} ms`);
    return await outcome;
  }

  /** Waits until the status of the node fits, and answers it. */
  async until(name: string, fits: (report: NodeReport) => boolean, forMs = 60_000): Promise<NodeReport> {
    let report = await this.status(name);
    for (let waitedMs = 0; !fits(report) && waitedMs < forMs; waitedMs += 250) {
      await this.advance(250);
      report = await this.status(name);
    }
    assert.ok(fits(report), `it did not come to that: ${JSON.stringify(report.groups, null, 1)}`);
    return report;
  }

  async status(name: string): Promise<NodeReport> {
    return await (await this.http(name, "/api/v1/status")).json() as NodeReport;
  }

  /** A request to the node's admin door, without a socket. */
  async http(name: string, path: string, init?: RequestInit): Promise<Response> {
    await this.advance(0);
    const { http } = this.#host(name);
    assert.ok(http !== null, "the admin door is open");
    return await this.during(Promise.resolve(http(new Request(`http://127.0.0.1${path}`, init))));
  }

  async command(name: string, command: AdminCommand): Promise<AdminAnswer> {
    const { system } = this.node(name).parts.world;
    const admin = system.registry.lookup<AdminMessage>("admin");
    assert.ok(admin !== undefined);
    const asked: Promise<AskOutcome<AdminAnswer>> = system.ask(
      admin,
      (reply): AdminMessage => ({ kind: "command_requested", command, deadlineMs: 30_000, reply }),
      40_000,
    );
    const outcome = await this.during(asked);
    assert.ok(outcome.ok);
    return outcome.value;
  }

  /** A client at the NBD door of the node, or the refusal in the server's words. */
  async connect(name: string, exportName = "data"): Promise<NbdClient | string> {
    const address = { scheme: "memory", name: `${name}/nbd` } as const;
    const stream = await this.during(this.network.transport("client").connect(address, { timeoutMs: 1_000 }));
    if (isStreamEnd(stream)) return stream.detail;
    const { clock } = this.world;
    const startTimer = (delayMs: number, onElapsed: () => void) => {
      const timer = clock.after(delayMs, onElapsed);
      return () => clock.cancel(timer);
    };
    const outcome = await this.during(connectNbd(stream, { exportName, startTimer }));
    return outcome.ok ? outcome.client : outcome.failure.detail;
  }

  async client(name: string): Promise<NbdClient> {
    const client = await this.connect(name);
    assert.ok(typeof client !== "string", `${name} refused: ${String(client)}`);
    return client;
  }

  #host(name: string): Host {
    const host = this.#hosts.get(name);
    assert.ok(host !== undefined, `there is no host ${name}`);
    return host;
  }
}

/** The simulated network under the names of the configuration. */
function simulatedAddress(name: string): Address {
  return { scheme: "unix", path: name, text: `memory://${name}` };
}

function configOf(modes: Readonly<Record<string, LegMode>>): ClusterConfig {
  const names = Object.keys(modes);
  return {
    cluster: "demo",
    file: "cluster.yaml",
    nodes: names.map((name) => ({
      name,
      listen: [simulatedAddress(name)],
      nbd: [simulatedAddress(`${name}/nbd`)],
      http: undefined,
    })),
    heartbeat: { intervalMs: 250, leaseMs: 2_000 },
    groups: [{
      name: "db",
      volumes: [{ name: "data", sizeBytes: VOLUME_BYTES }],
      replicas: Object.entries(modes).map(([node, mode]) => ({
        node,
        mode,
        disks: [{ volume: "data", path: `/disks/${node}/data.img`, metadata: `/disks/${node}/meta` }],
        backlog: { bytes: 16 * 1024 * 1024, onFull: "throttle" },
      })),
      failover: "auto",
      quorum: "majority",
      onBlocked: "suspend",
    }],
  };
}

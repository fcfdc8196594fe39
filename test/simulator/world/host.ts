/**
 * A machine of the simulated cluster: disks that stay, and at most one process of the node, which comes and goes.
 */
import { MemoryShelf } from "../../../volume/memory_shelf.ts";
import type { MemoryDisk } from "../../../volume/memory_device.ts";
import { createSystem } from "../../../runtime/system.ts";
import { createLog, type Log } from "../../../runtime/log.ts";
import type { SimulatedRandom } from "../../../runtime/simulated/random.ts";
import { buildNode, type BuiltNode } from "../../../actors/node/build.ts";
import { mintIncarnation } from "../../../actors/node/parts.ts";
import { CrashFeed } from "../../../actors/node/world.ts";
import type { EventFiles } from "../../../actors/events/event_files.ts";
import type { HistoryEvent } from "../../../actors/events/messages.ts";
import type { MirrorStatus } from "../../../actors/mirror/messages.ts";
import type { FailoverStatus } from "../../../actors/failover/messages.ts";
import type { ClusterConfig } from "../../../config/cluster_config.ts";
import type { GroupStore } from "../../../volume/group_store.ts";
import type { SimulatedNetwork } from "../../../transports/memory.ts";
import { type ClusterPlan, GROUP, VOLUME } from "./cluster_plan.ts";
import { type DiskWeather, HostDisks } from "./disks.ts";
import { gatedTransport } from "./gated_transport.ts";
import { ProcessTime } from "./process_time.ts";
import type { Simulation } from "./simulation.ts";

/** What a host tells those who watch it. */
export interface HostWatcher {
  happened(
    host: Host,
    event: { readonly kind: string; readonly fields: Readonly<Record<string, unknown>> },
  ): void;
  crashed(host: Host, crash: { readonly path: string; readonly error: string }): void;
  fallen(host: Host): void;
  dataWritten(host: Host, range: { readonly offset: number; readonly length: number }): void;
}

interface Process {
  readonly time: ProcessTime;
  readonly node: BuiltNode;
  store: GroupStore | null;
}

export class Host {
  readonly name: string;
  readonly diskPath: string;
  readonly shelf = new MemoryShelf();
  readonly weather: DiskWeather = { latencyMs: 0, flushMs: 0, stalledUntilMs: 0, error: null };
  /** Since it was last in sync, or the source itself, its disks lost what was not stable. */
  lossy = false;
  /** A disk answered with errors: a restart after they are over takes it up again. */
  diskFailed = false;
  /** Faults that keep it from running: a process starts when none is left. */
  downFor = 0;
  rate = 1;
  readonly #simulation: Simulation;
  readonly #network: SimulatedNetwork;
  readonly #config: ClusterConfig;
  readonly #watcher: HostWatcher;
  readonly #random: SimulatedRandom;
  readonly #geometry: ClusterPlan["geometry"];
  #process: Process | null = null;
  #wallOffsetMs = 0;

  constructor(options: {
    readonly name: string;
    readonly simulation: Simulation;
    readonly network: SimulatedNetwork;
    readonly config: ClusterConfig;
    readonly geometry: ClusterPlan["geometry"];
    readonly watcher: HostWatcher;
  }) {
    this.name = options.name;
    this.diskPath = `/disks/${options.name}/data.img`;
    this.#simulation = options.simulation;
    this.#network = options.network;
    this.#config = options.config;
    this.#watcher = options.watcher;
    this.#geometry = options.geometry;
    this.#random = options.simulation.random.fork();
  }

  get process(): Process | null {
    return this.#process;
  }

  /** The data disk, once it was ever opened. */
  get disk(): MemoryDisk | undefined {
    return this.shelf.disks.get(this.diskPath);
  }

  start(): void {
    if (this.#process !== null || this.downFor > 0) return;
    const simulation = this.#simulation;
    const time = new ProcessTime(simulation, {
      rate: this.rate,
      originMs: this.#random.uint32() % 1_000_000,
      wallOffsetMs: this.#wallOffsetMs,
    });
    const crashes = new CrashFeed();
    const system = createSystem({
      clock: time,
      scheduler: time,
      random: this.#random,
      log: this.#log(),
      onCrash: (crash) => {
        crashes.report(crash);
        const { reason } = crash;
        if (reason.kind === "crashed") {
          this.#watcher.crashed(this, { path: crash.path, error: `${reason.error} ${reason.stack ?? ""}` });
        }
      },
    });
    const transport = gatedTransport(this.#network.transport(this.name), { time, simulation });
    let process: Process | null = null;
    const node = buildNode({
      system,
      crashes,
      transports: new Map([["memory", transport]]),
      opener: new HostDisks({
        simulation,
        shelf: this.shelf,
        time,
        weather: this.weather,
        random: this.#random,
        eyes: {
          written: (path, range) => {
            if (path === this.diskPath) this.#watcher.dataWritten(this, range);
          },
        },
      }),
      eventFiles: this.#eventFiles(() => process !== null && process === this.#process),
      stateDir: `/state/${this.name}`,
      openHttpDoors: null,
      ...(this.#geometry === null ? {} : { storeGeometry: this.#geometry }),
      storeOpened: (_group, store) => {
        if (process !== null) process.store = store;
      },
    }, {
      config: this.#config,
      node: this.name,
      incarnation: mintIncarnation(this.#random),
      version: "1.2.3",
      runtime: "simulated",
    });
    process = { time, node, store: null };
    this.#process = process;
    const own = process;
    void node.fallen.then(() => {
      if (this.#process === own) this.#watcher.fallen(this);
    });
    simulation.promised();
    simulation.note(`${this.name} starts`);
  }

  /** The process is gone, at once and without a word. */
  end(kind: "killed" | "power_lost"): void {
    const process = this.#process;
    this.#process = null;
    process?.time.end();
    this.#network.crash(this.name, kind);
    if (kind === "killed") this.shelf.abandon();
    else {
      this.shelf.crash(() => this.#random.uint32());
      this.lossy = true;
    }
  }

  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
    this.#process?.time.jumpWall(byMs);
  }

  // ---- what can be seen of it from outside ----

  get mirror(): MirrorStatus | undefined {
    return this.#process?.node.parts.world.system.peek(`node/groups/group:${GROUP}/mirror`) as
      | MirrorStatus
      | undefined;
  }

  get failover(): FailoverStatus | undefined {
    const all = this.#process?.node.parts.world.system.peek("node/failover_group/failover") as
      | readonly FailoverStatus[]
      | undefined;
    return Array.isArray(all) ? all[0] : undefined;
  }

  get offer() {
    return this.#process?.node.parts.exports.find(VOLUME);
  }

  #log(): Log {
    const simulation = this.#simulation;
    return createLog({
      sink: ({ level, event, fields }) =>
        simulation.remark(() => `${this.name} ${level} ${event} ${JSON.stringify(fields)}`),
      wall: () => 0,
      level: "info",
    });
  }

  /** The history of a node is no part of its promises: it is read as it is told, and not kept. */
  #eventFiles(isAlive: () => boolean): EventFiles {
    return {
      name: "simulated",
      list: () => [],
      read: () => null,
      append: (_file, text) => {
        for (const line of text.split("\n")) {
          if (line === "" || !isAlive()) continue;
          const { kind, cause, fields } = JSON.parse(line) as HistoryEvent;
          this.#watcher.happened(this, { kind, fields: { ...fields, ...(cause === null ? {} : { cause }) } });
        }
        return null;
      },
      remove: () => null,
      sync: () => {
        this.#simulation.promised();
        return Promise.resolve(null);
      },
      close: () => {},
    };
  }
}

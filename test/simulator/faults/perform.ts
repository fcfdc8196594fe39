/** Does to the world what the plan says, and undoes it: each fault ends by itself, and all of them when it is over. */
import type { ClusterPlan } from "../world/cluster_plan.ts";
import { GROUP } from "../world/cluster_plan.ts";
import type { Host } from "../world/host.ts";
import type { Simulation } from "../world/simulation.ts";
import type { SimulatedNetwork } from "../../../transports/memory.ts";
import type { Client } from "../workload/client.ts";
import type { Fault, PlannedFault } from "./plan.ts";

/** A service manager starts a process that ended by itself after this. */
const RESTART_MS = 100;

export class Faults {
  readonly #simulation: Simulation;
  readonly #network: SimulatedNetwork;
  readonly #hosts: ReadonlyMap<string, Host>;
  readonly #clients: readonly Client[];
  readonly #plan: ClusterPlan;
  /** One-way cuts in force: `from>to` → how many. */
  readonly #cuts = new Map<string, number>();
  readonly #pausedLegs = new Set<string>();
  #over = false;
  readonly counts = new Map<string, number>();

  constructor(options: {
    readonly simulation: Simulation;
    readonly network: SimulatedNetwork;
    readonly hosts: ReadonlyMap<string, Host>;
    readonly clients: readonly Client[];
    readonly plan: ClusterPlan;
  }) {
    this.#simulation = options.simulation;
    this.#network = options.network;
    this.#hosts = options.hosts;
    this.#clients = options.clients;
    this.#plan = options.plan;
  }

  plan({ atMs, turns, fault }: PlannedFault): void {
    this.#simulation.clock.after(Math.max(0, atMs - this.#simulation.nowMs), () => {
      if (this.#over) return;
      this.#simulation.interruptAfter(turns, () => {
        if (this.#over) return;
        this.#simulation.note(`fault ${JSON.stringify(fault)}`);
        this.counts.set(fault.kind, (this.counts.get(fault.kind) ?? 0) + 1);
        this.#perform(fault);
      });
    });
  }

  /** All faults are over; whoever is down starts, and whose disk failed is restarted, as a person would. */
  mend(): void {
    this.#over = true;
    this.#simulation.note("all faults are over");
    this.#network.heal();
    this.#cuts.clear();
    for (const host of this.#hosts.values()) {
      host.weather.error = null;
      host.weather.stalledUntilMs = 0;
      host.weather.latencyMs = this.#plan.diskLatencyMs;
      host.weather.flushMs = this.#plan.diskFlushMs;
      this.#roomAgain(host);
      this.#network.go(host.name);
      host.process?.time.go();
      if (host.diskFailed && host.process !== null) this.end(host, "killed");
      host.diskFailed = false;
      host.downFor = 0;
      host.start();
    }
    this.resumeLegs();
  }

  /**
   * What a person does where the status asks for it: a commit member, or a disk that lost its cache, was promoted
   * without what nobody else held, and now the old source is to give up its tail. Its disk is replaced by an empty one.
   */
  replaceDiverged(): void {
    for (const serving of this.#hosts.values()) {
      for (const leg of serving.mirror?.legs ?? []) {
        const host = this.#hosts.get(leg.node);
        if (leg.leg !== "diverged" || !/^(lost_acknowledged_tail|split_brain)/.test(leg.cause ?? "")) {
          continue;
        }
        if (host === undefined || host.process === null) continue;
        this.#simulation.note(`a person replaces the disk of ${host.name}`);
        this.counts.set("replaced", (this.counts.get("replaced") ?? 0) + 1);
        this.end(host, "killed");
        for (const path of [...host.shelf.disks.keys()]) {
          if (path.startsWith(`/disks/${host.name}/`)) host.shelf.remove(path);
        }
        host.lossy = true;
        this.#simulation.clock.after(RESTART_MS, () => host.start());
        return;
      }
    }
  }

  resumeLegs(): void {
    for (const node of this.#pausedLegs) this.#resumeLeg(node);
  }

  /** The process is gone: its clients notice. */
  end(host: Host, kind: "killed" | "power_lost"): void {
    host.end(kind);
    for (const client of this.#clients) client.hostEnded(host);
  }

  /** Its tree has fallen: the process exits, and the service manager starts another. */
  fallen(host: Host): void {
    this.#simulation.note(`${host.name} has fallen`);
    this.end(host, "killed");
    this.#simulation.clock.after(RESTART_MS, () => host.start());
  }

  #after(forMs: number, undo: () => void): void {
    this.#simulation.clock.after(forMs, () => {
      if (!this.#over) undo();
    });
  }

  #perform(fault: Fault): void {
    switch (fault.kind) {
      case "kill":
        return this.#down([fault.node], "killed", fault.forMs);
      case "power_loss":
        return this.#down(fault.nodes, "power_lost", fault.forMs);
      case "pause":
      case "suspend":
        return this.#stopFor(this.#host(fault.node), fault.forMs, { frozen: fault.kind === "suspend" });
      case "wall_jump":
        return this.#host(fault.node).jumpWall(fault.byMs);
      case "cut":
        this.#cut(fault.from, fault.to, fault.forMs);
        if (!fault.oneWay) this.#cut(fault.to, fault.from, fault.forMs);
        return;
      case "isolate":
        for (const other of this.#hosts.keys()) {
          if (other === fault.node) continue;
          this.#cut(fault.node, other, fault.forMs);
          this.#cut(other, fault.node, fault.forMs);
        }
        return;
      case "reset":
        if (fault.afterBytes === null) this.#network.resetBetween(fault.from, fault.to);
        else this.#network.resetAfter(fault, fault.afterBytes);
        return;
      case "kill_actor":
        this.#host(fault.node).process?.node.parts.world.system.kill(`node/${fault.actor}`);
        return;
      case "disk_stall":
        this.#host(fault.node).weather.stalledUntilMs = this.#simulation.nowMs + fault.forMs;
        return;
      case "disk_slow":
        return this.#slow(this.#host(fault.node), fault);
      case "disk_error":
        return this.#diskError(this.#host(fault.node), fault);
      case "no_space":
        return this.#noSpace(this.#host(fault.node), fault.forMs);
      case "stop":
        return this.#stopGracefully(this.#host(fault.node), fault.forMs);
      case "switchover":
        return this.#switchover(fault.to);
      case "pause_leg":
        return this.#pauseLeg(fault.node, fault.forMs);
      case "client_reset":
        return this.#clients[fault.client % this.#clients.length]?.reset();
    }
  }

  #down(nodes: readonly string[], kind: "killed" | "power_lost", forMs: number): void {
    for (const name of nodes) {
      const host = this.#host(name);
      host.downFor += 1;
      this.end(host, kind);
      this.#after(forMs, () => {
        host.downFor -= 1;
        host.start();
      });
    }
  }

  #stopFor(host: Host, forMs: number, options: { readonly frozen: boolean }): void {
    const { process } = host;
    if (process === null || !process.time.running) return;
    process.time.stop(options);
    if (options.frozen) this.#network.stop(host.name);
    this.#after(forMs, () => {
      if (options.frozen) this.#network.go(host.name);
      process.time.go();
    });
  }

  #cut(from: string, to: string, forMs: number): void {
    const key = `${from}>${to}`;
    this.#cuts.set(key, (this.#cuts.get(key) ?? 0) + 1);
    this.#network.close(from, to);
    this.#after(forMs, () => {
      const left = (this.#cuts.get(key) ?? 1) - 1;
      this.#cuts.set(key, left);
      if (left === 0) this.#network.open(from, to);
    });
  }

  #slow(host: Host, { latencyMs, forMs }: { readonly latencyMs: number; readonly forMs: number }): void {
    host.weather.latencyMs = latencyMs;
    host.weather.flushMs = 3 * latencyMs;
    this.#after(forMs, () => {
      host.weather.latencyMs = this.#plan.diskLatencyMs;
      host.weather.flushMs = this.#plan.diskFlushMs;
    });
  }

  /** A disk that failed is good again after a while, but its replica is given up until a person restarts the node. */
  #diskError(
    host: Host,
    fault: {
      readonly path: string;
      readonly operation: "read" | "write" | "zero" | "flush";
      readonly forMs: number;
    },
  ): void {
    host.weather.error = { path: fault.path, operation: fault.operation, kind: "io_error" };
    host.diskFailed = true;
    this.#after(fault.forMs, () => {
      host.weather.error = null;
      if (host.process === null) return;
      this.#simulation.note(`${host.name} is restarted after its disk's errors`);
      this.end(host, "killed");
      this.#simulation.clock.after(RESTART_MS, () => host.start());
    });
  }

  #noSpace(host: Host, forMs: number): void {
    if (host.disk === undefined) return;
    host.disk.spaceBytesMax = host.disk.allocatedBytes;
    this.#after(forMs, () => this.#roomAgain(host));
  }

  #roomAgain(host: Host): void {
    if (host.disk !== undefined) host.disk.spaceBytesMax = Infinity;
  }

  #stopGracefully(host: Host, forMs: number): void {
    const { process } = host;
    if (process === null || !process.time.running) return;
    this.#simulation.promised();
    void process.node.stop().then(() => {
      if (host.process !== process) return;
      this.#simulation.note(`${host.name} has stopped in good order`);
      this.end(host, "killed");
      this.#simulation.clock.after(forMs, () => host.start());
    });
  }

  #switchover(to: string): void {
    for (const host of this.#hosts.values()) {
      if (host.mirror?.gate !== "open") continue;
      const reply = {
        reply: (outcome: { readonly ok: boolean }) =>
          this.#simulation.note(`switchover to ${to}: ${outcome.ok}`),
      };
      host.process?.node.parts.names.failover()?.tell({ kind: "switchover", group: GROUP, to, reply });
    }
  }

  #pauseLeg(node: string, forMs: number): void {
    this.#pausedLegs.add(node);
    for (const host of this.#hosts.values()) {
      const mirror = host.process?.node.parts.names.mirror(GROUP);
      mirror?.tell({ kind: "leg_pause_requested", node, reply: { reply: () => {} } });
    }
    this.#after(forMs, () => this.#resumeLeg(node));
  }

  #resumeLeg(node: string): void {
    for (const host of this.#hosts.values()) {
      const mirror = host.process?.node.parts.names.mirror(GROUP);
      mirror?.tell({ kind: "leg_resume_requested", node, reply: { reply: () => {} } });
    }
  }

  #host(name: string): Host {
    const host = this.#hosts.get(name);
    if (host === undefined) {
      throw new Error(`Cannot do a fault to ${name}: there is no such host (try: another seed)`);
    }
    return host;
  }
}

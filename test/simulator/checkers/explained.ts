/** I14: every wait has a reason that status shows. Asked now and then of every node that runs. */
import type { Host } from "../world/host.ts";
import type { Simulation } from "../world/simulation.ts";

/** How long a node may watch and not know a source before it must say why. In leases. */
const UNKNOWN_LEASES = 4;

export class Explained {
  readonly #simulation: Simulation;
  readonly #leaseMs: number;
  /** By process: a new one has its own patience. */
  readonly #sourcelessSince = new WeakMap<object, number>();

  constructor(simulation: Simulation, leaseMs: number) {
    this.#simulation = simulation;
    this.#leaseMs = leaseMs;
  }

  look(hosts: readonly Host[]): void {
    for (const host of hosts) if (host.process?.time.running === true) this.#lookAt(host);
  }

  #lookAt(host: Host): void {
    const { process, failover: status } = host;
    if (status === undefined || process === null) return;
    const { state, cause, source } = status;
    if (state !== "watching" && state !== "in_service" && (cause === null || cause === "")) {
      this.#simulation.fail("I14: every wait has a reason", `${host.name} is ${state} and does not say why`);
    }
    if (source !== null || cause !== null) this.#sourcelessSince.delete(process);
    else {
      const since = this.#sourcelessSince.get(process) ?? this.#simulation.nowMs;
      this.#sourcelessSince.set(process, since);
      if (this.#simulation.nowMs - since > UNKNOWN_LEASES * this.#leaseMs) {
        this.#simulation.fail(
          "I14: every wait has a reason",
          `${host.name} is ${state}, knows no source, says nothing`,
        );
      }
    }
    for (const leg of host.mirror?.legs ?? []) {
      if (leg.leg !== "replicating" && (leg.cause === null || leg.cause === "")) {
        this.#simulation.fail(
          "I14: every wait has a reason",
          `the leg of ${host.name} to ${leg.node} is ${leg.leg} and does not say why`,
        );
      }
    }
  }
}

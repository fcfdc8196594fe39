/** I8: no mailbox grows past what its senders can have under way. */
import type { Host } from "../world/host.ts";
import type { Simulation } from "../world/simulation.ts";

/** Timers, acks and heartbeats of a stopped process arrive at once; nothing legitimate comes near this. */
const MAIL_MAX = 4_000;

export class Bounded {
  readonly #simulation: Simulation;
  highest = 0;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  look(hosts: readonly Host[]): void {
    for (const host of hosts) {
      for (const { path, depth } of host.process?.node.parts.world.system.inspect() ?? []) {
        const mail = depth.control + depth.data;
        if (mail > this.highest) this.highest = mail;
        if (mail > MAIL_MAX) {
          this.#simulation.fail(
            "I8: every queue has a bound",
            `${mail} messages wait for ${path} of ${host.name}`,
          );
        }
      }
    }
  }
}

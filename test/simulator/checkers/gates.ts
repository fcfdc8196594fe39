/**
 * I1: at most one node completes requests at a time and in a generation. Seen from the answers that leave the nodes, and
 * from the gates that they say to have opened.
 *
 * It also knows when a gate was opened on disks that may have lost what no flush covered, since only then may the
 * registers turn back. A gate of which nobody heard (whoever tells was just being restarted) is found in the history of
 * the next source, and taken for such a one.
 */
import type { Session } from "../workload/client.ts";
import type { ClusterPlan } from "../world/cluster_plan.ts";
import type { Host } from "../world/host.ts";
import type { Simulation } from "../world/simulation.ts";
import type { Registers } from "./registers.ts";

export class Gates {
  readonly #simulation: Simulation;
  readonly #registers: Registers;
  readonly #commitNodes: ReadonlySet<string>;
  readonly #openedBy = new Map<number, string>();
  #completedIn = 0;
  #attachedIn = 0;
  #lastSource: string | null = null;
  #mayTurnBack = false;
  #mayHaveLost = false;
  /** Gates opened on disks that had lost their caches. */
  lossyGates = 0;

  constructor(simulation: Simulation, registers: Registers, plan: ClusterPlan) {
    this.#simulation = simulation;
    this.#registers = registers;
    this.#commitNodes = new Set(plan.modes.filter(({ mode }) => mode === "commit").map(({ node }) => node));
  }

  get generation(): number {
    return this.#attachedIn;
  }

  /** A gate was opened without what an acknowledged, unflushed write had left elsewhere, and might have been. */
  get mayHaveLost(): boolean {
    return this.#mayHaveLost;
  }

  opened(host: Host, generation: number): void {
    const before = this.#openedBy.get(generation);
    if (before !== undefined) {
      if (before !== host.name) {
        this.#simulation.fail("I1: a generation is opened once", `${generation}: ${before} and ${host.name}`);
      }
      return;
    }
    this.#openedBy.set(generation, host.name);
    const bound = !this.#commitNodes.has(host.name) || this.#lastSource === null ||
      this.#lastSource === host.name;
    if (host.lossy) this.lossyGates += 1;
    if (host.lossy || !bound) this.#mayTurnBack = this.#mayHaveLost = true;
    host.lossy = false;
    this.#lastSource = host.name;
  }

  attached({ host, generation }: Session): void {
    if (generation <= this.#attachedIn) return;
    const history = host.process?.store?.view().history ?? [];
    for (const { generation: { number } } of history) {
      if (number <= this.#attachedIn || number >= generation || this.#openedBy.has(number)) continue;
      this.#mayTurnBack = this.#mayHaveLost = true;
    }
    this.opened(host, generation);
    this.#attachedIn = generation;
    this.#registers.gateOpened(generation, { lossy: this.#mayTurnBack });
    this.#mayTurnBack = false;
  }

  completed({ host, generation }: Session): void {
    if (generation < this.#completedIn) {
      this.#simulation.fail(
        "I1: no two sources",
        `${host.name} completes in generation ${generation} after one of ${this.#completedIn}`,
      );
    }
    this.#completedIn = generation;
  }
}

/**
 * One history: a seed makes a cluster, a workload and a list of faults, the production nodes live through it, and the
 * checkers watch from outside.
 */
import { SimulatedRandom } from "../../runtime/simulated/random.ts";
import { SimulatedNetwork } from "../../transports/memory.ts";
import { Bounded } from "./checkers/bounded.ts";
import { checkIdentical, describeWaiting, markedBytes, servingHost } from "./checkers/converged.ts";
import { Explained } from "./checkers/explained.ts";
import { Gates } from "./checkers/gates.ts";
import { MarksCover } from "./checkers/marks_cover.ts";
import { MembersHold } from "./checkers/members_hold.ts";
import { Registers } from "./checkers/registers.ts";
import { checkRecorded } from "./checkers/votes_recorded.ts";
import { Faults } from "./faults/perform.ts";
import { CALM_MS, endOf, planFaults, type PlannedFault, type Profile } from "./faults/plan.ts";
import { Coverage } from "./campaign/coverage.ts";
import { Client, type ClientPlan, type Session } from "./workload/client.ts";
import { SECTOR_BYTES } from "./workload/payload.ts";
import { type ClusterPlan, configOf, planCluster } from "./world/cluster_plan.ts";
import { Host } from "./world/host.ts";
import { Simulation, Violation } from "./world/simulation.ts";

export interface HistoryOptions {
  readonly seed: number;
  readonly profile: Profile;
  readonly trace?: boolean;
  /** Instead of those that the seed draws: for shrinking, and for scenarios. */
  readonly faults?: readonly PlannedFault[];
  /** Instead of the one that the seed draws: for scenarios. */
  readonly cluster?: ClusterPlan;
}

export interface HistoryOutcome {
  readonly seed: number;
  readonly violation: { readonly checker: string; readonly detail: string } | null;
  readonly hash: string;
  readonly events: number;
  readonly virtualMs: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly planned: readonly PlannedFault[];
  readonly coverage: Readonly<Record<string, number>>;
  readonly requests: number;
  readonly lossyGates: number;
  readonly lines: readonly string[];
}

const LOOK_EVERY_MS = 150;
/** I10's bound. Far above what any wait of the product adds up to, and still soon for a person. */
const CONVERGE_MS = 60_000;
/** The first source, born by empty nodes. */
const BIRTH_MS = 30_000;

/** Runs it to its end or to its first violation. Never throws for a violation. */
export async function runHistory(options: HistoryOptions): Promise<HistoryOutcome> {
  const history = new History(options);
  return await history.run();
}

class History {
  readonly #options: HistoryOptions;
  readonly #simulation: Simulation;
  readonly #plan: ClusterPlan;
  readonly #network: SimulatedNetwork;
  readonly #hosts = new Map<string, Host>();
  readonly #clients: Client[] = [];
  readonly #registers: Registers;
  readonly #gates: Gates;
  readonly #members: MembersHold;
  readonly #marks: MarksCover;
  readonly #explained: Explained;
  readonly #bounded: Bounded;
  readonly #faults: Faults;
  readonly #coverage = new Coverage();
  readonly #planned: readonly PlannedFault[];
  readonly #endMs: number;

  constructor(options: HistoryOptions) {
    this.#options = options;
    const dice = new SimulatedRandom(options.seed);
    const planned = planCluster(dice.fork());
    this.#plan = options.cluster ?? planned;
    const drawn = planFaults(dice.fork(), this.#plan, options.profile);
    this.#planned = options.faults ?? drawn.faults;
    this.#endMs = options.cluster === undefined
      ? drawn.endMs
      : Math.max(0, ...this.#planned.map(endOf)) + CALM_MS;
    const simulation = this.#simulation = new Simulation({
      seed: dice.uint32(),
      trace: options.trace === true,
    });
    this.#network = new SimulatedNetwork({
      clock: simulation.clock,
      scheduler: simulation.scheduler,
      random: simulation.random.fork(),
      latency: this.#plan.networkMs,
      windowBytes: 256 * 1024,
    });
    this.#registers = new Registers(simulation);
    this.#gates = new Gates(simulation, this.#registers, this.#plan);
    this.#makeHosts();
    const hosts = [...this.#hosts.values()];
    this.#members = new MembersHold(simulation, this.#registers, this.#hosts);
    this.#marks = new MarksCover(simulation, this.#registers, hosts);
    this.#explained = new Explained(simulation, this.#plan.leaseMs);
    this.#bounded = new Bounded(simulation);
    this.#makeClients(dice.fork());
    this.#faults = new Faults({
      simulation,
      network: this.#network,
      hosts: this.#hosts,
      clients: this.#clients,
      plan: this.#plan,
    });
  }

  #makeHosts(): void {
    const simulation = this.#simulation;
    const config = configOf(this.#plan);
    for (const [index, { node }] of this.#plan.modes.entries()) {
      const host = new Host({
        name: node,
        simulation,
        network: this.#network,
        config,
        geometry: this.#plan.geometry,
        watcher: {
          happened: (from, event) => this.#happened(from, event),
          crashed: (from, { path, error }) =>
            simulation.fail("bug: no actor crashes by itself", `${from.name} ${path}: ${error}`),
          fallen: (from) => this.#faults.fallen(from),
          dataWritten: () => {},
        },
      });
      host.rate = this.#plan.rates[index] ?? 1;
      host.weather.latencyMs = this.#plan.diskLatencyMs;
      host.weather.flushMs = this.#plan.diskFlushMs;
      this.#hosts.set(node, host);
    }
  }

  #makeClients(random: SimulatedRandom): void {
    const sectors = this.#plan.volumeBytes / SECTOR_BYTES;
    const count = 1 + random.uint32() % 3;
    const sectorsMax = random.uint32() % 4 === 0 ? 200 : 24;
    const places = Array.from(
      { length: this.#plan.geometry !== null && random.uint32() % 2 === 0 ? 48 : 2 + random.uint32() % 6 },
      () => random.uint32() % (sectors - sectorsMax - 8),
    );
    const workers: ClientPlan[] = [];
    for (let index = 0; index < count; index++) {
      workers.push({
        inFlightMax: 1 + random.uint32() % 5,
        thinkMs: 10 + random.float() * 120,
        places,
        sectorsMax,
        readShare: 0.1 + random.float() * 0.4,
        flushShare: random.float() * 0.15,
        fuaShare: random.float() * 0.2,
        zeroShare: random.float() * 0.2,
        restlessOneIn: 25,
      });
    }
    for (const [index, plan] of [...workers, observerOf(places)].entries()) {
      this.#clients.push(
        new Client({
          name: `client${index}`,
          index,
          simulation: this.#simulation,
          registers: this.#registers,
          hosts: [...this.#hosts.values()],
          plan,
          random: random.fork(),
          watcher: {
            attached: (session) => this.#attached(session),
            completed: (session) => this.#gates.completed(session),
            written: (session, write, more) => this.#members.written(session, write, more),
            flushed: (session, covered) => this.#members.flushed(session, covered),
          },
        }),
      );
    }
  }

  #attached(session: Session): void {
    const before = this.#gates.generation;
    this.#gates.attached(session);
    if (session.generation > before) {
      checkRecorded(this.#simulation, [...this.#hosts.values()], session.generation);
    }
  }

  #happened(
    host: Host,
    { kind, fields }: { readonly kind: string; readonly fields: Readonly<Record<string, unknown>> },
  ): void {
    this.#simulation.note(`${host.name} ${kind} ${JSON.stringify(fields)}`);
    this.#coverage.happened(kind, fields);
    if (kind === "gate_opened" && typeof fields["generation"] === "number") {
      this.#gates.opened(host, fields["generation"]);
    }
    if (kind === "target_changed" && fields["state"] === "replicating") host.lossy = false;
  }

  async run(): Promise<HistoryOutcome> {
    const simulation = this.#simulation;
    let violation: Violation | null = null;
    try {
      await this.#live();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      violation = error;
    }
    return {
      seed: this.#options.seed,
      violation: violation === null ? null : { checker: violation.checker, detail: violation.message },
      hash: simulation.hash,
      events: simulation.events,
      virtualMs: Math.round(simulation.nowMs),
      faults: Object.fromEntries(this.#faults.counts),
      planned: this.#planned,
      coverage: this.#coverage.counts(),
      requests: this.#clients.reduce((sum, { counts }) => sum + counts.answered, 0),
      lossyGates: this.#gates.lossyGates,
      lines: simulation.lines,
    };
  }

  async #live(): Promise<void> {
    const simulation = this.#simulation;
    simulation.note(`plan ${JSON.stringify(this.#plan)}`);
    for (const host of this.#hosts.values()) host.start();
    for (const client of this.#clients) client.start();
    for (const fault of this.#planned) this.#faults.plan(fault);
    while (simulation.nowMs < this.#endMs) await this.#pass(LOOK_EVERY_MS);
    this.#faults.mend();
    await this.#converge();
  }

  async #converge(): Promise<void> {
    const hosts = [...this.#hosts.values()];
    const served = () =>
      servingHost(hosts, this.#plan) !== null && this.#clients.every((c) => c.attachedTo !== null);
    await this.#until("I10: everybody is in service again", served, BIRTH_MS + CONVERGE_MS);
    await this.#pass(LOOK_EVERY_MS);
    for (const client of this.#clients) client.rest();
    await this.#until("I10: what was asked is answered", () => this.#clients.every((c) => c.inFlight === 0));
    await this.#until("I10: everybody is in service still", served);
    let flushed = false;
    const [client] = this.#clients;
    if (client?.flushNow((error) => flushed = error === null) !== true) {
      simulationFail(this.#simulation, "a client is attached");
    }
    await this.#until("I10: a flush completes", () => flushed);
    await this.#until("I10: all marks are clear", () => markedBytes(hosts) === 0);
    this.#marks.look();
    checkIdentical(this.#simulation, hosts, this.#plan.volumeBytes);
    if (this.#simulation.violation !== null) throw this.#simulation.violation;
  }

  async #until(what: string, ready: () => boolean, withinMs = CONVERGE_MS): Promise<void> {
    const deadlineMs = this.#simulation.nowMs + withinMs;
    while (!ready()) {
      if (this.#simulation.nowMs >= deadlineMs) {
        const clients = this.#clients.map((client) =>
          `${client.name} at ${client.attachedTo} ${client.inFlight}`
        );
        this.#simulation.fail(
          what,
          `not within ${withinMs} ms; ${clients.join(", ")}; ${describeWaiting([...this.#hosts.values()])}`,
        );
        if (this.#simulation.violation !== null) throw this.#simulation.violation;
      }
      this.#faults.resumeLegs();
      if (this.#gates.mayHaveLost) this.#faults.replaceDiverged();
      await this.#pass(LOOK_EVERY_MS);
    }
  }

  async #pass(ms: number): Promise<void> {
    const simulation = this.#simulation;
    await simulation.passUntil(simulation.nowMs + ms);
    const hosts = [...this.#hosts.values()];
    this.#marks.look();
    this.#explained.look(hosts);
    this.#bounded.look(hosts);
    if (simulation.violation !== null) throw simulation.violation;
  }
}

function simulationFail(simulation: Simulation, claim: string): void {
  simulation.fail("the simulator itself", claim);
}

/** Only reads, and asks whoever offers itself: two sources at one time have nobody else to tell them apart (I1). */
function observerOf(places: readonly number[]): ClientPlan {
  return {
    inFlightMax: 2,
    thinkMs: 25,
    places,
    sectorsMax: 2,
    readShare: 1,
    flushShare: 0,
    fuaShare: 0,
    zeroShare: 0,
    restlessOneIn: 3,
  };
}

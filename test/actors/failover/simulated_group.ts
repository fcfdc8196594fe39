/**
 * A group of nodes for tests: real failover machines over a simulated network, vote files, targets and mirrors, each
 * node with clocks of its own. One seed is one history.
 *
 * The mirror here is a model of what the real one promises: a write completes only when every sync member of every set that
 * may be in force has applied it, and only while the lease runs by both of the node's clocks. What the checker
 * believes is what happened in true time: `holders()` looks at the gates of all nodes at one instant.
 */
import type { Effect, GroupEvent } from "../../../actors/failover/effects.ts";
import { GroupMachine } from "../../../actors/failover/machine.ts";
import type { FailoverStatus, Opening, ReplicaPlan } from "../../../actors/failover/messages.ts";
import type { RemoteFailover } from "../../../actors/failover/remote_messages.ts";
import { parseRemote } from "../../../actors/failover/remote_shapes.ts";
import { BLANK_VOTE, decodeVote, encodeVote, type Vote } from "../../../actors/failover/vote_format.ts";
import { type GroupRecord, majorityOf, type Member } from "../../../protocol/member_set.ts";
import { extendHistory } from "../../../protocol/position.ts";
import { isShapeFailure } from "../../../protocol/shape.ts";
import { type Gate, SimulatedNode } from "./simulated_node.ts";

/** Ways to break the world around the machines, to prove that the checker sees it. */
export type Mutation =
  | "vote_not_durable"
  | "promise_forgotten"
  | "restart_without_wait"
  | "lease_overrun"
  | "late_grant_counted_anew"
  | "clocks_run_apart"
  | "target_not_sealed"
  | "resigned_with_open_gate"
  | "removal_not_recorded";

export interface GroupOptions {
  readonly seed: number;
  readonly replicas: readonly ReplicaPlan[];
  readonly intervalMs?: number;
  readonly leaseMs?: number;
  readonly mutation?: Mutation | null;
  /** Chance that a message is lost, doubled; and the longest delay. */
  readonly loss?: number;
  readonly doubled?: number;
  readonly delayMaxMs?: number;
  /** A clock may run this much too fast or too slow. */
  readonly drift?: number;
}

export class SimulatedGroup {
  readonly nodes = new Map<string, SimulatedNode>();
  readonly log: string[] = [];
  readonly completed = new Map<number, number>();
  readonly opened = new Map<number, string>();
  readonly group = "db";
  readonly intervalMs: number;
  readonly leaseMs: number;
  trueMs = 0;
  /** How long a mirror may take to stop. */
  closeMaxMs = 30;
  loss: number;
  doubled: number;
  delayMaxMs: number;
  readonly #cut = new Set<string>();
  readonly #replicas: readonly ReplicaPlan[];
  readonly #mutation: Mutation | null;
  readonly #drift: number;
  readonly #lateChance: number;
  #queue: { readonly atMs: number; readonly order: number; readonly run: () => void }[] = [];
  #order = 0;
  #random: number;
  #writes = 0;
  highestOpened = 0;
  steps = 0;

  constructor(options: GroupOptions) {
    this.#random = (options.seed * 2_654_435_761 + 12_345) >>> 0;
    this.#replicas = options.replicas;
    this.intervalMs = options.intervalMs ?? 100;
    this.leaseMs = options.leaseMs ?? 800;
    this.#mutation = options.mutation ?? null;
    this.#lateChance = this.#mutation === "late_grant_counted_anew" ? 0.06 : 0.03;
    this.loss = options.loss ?? 0;
    this.doubled = options.doubled ?? 0;
    this.delayMaxMs = options.delayMaxMs ?? 2;
    this.#drift = this.#mutation === "clocks_run_apart" ? 0.4 : options.drift ?? 0;
    for (const { node } of options.replicas) this.nodes.set(node, new SimulatedNode(node));
  }

  random(): number {
    this.#random = (this.#random + 0x6d2b79f5) >>> 0;
    let mixed = this.#random;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  below(max: number): number {
    return Math.floor(this.random() * max);
  }

  #hex(): string {
    let text = "";
    for (let part = 0; part < 4; part += 1) {
      text += Math.floor(this.random() * 2 ** 32).toString(16).padStart(8, "0");
    }
    return text;
  }

  node(name: string): SimulatedNode {
    const node = this.nodes.get(name);
    if (node === undefined) throw new Error(`no node ${name}`);
    return node;
  }

  // ---- true time -------------------------------------------------------------------------------------------------

  at(delayMs: number, run: () => void): void {
    const entry = { atMs: this.trueMs + Math.max(0, delayMs), order: this.#order++, run };
    // A heap would be faster and less to look at; queues here are short, and most entries go near the end.
    let index = this.#queue.length;
    while (index > 0 && later(this.#queue[index - 1] ?? entry, entry)) index -= 1;
    this.#queue.splice(index, 0, entry);
  }

  run(forMs: number): void {
    const endMs = this.trueMs + forMs;
    for (let next = this.#queue[0]; next !== undefined && next.atMs <= endMs; next = this.#queue[0]) {
      this.#queue.shift();
      this.trueMs = next.atMs;
      next.run();
    }
    this.trueMs = endMs;
  }

  /** Runs until `claim` holds; throws with the log when it does not within `withinMs`. */
  until(claim: () => boolean, withinMs: number, what: string): number {
    const startMs = this.trueMs;
    while (!claim()) {
      if (this.trueMs - startMs >= withinMs) {
        throw new Error(`not within ${withinMs} ms: ${what}\n${this.story()}`);
      }
      this.run(10);
    }
    return this.trueMs - startMs;
  }

  story(): string {
    const states = [...this.nodes.values()].map((node) => {
      const status = this.status(node.name);
      return `${node.name}: ${status === null ? "down" : `${status.state} ${status.cause ?? ""}`}`;
    });
    return [...this.log.slice(-60), ...states].join("\n");
  }

  /** Runs in the node's process, later if it is stopped, never if that process is gone. */
  #within(node: SimulatedNode, run: () => void): () => void {
    const { process } = node;
    const guarded = () => {
      if (!node.alive || node.process !== process) return;
      if (node.stoppedUntil > this.trueMs) node.held.push(guarded);
      else run();
    };
    return guarded;
  }

  // ---- nodes -----------------------------------------------------------------------------------------------------

  start(name: string): void {
    const node = this.node(name);
    if (node.alive) return;
    node.process += 1;
    node.rate = 1 + (this.random() * 2 - 1) * this.#drift;
    node.offsetMs = this.random() * 100_000;
    node.suspendedMs = 0;
    node.suspendedSince = null;
    node.stoppedUntil = 0;
    node.held.length = 0;
    node.gate = null;
    node.sealedBelow = Infinity;
    node.following = null;
    node.position = node.stable;
    node.wakeAt = Infinity;
    node.machine = new GroupMachine({
      node: name,
      plan: { group: this.group, replicas: this.#replicas },
      intervalMs: this.intervalMs,
      leaseMs: this.leaseMs,
      startedAtMs: node.now(this.trueMs),
    });
    this.note(`${name} starts`);
    this.at(
      this.below(20),
      this.#within(
        node,
        () => this.#step(node, { kind: "vote_ready", opened: { ok: true, vote: this.#readVote(node) } }),
      ),
    );
    this.#facts(node);
    for (const other of this.nodes.values()) {
      if (other === node || !other.alive || this.isCut(name, other.name)) continue;
      this.#announce(other, node);
      this.#announce(node, other);
    }
    this.#mirrorTicks(node);
  }

  #readVote(node: SimulatedNode): Vote {
    if (node.vote === null) return BLANK_VOTE;
    const vote = decodeVote(node.vote);
    if (isShapeFailure(vote)) throw new Error(vote.detail);
    if (this.#mutation === "restart_without_wait") return { ...vote, leaseMs: 0 };
    if (this.#mutation === "promise_forgotten") {
      return {
        ...vote,
        promised: null,
        record: null,
        births: vote.record === null ? [] : [vote.record.groupId],
      };
    }
    return vote;
  }

  /** kill -9: what was applied stays on the disk, the position falls back to what was recorded as stable. */
  kill(name: string): void {
    const node = this.node(name);
    if (!node.alive) return;
    this.note(`${name} dies`);
    node.machine = null;
    node.gate = null;
    for (const other of this.nodes.values()) {
      if (other === node || !other.alive) continue;
      this.at(
        this.below(5),
        this.#within(other, () => {
          if (!node.alive) this.#step(other, { kind: "peer_down", node: name, cause: "reset" });
        }),
      );
    }
  }

  /** SIGSTOP, then SIGCONT. */
  pause(name: string, forMs: number): void {
    const node = this.node(name);
    if (!node.alive || node.stoppedUntil > this.trueMs) return;
    this.note(`${name} stops for ${Math.round(forMs)} ms`);
    node.stoppedUntil = this.trueMs + forMs;
    this.at(forMs, () => this.#resume(node));
  }

  /** A suspend: the monotonic clock stands still too. */
  suspend(name: string, forMs: number): void {
    const node = this.node(name);
    if (!node.alive || node.stoppedUntil > this.trueMs) return;
    this.pause(name, forMs);
    node.suspendedSince = this.trueMs;
  }

  #resume(node: SimulatedNode): void {
    if (node.suspendedSince !== null) {
      node.suspendedMs += this.trueMs - node.suspendedSince;
      node.suspendedSince = null;
    }
    node.stoppedUntil = 0;
    this.note(`${node.name} goes on`);
    for (const run of node.held.splice(0)) this.at(0, run);
  }

  cut(a: string, b: string): void {
    this.#cut.add([a, b].sort().join("|"));
    for (const [node, other] of [[a, b], [b, a]] as const) {
      const here = this.node(node);
      this.at(
        this.intervalMs * 2,
        this.#within(here, () => {
          if (this.isCut(a, b)) this.#step(here, { kind: "peer_down", node: other, cause: "silent" });
        }),
      );
    }
  }

  heal(): void {
    for (const pair of [...this.#cut]) {
      this.#cut.delete(pair);
      const [a, b] = pair.split("|");
      const [one, two] = [this.node(a ?? ""), this.node(b ?? "")];
      if (!one.alive || !two.alive) continue;
      this.#announce(one, two);
      this.#announce(two, one);
    }
  }

  isCut(a: string, b: string): boolean {
    return this.#cut.has([a, b].sort().join("|"));
  }

  #announce(to: SimulatedNode, about: SimulatedNode): void {
    const incarnation = `${about.name}-${about.process}`;
    this.at(
      1 + this.below(this.delayMaxMs + 1),
      this.#within(to, () => {
        if (
          !about.alive || incarnation !== `${about.name}-${about.process}` || this.isCut(to.name, about.name)
        ) return;
        this.#step(to, { kind: "peer_up", node: about.name, incarnation });
      }),
    );
  }

  status(name: string): FailoverStatus | null {
    const node = this.node(name);
    return node.machine?.status(this.#moment(node)) ?? null;
  }

  /** Who may complete a request at this instant. */
  holders(): string[] {
    return [...this.nodes.values()].filter((node) => node.holds(this.trueMs)).map((node) => node.name);
  }

  give(name: string, event: GroupEvent): void {
    const node = this.node(name);
    this.at(0, this.#within(node, () => this.#step(node, event)));
  }

  // ---- machines --------------------------------------------------------------------------------------------------

  #moment(node: SimulatedNode): { nowMs: number; wallMs: number } {
    return { nowMs: node.now(this.trueMs), wallMs: node.wall(this.trueMs) };
  }

  #step(node: SimulatedNode, event: GroupEvent): void {
    const { machine } = node;
    if (machine === null) return;
    this.steps += 1;
    const effects = machine.step(event, this.#moment(node));
    for (const effect of effects) this.#perform(node, effect);
    this.#schedule(node);
    this.check();
  }

  #schedule(node: SimulatedNode): void {
    const moment = this.#moment(node);
    const wakeAt = node.machine?.wakeAtMs(moment) ?? Infinity;
    const delayMs = Math.min(Math.max(0, wakeAt - moment.nowMs), 4 * this.intervalMs) / node.rate;
    const atMs = this.trueMs + delayMs;
    if (node.wakeAt <= atMs) return;
    node.wakeAt = atMs;
    this.at(
      delayMs + 0.01,
      this.#within(node, () => {
        if (node.wakeAt !== atMs) return;
        node.wakeAt = Infinity;
        const ids = { generationId: this.#hex(), groupId: this.#hex() };
        this.#step(node, { kind: "wake", healthy: node.healthy, ids });
      }),
    );
  }

  #perform(node: SimulatedNode, effect: Effect): void {
    switch (effect.kind) {
      case "send":
        return this.#send(node, effect.to, effect.body);
      case "store":
        return this.#store(node, effect.vote);
      case "seal":
        return this.at(this.below(10), this.#within(node, () => this.#seal(node, effect.number)));
      case "become_source":
        return this.#becomeSource(node, effect.opening);
      case "become_target": {
        const done = this.#within(node, () => {
          node.gate = null;
          node.following = null;
          this.#facts(node);
          this.#step(node, { kind: "became_target" });
        });
        if (this.#mutation === "resigned_with_open_gate" && node.gate !== null) {
          this.at(this.leaseMs, this.#within(node, () => node.gate = null));
          return this.at(0, this.#within(node, () => this.#step(node, { kind: "became_target" })));
        }
        return this.at(this.below(this.closeMaxMs), done);
      }
      case "tell_mirror":
        return this.#tellMirror(node, effect.message);
      case "publish":
        for (const other of this.nodes.values()) {
          if (other === node) continue;
          this.#deliver(node, other, { kind: "summary", from: node.name, summary: effect.summary });
        }
        return;
      case "note":
        return this.note(`${node.name} ${effect.event} ${JSON.stringify(effect.fields)}`);
      case "answer_change":
        return effect.reply.reply(effect.outcome);
      case "answer_switchover":
        return effect.reply.reply(effect.outcome);
      case "stopped":
        return this.note(`${node.name} stopped ${effect.resigned}`);
    }
  }

  #send(node: SimulatedNode, to: string, body: RemoteFailover): void {
    if (body.kind === "lease_requested") this.#rounds.set(node.name, body.round);
    const parsed = parseRemote(structuredClone(body));
    if (isShapeFailure(parsed)) throw new Error(`${body.kind}: ${parsed.detail}`);
    this.#deliver(node, this.node(to), {
      kind: "remote",
      from: node.name,
      incarnation: `${node.name}-${node.process}`,
      body: parsed,
    });
  }

  /** The network may lose, double, delay and reorder; nothing of a dead connection arrives later. */
  #deliver(from: SimulatedNode, to: SimulatedNode, event: GroupEvent): void {
    const local = from === to;
    const copies = local ? 1 : this.random() < this.loss ? 0 : this.random() < this.doubled ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      const late = !local && this.loss > 0 && this.random() < this.#lateChance
        ? this.random() * 2 * this.leaseMs
        : 0;
      const delayMs = local ? 0 : 0.2 + this.random() * this.delayMaxMs + late;
      const fromProcess = from.process;
      this.at(delayMs, () => {
        if (!to.alive || (!local && this.isCut(from.name, to.name)) || from.process !== fromProcess) return;
        this.#within(to, () => this.#step(to, this.#distorted(to, event)))();
      });
    }
  }

  #distorted(to: SimulatedNode, event: GroupEvent): GroupEvent {
    if (
      this.#mutation !== "late_grant_counted_anew" || event.kind !== "remote" ||
      event.body.kind !== "lease_granted"
    ) return event;
    const round = this.#rounds.get(to.name) ?? event.body.round;
    return { ...event, body: { ...event.body, round } };
  }

  readonly #rounds = new Map<string, number>();

  #store(node: SimulatedNode, vote: Vote): void {
    const bytes = encodeVote(vote);
    const delayMs = this.random() * 15;
    const { process } = node;
    if (this.#mutation === "vote_not_durable" && this.random() < 0.5) {
      return this.at(
        delayMs,
        this.#within(node, () => this.#step(node, { kind: "vote_stored", failure: null })),
      );
    }
    this.at(delayMs / 2, () => {
      // A crash in between leaves the old vote or the new one.
      if (node.process === process && (node.alive || this.random() < 0.5)) node.vote = bytes;
    });
    this.at(delayMs, this.#within(node, () => this.#step(node, { kind: "vote_stored", failure: null })));
  }

  // ---- replica ---------------------------------------------------------------------------------------------------

  #facts(node: SimulatedNode): void {
    this.at(
      this.below(5),
      this.#within(node, () => {
        this.#step(node, { kind: "replica_facts", facts: this.#factsOf(node) });
      }),
    );
  }

  #factsOf(node: SimulatedNode) {
    const { groupId, history, position, disk } = node;
    const role = node.gate === null ? "target" as const : "source" as const;
    return { groupId, history, position, disk, zero: disk === "empty", role };
  }

  #seal(node: SimulatedNode, number: number): void {
    if (node.gate !== null) {
      return this.#step(node, { kind: "sealed", number, answer: { ok: false, reason: "source" } });
    }
    node.sealedBelow = node.sealedBelow === Infinity ? number : Math.max(node.sealedBelow, number);
    this.#step(node, { kind: "sealed", number, answer: { ok: true, facts: this.#factsOf(node) } });
  }

  // ---- mirror ----------------------------------------------------------------------------------------------------

  #becomeSource(node: SimulatedNode, opening: Opening): void {
    this.#checkOpening(node, opening);
    const gate: Gate = {
      opening,
      open: false,
      untilMs: opening.leaseUntilMs,
      untilWallMs: opening.leaseUntilWallMs,
      sets: [opening.record.members],
      changing: false,
      draining: false,
      seq: opening.entry.baseSeq,
      pending: [],
    };
    node.gate = gate;
    this.at(
      this.below(30),
      this.#within(node, () => {
        if (node.gate !== gate) return;
        node.history = extendHistory(node.history, opening.entry);
        node.groupId = opening.record.groupId;
        node.disk = "up_to_date";
        node.position = { generation: opening.generation.number, seq: gate.seq };
        node.stable = node.position;
        gate.open = true;
        this.note(`${node.name} opens generation ${opening.generation.number} at ${gate.seq}`);
        this.#facts(node);
        this.#step(node, { kind: "gate_opened", generation: opening.generation });
      }),
    );
  }

  #tellMirror(node: SimulatedNode, message: Extract<Effect, { kind: "tell_mirror" }>["message"]): void {
    const { gate } = node;
    if (gate === null) return;
    switch (message.kind) {
      case "lease":
        if (message.generation.id !== gate.opening.generation.id) return;
        gate.untilMs = message.untilMs + (this.#mutation === "lease_overrun" ? this.leaseMs : 0);
        gate.untilWallMs = message.untilWallMs + (this.#mutation === "lease_overrun" ? this.leaseMs : 0);
        return;
      case "higher_generation":
        gate.open = false;
        return;
      case "drain":
        gate.draining = true;
        return this.at(this.below(20), this.#within(node, () => this.#drain(node, gate)));
      case "drain_cancelled":
        gate.draining = false;
        return;
      case "record_in_force":
        return;
    }
  }

  /** No new requests, those in flight done, every leg at one position. */
  #drain(node: SimulatedNode, gate: Gate): void {
    if (node.gate !== gate || !gate.draining) return;
    this.#complete(node, gate);
    if (gate.pending.length === 0) this.#step(node, { kind: "drained", position: node.position });
    else this.at(20, this.#within(node, () => this.#drain(node, gate)));
  }

  #mirrorTicks(node: SimulatedNode): void {
    const tick = this.#within(node, () => {
      this.at(20 + this.below(20), tick);
      const { gate } = node;
      if (gate === null || !gate.open) return;
      this.#catchUp(node, gate);
      if (node.holds(this.trueMs) && !gate.draining && gate.pending.length < 8) this.#write(node, gate);
      this.#complete(node, gate);
      if (this.random() < 0.3) node.stable = node.position;
    });
    this.at(this.below(20), tick);
  }

  /** A leg can deliver: the other runs, is reachable, is target, and refuses no stream of this generation. */
  #reaches(node: SimulatedNode, other: SimulatedNode, gate: Gate): boolean {
    if (!other.alive || other.stoppedUntil > this.trueMs || other.gate !== null) return false;
    if (this.isCut(node.name, other.name)) return false;
    if (this.#mutation === "target_not_sealed") return true;
    const refusedBelow = Math.max(other.sealedBelow, other.history.at(-1)?.generation.number ?? 0);
    return gate.opening.generation.number >= refusedBelow;
  }

  #write(node: SimulatedNode, gate: Gate): void {
    const id = ++this.#writes;
    gate.seq += 1;
    node.applied.add(id);
    node.position = { generation: gate.opening.generation.number, seq: gate.seq };
    gate.pending.push({ id, seq: gate.seq });
    for (const other of this.nodes.values()) {
      if (
        other === node || other.following !== gate.opening.generation.id || !this.#reaches(node, other, gate)
      ) continue;
      if (other.position.seq !== gate.seq - 1) continue;
      other.applied.add(id);
      other.position = node.position;
      if (this.random() < 0.2) other.stable = other.position;
    }
    this.at(this.random() * 5, this.#within(node, () => this.#complete(node, gate)));
  }

  #complete(node: SimulatedNode, gate: Gate): void {
    if (node.gate !== gate || !node.holds(this.trueMs)) return;
    const bound = new Set(
      gate.sets.flatMap((set) => set.filter((member) => member.mode === "sync").map((member) => member.node)),
    );
    const lacking = [...bound].filter((name) => {
      const other = this.node(name);
      return other !== node &&
        (other.following !== gate.opening.generation.id || !this.#reaches(node, other, gate));
    });
    for (const [index, write] of gate.pending.entries()) {
      if (![...bound].every((name) => this.node(name).applied.has(write.id))) {
        gate.pending = gate.pending.slice(index);
        if (lacking.length > 0) {
          this.#change(node, gate, (members) => members.filter((member) => !lacking.includes(member.node)));
        }
        return;
      }
      if (this.holders().some((name) => name !== node.name)) {
        throw new Error(`I1: two completed\n${this.story()}`);
      }
      this.completed.set(write.id, gate.opening.generation.number);
    }
    gate.pending = [];
  }

  /** Resync in one go: the other is empty, behind or ahead in a tail, and then a copy. Then it may join. */
  #catchUp(node: SimulatedNode, gate: Gate): void {
    for (const other of this.nodes.values()) {
      if (other === node || !this.#reaches(node, other, gate)) continue;
      if (other.following === gate.opening.generation.id && other.position.seq === gate.seq) {
        const mode = this.#replicas.find((replica) => replica.node === other.name)?.mode ?? "async";
        const last = gate.sets.at(-1) ?? [];
        if (mode !== "async" && !last.some((member) => member.node === other.name)) {
          this.#change(node, gate, (members) => [...members, { node: other.name, mode }]);
        }
        continue;
      }
      if (this.random() < 0.5) continue;
      other.applied = new Set(node.applied);
      other.history = node.history;
      other.groupId = node.groupId;
      other.disk = "up_to_date";
      other.position = node.position;
      other.stable = node.position;
      other.following = gate.opening.generation.id;
      this.#facts(other);
    }
  }

  #change(node: SimulatedNode, gate: Gate, changed: (members: readonly Member[]) => readonly Member[]): void {
    if (gate.changing) return;
    const members = changed(gate.sets.at(-1) ?? []);
    gate.changing = true;
    if (this.#mutation === "removal_not_recorded") gate.sets = [members];
    else gate.sets.push(members);
    const { process } = node;
    this.#step(node, {
      kind: "record_change",
      members,
      reply: {
        reply: (outcome) => {
          if (node.process !== process || node.gate !== gate) return;
          gate.changing = false;
          if (outcome.kind !== "recorded") return;
          this.#checkRecorded(outcome.record);
          gate.sets = [outcome.record.members];
        },
      },
    });
  }

  // ---- the checker -----------------------------------------------------------------------------------------------

  check(): void {
    const holders = this.holders();
    if (holders.length > 1) {
      throw new Error(`I1: ${holders.join(" and ")} both hold a lease at ${this.trueMs}\n${this.story()}`);
    }
  }

  #durableVotes(): Vote[] {
    return [...this.nodes.values()].map((node) => {
      const vote = node.vote === null ? BLANK_VOTE : decodeVote(node.vote);
      return isShapeFailure(vote) ? BLANK_VOTE : vote;
    });
  }

  #checkOpening(node: SimulatedNode, { generation, entry, record }: Opening): void {
    const { number, id } = generation;
    if (this.opened.has(number)) throw new Error(`I1: generation ${number} opened twice\n${this.story()}`);
    if (number <= this.highestOpened) {
      throw new Error(`I1: generation ${number} after ${this.highestOpened}\n${this.story()}`);
    }
    this.opened.set(number, id);
    this.highestOpened = number;
    const votes = this.#durableVotes();
    const needed = majorityOf(this.#replicas.length);
    const recorded = votes.filter((vote) => vote.record?.generation.id === id).length;
    if (recorded < needed) {
      throw new Error(`I11: generation ${number} is recorded by ${recorded}\n${this.story()}`);
    }
    const promised = votes.filter((vote) => (vote.promised?.generation.number ?? 0) >= number).length;
    if (promised < needed) {
      throw new Error(`I6: generation ${number} is promised by ${promised}\n${this.story()}`);
    }
    const alive = this.completed.size > 0 || [...this.nodes.values()].some((other) => other.disk !== "empty");
    if (node.disk === "inconsistent" || (node.disk === "empty" && alive)) {
      throw new Error(`I12: ${node.name} was promoted with a disk that is ${node.disk}\n${this.story()}`);
    }
    if (!entry.lossless) {
      for (const write of this.completed.keys()) if (!node.applied.has(write)) this.#givenUp.add(write);
      return;
    }
    for (const [write, completedIn] of this.completed) {
      // What a commit promotion gave up is not missed again.
      if (this.#givenUp.has(write) || node.applied.has(write)) continue;
      throw new Error(
        `I2: ${node.name} opens ${number} without write ${write} of ${completedIn}\n${this.story()}`,
      );
    }
    for (const member of record.members) {
      if (member.mode !== "sync") continue;
      for (const write of this.completed.keys()) {
        if (this.#givenUp.has(write) || this.node(member.node).applied.has(write)) continue;
        throw new Error(`I2: member ${member.node} of ${number} lacks write ${write}\n${this.story()}`);
      }
    }
  }

  readonly #givenUp = new Set<number>();

  #checkRecorded(record: GroupRecord): void {
    const holding =
      this.#durableVotes().filter((vote) =>
        vote.record !== null && (vote.record.generation.number > record.generation.number ||
          (vote.record.generation.id === record.generation.id && vote.record.version >= record.version))
      ).length;
    if (holding < majorityOf(record.voters.length)) {
      throw new Error(`I11: version ${record.version} is recorded by ${holding}\n${this.story()}`);
    }
  }

  note(line: string): void {
    this.log.push(`${this.trueMs.toFixed(1)} ${line}`);
    if (this.log.length > 400) this.log.splice(0, 200);
  }
}

function later(
  a: { readonly atMs: number; readonly order: number },
  b: { readonly atMs: number; readonly order: number },
): boolean {
  return a.atMs > b.atMs || (a.atMs === b.atMs && a.order > b.order);
}

/**
 * A source and its targets in one simulated world, with an arbiter in the place of failover: it grants leases, records
 * member sets when the test lets it, seals targets and hands out openings. It is fake in one thing only: there is one of
 * it and it never fails, so what is tested here is the mirror, the target and the intent log.
 */
import assert from "node:assert/strict";
import type { FailoverMessage, ReplicaFacts, SealAnswer } from "../../../../actors/failover/messages.ts";
import type { MirrorStatus } from "../../../../actors/mirror/messages.ts";
import type { GroupRecord, LegMode, Member } from "../../../../protocol/member_set.ts";
import { comparePositions, type Generation, type Position } from "../../../../protocol/position.ts";
import { SimulatedWorld } from "../../../../runtime/mod.ts";
import { SimulatedNetwork } from "../../../../transports/memory.ts";
import { ModelClient } from "./model_client.ts";
import { type NodePlan, type NodeSurroundings, ReplicaNode } from "./replica_node.ts";
import { SECTOR_BYTES } from "./ledger.ts";

export const MIB = 1024 * 1024;
const RENEW_EVERY_MS = 100;
const DETECT_MS = 30;

export interface ClusterOptions {
  readonly seed?: number;
  /** Names and modes, in the order of priority. Default: alpha and beta, sync. */
  readonly replicas?: Readonly<Record<string, LegMode>>;
  readonly volumeBytes?: number;
  readonly volumes?: number;
  readonly diskDelayMs?: number;
  readonly memberGraceMs?: number;
  /** Policy `onBlocked: error`. */
  readonly errorsAfterMs?: number;
  readonly backlogBytesMax?: number;
  readonly hotCapacity?: number;
  readonly regionBytes?: number;
  readonly hotRegionBytes?: number;
  readonly latencyMs?: number;
  /** Actors take turns in order of waking. */
  readonly shuffled?: boolean;
}

export class Cluster implements NodeSurroundings {
  readonly world: SimulatedWorld;
  readonly network: SimulatedNetwork;
  readonly client = new ModelClient();
  readonly nodes = new Map<string, ReplicaNode>();
  readonly modes: Readonly<Record<string, LegMode>>;
  /** What the mirrors and targets said to failover. */
  readonly heardMessages: { readonly from: string; readonly message: FailoverMessage }[] = [];
  /** In force; null before birth. */
  record: GroupRecord | null = null;
  /** Asked for and not recorded yet: it may be in force after a failure. */
  pending: GroupRecord | null = null;
  source: string | null = null;
  leaseMs = 1_000;
  /** False: the lease is not renewed. */
  renews = true;
  /** False: changes of the member set find no majority. */
  records = true;
  recordDelayMs = 5;
  /** False: a target that starts is not told what was promised. */
  seals = true;
  generation: Generation = { number: 0, id: "0".repeat(32) };
  #partitions = new Set<string>();
  #renewing = false;

  constructor(options: ClusterOptions = {}) {
    this.modes = options.replicas ?? { alpha: "sync", beta: "sync" };
    this.world = new SimulatedWorld({ seed: options.seed ?? 1, shuffled: options.shuffled ?? true });
    const latencyMs = options.latencyMs ?? 0.1;
    this.network = new SimulatedNetwork({
      clock: this.world.clock,
      scheduler: this.world.scheduler,
      random: this.world.random.fork(),
      latency: { minMs: latencyMs / 2, maxMs: latencyMs },
    });
    const volumes = Array.from({ length: options.volumes ?? 1 }, (_, index) => ({
      name: `v${index}`,
      size: options.volumeBytes ?? 2 * MIB,
    }));
    for (const name of Object.keys(this.modes)) {
      const plan: NodePlan = {
        name,
        volumes,
        others: Object.entries(this.modes).filter(([other]) => other !== name).map(([node, mode]) => ({
          node,
          mode,
          backlogBytesMax: options.backlogBytesMax ?? 64 * MIB,
        })),
        memberGraceMs: options.memberGraceMs ?? 3_000,
        errorsAfterMs: options.errorsAfterMs ?? null,
        diskDelayMs: options.diskDelayMs ?? 0,
        regionBytes: options.regionBytes ?? 4096,
        hotRegionBytes: options.hotRegionBytes ?? 64 * 1024,
        hotCapacity: options.hotCapacity ?? 32,
      };
      this.nodes.set(name, new ReplicaNode(plan, this));
    }
  }

  /** All nodes running, the group born on the first, every leg that can replicate replicating. */
  static async born(options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = new Cluster(options);
    for (const node of cluster.nodes.values()) await node.start();
    await cluster.pass(20);
    const [first] = Object.keys(cluster.modes);
    await cluster.promote(first as string);
    await cluster.inSync();
    return cluster;
  }

  node(name: string): ReplicaNode {
    const node = this.nodes.get(name);
    assert.ok(node !== undefined, `there is no node ${name}`);
    return node;
  }
  get now(): number {
    return this.world.clock.now();
  }
  pass(ms: number): Promise<void> {
    return this.world.advanceAwaiting(ms);
  }

  /** Passes time until `ready`, at most `withinMs` of virtual time. */
  async until(what: string, ready: () => boolean | Promise<boolean>, withinMs = 30_000): Promise<void> {
    const deadline = this.now + withinMs;
    while (!(await ready())) {
      if (this.now > deadline) assert.fail(`${what}: not within ${withinMs} ms; ${await this.explain()}`);
      await this.pass(20);
    }
  }

  /** Every leg of the running source to a running node replicates and is a member if it may be. */
  inSync(withinMs = 60_000): Promise<void> {
    return this.until("I10: all legs replicate", async () => {
      const status = await this.status();
      return status !== null && status.gate === "open" &&
        status.legs.every((leg) =>
          !this.node(leg.node).running ||
          (leg.leg === "replicating" && (leg.mode === "async" || leg.isMember))
        );
    }, withinMs);
  }

  async status(): Promise<MirrorStatus | null> {
    const source = this.source === null ? null : this.node(this.source);
    return source === null || !source.running || source.role !== "mirror"
      ? null
      : await source.mirrorStatus();
  }

  leg(status: MirrorStatus | null, node: string) {
    const leg = status?.legs.find((candidate) => candidate.node === node);
    assert.ok(leg !== undefined, `the mirror has a leg ${node}`);
    return leg;
  }

  async explain(): Promise<string> {
    const status = await this.status();
    const legs = status?.legs.map((leg) => `${leg.node} ${leg.leg} (${leg.cause}) member ${leg.isMember}`);
    const ends = [...this.nodes.values()].map((node) =>
      `${node.name}: ${JSON.stringify(node.eventsOf("target_session_ended").at(-1) ?? null)} ${
        node.crashes[0] ?? ""
      }`
    );
    return `source ${this.source} gate ${status?.gate} held ${status?.heldBecause} legs ${
      legs?.join(", ")
    }; ${ends.join("; ")}`;
  }

  // ---- what the actors see ------------------------------------------------------------------------------------

  reachable(from: string): readonly string[] {
    return [...this.nodes.values()].filter((node) =>
      node.running && node.name !== from && !this.#partitions.has(pairOf(from, node.name))
    ).map((node) => node.name);
  }

  gateOpened(node: ReplicaNode, gate: Parameters<NodeSurroundings["gateOpened"]>[1]): void {
    if (node.name === this.source) this.client.port = gate.port;
  }

  gateClosed(node: ReplicaNode, _cause: string): void {
    if (node.name === this.source) this.client.port = null;
  }

  writable(): void {
    this.onWritable();
  }
  onWritable: () => void = () => {};

  heard(node: ReplicaNode, message: FailoverMessage): void {
    this.heardMessages.push({ from: node.name, message });
    switch (message.kind) {
      case "target_started":
        if (!this.seals) return;
        this.world.clock.after(1, () => {
          const reply = { reply: () => {} };
          node.toTarget({ kind: "seal_requested", number: this.generation.number, reply });
        });
        return;
      case "gate_opened":
        node.toMirror({ kind: "export_started" });
        return;
      case "record_change":
        this.#recordChange(node, message.members);
        return;
      default:
        return;
    }
  }

  heardOf<K extends FailoverMessage["kind"]>(
    kind: K,
    from?: string,
  ): Extract<FailoverMessage, { kind: K }>[] {
    return this.heardMessages.filter((heard) =>
      heard.message.kind === kind && (from === undefined || heard.from === from)
    ).map((heard) => heard.message as Extract<FailoverMessage, { kind: K }>);
  }

  // ---- the arbiter --------------------------------------------------------------------------------------------

  #recordChange(node: ReplicaNode, members: readonly Member[]): void {
    const base = this.record;
    assert.ok(base !== null && members.some((member) => member.node === node.name));
    const record = { ...base, version: base.version + 1, members };
    this.pending = record;
    const attempt = (): void => {
      if (this.pending !== record) return;
      if (!this.records) {
        this.world.clock.after(20, attempt);
        return;
      }
      this.record = record;
      this.pending = null;
      node.toMirror({ kind: "record_in_force", record });
    };
    this.world.clock.after(this.recordDelayMs, attempt);
  }

  /** Asks a running target to seal itself; null when it does not answer. */
  async seal(name: string): Promise<ReplicaFacts | null> {
    const node = this.node(name);
    if (!node.running || node.role !== "target") return null;
    const answers: SealAnswer[] = [];
    const reply = { reply: (answer: SealAnswer) => void answers.push(answer) };
    node.toTarget({ kind: "seal_requested", number: this.generation.number, reply });
    await this.until(`${name} is sealed`, () => answers.length > 0 || !node.running);
    const [answer] = answers;
    return answer?.ok === true ? answer.facts : null;
  }

  /** Seals all that run and makes `name` source, by the record that may be in force. */
  async promote(name: string, options: { position?: Position } = {}): Promise<void> {
    this.generation = { number: this.generation.number + 1, id: this.world.random.hex(32) };
    const facts = new Map<string, ReplicaFacts>();
    for (const other of this.nodes.keys()) {
      const sealed = await this.seal(other);
      if (sealed !== null) facts.set(other, sealed);
    }
    this.client.forgetOpen();
    const own = facts.get(name);
    assert.ok(own !== undefined, `I6: ${name} is sealed before it is promoted`);
    const birth = this.record === null;
    assert.ok(
      birth || own.disk === "up_to_date" || own.disk === "consistent",
      `I6, I12: ${own.disk} is no source`,
    );
    const position = options.position ?? own.position;
    const members: Member[] = [{ node: name, mode: "sync" }];
    for (const [node, other] of facts) {
      const mode = this.modes[node] ?? "async";
      if (node === name || mode === "async") continue;
      const equal = comparePositions(other.position, own.position) === 0 &&
        JSON.stringify(other.history) === JSON.stringify(own.history);
      if (birth ? other.zero && own.zero : equal && other.disk !== "inconsistent") {
        members.push({ node, mode });
      }
    }
    const before = this.record?.members.find((member) => member.node === name);
    this.record = {
      groupId: this.record?.groupId ?? this.world.random.hex(32),
      generation: this.generation,
      source: name,
      version: 1,
      members,
      voters: [...this.nodes.keys()],
      replicas: [...this.nodes.keys()],
    };
    this.pending = null;
    this.source = name;
    this.client.port = null;
    await this.node(name).becomeMirror({
      generation: this.generation,
      entry: {
        generation: this.generation,
        source: name,
        baseSeq: birth ? 0 : position.seq,
        lossless: birth || before?.mode === "sync",
      },
      record: this.record,
      leaseUntilMs: this.now + this.leaseMs,
      leaseUntilWallMs: this.world.clock.wall() + this.leaseMs,
    });
    if (!this.#renewing) this.#renew();
    await this.until(`${name} opens its gate`, () => this.client.port !== null);
  }

  #renew(): void {
    this.#renewing = true;
    if (this.renews && this.source !== null) this.renewNow();
    this.world.clock.after(RENEW_EVERY_MS, () => this.#renew());
  }

  renewNow(): void {
    if (this.source === null) return;
    this.node(this.source).toMirror({
      kind: "lease",
      generation: this.generation,
      untilMs: this.now + this.leaseMs,
      untilWallMs: this.world.clock.wall() + this.leaseMs,
    });
  }

  /** The best of the running members of the set, as failover would choose it; null when none may be source. */
  async elect(): Promise<string | null> {
    this.generation = { number: this.generation.number + 1, id: this.world.random.hex(32) };
    let best: { readonly name: string; readonly position: Position } | null = null;
    for (const { node, mode } of this.record?.members ?? []) {
      const facts = await this.seal(node);
      if (facts === null || facts.disk === "inconsistent" || facts.disk === "empty") continue;
      if (mode === "commit" && this.record?.source !== node) continue;
      if (best === null || comparePositions(facts.position, best.position) > 0) {
        best = { name: node, position: facts.position };
      }
    }
    return best?.name ?? null;
  }

  /**
   * What failover does when there is no source any more: seals, elects, promotes; false when nobody may be source. The new
   * source must hold what was promised, and what it holds is the truth from then on.
   */
  async failOver(): Promise<boolean> {
    // A change whose outcome is unknown: a majority may have it or not.
    if (this.pending !== null && this.world.random.uint32() % 2 === 0) this.record = this.pending;
    this.pending = null;
    for (const node of this.nodes.values()) {
      if (node.running && node.role === "mirror") await node.becomeTarget();
    }
    await this.pass(5);
    const name = await this.elect();
    if (name === null) return false;
    const node = this.node(name);
    this.checkPromises(node.lostCache ? "stable" : "completed", name);
    this.client.ledger.settle((volume, offset) => node.disk(volume).peek(offset, SECTOR_BYTES));
    await this.promote(name);
    node.lostCache = false;
    return true;
  }

  // ---- faults -------------------------------------------------------------------------------------------------

  crash(name: string, kind: "killed" | "power_lost"): void {
    this.node(name).crash(kind);
    if (name === this.source) {
      this.client.port = null;
      this.client.forgetOpen();
    }
    this.world.clock.after(DETECT_MS, () => {
      if (!this.node(name).running) this.#tellSource({ kind: "peer_down", node: name, cause: kind });
    });
  }

  async start(name: string): Promise<void> {
    await this.node(name).start();
    await this.pass(20);
    this.reached(name);
  }

  /** The source hears that the node is there. */
  reached(name: string): void {
    this.#tellSource({ kind: "peer_up", node: name });
  }

  /** Nothing passes between the two until `join`. */
  cut(one: string, other: string): void {
    this.#partitions.add(pairOf(one, other));
    this.network.close(one, other);
    this.network.close(other, one);
    for (const [down, from] of [[one, other], [other, one]] as const) {
      if (from === this.source) {
        this.world.clock.after(DETECT_MS, () => {
          if (this.#partitions.has(pairOf(one, other))) {
            this.#tellSource({ kind: "peer_down", node: down, cause: "not heard of" });
          }
        });
      }
    }
  }

  join(one: string, other: string): void {
    this.#partitions.delete(pairOf(one, other));
    this.network.open(one, other);
    this.network.open(other, one);
    this.#tellSource({ kind: "peer_up", node: one === this.source ? other : one });
  }

  #tellSource(message: Parameters<ReplicaNode["toMirror"]>[0]): void {
    if (this.source !== null) this.node(this.source).toMirror(message);
  }

  // ---- checks -------------------------------------------------------------------------------------------------

  /** The source's disk holds what was promised. */
  checkPromises(promised: "completed" | "stable" = "completed", name = this.source ?? ""): void {
    const node = this.node(name);
    const read = (volume: number, offset: number) => node.disk(volume).peek(offset, SECTOR_BYTES);
    const wrong = this.client.ledger.check(read, promised);
    assert.deepEqual(wrong.slice(0, 5), [], `I2: ${name} lacks what was ${promised}`);
    assert.deepEqual(this.client.wrongReads.slice(0, 5), []);
  }

  /** I10: byte-identical disks and no marks anywhere, in bounded time. */
  async checkHealed(): Promise<void> {
    await this.inSync();
    await this.until("I10: all bits are clear", () => this.dirty().length === 0, 15_000).catch(() =>
      assert.fail(`I10: bits remain: ${this.dirty().join(", ")}`)
    );
    this.checkEqual();
    for (const node of this.nodes.values()) {
      assert.deepEqual(node.crashes, [], `${node.name}: an actor crashed`);
    }
  }

  dirty(): string[] {
    const found: string[] = [];
    for (const node of this.nodes.values()) {
      for (const { name, intentLog } of node.running ? node.store?.volumes ?? [] : []) {
        for (const peer of intentLog.peers) {
          if (!this.node(peer).running) continue;
          const bytes = intentLog.dirtyBytes(peer);
          if (bytes > 0) found.push(`${node.name}/${name} towards ${peer}: ${bytes}`);
        }
      }
    }
    return found;
  }

  checkEqual(): void {
    const running = [...this.nodes.values()].filter((node) => node.running);
    const [first] = running;
    for (const [index, { name, size }] of (first?.plan.volumes ?? []).entries()) {
      for (const other of running.slice(1)) {
        for (let offset = 0; offset < size; offset += 64 * 1024) {
          const length = Math.min(64 * 1024, size - offset);
          const same = Buffer.compare(
            first?.disk(index).peek(offset, length) ?? new Uint8Array(),
            other.disk(index).peek(offset, length),
          ) === 0;
          assert.ok(same, `I4, I10: ${name} of ${other.name} differs from ${first?.name} at ${offset}`);
        }
      }
    }
  }
}

function pairOf(one: string, other: string): string {
  return [one, other].sort().join(" ");
}

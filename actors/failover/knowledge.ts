/**
 * What the failover of one group believes about the world, whatever state it is in. Pure; hearsay, never a proof.
 *
 * States come and go and take their data with them; this stays: who is up, what the replicas last said of
 * themselves, when a source was last heard, and the highest generation number seen anywhere.
 */
import type { GroupRecord } from "../../protocol/member_set.ts";
import type { Position } from "../../protocol/position.ts";
import type { GroupEvent } from "./effects.ts";
import type { GroupPlan } from "./environment.ts";
import type { GroupSummary, ReplicaFacts, SwitchoverOutcome } from "./messages.ts";
import type { ReplyTo } from "../../runtime/mod.ts";
import { fractionFor, rankOf } from "./rank.ts";
import { judgeSource, type SourceHeard, type SourceVerdict } from "./source_lost.ts";
import type { VoterMachine } from "./voter_machine.ts";

export interface PeerBelief {
  readonly state: "up" | "suspected" | "down";
  readonly incarnation: string | null;
}

/** A switchover that waits for its new source, after this node resigned. */
export interface AwaitedSource {
  readonly node: string;
  readonly above: number;
  readonly deadlineMs: number;
  readonly reply: ReplyTo<SwitchoverOutcome> | null;
}

export interface KnowledgeOptions {
  readonly node: string;
  readonly plan: GroupPlan;
  readonly intervalMs: number;
  readonly leaseMs: number;
  readonly startedAtMs: number;
}

export class Knowledge {
  readonly node: string;
  readonly group: string;
  readonly plan: GroupPlan;
  readonly intervalMs: number;
  readonly leaseMs: number;
  readonly #startedAtMs: number;
  facts: ReplicaFacts | null = null;
  /** Why this node's replica says nothing. */
  refused: { readonly cause: string; readonly remedy: string } | null = null;
  readonly peers = new Map<string, PeerBelief>();
  readonly #summaries = new Map<string, GroupSummary>();
  heard: SourceHeard | null = null;
  /** The highest generation number seen anywhere: the next candidacy is above it. */
  floor = 0;
  /** Elections begun: makes the jitter differ. */
  attempts = 0;
  /** Somebody remembers the group: an empty replica never makes another one of it. */
  born = false;
  stopping = false;
  awaited: AwaitedSource | null = null;
  /** Nodes that this one offered its candidacy to, since a source was last heard. */
  readonly offered = new Set<string>();

  constructor(options: KnowledgeOptions) {
    this.node = options.node;
    this.group = options.plan.group;
    this.plan = options.plan;
    this.intervalMs = options.intervalMs;
    this.leaseMs = options.leaseMs;
    this.#startedAtMs = options.startedAtMs;
    for (const { node } of options.plan.replicas) {
      this.peers.set(node, { state: node === options.node ? "up" : "down", incarnation: null });
    }
  }

  /** Takes in what an event says about the world. */
  learn(event: GroupEvent, nowMs: number): void {
    switch (event.kind) {
      case "replica_facts":
        this.facts = event.facts;
        this.refused = null;
        this.raiseFloor(event.facts.position.generation);
        this.raiseFloor(event.facts.history.at(-1)?.generation.number ?? 0);
        break;
      case "replica_refused":
        this.refused = { cause: event.cause, remedy: event.remedy };
        break;
      case "sealed":
        if (event.answer.ok) this.facts = event.answer.facts;
        break;
      case "peer_up":
        if (!this.peers.has(event.node)) break;
        this.peers.set(event.node, { state: "up", incarnation: event.incarnation });
        if (this.heard?.node === event.node && this.heard.incarnation !== event.incarnation) {
          this.heard = { ...this.heard, restarted: true };
        }
        break;
      case "peer_suspected":
      case "peer_down": {
        const known = this.peers.get(event.node);
        if (known === undefined) break;
        this.peers.set(event.node, { ...known, state: event.kind === "peer_down" ? "down" : "suspected" });
        break;
      }
      case "stop_gracefully":
        this.stopping = true;
        break;
      case "summary":
        if (!this.peers.has(event.from)) break;
        this.#summaries.set(event.from, event.summary);
        this.raiseFloor(event.summary.generation);
        break;
      case "remote": {
        const { body } = event;
        if (body.kind === "promise_requested" && !body.probe) this.raiseFloor(body.generation.number);
        if (body.kind === "record_requested") this.raiseFloor(body.record.generation.number);
        if (body.kind === "promised" && body.record !== null) {
          this.raiseFloor(body.record.generation.number);
          this.born = true;
        }
        if (
          body.kind === "promise_refused" || body.kind === "lease_refused" || body.kind === "record_refused"
        ) {
          this.raiseFloor(body.number);
        }
        if (body.kind === "promise_refused" && body.reason === "already_born") this.born = true;
        if (body.kind === "candidacy_offered") this.raiseFloor(body.number);
        if (body.kind === "lease_requested" && event.from !== this.node) {
          this.#hear(event, body.generation, nowMs);
        }
        break;
      }
      default:
        break;
    }
  }

  #hear(
    event: { readonly from: string; readonly incarnation: string },
    generation: { readonly number: number; readonly id: string },
    nowMs: number,
  ): void {
    this.raiseFloor(generation.number);
    if (
      this.heard !== null && this.heard.generation > generation.number &&
      nowMs - this.heard.atMs < this.leaseMs
    ) return;
    this.offered.clear();
    this.heard = {
      node: event.from,
      incarnation: event.incarnation,
      generationId: generation.id,
      generation: generation.number,
      atMs: nowMs,
      restarted: false,
    };
  }

  raiseFloor(number: number): void {
    this.floor = Math.max(this.floor, number);
  }

  /** The highest generation that another node claims to be in. */
  get generationElsewhere(): number {
    return Math.max(0, ...[...this.#summaries.values()].map((summary) => summary.generation));
  }

  isUp(node: string): boolean {
    return this.peers.get(node)?.state === "up";
  }

  /** Who is asked: the recorded voters, and the replicas of the configuration while they may be others. */
  electorate(record: GroupRecord | null): readonly string[] {
    return [...new Set([...(record?.voters ?? []), ...this.plan.replicas.map((replica) => replica.node)])];
  }

  isUnborn(voter: VoterMachine): boolean {
    const { facts } = this;
    return !this.born && voter.vote.record === null && facts !== null && facts.disk === "empty" &&
      facts.groupId === null;
  }

  judgeSource(voter: VoterMachine, nowMs: number): SourceVerdict {
    return judgeSource({
      node: this.node,
      heard: this.heard,
      resignedId: voter.resignedId,
      recordedSource: voter.vote.record?.source ?? null,
      unborn: this.isUnborn(voter),
      startedAtMs: this.#startedAtMs,
      leaseMs: this.leaseMs,
      nowMs,
    });
  }

  /** How long this node holds back before it stands. */
  staggerMs(voter: VoterMachine): number {
    const positions = new Map<string, Position>();
    for (const [node, { position }] of this.#summaries) positions.set(node, position);
    if (this.facts !== null) positions.set(this.node, this.facts.position);
    const down = new Set([...this.peers].filter(([, peer]) => peer.state === "down").map(([node]) => node));
    const { record } = voter.vote;
    const rank = rankOf({ node: this.node, replicas: this.plan.replicas, record, positions, down });
    return (rank + (rank === 0 ? 0 : this.jitter() / 2)) * this.intervalMs;
  }

  /** 0 ≤ x < 1, another one for every attempt. */
  jitter(): number {
    return fractionFor(this.node, this.floor * 31 + this.attempts);
  }

  /** Of a number of nodes, "beta (down), gamma (up)", for people. */
  describe(nodes: readonly string[]): string {
    return nodes.map((node) =>
      `${node} (${node === this.node ? "this node" : this.peers.get(node)?.state ?? "unknown"})`
    )
      .join(", ");
  }
}

/**
 * The failover machine of one group on one node: `step(event, moment) → effects`. Pure.
 *
 * It is three things that share an event: what is believed (`knowledge.ts`), the voter (`voter_machine.ts`), which binds
 * itself towards everybody, and one of the states (`states/`), which wants to become or stay source, or lets others.
 * The state speaks to its own voter by messages to itself, as to any other voter: what counts from others counts from
 * it, and only when durable.
 */
import { invariant } from "../../runtime/invariant.ts";
import { type GroupRecord, majorityOf } from "../../protocol/member_set.ts";
import type { Effect, GroupEvent, Moment } from "./effects.ts";
import { Knowledge, type KnowledgeOptions } from "./knowledge.ts";
import type { FailoverStatus, GroupSummary } from "./messages.ts";
import { Blocked } from "./states/blocked.ts";
import { Demoting } from "./states/demoting.ts";
import { Electing } from "./states/electing.ts";
import { InService } from "./states/in_service.ts";
import { Promoting } from "./states/promoting.ts";
import { type GroupState, isServing, type Scene, type Transition } from "./states/scene.ts";
import { Suspecting } from "./states/suspecting.ts";
import { Watching } from "./states/watching.ts";
import { type Surroundings, VoterMachine } from "./voter_machine.ts";

/** No chain of states is longer than a way through all of them. */
const TRANSITIONS_MAX = 8;

export class GroupMachine {
  readonly #known: Knowledge;
  readonly #voter: VoterMachine;
  #state: GroupState = new Watching({ holdBackUntilMs: 0 });
  #published: GroupSummary | null = null;
  #noted: Pick<FailoverStatus, "state" | "cause"> = { state: "watching", cause: null };
  #effects: Effect[] = [];

  constructor(options: KnowledgeOptions) {
    const { node, plan, leaseMs, intervalMs } = options;
    invariant(leaseMs >= 4 * intervalMs, "a lease survives three lost renewals");
    invariant(
      plan.replicas.some((replica) => replica.node === node),
      "this node holds a replica of the group",
    );
    this.#known = new Knowledge(options);
    this.#voter = new VoterMachine({ group: plan.group, node, leaseMs });
  }

  get state(): GroupState {
    return this.#state;
  }

  /** Takes one event to its end. Effects are to be performed in order. */
  step(event: GroupEvent, moment: Moment): readonly Effect[] {
    this.#effects = [];
    const scene = this.#scene(moment);
    this.#known.learn(event, moment.nowMs);
    this.#vote(event, this.#surroundings(scene));
    this.#refuse(event);
    this.#follow(this.#state.on(event, scene), scene);
    this.#settleAwaited(scene);
    // A state that serves says it once it has resigned.
    if (event.kind === "stop_gracefully" && !isServing(this.#state)) {
      this.#emit({ kind: "stopped", resigned: true });
    }
    this.#publish();
    this.#noteState(scene);
    return this.#effects;
  }

  /** When a `wake` is due, at the latest. */
  wakeAtMs(moment: Moment): number {
    const scene = this.#scene(moment);
    return Math.min(
      this.#state.wakeAtMs(scene),
      this.#voter.wakeAtMs,
      this.#known.awaited?.deadlineMs ?? Infinity,
    );
  }

  status(moment: Moment): FailoverStatus {
    const scene = this.#scene(moment);
    const { record } = this.#voter.vote;
    const term = this.#state instanceof InService ? this.#state.term : null;
    const inForce = term?.inForce ?? record;
    const voters = inForce?.voters ?? this.#known.electorate(null);
    const votes = voters.filter((voter) => this.#known.isUp(voter)).length;
    const needed = majorityOf(voters.length);
    const leaseLeftMs = term === null ? null : term.leaseUntilMs - moment.nowMs;
    const explanation = this.#state.explain(scene);
    return {
      group: this.#known.group,
      ...explanation,
      ...(explanation.cause === null && inForce !== null ? this.#difference(inForce) : {}),
      source: this.#source(moment.nowMs),
      generation: inForce?.generation.number ?? 0,
      record: inForce,
      quorum: {
        held: votes >= needed && (leaseLeftMs === null || leaseLeftMs > 0),
        votes,
        of: voters.length,
        needed,
      },
      leaseLeftMs,
    };
  }

  /** The recorded configuration is in force, whatever the file says. */
  #difference(record: GroupRecord): { readonly cause: string; readonly remedy: string } | null {
    const configured = this.#known.plan.replicas.map((replica) => replica.node);
    const same = configured.length === record.replicas.length &&
      configured.every((node) => record.replicas.includes(node));
    if (same) return null;
    return {
      cause: `the configuration names the replicas ${configured.join(", ")}, the record in force ${
        record.replicas.join(", ")
      }`,
      remedy: "make the configuration name the recorded replicas; a change of replicas is applied by command",
    };
  }

  #vote(event: GroupEvent, around: Surroundings): void {
    const voter = this.#voter;
    switch (event.kind) {
      case "vote_ready":
        voter.opened(event.opened, around);
        if (voter.ready) this.#emit({ kind: "seal", number: voter.sealedBelow });
        return;
      case "target_started":
        // An unsealed target refuses every stream, so it waits for the vote.
        if (voter.ready) this.#emit({ kind: "seal", number: voter.sealedBelow });
        return;
      case "vote_stored":
        return voter.stored(event.failure, around);
      case "sealed":
        return voter.sealed(event.number, event.answer, around);
      case "wake":
        return voter.woke(around);
      case "peer_up":
        return voter.peerStarted(event);
      case "remote": {
        const asker = { node: event.from, incarnation: event.incarnation };
        if (event.body.kind === "resigned") return voter.resigned(asker, event.body.generation.id);
        if (
          event.body.kind === "promise_requested" || event.body.kind === "record_requested" ||
          event.body.kind === "lease_requested"
        ) voter.ask(asker, event.body, around);
        return;
      }
      default:
        return;
    }
  }

  #follow(first: Transition | null, scene: Scene): void {
    let transition = first;
    for (let hop = 0; transition !== null; hop += 1) {
      invariant(hop < TRANSITIONS_MAX, "a chain of states ends");
      this.#state = stateFor(transition);
      transition = this.#state.enter(scene);
    }
  }

  /** For the event history: what a person would read in the status, when it changes. */
  #noteState(scene: Scene): void {
    const { state, cause } = this.#state.explain(scene);
    const from = this.#noted;
    if (from.state === state && (state !== "blocked" || from.cause === cause)) return;
    this.#noted = { state, cause };
    const fields = { group: this.#known.group, from: from.state, to: state, cause };
    this.#emit({ kind: "note", event: "state_changed", fields });
  }

  /** A switchover is done when the new source is heard, and failed when it is another or nobody. */
  #settleAwaited({ nowMs }: Scene): void {
    const { awaited, heard, node } = this.#known;
    if (awaited === null) return;
    const self = this.#state instanceof InService ? this.#state.term.generation.number : 0;
    const follower = self > awaited.above
      ? { node, generation: self }
      : heard !== null && heard.generation > awaited.above
      ? heard
      : null;
    if (follower === null && nowMs < awaited.deadlineMs) return;
    this.#known.awaited = null;
    if (awaited.reply === null) return;
    const outcome = follower === null
      ? {
        ok: false,
        reason: `${awaited.node} did not become source in time`,
        remedy: "holdfast status",
      } as const
      : follower.node === awaited.node
      ? { ok: true, source: follower.node, generation: follower.generation } as const
      : {
        ok: false,
        reason: `${follower.node} became source instead`,
        remedy: "holdfast switchover again",
      } as const;
    this.#emit({ kind: "answer_switchover", reply: awaited.reply, outcome });
  }

  /** Questions that only an open gate can take. */
  #refuse(event: GroupEvent): void {
    if (this.#state instanceof InService) return;
    if (event.kind === "record_change") {
      const outcome = { kind: "lost", cause: `this node is not in service but ${this.#state.kind}` } as const;
      this.#emit({ kind: "answer_change", reply: event.reply, outcome });
    }
    if (event.kind === "switchover") {
      const reason = `${this.#known.node} is not the source of ${this.#known.group}`;
      const outcome = { ok: false, reason, remedy: "ask the source: holdfast status names it" } as const;
      this.#emit({ kind: "answer_switchover", reply: event.reply, outcome });
    }
  }

  #source(nowMs: number): string | null {
    if (this.#state instanceof InService) return this.#known.node;
    const { heard } = this.#known;
    return heard !== null && !this.#known.judgeSource(this.#voter, nowMs).lost ? heard.node : null;
  }

  #publish(): void {
    const { facts, group } = this.#known;
    if (facts === null) return;
    const serving = this.#state instanceof InService ? this.#state.term.generation.number : 0;
    const summary: GroupSummary = {
      group,
      role: serving > 0 ? "source" : facts.role === "source" ? "none" : facts.role,
      generation: Math.max(serving, facts.history.at(-1)?.generation.number ?? 0),
      position: facts.position,
      source: serving > 0 ? this.#known.node : this.#known.heard?.node ?? null,
    };
    const last = this.#published;
    if (
      last !== null && last.role === summary.role && last.generation === summary.generation &&
      last.source === summary.source && last.position.seq === summary.position.seq &&
      last.position.generation === summary.position.generation
    ) return;
    this.#published = summary;
    this.#emit({ kind: "publish", summary });
  }

  #emit(effect: Effect): void {
    this.#effects.push(effect);
  }

  #scene(moment: Moment): Scene {
    return {
      ...moment,
      known: this.#known,
      voter: this.#voter,
      emit: (effect) => this.#emit(effect),
      send: (to, body) => this.#emit({ kind: "send", to, body }),
    };
  }

  #surroundings({ nowMs }: Scene): Surroundings {
    return {
      nowMs,
      serving: isServing(this.#state),
      facts: this.#known.facts,
      emit: (effect) => this.#emit(effect),
    };
  }
}

function stateFor(transition: Transition): GroupState {
  switch (transition.to) {
    case "watching":
      return new Watching(transition);
    case "suspecting":
      return new Suspecting(transition);
    case "electing":
      return new Electing(transition);
    case "promoting":
      return new Promoting(transition);
    case "in_service":
      return new InService(transition);
    case "blocked":
      return new Blocked(transition);
    case "demoting":
      return new Demoting(transition);
  }
}

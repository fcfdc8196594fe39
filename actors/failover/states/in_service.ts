/**
 * In service: the gate of this node is open. Renews the lease, gets changes of the member set recorded, and leaves when
 * anything speaks of a higher generation. Pure.
 *
 * Losing the lease does not end the term: the mirror holds its completions by its own clocks, and if the same voters
 * come back before they promised anybody, the term goes on as if nothing had been.
 */
import type { ReplyTo } from "../../../runtime/mod.ts";
import { invariant } from "../../../runtime/invariant.ts";
import type { GroupRecord, Member } from "../../../protocol/member_set.ts";
import { sameGeneration } from "../../../protocol/position.ts";
import type { GroupEvent } from "../effects.ts";
import type { Explanation, RecordChangeOutcome, SwitchoverOutcome } from "../messages.ts";
import type { Term } from "../term.ts";
import { tellLease } from "./promoting.ts";
import type { Demotion, GroupState, Scene, Transition } from "./scene.ts";

/** How long a mirror may take to bring everything to one position before a planned move is given up. */
export const DRAIN_MS = 15_000;
/** A node that stops leaves sooner: when all stop together there is nobody left to bring a leg to one position. */
const STOP_DRAIN_MS = 3_000;

interface PendingChange {
  readonly record: GroupRecord;
  readonly reply: ReplyTo<RecordChangeOutcome>;
  readonly sinceMs: number;
}

interface Drain {
  /** Null: the node stops, whoever is best may follow. */
  readonly to: string | null;
  readonly reply: ReplyTo<SwitchoverOutcome> | null;
  readonly deadlineMs: number;
}

export class InService implements GroupState {
  readonly kind = "in_service";
  readonly #term: Term;
  #change: PendingChange | null = null;
  #drain: Drain | null = null;
  #askAgainAtMs = 0;
  #toldUntilMs = -Infinity;
  #healthy = true;

  constructor(options: { readonly term: Term }) {
    this.#term = options.term;
  }

  get term(): Term {
    return this.#term;
  }

  enter(scene: Scene): Transition | null {
    const { known } = scene;
    this.#askAgainAtMs = scene.nowMs;
    scene.emit({
      kind: "note",
      event: "in_service",
      fields: { group: known.group, generation: this.#term.generation.number, source: known.node },
    });
    this.#tell(scene);
    return known.stopping ? this.#beginDrain(scene, { to: null, reply: null }) : null;
  }

  on(event: GroupEvent, scene: Scene): Transition | null {
    const term = this.#term;
    if (term.look(scene)) {
      scene.emit({
        kind: "note",
        event: "lease_dropped",
        fields: { group: scene.known.group, cause: "this process was stopped" },
      });
      this.#tell(scene);
      this.#renew(scene);
    }
    const next = this.#take(event, scene);
    if (next !== null) return next;
    if (term.leaseUntilMs !== this.#toldUntilMs) this.#tell(scene);
    this.#settleChange(scene);
    return this.#judgeHigher(event, scene);
  }

  #take(event: GroupEvent, scene: Scene): Transition | null {
    switch (event.kind) {
      case "wake":
        return this.#woke(scene, event.healthy);
      case "remote":
        this.#term.answered(event.from, event.body);
        return null;
      case "record_change":
        this.#propose(scene, event.members, event.reply);
        return null;
      case "gate_closed":
        return sameGeneration(event.generation, this.#term.generation)
          ? this.#demote(scene, { cause: event.cause, gateClosed: true })
          : null;
      case "mirror_down":
        return this.#demote(scene, { cause: `the mirror ended: ${event.cause}`, gateClosed: true });
      case "switchover":
        return this.#switchover(scene, event.to, event.reply);
      case "stop_gracefully":
        return this.#drain?.to === null ? null : this.#beginDrain(scene, { to: null, reply: null });
      case "drained":
        return this.#drained(scene);
      case "drain_refused":
        this.#endDrain(scene, event.reason);
        return scene.known.stopping
          ? this.#demote(scene, { cause: "this node is stopping", gateClosed: false })
          : null;
      default:
        return null;
    }
  }

  #woke(scene: Scene, healthy: boolean): Transition | null {
    const { nowMs, known } = scene;
    if (this.#drain !== null && nowMs >= this.#drain.deadlineMs) {
      const stops = this.#drain.to === null;
      this.#endDrain(scene, "the mirror could not bring all legs to one position in time");
      if (stops) return this.#demote(scene, { cause: "this node is stopping", gateClosed: false });
    }
    if (nowMs < this.#askAgainAtMs) return null;
    this.#askAgainAtMs = nowMs + known.intervalMs;
    this.#term.sendRecord(scene.send);
    if (this.#healthy !== healthy) {
      scene.emit({
        kind: "note",
        event: healthy ? "healthy_again" : "unhealthy",
        fields: { group: known.group },
      });
      this.#healthy = healthy;
    }
    // A hung source fails over: its voters' grants run out.
    if (healthy) this.#renew(scene);
    return null;
  }

  #renew(scene: Scene): void {
    this.#term.renew(scene.nowMs, scene.send);
  }

  #tell(scene: Scene): void {
    this.#toldUntilMs = this.#term.leaseUntilMs;
    tellLease(scene, this.#term);
  }

  #propose(scene: Scene, members: readonly Member[], reply: ReplyTo<RecordChangeOutcome>): void {
    const { node } = scene.known;
    const { proposed } = this.#term;
    invariant(members.some((member) => member.node === node), "the source is in its own member set");
    invariant(
      new Set(members.map((member) => member.node)).size === members.length,
      "a member is named once",
    );
    invariant(
      members.every((member) => proposed.replicas.includes(member.node)),
      "only a replica is a member",
    );
    const record = { ...proposed, version: proposed.version + 1, members };
    if (this.#change !== null) {
      const outcome = { kind: "superseded", by: record.version } as const;
      scene.emit({ kind: "answer_change", reply: this.#change.reply, outcome });
    }
    this.#change = { record, reply, sinceMs: scene.nowMs };
    this.#term.propose(record, scene.send);
  }

  #settleChange(scene: Scene): void {
    const change = this.#change;
    if (change === null || this.#term.inForce?.version !== change.record.version) return;
    this.#change = null;
    scene.emit({
      kind: "answer_change",
      reply: change.reply,
      outcome: { kind: "recorded", record: change.record },
    });
    scene.emit({ kind: "tell_mirror", message: { kind: "record_in_force", record: change.record } });
    scene.emit({
      kind: "note",
      event: "members_recorded",
      fields: {
        group: scene.known.group,
        version: change.record.version,
        members: change.record.members.map(({ node }) => node),
      },
    });
  }

  /** Anything that speaks of a higher generation ends this one. */
  #judgeHigher(event: GroupEvent, scene: Scene): Transition | null {
    const { known, voter, nowMs } = scene;
    const { generation } = this.#term;
    // A candidate asks for real, and nothing backs this gate any more: make way at once.
    const candidate =
      event.kind === "remote" && event.body.kind === "promise_requested" && !event.body.probe &&
        event.from !== known.node && this.#term.leaseUntilMs <= nowMs
        ? event.body.generation.number
        : 0;
    const higher = Math.max(this.#term.higher, voter.sealedBelow, known.generationElsewhere, candidate);
    if (this.#term.higher === 0 && higher <= generation.number) return null;
    known.raiseFloor(higher);
    scene.emit({ kind: "tell_mirror", message: { kind: "higher_generation", number: higher } });
    return this.#demote(scene, { cause: `generation ${higher} was promised elsewhere`, gateClosed: false });
  }

  #switchover(scene: Scene, to: string, reply: ReplyTo<SwitchoverOutcome>): Transition | null {
    const { known, nowMs } = scene;
    const refuse = (reason: string, remedy: string): null => {
      scene.emit({ kind: "answer_switchover", reply, outcome: { ok: false, reason, remedy } });
      return null;
    };
    if (to === known.node) return refuse(`${to} is the source already`, "name another node");
    if (!this.#term.proposed.replicas.includes(to)) {
      return refuse(
        `${to} holds no replica of ${known.group}`,
        `one of: ${this.#term.proposed.replicas.join(", ")}`,
      );
    }
    if (this.#drain !== null) return refuse("another move is under way", "wait for it to end");
    if (this.#change !== null) return refuse("the member set is being changed", "try again in a moment");
    if (this.#term.leaseUntilMs <= nowMs) {
      return refuse("this source has no lease of a majority", "holdfast why the group");
    }
    if (!known.isUp(to)) return refuse(`${to} is not up`, `start ${to}`);
    if (!(this.#term.inForce?.members.some((member) => member.node === to) ?? false)) {
      return refuse(
        `${to} is not in the member set: it lacks completed writes`,
        "wait until its leg is replicating",
      );
    }
    return this.#beginDrain(scene, { to, reply });
  }

  #beginDrain(scene: Scene, drain: Pick<Drain, "to" | "reply">): null {
    if (this.#drain?.reply) this.#answerDrain(scene, this.#drain, "the node stops");
    this.#drain = { ...drain, deadlineMs: scene.nowMs + (drain.to === null ? STOP_DRAIN_MS : DRAIN_MS) };
    scene.emit({ kind: "tell_mirror", message: { kind: "drain", to: drain.to } });
    return null;
  }

  #drained(scene: Scene): Transition | null {
    const drain = this.#drain;
    if (drain === null) return null;
    this.#drain = null;
    const { known } = scene;
    const cause = drain.to === null ? "this node is stopping" : `switchover to ${drain.to}`;
    const successor = drain.to ??
      this.#term.inForce?.members.find((member) => member.node !== known.node && known.isUp(member.node))
        ?.node ??
      null;
    return this.#demote(scene, { cause, gateClosed: false, successor, reply: drain.reply });
  }

  #endDrain(scene: Scene, reason: string): void {
    const drain = this.#drain;
    if (drain === null) return;
    this.#drain = null;
    scene.emit({ kind: "tell_mirror", message: { kind: "drain_cancelled", reason } });
    this.#answerDrain(scene, drain, reason);
  }

  #answerDrain(scene: Scene, { reply }: Drain, reason: string): void {
    if (reply === null) return;
    const outcome = { ok: false, reason, remedy: "see holdfast status for the state of its leg" } as const;
    scene.emit({ kind: "answer_switchover", reply, outcome });
  }

  #demote(
    scene: Scene,
    why: Pick<Demotion, "cause" | "gateClosed"> & Partial<Pick<Demotion, "successor" | "reply">>,
  ): Transition {
    if (this.#change !== null) {
      const outcome = { kind: "lost", cause: why.cause } as const;
      scene.emit({ kind: "answer_change", reply: this.#change.reply, outcome });
      this.#change = null;
    }
    if (this.#drain !== null) this.#answerDrain(scene, this.#drain, why.cause);
    const { generation } = this.#term;
    return { to: "demoting", demotion: { generation, successor: null, reply: null, ...why } };
  }

  wakeAtMs(): number {
    return Math.min(this.#askAgainAtMs, this.#drain?.deadlineMs ?? Infinity);
  }

  explain({ known, nowMs }: Scene): Explanation {
    const term = this.#term;
    if (!this.#healthy) {
      return {
        state: term.leaseUntilMs > nowMs ? this.kind : "blocked",
        cause: "the main loop or a disk of this node stalls: the lease is not renewed",
        remedy: `look at the disks of ${known.node}`,
      };
    }
    if (term.leaseUntilMs <= nowMs) {
      const missing = term.unleased(nowMs);
      return {
        state: "blocked",
        cause: `waits for a majority of voters to renew the lease: ${known.describe(missing)}`,
        remedy: `start or reach one of: ${missing.filter((node) => node !== known.node).join(", ")}`,
      };
    }
    if (this.#change !== null && nowMs - this.#change.sinceMs >= known.intervalMs) {
      const missing = term.unrecorded;
      const members = this.#change.record.members.map(({ node }) => node).join(", ");
      return {
        state: "blocked",
        cause: `waits for a majority of voters to record the member set ${members}: ${
          known.describe(missing)
        }`,
        remedy: `start or reach one of: ${missing.join(", ")}`,
      };
    }
    if (term.forgotten.length > 0) {
      return {
        state: this.kind,
        cause: `the voter of ${term.forgotten.join(", ")} lost its memory and does not count in elections`,
        remedy: `restore votes/${known.group} under its state directory`,
      };
    }
    return { state: this.kind, cause: null, remedy: null };
  }
}

/**
 * Promoting: a majority promised. Three steps, each a condition of the next (I11): the record of the new generation held
 * by a majority, a lease of a majority, the gate opened by the mirror. Pure.
 *
 * A promotion that stops half-way is resigned, and its record stays: whoever comes next must take it for one that
 * was in force, since nobody can know that its gate never opened.
 */
import { invariant } from "../../../runtime/invariant.ts";
import { type GroupRecord, isMember } from "../../../protocol/member_set.ts";
import { type Generation, sameGeneration } from "../../../protocol/position.ts";
import type { GroupEvent } from "../effects.ts";
import type { Explanation } from "../messages.ts";
import { Term } from "../term.ts";
import { type GroupState, type Promotion, type Scene, suspectAt, type Transition } from "./scene.ts";

/** How long the mirror may take to make its history entry durable and open the gate. */
const OPENING_MS = 30_000;

export class Promoting implements GroupState {
  readonly kind = "promoting";
  readonly #generation: Generation;
  readonly #promotion: Promotion;
  #term: Term | null = null;
  #step: "recording" | "leasing" | "opening" = "recording";
  #askAgainAtMs = 0;
  #deadlineMs = 0;
  #toldUntilMs = -Infinity;

  constructor(options: { readonly generation: Generation; readonly promotion: Promotion }) {
    this.#generation = options.generation;
    this.#promotion = options.promotion;
  }

  get opening(): boolean {
    return this.#step === "opening";
  }

  enter(scene: Scene): Transition | null {
    const { known, nowMs, wallMs } = scene;
    const { groupId, members, voters, replicas, row, lossless } = this.#promotion;
    const record: GroupRecord = {
      groupId,
      generation: this.#generation,
      source: known.node,
      version: 1,
      members,
      voters,
      replicas,
      ...(lossless ? {} : { lossless }),
    };
    invariant(isMember(record, known.node), "the source is in its own member set");
    this.#term = new Term({
      group: known.group,
      record,
      leaseMs: known.leaseMs,
      intervalMs: known.intervalMs,
      look: { nowMs, wallMs },
    });
    this.#askAgainAtMs = nowMs + known.intervalMs;
    this.#deadlineMs = nowMs + 2 * known.leaseMs;
    scene.emit({
      kind: "note",
      event: "promotion_began",
      fields: {
        group: known.group,
        generation: this.#generation.number,
        row,
        members: members.map(({ node }) => node),
      },
    });
    this.#term.sendRecord(scene.send);
    return null;
  }

  on(event: GroupEvent, scene: Scene): Transition | null {
    const term = this.#term;
    invariant(term !== null, "a promotion has a term from its first step on");
    const { known, nowMs } = scene;
    if (term.look(scene)) this.#told(-Infinity);
    switch (event.kind) {
      case "remote":
        term.answered(event.from, event.body);
        break;
      case "gate_opened":
        if (sameGeneration(event.generation, this.#generation)) return { to: "in_service", term };
        break;
      case "gate_closed":
        if (sameGeneration(event.generation, this.#generation)) return this.#giveUp(scene, event.cause, true);
        break;
      case "mirror_down":
        if (this.#step === "opening") return this.#giveUp(scene, event.cause, true);
        break;
      case "wake":
        if (nowMs >= this.#deadlineMs) return this.#giveUp(scene, this.#waitsFor(scene, term), false);
        if (nowMs >= this.#askAgainAtMs) this.#askAgain(scene, term, event.healthy);
        break;
      default:
        break;
    }
    if (known.stopping) return this.#giveUp(scene, "this node is stopping", false);
    const higher = Math.max(term.higher, scene.voter.sealedBelow);
    if (term.higher > 0 || higher > this.#generation.number) {
      return this.#giveUp(scene, `generation ${higher} was promised elsewhere`, false);
    }
    this.#advance(scene, term);
    return null;
  }

  #askAgain(scene: Scene, term: Term, healthy: boolean): void {
    this.#askAgainAtMs = scene.nowMs + scene.known.intervalMs;
    term.sendRecord(scene.send);
    if (this.#step !== "recording" && healthy) term.renew(scene.nowMs, scene.send);
  }

  #advance(scene: Scene, term: Term): void {
    const { known, nowMs, wallMs } = scene;
    // I11: generation and member set are held by a majority before anything depends on them.
    if (this.#step === "recording" && term.inForce !== null) {
      this.#step = "leasing";
      term.renew(nowMs, scene.send);
    }
    if (this.#step === "leasing" && term.leaseUntilMs > nowMs) {
      this.#step = "opening";
      this.#deadlineMs = nowMs + OPENING_MS;
      this.#told(term.leaseUntilMs);
      const { baseSeq, lossless } = this.#promotion;
      scene.emit({
        kind: "become_source",
        opening: {
          generation: this.#generation,
          entry: { generation: this.#generation, source: known.node, baseSeq, lossless },
          record: term.proposed,
          leaseUntilMs: term.leaseUntilMs,
          leaseUntilWallMs: wallMs + term.leaseUntilMs - nowMs,
        },
      });
    }
    if (this.#step === "opening" && term.leaseUntilMs !== this.#toldUntilMs) {
      this.#told(term.leaseUntilMs);
      tellLease(scene, term);
    }
  }

  #told(untilMs: number): void {
    this.#toldUntilMs = untilMs;
  }

  #giveUp(scene: Scene, cause: string, gateClosed: boolean): Transition {
    const { known } = scene;
    scene.emit({
      kind: "note",
      event: "promotion_failed",
      fields: { group: known.group, generation: this.#generation.number, cause },
    });
    if (this.#step === "opening") {
      const demotion = { generation: this.#generation, cause, gateClosed, successor: null, reply: null };
      return { to: "demoting", demotion };
    }
    for (const voter of this.#promotion.voters) {
      scene.send(voter, {
        kind: "resigned",
        group: known.group,
        generation: this.#generation,
        successor: null,
      });
    }
    return suspectAt(
      cause,
      scene.nowMs + known.intervalMs * (1 + known.jitter()) + known.staggerMs(scene.voter),
      null,
    );
  }

  #waitsFor({ known, nowMs }: Scene, term: Term): string {
    switch (this.#step) {
      case "recording":
        return `waits for a majority of voters to record generation ${this.#generation.number}: ${
          known.describe(term.unrecorded)
        }`;
      case "leasing":
        return `waits for a lease from a majority of voters: ${known.describe(term.unleased(nowMs))}`;
      case "opening":
        return "waits for the mirror to open the gate";
    }
  }

  wakeAtMs(): number {
    return Math.min(this.#askAgainAtMs, this.#deadlineMs);
  }

  explain(scene: Scene): Explanation {
    const cause = this.#term === null ? null : this.#waitsFor(scene, this.#term);
    return { state: this.kind, cause, remedy: null };
  }
}

/** The lease as it is now, shorter or longer than before. */
export function tellLease({ emit, nowMs, wallMs }: Scene, term: Term): void {
  const untilMs = Math.max(term.leaseUntilMs, 0);
  emit({
    kind: "tell_mirror",
    message: { kind: "lease", generation: term.generation, untilMs, untilWallMs: wallMs + untilMs - nowMs },
  });
}

/**
 * Electing: first a canvass, then the election. Pure.
 *
 * A canvass asks the voters whether they would promise, and binds nobody. Without it, every look at a hopeless
 * situation would burn a generation number, seal replicas and take votes from a source that lives on the other side of
 * a broken link. Only a candidate that would win asks for real, and it judges the real promises, sealed positions
 * included, by the same table once more.
 */
import type { Generation } from "../../../protocol/position.ts";
import { judgeCandidacy, type PromiseFound, type Verdict } from "../candidate.ts";
import type { FreshIds, GroupEvent } from "../effects.ts";
import { waitsBecause } from "../explain.ts";
import type { Explanation } from "../messages.ts";
import type { Purpose, RemoteFailover } from "../remote_messages.ts";
import { type GroupState, type Scene, suspect, suspectAt, type Transition } from "./scene.ts";
import { mayStand } from "./watching.ts";

type Refused = Extract<RemoteFailover, { kind: "promise_refused" }>;

export class Electing implements GroupState {
  readonly kind = "electing";
  readonly #ids: FreshIds;
  readonly #before: Explanation | null;
  #canvassing = true;
  #generation: Generation = { number: 1, id: "" };
  #purpose: Purpose = "promotion";
  #electorate: readonly string[] = [];
  readonly #promises = new Map<string, PromiseFound>();
  readonly #refusals = new Map<string, Refused>();
  /** Did not answer the canvass: asked again, but not waited for. */
  #absent: ReadonlySet<string> = new Set();
  #askAgainAtMs = 0;
  /** Until then every voter may answer; after it, those that did decide. */
  #gatherUntilMs = 0;
  #deadlineMs = 0;

  constructor(options: { readonly ids: FreshIds; readonly before: Explanation | null }) {
    this.#ids = options.ids;
    this.#before = options.before;
  }

  enter(scene: Scene): Transition | null {
    const { known, voter } = scene;
    known.attempts += 1;
    known.raiseFloor(voter.sealedBelow);
    this.#generation = { number: known.floor + 1, id: this.#ids.generationId };
    this.#purpose = known.isUnborn(voter) ? "birth" : "promotion";
    this.#electorate = known.electorate(voter.vote.record);
    this.#ask(scene);
    return null;
  }

  #ask(scene: Scene): void {
    const { known, nowMs } = scene;
    this.#promises.clear();
    this.#refusals.clear();
    this.#gatherUntilMs = nowMs + 2 * known.intervalMs;
    this.#deadlineMs = nowMs + (this.#canvassing ? 2 * known.intervalMs : known.leaseMs);
    this.#send(scene);
  }

  #send(scene: Scene): void {
    this.#askAgainAtMs = scene.nowMs + scene.known.intervalMs;
    for (const node of this.#electorate) {
      if (this.#promises.has(node)) continue;
      scene.send(node, {
        kind: "promise_requested",
        group: scene.known.group,
        generation: this.#generation,
        purpose: this.#purpose,
        groupId: this.#purpose === "birth" ? this.#ids.groupId : null,
        probe: this.#canvassing,
      });
    }
  }

  on(event: GroupEvent, scene: Scene): Transition | null {
    const { known, voter, nowMs } = scene;
    if (!mayStand(scene)) return { to: "watching", holdBackUntilMs: 0 };
    // The own vote went to somebody else in the meantime, or a source of a higher generation lives.
    if (voter.sealedBelow > this.#generation.number) {
      return suspectAt("another node stands for election", nowMs + known.leaseMs, null);
    }
    if (event.kind === "remote") {
      const { body, from } = event;
      if (body.kind === "lease_requested" && !known.judgeSource(voter, nowMs).lost) {
        if (this.#canvassing || body.generation.number > this.#generation.number) {
          return { to: "watching", holdBackUntilMs: 0 };
        }
      }
      if (body.kind === "promised" || body.kind === "promise_refused") {
        if (body.generation.id !== this.#generation.id || body.probe !== this.#canvassing) return null;
        if (!this.#electorate.includes(from)) return null;
        if (body.kind === "promised") {
          this.#refusals.delete(from);
          this.#promises.set(from, { record: body.record, births: body.births, facts: body.facts });
        } else if (!this.#promises.has(from)) {
          this.#refusals.set(from, body);
        }
        return this.#weigh(scene);
      }
      return null;
    }
    if (event.kind === "peer_down") return this.#weigh(scene);
    if (event.kind !== "wake") return null;
    const next = this.#weigh(scene);
    if (next === null && nowMs >= this.#askAgainAtMs) this.#send(scene);
    return next;
  }

  /** Concludes when everybody who can answer did, or time is up. */
  #weigh(scene: Scene): Transition | null {
    const { known, nowMs } = scene;
    const open = this.#electorate.filter((node) => !this.#promises.has(node) && !this.#refusals.has(node));
    const allIn = open.every((node) => !known.isUp(node) || this.#absent.has(node));
    if (!allIn && nowMs < this.#gatherUntilMs) return null;
    const verdict = this.#judge(scene);
    if (verdict?.kind === "promote") {
      if (!this.#canvassing) {
        known.attempts = 0;
        known.offered.clear();
        return { to: "promoting", generation: this.#generation, promotion: verdict };
      }
      this.#canvassing = false;
      this.#absent = new Set(open);
      known.raiseFloor(this.#generation.number);
      this.#ask(scene);
      return null;
    }
    if (!allIn && nowMs < this.#deadlineMs) return null;
    // A real refusal may pass within the election: the voter is asked again until the deadline.
    if (!this.#canvassing && nowMs < this.#deadlineMs && !this.#hopeless()) return null;
    return this.#giveUp(scene, verdict);
  }

  #judge({ known }: Scene): Verdict | null {
    if (!this.#promises.has(known.node)) return null;
    return judgeCandidacy({
      node: known.node,
      replicas: known.plan.replicas,
      promises: this.#promises,
      groupId: this.#ids.groupId,
      passedOver: known.offered,
      sealed: !this.#canvassing,
    });
  }

  /** Some voter is bound to a number that this candidacy does not exceed. */
  #hopeless(): boolean {
    return [...this.#refusals.values()].some((refused) => refused.number >= this.#generation.number);
  }

  #giveUp(scene: Scene, verdict: Verdict | null): Transition {
    const { known, nowMs, voter } = scene;
    if (verdict?.kind === "yield") {
      const again = known.offered.has(verdict.to);
      known.offered.add(verdict.to);
      scene.send(verdict.to, {
        kind: "candidacy_offered",
        group: known.group,
        number: this.#generation.number,
      });
      if (!again) {
        scene.emit({
          kind: "note",
          event: "candidacy_offered",
          fields: { group: known.group, to: verdict.to },
        });
      }
      return suspectAt(
        `${verdict.to} holds more and was offered the candidacy`,
        nowMs + known.leaseMs,
        null,
      );
    }
    const refusals = [...this.#refusals];
    if (this.#hopeless()) {
      const again = suspect(scene, "a higher generation number was promised elsewhere", {
        before: this.#before,
      });
      return again.to !== "suspecting" ? again : {
        ...again,
        standAtMs: again.standAtMs + known.intervalMs * (known.jitter() + (this.#canvassing ? 0 : 0.5)),
      };
    }
    const passing = refusals.filter(([, refused]) => refused.remainingMs > 0);
    if (passing.length > 0) {
      const remainingMs = Math.min(...passing.map(([, refused]) => refused.remainingMs));
      const nodes = passing.map(([node]) => node).join(", ");
      // A canvass costs little, and a lease may be given back before it ends; word of that may be on its way.
      const { row } = known.judgeSource(voter, nowMs);
      const waitMs = row === "resigned" || row === "restarted"
        ? Math.min(remainingMs, known.intervalMs / 4)
        : Math.min(remainingMs, known.intervalMs) + known.staggerMs(voter);
      return suspectAt(
        `a lease that ${nodes} granted or may have granted runs for another ${Math.ceil(remainingMs)} ms`,
        nowMs + waitMs,
        null,
      );
    }
    const { cause, remedy } = waitsBecause(verdict, { known, refusals });
    return { to: "blocked", cause, remedy };
  }

  wakeAtMs({ nowMs }: Scene): number {
    return Math.min(
      ...[this.#askAgainAtMs, this.#gatherUntilMs, this.#deadlineMs].filter((atMs) => atMs > nowMs),
    );
  }

  /** A canvass is no state worth telling: it may be repeated for days. */
  explain(): Explanation {
    const cause = `asking the voters for generation ${this.#generation.number}`;
    if (this.#canvassing) return this.#before ?? { state: "suspecting", cause, remedy: null };
    return { state: this.kind, cause, remedy: null };
  }
}

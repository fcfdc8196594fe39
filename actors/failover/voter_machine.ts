/**
 * The voter of one group on this node: takes questions, lets the tables of `voter.ts` decide, and answers only when
 * what it answers is durable. Pure.
 *
 *     promise_requested ─ judge ─▶ sealing ─ facts ─▶ storing ─ durable ─▶ promised
 *     record_requested  ─ judge ───────────────────▶ storing ─ durable ─▶ recorded
 *     lease_requested   ─ judge ─▶ lease_granted
 *
 * One durable step at a time. What comes meanwhile waits in one slot for each (asker, kind): a newer question
 * replaces the older one, and askers repeat themselves, so that the queue is bounded by the number of voters (I8).
 * The new vote is in force when it is durable and not before, but while a promise is under way no lease is granted
 * any more: the promise was decided on the ground that none runs. A store that fails leaves the file in an unknown
 * state, so the voter answers nothing until it restarts and reads it again.
 */
import { sameGeneration } from "../../protocol/position.ts";
import type { Effect, VoteReady } from "./effects.ts";
import type { ReplicaFacts, SealAnswer } from "./messages.ts";
import type { PromiseRefusal, RemoteFailover } from "./remote_messages.ts";
import { VOTERS_MAX } from "./remote_messages.ts";
import { BLANK_VOTE, type Vote } from "./vote_format.ts";
import { type Asker, type Grant, judgeLease, judgePromise, judgeRecord, type VoterView } from "./voter.ts";

type Question = Extract<
  RemoteFailover,
  { kind: "promise_requested" | "record_requested" | "lease_requested" }
>;
type PromiseQuestion = Extract<Question, { kind: "promise_requested" }>;

interface Asked<Q extends Question = Question> {
  readonly asker: Asker;
  readonly question: Q;
}

type Step =
  | { readonly kind: "sealing"; readonly asked: Asked<PromiseQuestion>; readonly sinceMs: number }
  | {
    readonly kind: "storing";
    readonly vote: Vote;
    readonly forPromise: boolean;
    readonly answer: Effect | null;
  };

/** What the voter must know of the node it lives on. */
export interface Surroundings {
  readonly nowMs: number;
  /** The own gate is open or may still be. */
  readonly serving: boolean;
  /** As last reported; null: not yet. */
  readonly facts: ReplicaFacts | null;
  readonly emit: (effect: Effect) => void;
}

export class VoterMachine {
  readonly #group: string;
  readonly #node: string;
  readonly #leaseMs: number;
  #state: "opening" | "ready" | "failed" = "opening";
  #failure: { readonly cause: string; readonly remedy: string } | null = null;
  #vote: Vote = BLANK_VOTE;
  #quietUntilMs = Infinity;
  #grant: Grant | null = null;
  #resignedId: string | null = null;
  #step: Step | null = null;
  readonly #waiting = new Map<string, Asked>();

  constructor(options: { readonly group: string; readonly node: string; readonly leaseMs: number }) {
    this.#group = options.group;
    this.#node = options.node;
    this.#leaseMs = options.leaseMs;
  }

  /** Durable. */
  get vote(): Vote {
    return this.#vote;
  }

  get ready(): boolean {
    return this.#state === "ready";
  }

  /** Why this voter answers nothing. */
  get failure(): { readonly cause: string; readonly remedy: string } | null {
    return this.#failure;
  }

  get resignedId(): string | null {
    return this.#resignedId;
  }

  /** Streams below this number are refused by a target that starts. */
  get sealedBelow(): number {
    const underWay = this.#step?.kind === "sealing" ? this.#step.asked.question.generation.number : 0;
    return Math.max(
      this.#vote.promised?.generation.number ?? 0,
      this.#vote.record?.generation.number ?? 0,
      underWay,
    );
  }

  get wakeAtMs(): number {
    return this.#step?.kind === "sealing" ? this.#step.sinceMs + this.#leaseMs : Infinity;
  }

  opened(opened: VoteReady, around: Surroundings): void {
    if (!opened.ok) {
      this.#state = "failed";
      this.#failure = { cause: opened.cause, remedy: opened.remedy };
      return;
    }
    this.#state = "ready";
    this.#vote = opened.vote;
    this.#quietUntilMs = around.nowMs + opened.vote.leaseMs;
    if (opened.vote.record !== null && opened.vote.leaseMs < this.#leaseMs) {
      this.#store(opened.vote, { forPromise: false, answer: null }, around);
    }
  }

  ask(asker: Asker, question: Question, around: Surroundings): void {
    if (this.#state !== "ready") {
      this.#answer(asker, unavailable(question), around);
      return;
    }
    switch (question.kind) {
      case "lease_requested":
        return this.#askLease(asker, question, around);
      case "promise_requested":
        if (question.probe) return this.#askProbe({ asker, question }, around);
        break;
      case "record_requested":
        // Only the source speaks for its record; anything else is a fault of the sender.
        if (question.record.source === asker.node) break;
        around.emit({
          kind: "note",
          event: "foreign_record",
          fields: { group: this.#group, from: asker.node },
        });
        return;
    }
    if (this.#step === null) this.#begin({ asker, question }, around);
    else if (this.#waiting.size < 2 * VOTERS_MAX) {
      this.#waiting.set(`${asker.node}/${question.kind}`, { asker, question });
    }
  }

  /** The holder closed its gate for good. */
  resigned(asker: Asker, generationId: string): void {
    this.#resignedId = generationId;
    if (this.#grant?.generation.id === generationId && this.#grant.holder === asker.node) this.#grant = null;
  }

  /** A new process of a node: what the old one held died with it. */
  peerStarted(asker: Asker): void {
    if (this.#grant?.holder === asker.node && this.#grant.incarnation !== asker.incarnation) {
      this.#grant = null;
    }
  }

  sealed(number: number, answer: SealAnswer, around: Surroundings): void {
    const step = this.#step;
    if (step?.kind !== "sealing" || step.asked.question.generation.number !== number) return;
    const { asker, question } = step.asked;
    this.#step = null;
    if (!answer.ok) {
      this.#refuse(step.asked, around.serving ? "still_source" : "unavailable", around);
      return this.#next(around);
    }
    // Nothing that binds this voter can have changed since the first judgement: one step at a time, and no lease meanwhile.
    const verdict = judgePromise(this.#view(around), asker, question);
    if (verdict.kind === "refuse") {
      this.#answer(asker, refusal(question, verdict), around);
      return this.#next(around);
    }
    const promised: RemoteFailover = {
      kind: "promised",
      group: this.#group,
      generation: question.generation,
      probe: false,
      record: this.#vote.record,
      births: verdict.vote.births,
      facts: answer.facts,
    };
    if (!verdict.changed) {
      this.#answer(asker, promised, around);
      return this.#next(around);
    }
    this.#store(
      verdict.vote,
      { forPromise: true, answer: { kind: "send", to: asker.node, body: promised } },
      around,
    );
  }

  stored(failure: string | null, around: Surroundings): void {
    const step = this.#step;
    if (step?.kind !== "storing") return;
    this.#step = null;
    if (failure !== null) {
      this.#state = "failed";
      this.#failure = {
        cause: `the vote of group ${this.#group} could not be stored: ${failure}`,
        remedy: `mend the disk of the state directory of ${this.#node} and restart the node`,
      };
      this.#waiting.clear();
      around.emit({ kind: "note", event: "vote_lost", fields: { group: this.#group, cause: failure } });
      return;
    }
    const sealedBelow = this.sealedBelow;
    this.#vote = step.vote;
    // A record binds the replica like a promise: no stream of a lower generation from now on.
    if (!step.forPromise && this.sealedBelow > sealedBelow) {
      around.emit({ kind: "seal", number: this.sealedBelow });
    }
    if (step.answer !== null) around.emit(step.answer);
    this.#next(around);
  }

  /** A replica that does not answer holds nobody up for longer than a lease. */
  woke(around: Surroundings): void {
    const step = this.#step;
    if (step?.kind !== "sealing" || around.nowMs < step.sinceMs + this.#leaseMs) return;
    this.#step = null;
    this.#refuse(step.asked, "unavailable", around);
    this.#next(around);
  }

  #next(around: Surroundings): void {
    for (const [slot, asked] of this.#waiting) {
      if (this.#step !== null) return;
      this.#waiting.delete(slot);
      this.#begin(asked, around);
    }
  }

  #begin({ asker, question }: Asked, around: Surroundings): void {
    if (question.kind === "record_requested") {
      const verdict = judgeRecord(this.#view(around), question.record);
      const { generation } = question.record;
      if (verdict.kind === "held") {
        const { version } = verdict;
        this.#answer(asker, { kind: "recorded", group: this.#group, generation, version }, around);
      } else if (verdict.kind === "refuse") {
        const { reason, number } = verdict;
        this.#answer(
          asker,
          { kind: "record_refused", group: this.#group, generation, reason, number },
          around,
        );
      } else {
        const { version } = question.record;
        const body: RemoteFailover = { kind: "recorded", group: this.#group, generation, version };
        this.#store(
          verdict.vote,
          { forPromise: false, answer: { kind: "send", to: asker.node, body } },
          around,
        );
      }
      return;
    }
    if (question.kind !== "promise_requested") return;
    const verdict = judgePromise(this.#view(around), asker, question);
    if (verdict.kind === "refuse") {
      this.#answer(asker, refusal(question, verdict), around);
      return;
    }
    this.#step = { kind: "sealing", asked: { asker, question }, sinceMs: around.nowMs };
    around.emit({ kind: "seal", number: question.generation.number });
  }

  #askProbe({ asker, question }: Asked<PromiseQuestion>, around: Surroundings): void {
    const verdict = judgePromise(this.#view(around), asker, question);
    if (verdict.kind === "refuse") return this.#answer(asker, refusal(question, verdict), around);
    if (around.facts === null) return this.#refuse({ asker, question }, "unavailable", around);
    this.#answer(asker, {
      kind: "promised",
      group: this.#group,
      generation: question.generation,
      probe: true,
      record: this.#vote.record,
      births: verdict.vote.births,
      facts: around.facts,
    }, around);
  }

  #askLease(
    asker: Asker,
    question: Extract<Question, { kind: "lease_requested" }>,
    around: Surroundings,
  ): void {
    // Under way is a promise that ends this lease, or a record that begins another: the asker asks again.
    if (this.#step?.kind === "sealing") return;
    if (this.#step?.kind === "storing" && this.#step.forPromise) return;
    const { generation, round } = question;
    const pending = this.#step?.vote.record ?? null;
    if (pending !== null && !sameGeneration(pending.generation, generation)) return;
    const verdict = judgeLease(this.#view(around), asker, generation);
    if (verdict.kind === "refuse") {
      const { reason, number } = verdict;
      this.#answer(
        asker,
        { kind: "lease_refused", group: this.#group, generation, round, reason, number },
        around,
      );
      return;
    }
    this.#grant = verdict.grant;
    const body = {
      kind: "lease_granted",
      group: this.#group,
      generation,
      round,
      durationMs: this.#leaseMs,
    } as const;
    this.#answer(asker, body, around);
  }

  #store(
    vote: Vote,
    step: { readonly forPromise: boolean; readonly answer: Effect | null },
    around: Surroundings,
  ): void {
    // The record of the longest lease shrinks only when no former process's lease can run any more.
    const leaseMs = around.nowMs >= this.#quietUntilMs
      ? this.#leaseMs
      : Math.max(this.#leaseMs, this.#vote.leaseMs);
    const next = { ...vote, leaseMs };
    this.#step = { kind: "storing", vote: next, ...step };
    around.emit({ kind: "store", vote: next });
  }

  #view(around: Surroundings): VoterView {
    return {
      node: this.#node,
      vote: this.#vote,
      grant: this.#grant,
      quietUntilMs: this.#quietUntilMs,
      serving: around.serving,
      resignedId: this.#resignedId,
      leaseMs: this.#leaseMs,
      nowMs: around.nowMs,
    };
  }

  #answer(asker: Asker, body: RemoteFailover, around: Surroundings): void {
    around.emit({ kind: "send", to: asker.node, body });
  }

  #refuse({ asker, question }: Asked<PromiseQuestion>, reason: PromiseRefusal, around: Surroundings): void {
    this.#answer(asker, refusal(question, { reason, number: 0, remainingMs: 0 }), around);
  }
}

function refusal(
  question: PromiseQuestion,
  why: { readonly reason: PromiseRefusal; readonly number: number; readonly remainingMs: number },
): RemoteFailover {
  const { group, generation, probe } = question;
  const { reason, number, remainingMs } = why;
  return { kind: "promise_refused", group, generation, probe, reason, number, remainingMs };
}

function unavailable(question: Question): RemoteFailover {
  const { group } = question;
  switch (question.kind) {
    case "promise_requested":
      return refusal(question, { reason: "unavailable", number: 0, remainingMs: 0 });
    case "record_requested":
      return {
        kind: "record_refused",
        group,
        generation: question.record.generation,
        reason: "unavailable",
        number: 0,
      };
    case "lease_requested": {
      const { generation, round } = question;
      return { kind: "lease_refused", group, generation, round, reason: "unavailable", number: 0 };
    }
  }
}

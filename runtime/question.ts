/**
 * A question under way: exactly one outcome, whoever comes first, the answer or the deadline.
 *
 * The object is at once the `ReplyTo` that the target gets and the entry in the deadline queue, so a question costs
 * one allocation. It is never used twice: a target that keeps an old `ReplyTo` and answers again must not answer
 * somebody else's question, which is why a pool of them was rejected.
 */
import type { AskOutcome, Ref, ReplyTo } from "./actor.ts";
import { Cell, STOPPED } from "./cell.ts";
import type { Context } from "./context.ts";
import { Deadline, type Deadlines } from "./deadlines.ts";

abstract class Question<A> extends Deadline implements ReplyTo<A> {
  readonly deadlines: Deadlines;
  #open = true;

  constructor(deadlines: Deadlines) {
    super();
    this.deadlines = deadlines;
  }

  protected abstract outcome(outcome: AskOutcome<A>): void;

  reply(answer: A): void {
    this.settle({ ok: true, value: answer });
  }

  expired(): void {
    this.settle({ ok: false, error: "deadline" });
  }

  settle(outcome: AskOutcome<A>): void {
    if (!this.#open) return;
    this.#open = false;
    this.deadlines.remove(this);
    this.outcome(outcome);
  }

  /** Sends the question; a target that does not take it settles it at once. */
  put<Q>(target: Ref<Q>, request: (reply: ReplyTo<A>) => Q, deadlineMs: number): void {
    this.deadlines.add(this, deadlineMs);
    if (target.tell(request(this))) return;
    const gone = !(target instanceof Cell) || target.state === STOPPED;
    this.settle({ ok: false, error: gone ? "not_running" : "refused" });
  }
}

/** An actor's question: the outcome becomes a message, unless this incarnation has died. */
export class ActorQuestion<A> extends Question<A> {
  readonly #context: Context;
  readonly #toMessage: (outcome: AskOutcome<A>) => unknown;

  constructor(context: Context, toMessage: (outcome: AskOutcome<A>) => unknown) {
    super(context.cell.system.deadlines);
    this.#context = context;
    this.#toMessage = toMessage;
  }

  protected outcome(outcome: AskOutcome<A>): void {
    if (this.#context.alive) this.#context.cell.translate(this.#toMessage, outcome);
  }
}

/** A door's question: the outcome resolves a promise. */
export class DoorQuestion<A> extends Question<A> {
  readonly #resolve: (outcome: AskOutcome<A>) => void;

  constructor(deadlines: Deadlines, resolve: (outcome: AskOutcome<A>) => void) {
    super(deadlines);
    this.#resolve = resolve;
  }

  protected outcome(outcome: AskOutcome<A>): void {
    this.#resolve(outcome);
  }
}

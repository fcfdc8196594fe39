/**
 * Questions on their way between nodes: what was asked of others and waits, and what others asked here.
 *
 * A question is lost with the connection that carried it, and nobody repeats it: its asker has a deadline, and a
 * status that comes late is a status of the past. Both directions are bounded, so that a page that asks too much is
 * refused here and not noticed by the peers.
 */
import type { ReplyTo } from "../../runtime/mod.ts";
import {
  type AdminQuestion,
  parseQuestionAnswer,
  type QuestionAnswer,
} from "../../protocol/admin_questions.ts";

/** Waiting for other nodes at a time; one more is refused. */
export const QUESTIONS_OUT_MAX = 128;
/** Of other nodes, answered here at a time; one more is dropped and its asker's deadline tells it. */
export const QUESTIONS_IN_MAX = 64;

interface Waiting {
  readonly to: string;
  readonly reply: ReplyTo<QuestionAnswer>;
}

export class PeerQuestions {
  readonly #send: (to: string, body: unknown) => boolean;
  readonly #waiting = new Map<number, Waiting>();
  #ids = 0;
  #answering = 0;

  constructor(send: (to: string, body: unknown) => boolean) {
    this.#send = send;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** The id to come back with when the deadline is over; null: answered already, by a refusal. */
  put(to: string, question: AdminQuestion, reply: ReplyTo<QuestionAnswer>): number | null {
    if (this.#waiting.size >= QUESTIONS_OUT_MAX) {
      reply.reply({ ok: false, kind: "refused", cause: `${QUESTIONS_OUT_MAX} questions are waiting` });
      return null;
    }
    this.#ids += 1;
    if (!this.#send(to, { kind: "question", id: this.#ids, question })) {
      reply.reply({ ok: false, kind: "silent", cause: "there is no connection to it" });
      return null;
    }
    this.#waiting.set(this.#ids, { to, reply });
    return this.#ids;
  }

  overdue(id: number): void {
    this.#waiting.get(id)?.reply.reply({ ok: false, kind: "silent", cause: "it has not answered in time" });
    this.#waiting.delete(id);
  }

  /** What is no answer, not awaited, or not from whom it was asked of, is dropped. */
  answered(from: string, id: number, text: unknown): void {
    const waiting = this.#waiting.get(id);
    const answer = parseQuestionAnswer(text);
    if (waiting === undefined || waiting.to !== from || answer === undefined) return;
    this.#waiting.delete(id);
    waiting.reply.reply(answer);
  }

  /** True: another node's question may be answered now; `answerSent` follows. */
  admit(): boolean {
    if (this.#answering >= QUESTIONS_IN_MAX) return false;
    this.#answering += 1;
    return true;
  }

  answerSent(to: string, id: number, answer: string): void {
    this.#answering -= 1;
    this.#send(to, { kind: "question_answer", id, answer });
  }
}

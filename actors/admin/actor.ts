/**
 * The admin actor: keeps the doors of this node open and sees that each command is answered once, here or by the
 * node that is source.
 *
 * Questions (status, events, actors, metrics) do not pass through it: they change nothing, and a door that waits for
 * three actors would hold up a command behind it. Commands do, because somebody must own the wait for another node.
 */
import type { ActorContext, ActorSpec, Behavior, ReplyTo } from "../../runtime/mod.ts";
import { assertNever } from "../../runtime/invariant.ts";
import {
  type AdminAnswer,
  type AdminCommand,
  parseAdminAnswer,
  parseAdminCommand,
  type Refusal,
} from "../../protocol/admin_messages.ts";
import {
  type AdminQuestion,
  answerText,
  parseAdminQuestion,
  type QuestionAnswer,
} from "../../protocol/admin_questions.ts";
import { answerQuestion } from "./answer_question.ts";
import { INTENTS, planCommand } from "./command_plan.ts";
import type { AdminEnvironment } from "./environment.ts";
import type { AdminMessage, DoorAnswer, OpenDoor } from "./messages.ts";
import { PeerQuestions } from "./peer_questions.ts";

/** Commands that wait for another node; one more is refused. */
export const COMMANDS_PASSED_ON_MAX = 64;
/** A command that came from another node has this long; the other node waits with a deadline of its own. */
const REMOTE_DEADLINE_MS = 60_000;
const RETRY_MS = 1_000;
/** How often traces whose owner is gone are looked for. */
const TRACES_EVERY_MS = 5_000;

export function adminActor(environment: AdminEnvironment): ActorSpec<AdminMessage> {
  return { name: "admin", start: (context) => new Admin(environment, context) };
}

interface PassedOn {
  readonly to: string;
  readonly command: AdminCommand;
  readonly reply: ReplyTo<AdminAnswer>;
}

type DoorState =
  | { readonly kind: "opening" }
  | { readonly kind: "open"; readonly door: OpenDoor }
  | { readonly kind: "failed"; readonly detail: string };

class Admin implements Behavior<AdminMessage> {
  readonly #environment: AdminEnvironment;
  readonly #context: ActorContext<AdminMessage>;
  readonly #passedOn = new Map<number, PassedOn>();
  readonly #waiting: ReplyTo<DoorAnswer>[] = [];
  readonly #questions: PeerQuestions;
  #door: DoorState = { kind: "opening" };
  #ids = 0;

  constructor(environment: AdminEnvironment, context: ActorContext<AdminMessage>) {
    this.#environment = environment;
    this.#context = context;
    this.#questions = new PeerQuestions((to, body) => environment.send(to, body));
    // A life before this one may have left traces whose owners lost their door.
    environment.traces.stopAll();
    context.every(TRACES_EVERY_MS, { kind: "traces_due" });
    this.#openDoors();
  }

  receive(message: AdminMessage): void {
    switch (message.kind) {
      case "listening_requested":
        this.#waiting.push(message.reply);
        return this.#answerDoor();
      case "door_opened":
        this.#door = { kind: "open", door: message.door };
        return this.#answerDoor();
      case "door_not_opened":
        this.#door = { kind: "failed", detail: message.detail };
        this.#context.log.error("admin_not_listening", { cause: message.detail });
        this.#context.after(RETRY_MS, { kind: "retry_due" });
        return this.#answerDoor();
      case "retry_due":
        return this.#openDoors();
      case "command_requested":
        return this.#commanded(message);
      case "remote":
        return this.#remote(message.from, message.body);
      case "answer_overdue":
        return this.#overdue(message.id);
      case "local_answered":
        return message.respond(message.answer);
      case "question_requested":
        return this.#ask(message);
      case "question_overdue":
        return this.#questions.overdue(message.id);
      case "question_answered":
        return this.#questions.answerSent(message.to, message.id, message.answer);
      case "traces_due":
        return this.#environment.traces.forgetUnread();
      default:
        assertNever(message);
    }
  }

  async stopping(): Promise<void> {
    if (this.#door.kind === "open") await this.#door.door.close();
  }

  inspect(): unknown {
    return {
      state: this.#door.kind,
      ...(this.#door.kind === "open" ? { addresses: this.#door.door.addresses } : {}),
      ...(this.#door.kind === "failed" ? { cause: this.#door.detail } : {}),
      questionsWaiting: this.#questions.waiting,
      traces: this.#environment.traces.size,
      passedOn: [...this.#passedOn.values()].map(({ to, command }) => ({ to, command: command.kind })),
    };
  }

  // ---- doors ----

  #openDoors(): void {
    this.#context.pipe(
      this.#environment.openDoors(),
      (opened) =>
        opened.ok
          ? { kind: "door_opened", door: opened.door }
          : { kind: "door_not_opened", detail: opened.detail },
      (error) => ({ kind: "door_not_opened", detail: error.message }),
    );
  }

  #answerDoor(): void {
    if (this.#door.kind === "opening") return;
    const answer: DoorAnswer = this.#door.kind === "open"
      ? { ok: true, addresses: this.#door.door.addresses }
      : { ok: false, detail: this.#door.detail };
    for (const reply of this.#waiting.splice(0)) reply.reply(answer);
  }

  // ---- commands ----

  #commanded(
    { command, deadlineMs, reply }: {
      readonly command: AdminCommand;
      readonly deadlineMs: number;
      readonly reply: ReplyTo<AdminAnswer>;
    },
  ): void {
    this.#context.log.info("command_received", { ...command, command: command.kind });
    this.#carryOut(command, { deadlineMs, passedOn: false, respond: (answer) => reply.reply(answer) });
  }

  #carryOut(
    command: AdminCommand,
    options: {
      readonly deadlineMs: number;
      readonly passedOn: boolean;
      readonly respond: (answer: AdminAnswer) => void;
    },
  ): void {
    const { deadlineMs, passedOn, respond } = options;
    const { config, node } = this.#environment;
    const source = (group: string) => this.#environment.source(group);
    const plan = planCommand(command, { config, node, source, passedOn });
    switch (plan.kind) {
      case "refuse":
        return respond({ ok: false, refusal: plan.refusal });
      case "pass_on":
        return this.#passOn(command, { to: plan.to, deadlineMs, respond });
      case "switchover":
        return this.#await(this.#switchover(plan, deadlineMs), command, respond);
      case "mirror":
        if (command.kind === "switchover") return;
        return this.#await(this.#commandMirror({ command, leg: plan.leg, deadlineMs }), command, respond);
      default:
        assertNever(plan);
    }
  }

  #await(answer: Promise<AdminAnswer>, command: AdminCommand, respond: (answer: AdminAnswer) => void): void {
    this.#context.pipe(
      answer,
      (value) => ({ kind: "local_answered", answer: value, respond }),
      (error) => ({
        kind: "local_answered",
        answer: failed("failed", `Cannot ${INTENTS[command.kind]}: ${error.message}`),
        respond,
      }),
    );
  }

  async #switchover(
    plan: { readonly group: string; readonly to: string },
    deadlineMs: number,
  ): Promise<AdminAnswer> {
    const outcome = await this.#environment.switchover({ ...plan, deadlineMs });
    if (outcome === null) return timedOut("switchover", deadlineMs);
    if (outcome.ok) return { ok: true, result: { source: outcome.source, generation: outcome.generation } };
    const message = `Cannot switch over "${plan.group}" to "${plan.to}": ${outcome.reason}`;
    return { ok: false, refusal: { kind: "refused", message, remedy: outcome.remedy } };
  }

  async #commandMirror(
    options: Parameters<AdminEnvironment["commandMirror"]>[0],
  ): Promise<AdminAnswer> {
    const { command, deadlineMs } = options;
    const outcome = await this.#environment.commandMirror(options);
    if (outcome === null) return timedOut(command.kind, deadlineMs);
    if (outcome.ok) return { ok: true, result: { group: command.group, leg: options.leg } };
    const message = `Cannot ${INTENTS[command.kind]}: ${outcome.message}`;
    return { ok: false, refusal: { kind: outcome.kind, message } };
  }

  // ---- commands for and from other nodes ----

  #passOn(
    command: AdminCommand,
    options: {
      readonly to: string;
      readonly deadlineMs: number;
      readonly respond: (answer: AdminAnswer) => void;
    },
  ): void {
    const { to, deadlineMs, respond } = options;
    if (this.#passedOn.size >= COMMANDS_PASSED_ON_MAX) {
      return respond(
        failed("failed", `Cannot ${INTENTS[command.kind]}: ${COMMANDS_PASSED_ON_MAX} commands are waiting`),
      );
    }
    this.#ids += 1;
    const id = this.#ids;
    if (!this.#environment.send(to, { kind: "command", id, command })) {
      const message = `Cannot ${INTENTS[command.kind]}: the source "${to}" is not reachable from here`;
      return respond(failed("failed", message, `--node ${to}`));
    }
    this.#passedOn.set(id, { to, command, reply: { reply: respond } });
    this.#context.after(deadlineMs, { kind: "answer_overdue", id });
  }

  #overdue(id: number): void {
    const waiting = this.#passedOn.get(id);
    this.#passedOn.delete(id);
    if (waiting === undefined) return;
    const message = `Cannot ${
      INTENTS[waiting.command.kind]
    }: the source "${waiting.to}" has not answered in time`;
    waiting.reply.reply(failed("timed_out", message, "holdfast status"));
  }

  /** Anything of another shape is dropped: the sender's deadline tells it. */
  #remote(from: string, body: unknown): void {
    if (typeof body !== "object" || body === null) return;
    const { kind, id, command, answer, question } = body as Readonly<Record<string, unknown>>;
    if (typeof id !== "number" || !Number.isSafeInteger(id)) return;
    if (kind === "command") this.#remoteCommand(from, { id, command });
    if (kind === "answer") this.#remoteAnswer(from, { id, answer });
    if (kind === "question") this.#remoteQuestion(from, { id, question });
    if (kind === "question_answer") this.#questions.answered(from, id, answer);
  }

  #remoteCommand(from: string, { id, command }: { readonly id: number; readonly command: unknown }): void {
    const parsed = parseAdminCommand(command);
    const respond = (answer: AdminAnswer) => {
      this.#environment.send(from, { kind: "answer", id, answer });
    };
    if ("wrong" in parsed) {
      return respond(failed("usage", `Cannot do it: ${parsed.wrong}`, "the same version on all nodes"));
    }
    this.#context.log.info("command_passed_on", { ...parsed, command: parsed.kind, from });
    this.#carryOut(parsed, { deadlineMs: REMOTE_DEADLINE_MS, passedOn: true, respond });
  }

  #remoteAnswer(from: string, { id, answer }: { readonly id: number; readonly answer: unknown }): void {
    const waiting = this.#passedOn.get(id);
    const parsed = parseAdminAnswer(answer);
    if (waiting === undefined || waiting.to !== from || parsed === undefined) return;
    this.#passedOn.delete(id);
    waiting.reply.reply(parsed);
  }

  // ---- questions ----

  #ask(
    { to, question, deadlineMs, reply }: {
      readonly to: string;
      readonly question: AdminQuestion;
      readonly deadlineMs: number;
      readonly reply: ReplyTo<QuestionAnswer>;
    },
  ): void {
    const id = this.#questions.put(to, question, reply);
    if (id !== null) this.#context.after(deadlineMs, { kind: "question_overdue", id });
  }

  #remoteQuestion(from: string, { id, question }: { readonly id: number; readonly question: unknown }): void {
    if (!this.#questions.admit()) return;
    const parsed = parseAdminQuestion(question);
    const answer: Promise<QuestionAnswer> = "wrong" in parsed
      ? Promise.resolve({ ok: false, kind: "refused", cause: parsed.wrong })
      : answerQuestion(this.#environment, parsed);
    const answered = (text: string): AdminMessage => ({
      kind: "question_answered",
      to: from,
      id,
      answer: text,
    });
    this.#context.pipe(
      answer,
      (value) => answered(answerText(value)),
      (error) => answered(answerText({ ok: false, kind: "silent", cause: error.message })),
    );
  }
}

function failed(kind: Refusal["kind"], message: string, remedy?: string): AdminAnswer {
  return { ok: false, refusal: { kind, message, ...(remedy === undefined ? {} : { remedy }) } };
}

function timedOut(kind: AdminCommand["kind"], deadlineMs: number): AdminAnswer {
  return failed(
    "timed_out",
    `Cannot ${INTENTS[kind]}: it did not finish within ${deadlineMs} ms and may be going on`,
    "holdfast status",
  );
}

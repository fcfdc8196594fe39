/** What a person's shell reaches in this node: the calls of a session, put to the system and its actors. */
import type { AskOutcome, Ref, ReplyTo, SupervisorMessage } from "../../runtime/mod.ts";
import { plainOf } from "../../runtime/mod.ts";
import type { AdminAnswer, AdminCommand } from "../../protocol/admin_messages.ts";
import type { AdminQuestion, QuestionAnswer } from "../../protocol/admin_questions.ts";
import { answerQuestion } from "../admin/answer_question.ts";
import type { AdminEnvironment } from "../admin/environment.ts";
import { Ration, type ReplEnvironment, replSession } from "../admin/repl_session.ts";
import type { ReplSession } from "../admin/repl_session.ts";
import type { NodeParts } from "./parts.ts";

const ANSWER_MS = 5_000;
/** A supervisor waits for its child to stop in good order. */
const ORDER_MS = 45_000;

export interface ReplPaths {
  readonly environment: AdminEnvironment;
  command(command: AdminCommand, deadlineMs: number): Promise<AdminAnswer>;
  ask(node: string, question: AdminQuestion, deadlineMs: number): Promise<QuestionAnswer>;
}

/** Makes a session for each person who attaches. */
export function replSessions(parts: NodeParts, paths: ReplPaths): () => ReplSession {
  const environment = replEnvironment(parts, paths);
  const ration = new Ration(environment.now);
  return () => replSession(environment, ration);
}

function replEnvironment(parts: NodeParts, { environment, command, ask }: ReplPaths): ReplEnvironment {
  const { config, node, world } = parts;
  const { system } = world;
  return {
    node,
    version: parts.version,
    cluster: config.cluster,
    nodes: config.nodes.map(({ name }) => name),
    groups: config.groups.map(({ name }) => name),
    now: () => system.clock.now(),
    mint: () => system.random.hex(16),
    arm: (path, caps, sink) => system.inspect(path).length === 0 ? null : system.trace(path, caps, sink),
    actors: () => environment.actors(),
    ask: async (about, question) => {
      if (about === node) return await answerQuestion(environment, question);
      return config.nodes.some(({ name }) => name === about)
        ? await ask(about, question, ANSWER_MS)
        : { ok: false, kind: "unknown", cause: "there is no node of that name" };
    },
    command: async (wanted, deadlineMs) =>
      "wrong" in wanted
        ? { ok: false, refusal: { kind: "usage", message: `Cannot do it: ${wanted.wrong}` } }
        : await command(wanted, deadlineMs),
    kill: (path) => environment.killActor(path),
    order: (path, order) => ordered(parts, path, order),
    send: async (path, message, asks) => {
      const ref = system.refAt(path);
      if (ref === undefined) throw new Error(`Cannot send to ${path}: nobody is there (try: tree())`);
      if (!asks) return { accepted: ref.tell(message) };
      const outcome: AskOutcome<unknown> = await system.ask(
        ref,
        (reply: ReplyTo<unknown>) => ({ ...message, reply }),
        ANSWER_MS,
      );
      if (outcome.ok) return plainOf(outcome.value);
      throw new Error(`Cannot hear from ${path}: ${outcome.error} (try: top())`);
    },
  };
}

async function ordered({ world }: NodeParts, path: string, order: "stop" | "start"): Promise<string | null> {
  const at = path.lastIndexOf("/");
  const parent = world.system.refAt(path.slice(0, at)) as Ref<SupervisorMessage> | undefined;
  if (parent === undefined) return "it has no supervisor";
  const name = path.slice(at + 1);
  const kind = order === "stop" ? "terminate_child" : "restart_child";
  const outcome = await world.system.ask<
    SupervisorMessage,
    { readonly ok: boolean; readonly detail?: string }
  >(
    parent,
    (reply) => ({ kind, name, reply }),
    ORDER_MS,
  );
  if (!outcome.ok) return `its supervisor does not answer: ${outcome.error}`;
  return outcome.value.ok ? null : outcome.value.detail ?? "its supervisor refused";
}

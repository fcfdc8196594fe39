/**
 * What a person at the shell can do to a node: the list of calls, and nothing beside it.
 *
 * Nothing that is typed runs in the node: the shell evaluates in its own process and calls these. Each call checks
 * its arguments and answers with plain data or an error in words. Ending an actor by hand is rationed, because the
 * supervisors would take a flood of it for what it looks like, a node that is beyond repair, and give it up.
 */
import type { ActorsReport, AdminAnswer } from "../../protocol/admin_messages.ts";
import { parseAdminCommand } from "../../protocol/admin_messages.ts";
import {
  type AdminQuestion,
  parseAdminQuestion,
  type QuestionAnswer,
} from "../../protocol/admin_questions.ts";
import type { ReplCalls } from "./repl_link.ts";
import { judgeMessage } from "./sendable.ts";
import { TraceTable, type TraceTableEnvironment } from "./trace_table.ts";

/** Actors ended by hand within `ENDED_PERIOD_MS`; far below what supervisors bear. */
export const ENDED_MAX = 4;
export const ENDED_PERIOD_MS = 60_000;
const COMMAND_MS = 55_000;

export interface ReplEnvironment extends TraceTableEnvironment {
  readonly version: string;
  readonly cluster: string;
  readonly nodes: readonly string[];
  readonly groups: readonly string[];
  actors(): ActorsReport;
  /** About this node or another. */
  ask(node: string, question: AdminQuestion): Promise<QuestionAnswer>;
  command(command: ReturnType<typeof parseAdminCommand>, deadlineMs: number): Promise<AdminAnswer>;
  /** As a bug of its own would; its supervisor acts. */
  kill(path: string): boolean;
  /** Through its supervisor: ended and known, or started again. Answers what went wrong, or null. */
  order(path: string, order: "stop" | "start"): Promise<string | null>;
  /** `asks`: the actor's answer; otherwise null. */
  send(path: string, message: Readonly<Record<string, unknown>>, asks: boolean): Promise<unknown>;
}

/** Shared by the sessions of a node: when actors were ended by hand. */
export class Ration {
  readonly #now: () => number;
  #spent: number[] = [];

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Milliseconds until one is free; 0: it was taken. */
  take(): number {
    const nowMs = this.#now();
    this.#spent = this.#spent.filter((atMs) => nowMs - atMs < ENDED_PERIOD_MS);
    const oldest = this.#spent[0];
    if (this.#spent.length >= ENDED_MAX && oldest !== undefined) return ENDED_PERIOD_MS - (nowMs - oldest);
    this.#spent.push(nowMs);
    return 0;
  }
}

export interface ReplSession {
  readonly calls: ReplCalls;
  /** The person is gone: nothing of him stays armed. */
  end(): void;
}

export function replSession(environment: ReplEnvironment, ration: Ration): ReplSession {
  const traces = new TraceTable(environment);
  const { node } = environment;
  const known = (path: unknown) => knownPath(environment, path);
  const mayEnd = (path: string) => {
    if (!path.includes("/")) {
      throw refusal(`end ${path}`, "the node would end with it", "SIGTERM to its process");
    }
    const waitMs = ration.take();
    if (waitMs === 0) return;
    const cause = `${ENDED_MAX} actors were ended by hand within a minute`;
    throw refusal(`end ${path}`, cause, `again in ${Math.ceil(waitMs / 1_000)} s`);
  };
  return {
    end: () => traces.stopAll(),
    calls: {
      hello: () => ({
        node,
        version: environment.version,
        cluster: environment.cluster,
        nodes: environment.nodes,
        groups: environment.groups,
      }),
      actors: () => environment.actors(),
      question: async (about: unknown, value: unknown) => {
        const question = parseAdminQuestion(value);
        if ("wrong" in question) throw refusal("ask", question.wrong, "help()");
        if (question.kind.startsWith("trace")) throw refusal("ask", "traces are armed by trace()", "help()");
        const answer = await environment.ask(typeof about === "string" ? about : node, question);
        if (answer.ok) return answer.value;
        throw refusal(`ask ${String(about)}`, answer.cause, "status()");
      },
      command: async (value: unknown) => {
        const command = parseAdminCommand(value);
        if ("wrong" in command) throw refusal("do it", command.wrong, "help()");
        const answer = await environment.command(command, COMMAND_MS);
        if (answer.ok) return answer.result;
        const { message, remedy } = answer.refusal;
        throw new Error(remedy === undefined ? message : `${message} (try: ${remedy})`);
      },
      restart: (path: unknown) => {
        const at = known(path);
        mayEnd(at);
        if (!environment.kill(at)) throw refusal(`restart ${at}`, "it does not run", `start("${at}")`);
        return { ended: at };
      },
      stop: async (path: unknown) => {
        const at = known(path);
        mayEnd(at);
        return await ordered(environment, at, "stop");
      },
      start: async (path: unknown) => await ordered(environment, known(path), "start"),
      send: async (path: unknown, message: unknown) => {
        const at = known(path);
        const judged = judgeMessage(at, message);
        if (!judged.ok) throw refusal(`send to ${at}`, judged.cause, "messages(path)");
        return await environment.send(at, judged.message, judged.asks);
      },
      traceStart: (path: unknown, messages: unknown, ms: unknown) => {
        const question = parseAdminQuestion({ kind: "trace_start", path: known(path), messages, ms });
        if ("wrong" in question) {
          throw refusal("trace", question.wrong, "trace(path, { messages: 100, seconds: 30 })");
        }
        if (question.kind !== "trace_start") return null;
        const report = traces.start(question.path, question);
        if (report === "full") throw refusal("trace", "too many traces are armed", "untrace()");
        return report;
      },
      traceRead: (trace: unknown, after: unknown) => traces.read(String(trace), Number(after) || 0),
      traceStop: (trace: unknown) => traces.stop(String(trace)),
    },
  };
}

async function ordered(
  environment: ReplEnvironment,
  path: string,
  order: "stop" | "start",
): Promise<unknown> {
  const trouble = await environment.order(path, order);
  if (trouble !== null) throw refusal(`${order} ${path}`, trouble, "tree()");
  return { [order === "stop" ? "stopped" : "started"]: path };
}

function knownPath(environment: ReplEnvironment, path: unknown): string {
  const { actors } = environment.actors();
  if (typeof path === "string") {
    const exact = actors.find((line) => line.path === path);
    if (exact !== undefined) return exact.path;
    // The end of a path is enough while only one ends so.
    const ends = actors.filter((line) => line.path.endsWith(`/${path}`));
    if (ends.length === 1 && ends[0] !== undefined) return ends[0].path;
    if (ends.length > 1) {
      throw refusal(`find ${path}`, "several end so", ends.slice(0, 4).map((line) => line.path).join(", "));
    }
  }
  throw refusal(`find ${String(path).slice(0, 100)}`, "no actor is there", "tree()");
}

function refusal(what: string, cause: string, remedy: string): Error {
  return new Error(`Cannot ${what}: ${cause} (try: ${remedy})`);
}

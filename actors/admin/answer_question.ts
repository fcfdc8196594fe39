/**
 * A question about this node, answered: the same answer whether a browser asked, a person's REPL, or another node on
 * behalf of one. Never rejects; each wait behind it has its deadline.
 */
import { assertNever } from "../../runtime/invariant.ts";
import {
  type AdminQuestion,
  EVENTS_PER_QUESTION_MAX,
  HEAT_CELLS_MAX,
  type QuestionAnswer,
  TRACE_MESSAGES_MAX,
  TRACE_MS_MAX,
} from "../../protocol/admin_questions.ts";
import { answerEvents, answerStatus } from "./answers.ts";
import type { AdminEnvironment } from "./environment.ts";
import { loadReport } from "./load_report.ts";

export async function answerQuestion(
  environment: AdminEnvironment,
  question: AdminQuestion,
): Promise<QuestionAnswer> {
  const { node } = environment;
  const at = () => new Date(environment.wallMs()).toISOString();
  switch (question.kind) {
    case "status":
      return found(await answerStatus(environment));
    case "actors":
      return found(environment.actors());
    case "events":
      return await events(environment, question);
    case "state": {
      const { path } = question;
      if (!environment.actors().actors.some((line) => line.path === path)) return nobodyAt(path);
      return found({ node, path, at: at(), state: environment.stateOf(path) ?? null });
    }
    case "load":
      return found(loadReport(await environment.metricsText(), { node, atMs: environment.wallMs() }));
    case "regions": {
      const cells = Math.max(1, Math.min(question.cells, HEAT_CELLS_MAX));
      const volumes = await environment.regions(question.group, cells);
      return volumes === null
        ? unknown(`no disk of group "${question.group.slice(0, 64)}" is open on ${node}`)
        : found({ node, group: question.group, volumes });
    }
    case "trace": {
      const report = environment.traces.read(question.trace, question.after ?? 0);
      return report === null ? unknown("the trace has ended") : found(report);
    }
    case "trace_start": {
      const { path, messages, ms } = question;
      const caps = {
        messages: Math.max(1, Math.min(messages, TRACE_MESSAGES_MAX)),
        ms: Math.max(1, Math.min(ms, TRACE_MS_MAX)),
      };
      const report = environment.traces.start(path, caps);
      if (report === "full") return { ok: false, kind: "refused", cause: "too many traces are armed" };
      return report === null ? nobodyAt(path) : found(report);
    }
    case "trace_stop":
      return found({ stopped: environment.traces.stop(question.trace) });
    default:
      return assertNever(question);
  }
}

async function events(
  environment: AdminEnvironment,
  { after, since, limit }: Extract<AdminQuestion, { readonly kind: "events" }>,
): Promise<QuestionAnswer> {
  const report = await answerEvents(environment, {
    query: {
      ...(after === undefined ? {} : { afterSeq: after }),
      ...(since === undefined ? {} : { sinceMs: Date.parse(since) }),
      limit: Math.max(1, Math.min(limit ?? EVENTS_PER_QUESTION_MAX, EVENTS_PER_QUESTION_MAX)),
    },
    waitSeconds: 0,
  });
  return report === null
    ? { ok: false, kind: "silent", cause: "the event history does not answer" }
    : found(report);
}

function found(value: unknown): QuestionAnswer {
  return { ok: true, value };
}

function unknown(cause: string): QuestionAnswer {
  return { ok: false, kind: "unknown", cause };
}

function nobodyAt(path: string): QuestionAnswer {
  return unknown(`no actor is at "${path.slice(0, 200)}"`);
}

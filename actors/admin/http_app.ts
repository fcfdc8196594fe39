/**
 * The admin door as HTTP: routes, and what is refused before it reaches one. The only file that knows hono.
 *
 * The door is on loopback and a unix socket, which keeps other hosts out and not the browser of a person on this one:
 * a page may send requests anywhere and, by rebinding its name to 127.0.0.1, read the answers. So the `Host` must be a
 * loopback name (a rebound page brings its own), and what changes anything must say that it is JSON (a foreign page
 * cannot without asking first, and the asking is answered by nobody).
 *
 * Handlers over `Request` and `Response` run in tests without a socket; `http_server.ts` puts them on one.
 */
import { type Context, Hono } from "hono";
import {
  ADMIN_PATHS,
  type AdminAnswer,
  type AdminCommand,
  parseActorKill,
  parseAdminCommand,
} from "../../protocol/admin_messages.ts";
import {
  type AdminQuestion,
  CLUSTER_PATHS,
  parseAdminQuestion,
  type QuestionAnswer,
  questionOfQuery,
} from "../../protocol/admin_questions.ts";
import { answerQuestion } from "./answer_question.ts";
import { answerEvents, answerStatus } from "./answers.ts";
import { type BrowserRequest, DOOR_HEADER, judgeBrowser } from "./browser_guard.ts";
import { ClusterBoard } from "./cluster_board.ts";
import type { AdminEnvironment } from "./environment.ts";

/** A command is a few hundred bytes. */
export const BODY_BYTES_MAX = 64 * 1024;
/** Commands may drain and switch over; the door waits no longer. */
export const COMMAND_DEADLINE_MS = 55_000;
/** Another node has this long to answer a question. */
export const QUESTION_DEADLINE_MS = 3_000;

export interface HttpAppOptions {
  readonly environment: AdminEnvironment;
  /** Puts a command before the admin actor. */
  command(command: AdminCommand, deadlineMs: number): Promise<AdminAnswer>;
  /** Puts a question to another node. */
  ask(node: string, question: AdminQuestion, deadlineMs: number): Promise<QuestionAnswer>;
}

export type HttpHandler = (request: Request) => Response | Promise<Response>;

export function createHttpApp({ environment, command, ask }: HttpAppOptions): HttpHandler {
  const app = new Hono();
  const origins = environment.config.nodes.flatMap(({ name }) => environment.httpOf(name) ?? []);
  app.use(async (context, next) => {
    const refusal = refusalOf(context.req.raw);
    if (refusal !== null) return refusal;
    const verdict = judgeBrowser(browserRequest(context.req.raw), origins);
    if (verdict.kind === "refuse") {
      return problem({ status: 403, title: verdict.title, remedy: verdict.remedy });
    }
    if (context.req.method === "OPTIONS" && verdict.allowOrigin !== null) {
      return preflight(verdict.allowOrigin);
    }
    await next();
    context.header("cache-control", "no-store");
    context.header("x-content-type-options", "nosniff");
    if (verdict.allowOrigin === null) return;
    context.header("access-control-allow-origin", verdict.allowOrigin);
    context.header("vary", "origin");
  });
  app.get(ADMIN_PATHS.status, async (context) => context.json(await answerStatus(environment)));
  app.get(ADMIN_PATHS.actors, (context) => context.json(environment.actors()));
  app.get(ADMIN_PATHS.events, (context) => events(context, environment));
  app.get(ADMIN_PATHS.metrics, async (context) =>
    context.body(await environment.metricsText(), 200, {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
    }));
  clusterRoutes(app, { environment, ask });
  app.post(ADMIN_PATHS.commands, async (context) => {
    const wanted = await posted(context.req.raw, parseAdminCommand);
    return wanted instanceof Response ? wanted : Response.json(await command(wanted, COMMAND_DEADLINE_MS));
  });
  app.post(ADMIN_PATHS.actors, async (context) => {
    const wanted = await posted(context.req.raw, parseActorKill);
    return wanted instanceof Response ? wanted : Response.json(kill(wanted.kill, environment));
  });
  app.notFound((context) =>
    problem({
      status: 404,
      title: `there is nothing at ${context.req.path.slice(0, 200)}`,
      remedy: [...Object.values(ADMIN_PATHS), ...Object.values(CLUSTER_PATHS)].join(", "),
    })
  );
  app.onError((error) => problem({ status: 500, title: error.message, remedy: "look into the node's log" }));
  return (request) => app.fetch(request);
}

/** What is answered about any node of the cluster (`protocol/admin_questions.ts`). */
function clusterRoutes(app: Hono, { environment, ask }: Pick<HttpAppOptions, "environment" | "ask">): void {
  const { config, node: self } = environment;
  const about = (node: string, question: AdminQuestion, deadlineMs: number) =>
    node === self ? answerQuestion(environment, question) : ask(node, question, deadlineMs);
  const board = new ClusterBoard({
    node: self,
    nodes: config.nodes.map(({ name }) => name),
    now: () => environment.nowMs(),
    httpOf: (node) => environment.httpOf(node),
    ask: about,
  });
  const answered = async (node: string, question: AdminQuestion): Promise<Response> => {
    if (!config.nodes.some(({ name }) => name === node)) {
      const remedy = config.nodes.map(({ name }) => name).join(", ");
      return problem({ status: 404, title: `there is no node ${JSON.stringify(node.slice(0, 64))}`, remedy });
    }
    const answer = await about(node, question, QUESTION_DEADLINE_MS);
    if (answer.ok) return Response.json(answer.value);
    const status = { unknown: 404, refused: 429, silent: 503 }[answer.kind];
    return problem({ status, title: `${node}: ${answer.cause}`, remedy: "holdfast status" });
  };
  app.get(CLUSTER_PATHS.cluster, async (context) => context.json(await board.report()));
  app.get(`${CLUSTER_PATHS.nodes}/:node/:kind`, async (context) => {
    const question = questionOfQuery(context.req.param("kind"), context.req.query());
    return "wrong" in question
      ? problem({ status: 400, title: question.wrong, remedy: "see protocol/admin_questions.ts" })
      : await answered(context.req.param("node"), question);
  });
  for (const [path, kind] of [["traces", "trace_start"], ["traces/stop", "trace_stop"]] as const) {
    app.post(`${CLUSTER_PATHS.nodes}/:node/${path}`, async (context) => {
      const question = await posted(
        context.req.raw,
        (value) =>
          typeof value === "object" ? parseAdminQuestion({ ...value, kind }) : { wrong: "no object" },
      );
      return question instanceof Response ? question : await answered(context.req.param("node"), question);
    });
  }
}

async function events(context: Context, environment: AdminEnvironment): Promise<Response> {
  const { since, after, limit, wait } = context.req.query();
  const sinceMs = since === undefined ? undefined : Date.parse(since);
  const numbers = { after: wholeNumber(after), limit: wholeNumber(limit), wait: wholeNumber(wait) };
  const wrong = Object.entries(numbers).find(([, value]) => value === null)?.[0] ??
    (Number.isNaN(sinceMs) ? "since" : null);
  if (wrong !== null) {
    const remedy = wrong === "since" ? "since=2026-01-31T12:00:00Z" : `${wrong}=10`;
    return problem({ status: 400, title: `the field ${wrong} cannot be read`, remedy });
  }
  const report = await answerEvents(environment, {
    query: {
      ...(sinceMs === undefined ? {} : { sinceMs }),
      ...(typeof numbers.after === "number" ? { afterSeq: numbers.after } : {}),
      ...(typeof numbers.limit === "number" ? { limit: numbers.limit } : {}),
    },
    waitSeconds: numbers.wait ?? 0,
  });
  return report === null
    ? problem({ status: 503, title: "the event history does not answer", remedy: "once more" })
    : context.json(report);
}

/** What was posted, checked, or the answer that refuses it. */
async function posted<T extends object>(
  request: Request,
  parse: (value: unknown) => T | { readonly wrong: string },
): Promise<T | Response> {
  if (!/^application\/json(;|$)/i.test(request.headers.get("content-type") ?? "")) {
    return problem({ status: 415, title: "a command is JSON", remedy: "content-type: application/json" });
  }
  const text = await boundedText(request);
  if (text === null) {
    return problem({ status: 413, title: `a command has at most ${BODY_BYTES_MAX} bytes`, remedy: "less" });
  }
  const value = parsedJson(text);
  const wanted = value === undefined ? { wrong: "the body is no JSON" } : parse(value);
  if (!("wrong" in wanted)) return wanted;
  return problem({ status: 400, title: wanted.wrong, remedy: "holdfast --help lists the commands" });
}

/** Killing the admin actor closes the very door that the answer goes through: the answer then is a cut connection. */
function kill(path: string, environment: AdminEnvironment): AdminAnswer {
  if (environment.killActor(path)) return { ok: true, result: { killed: path } };
  const message = `Cannot kill the actor "${path.slice(0, 200)}": none runs at that path`;
  return { ok: false, refusal: { kind: "usage", message, remedy: "holdfast actors lists them" } };
}

/** `null`: it is longer than allowed; no more than that is ever held. */
async function boundedText(request: Request): Promise<string | null> {
  if (Number(request.headers.get("content-length") ?? 0) > BODY_BYTES_MAX) return null;
  if (request.body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let byteLength = 0;
  for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
    byteLength += chunk.byteLength;
    if (byteLength > BODY_BYTES_MAX) return null;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const LOOPBACK_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;

function refusalOf(request: Request): Response | null {
  const host = request.headers.get("host") ?? new URL(request.url).host;
  if (!LOOPBACK_HOST.test(host)) {
    const title = `host "${host.slice(0, 100)}" is not this node's admin address`;
    return problem({ status: 403, title, remedy: "http://127.0.0.1 with the port of the configuration" });
  }
  return null;
}

function browserRequest(request: Request): BrowserRequest {
  const header = (name: string) => request.headers.get(name);
  return {
    method: request.method,
    origin: header("origin"),
    site: header("sec-fetch-site"),
    doorHeader: header(DOOR_HEADER),
    host: header("host") ?? new URL(request.url).host,
  };
}

/** The browser of a page of another node asks first, before it sends what changes something. */
function preflight(allowOrigin: string): Response {
  return new Response(null, {
    status: 204,
    headers: {
      "access-control-allow-origin": allowOrigin,
      "access-control-allow-methods": "GET, POST",
      "access-control-allow-headers": `content-type, ${DOOR_HEADER}`,
      "access-control-max-age": "600",
      vary: "origin",
    },
  });
}

/** `undefined`: not given; `null`: not a whole number. */
function wholeNumber(text: string | undefined): number | null | undefined {
  if (text === undefined) return undefined;
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** RFC 9457. */
function problem(
  options: { readonly status: number; readonly title: string; readonly remedy: string },
): Response {
  const { status, title, remedy } = options;
  return new Response(JSON.stringify({ title, status, detail: `${title} (try: ${remedy})`, remedy }), {
    status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store" },
  });
}

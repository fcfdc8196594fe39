/**
 * Asks a node's admin door, over TCP or its unix socket. Every question has a deadline, every answer a bound, and
 * what goes wrong is a value with a cause: one dead node among three is no exception.
 */
import { Buffer } from "node:buffer";
import { type ClientRequest, type IncomingMessage, request, type RequestOptions } from "node:http";
import { type Door, doorText, type Target } from "./target.ts";

export type Answer = { readonly ok: true; readonly status: number; readonly text: string } | Unanswered;

export interface Unanswered {
  readonly ok: false;
  /** `refused`: nobody listens there. `timed_out`: the question may have arrived. */
  readonly kind: "refused" | "timed_out" | "broken";
  readonly cause: string;
}

export interface Question {
  readonly path: string;
  /** Makes it a POST. */
  readonly body?: unknown;
  readonly timeoutMs: number;
}

const ANSWER_BYTES_MAX = 32 * 2 ** 20;

/** The first door that answers. A question that may have arrived is never asked again at another door. */
export async function askNode(target: Target, question: Question): Promise<Answer> {
  let last: Answer = { ok: false, kind: "refused", cause: "it has no door" };
  const causes: string[] = [];
  for (const door of target.doors) {
    last = await askDoor(door, question);
    if (last.ok || last.kind === "timed_out" || (last.kind === "broken" && question.body !== undefined)) {
      return last;
    }
    causes.push(`${doorText(door)}: ${last.cause}`);
  }
  return { ...last, cause: causes.join("; ") };
}

/** The answer's JSON, or why there is none. */
export async function askJson(
  target: Target,
  question: Question,
): Promise<{ readonly ok: true; readonly status: number; readonly value: unknown } | Unanswered> {
  const answer = await askNode(target, question);
  if (!answer.ok) return answer;
  try {
    return { ok: true, status: answer.status, value: JSON.parse(answer.text) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return {
      ok: false,
      kind: "broken",
      cause: `it answered something else than JSON (status ${answer.status})`,
    };
  }
}

function askDoor(door: Door, question: Question): Promise<Answer> {
  return new Promise((resolve) => {
    const answerWith = (answer: Answer) => {
      clearTimeout(deadline);
      resolve(answer);
    };
    const fail = (error: unknown) => answerWith({ ok: false, ...causeOf(error) });
    const deadline = setTimeout(() => {
      answerWith({ ok: false, kind: "timed_out", cause: `no answer within ${question.timeoutMs} ms` });
      asked?.destroy();
    }, question.timeoutMs);
    const { options, body } = requestOf(door, question);
    let asked: ClientRequest | undefined;
    try {
      asked = request(options, (answer) => collect(answer, answerWith, fail));
    } catch (error) {
      // A socket that may not be opened makes Deno throw here and not later.
      return fail(error);
    }
    asked.on("error", fail);
    asked.end(body);
  });
}

function requestOf(
  door: Door,
  { path, body }: Question,
): { readonly options: RequestOptions; readonly body: string | undefined } {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const where = door.kind === "unix" ? { socketPath: door.path } : { host: door.host, port: door.port };
  const headers = {
    accept: "application/json",
    connection: "close",
    // The node answers to its own address alone, so that a web page cannot reach it through a name of its own.
    host: door.kind === "unix" ? "localhost" : doorText(door).slice("http://".length),
    ...(text === undefined
      ? {}
      : { "content-type": "application/json", "content-length": String(Buffer.byteLength(text)) }),
  };
  return { options: { ...where, path, method: text === undefined ? "GET" : "POST", headers }, body: text };
}

function collect(
  answer: IncomingMessage,
  done: (answer: Answer) => void,
  fail: (error: unknown) => void,
): void {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  answer.on("data", (chunk: Uint8Array) => {
    bytes += chunk.byteLength;
    if (bytes <= ANSWER_BYTES_MAX) chunks.push(chunk);
    else answer.destroy(new Error(`its answer is longer than ${ANSWER_BYTES_MAX} bytes`));
  });
  answer.on(
    "end",
    () => done({ ok: true, status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") }),
  );
  answer.on("error", fail);
  // Cut off in mid-answer: some runtimes end neither with `end` nor with `error`.
  answer.on("close", () => fail(new Error("the connection was cut")));
}

function causeOf(error: unknown): { readonly kind: "refused" | "broken"; readonly cause: string } {
  const { code, message } = error as { readonly code?: unknown; readonly message: string };
  switch (code) {
    case "ECONNREFUSED":
      return { kind: "refused", cause: "nobody listens there" };
    case "ENOENT":
      return { kind: "refused", cause: "the socket does not exist" };
    case "EACCES":
      return { kind: "refused", cause: "opening the socket is not allowed" };
    case "ECONNRESET":
      return { kind: "broken", cause: "the connection was cut" };
    default:
      // Deno's HTTP client puts the cause into words instead of a code.
      if (/refused/i.test(message)) return { kind: "refused", cause: "nobody listens there" };
      if (/no such file|not found/i.test(message)) {
        return { kind: "refused", cause: "the socket does not exist" };
      }
      return { kind: "broken", cause: message };
  }
}

/**
 * What any node can be asked about any other: the questions behind the dashboard and the REPL. Pure.
 *
 *   GET  /api/v1/cluster                       ClusterReport: merged from all nodes, with the age of each one's word
 *   GET  /api/v1/nodes/<node>/<kind>?…         the answer of that node to the question of that kind
 *   POST /api/v1/nodes/<node>/traces           { path, messages, ms } → TraceReport; a trace disarms itself
 *   POST /api/v1/nodes/<node>/traces/stop      { trace } → { stopped }
 *
 * A browser reaches the node that served its page and often no other: the HTTP addresses are loopback ones. So the
 * node that is asked puts the question to the node it is about, over the control connection that the two have anyway,
 * and any one node answers for the whole cluster (docs/decisions/0051). Answers travel as JSON text of bounded length.
 */
import type { ClusterStatus } from "./admin_messages.ts";

export const CLUSTER_PATHS = { cluster: "/api/v1/cluster", nodes: "/api/v1/nodes" } as const;

/** An answer that is longer is not sent between nodes; far below what a control message may hold. */
export const ANSWER_CHARACTERS_MAX = 400_000;
/** Of one trace: entries kept, and how long it may be armed. */
export const TRACE_MESSAGES_MAX = 1_000;
export const TRACE_MS_MAX = 10 * 60_000;
export const HEAT_CELLS_MAX = 512;
export const EVENTS_PER_QUESTION_MAX = 200;

export type AdminQuestion =
  | { readonly kind: "status" }
  | { readonly kind: "actors" }
  | { readonly kind: "events"; readonly after?: number; readonly since?: string; readonly limit?: number }
  /** What an actor shows of itself. */
  | { readonly kind: "state"; readonly path: string }
  | { readonly kind: "load" }
  | { readonly kind: "regions"; readonly group: string; readonly cells: number }
  | { readonly kind: "trace"; readonly trace: string; readonly after?: number }
  | {
    readonly kind: "trace_start";
    readonly path: string;
    readonly messages: number;
    readonly ms: number;
  }
  | { readonly kind: "trace_stop"; readonly trace: string };

export type AdminQuestionKind = AdminQuestion["kind"];

/** Questions that change nothing: what a GET may ask. */
export const READING: readonly AdminQuestionKind[] = [
  "status",
  "actors",
  "events",
  "state",
  "load",
  "regions",
  "trace",
];

export type QuestionAnswer =
  | { readonly ok: true; readonly value: unknown }
  /** `unknown`: there is no such thing on that node. `silent`: nobody answered. */
  | { readonly ok: false; readonly kind: "unknown" | "silent" | "refused"; readonly cause: string };

// ---- answers ----

export interface SourceOfReport {
  /** Milliseconds since this node's word was received; null: it never answered. */
  readonly ageMs: number | null;
  /** Why it does not answer now. */
  readonly cause: string | null;
  /** Where its own door is, for a page that loses the one it came from; null: it has none. */
  readonly http: string | null;
  readonly uptimeSeconds: number | null;
}

export interface ClusterReport {
  readonly servedBy: string;
  readonly status: ClusterStatus;
  readonly sources: Readonly<Record<string, SourceOfReport>>;
}

export interface ActorStateReport {
  readonly node: string;
  readonly path: string;
  /** RFC 3339. */
  readonly at: string;
  /** Plain data, cut to a bound; null: it shows nothing. */
  readonly state: unknown;
}

/** Counters since the node started; a door that looks twice has rates. */
export interface LoadReport {
  readonly node: string;
  /** Unix ms of that node's clock. */
  readonly atMs: number;
  readonly io: readonly {
    readonly volume: string;
    readonly op: string;
    readonly requests: number;
    readonly errors: number;
    readonly bytes: number;
  }[];
  /** Cumulative, as in Prometheus: how many took at most `seconds`. */
  readonly latency: readonly {
    readonly stage: string;
    readonly op: string;
    readonly buckets: readonly { readonly seconds: number | null; readonly count: number }[];
  }[];
  readonly wireBytes: Readonly<Record<string, number>>;
}

/** The marks of a volume towards another replica, as a strip of cells: the share of each that is marked. */
export interface RegionsReport {
  readonly node: string;
  readonly group: string;
  readonly volumes: readonly {
    readonly volume: string;
    readonly size: number;
    readonly towards: Readonly<Record<string, readonly number[]>>;
  }[];
}

export interface TraceLine {
  readonly seq: number;
  /** RFC 3339. */
  readonly at: string;
  readonly path: string;
  readonly incarnation: number;
  readonly message: string;
}

export interface TraceReport {
  readonly node: string;
  readonly trace: string;
  readonly path: string;
  readonly armed: boolean;
  readonly lines: readonly TraceLine[];
}

// ---- from the wire ----

/** Per kind: the fields and what each must be. A trailing `?`: may be missing. */
const FIELDS: Readonly<Record<AdminQuestionKind, Readonly<Record<string, Field>>>> = {
  status: {},
  actors: {},
  events: {
    after: { wholeUpTo: Number.MAX_SAFE_INTEGER, optional: true },
    since: { moment: true, optional: true },
    limit: { wholeUpTo: EVENTS_PER_QUESTION_MAX, optional: true },
  },
  state: { path: {} },
  load: {},
  regions: { group: {}, cells: { wholeUpTo: HEAT_CELLS_MAX } },
  trace: { trace: {}, after: { wholeUpTo: Number.MAX_SAFE_INTEGER, optional: true } },
  trace_start: {
    path: {},
    messages: { wholeUpTo: TRACE_MESSAGES_MAX },
    ms: { wholeUpTo: TRACE_MS_MAX },
  },
  trace_stop: { trace: {} },
};

interface Field {
  /** A whole number; otherwise text. */
  readonly wholeUpTo?: number;
  readonly moment?: boolean;
  readonly optional?: boolean;
}

const TEXT_CHARACTERS_MAX = 512;

/** A question off the wire, or what is wrong with it. Unknown fields are wrong too. */
export function parseAdminQuestion(value: unknown): AdminQuestion | { readonly wrong: string } {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { wrong: "the question is not an object" };
  }
  const given = value as Readonly<Record<string, unknown>>;
  const kind = given["kind"];
  const fields = typeof kind === "string" && Object.hasOwn(FIELDS, kind)
    ? FIELDS[kind as AdminQuestionKind]
    : undefined;
  if (fields === undefined) {
    return { wrong: `no question is of the kind ${JSON.stringify(kind ?? null).slice(0, 60)}` };
  }
  const unknown = Object.keys(given).find((key) => key !== "kind" && fields[key] === undefined);
  if (unknown !== undefined) return { wrong: `${kind} has no field ${JSON.stringify(unknown.slice(0, 60))}` };
  for (const [name, field] of Object.entries(fields)) {
    const wrong = wrongField(given[name], field);
    if (wrong !== null) return { wrong: `${kind}: ${name} is not ${wrong}` };
  }
  return given as unknown as AdminQuestion;
}

/** `null`: it is right. */
function wrongField(value: unknown, field: Field): string | null {
  if (value === undefined) return field.optional === true ? null : "there";
  if (field.wholeUpTo !== undefined) {
    const fits = typeof value === "number" && Number.isSafeInteger(value) && value >= 0 &&
      value <= field.wholeUpTo;
    return fits ? null : `a whole number up to ${field.wholeUpTo}`;
  }
  const isText = typeof value === "string" && value !== "" && value.length <= TEXT_CHARACTERS_MAX;
  if (!isText) return `text of at most ${TEXT_CHARACTERS_MAX} characters`;
  return field.moment === true && Number.isNaN(Date.parse(value)) ? "a moment as 2026-01-31T12:00:00Z" : null;
}

/** A question out of the words of a GET: numbers where the kind wants them. */
export function questionOfQuery(
  kind: string,
  query: Readonly<Record<string, string>>,
): AdminQuestion | { readonly wrong: string } {
  if (!READING.some((each) => each === kind)) return { wrong: `no GET asks for ${kind.slice(0, 60)}` };
  const fields = FIELDS[kind as AdminQuestionKind];
  const values = Object.entries(query).map(([name, text]) => {
    const isNumber = fields[name]?.wholeUpTo !== undefined && /^\d{1,15}$/.test(text);
    return [name, isNumber ? Number(text) : text];
  });
  return parseAdminQuestion({ ...Object.fromEntries(values), kind });
}

/** An answer off the wire, or undefined when it is none. */
export function parseQuestionAnswer(text: unknown): QuestionAnswer | undefined {
  if (typeof text !== "string" || text.length > ANSWER_CHARACTERS_MAX) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { ok, value: answer, kind, cause } = value as Readonly<Record<string, unknown>>;
  if (ok === true) return { ok, value: answer };
  const known = (["unknown", "silent", "refused"] as const).find((each) => each === kind);
  return ok === false && known !== undefined && typeof cause === "string"
    ? { ok, kind: known, cause }
    : undefined;
}

/** An answer as text for another node; one that is too long becomes a refusal. */
export function answerText(answer: QuestionAnswer): string {
  const text = JSON.stringify(answer);
  if (text.length <= ANSWER_CHARACTERS_MAX) return text;
  const cause =
    `its answer has ${text.length} characters, ${ANSWER_CHARACTERS_MAX} are carried between nodes`;
  return JSON.stringify({ ok: false, kind: "refused", cause } satisfies QuestionAnswer);
}

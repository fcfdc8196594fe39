/**
 * Pure: the messages a person may send to an actor by hand, with what each must carry.
 *
 * Mail inside a node is typed and trusted, and an actor that gets something else is right to crash. So a person's
 * message is checked here first, against a list: questions, orders that the command line gives too, and a note in the
 * history. An actor's own timers and outcomes are not on it: sent from outside they would tell it what never was.
 */

export type SendableField = "name" | "name_or_null" | "flag" | "count" | "plain";

export interface Sendable {
  /** Of the last segment of the path. */
  readonly actor: RegExp;
  readonly kind: string;
  readonly fields: Readonly<Record<string, SendableField>>;
  /** The actor answers. */
  readonly asks: boolean;
  readonly means: string;
}

export const SENDABLE: readonly Sendable[] = [
  question(/^(intent_log|mirror|target|failover|health)$/, "status_requested", "its own status"),
  question(/^(listener|nbd_listener|admin)$/, "listening_requested", "the addresses in force"),
  question(/^nbd_listener$/, "sessions_requested", "the clients that are connected"),
  question(/^(node|failover_group|groups|group:.+|peers)$/, "which_children", "its children"),
  { ...question(/^intent_log$/, "heat_requested", "where its marks lie"), fields: { cells: "count" } },
  { ...question(/^mirror$/, "leg_pause_requested", "stop shipping"), fields: { node: "name_or_null" } },
  { ...question(/^mirror$/, "leg_resume_requested", "go on shipping"), fields: { node: "name_or_null" } },
  {
    ...question(/^mirror$/, "leg_resync_requested", "ship again"),
    fields: { node: "name_or_null", full: "flag" },
  },
  {
    actor: /^events$/,
    kind: "event_happened",
    fields: { name: "name", fields: "plain" },
    asks: false,
    means: "an entry in the history",
  },
];

function question(actor: RegExp, kind: string, means: string): Sendable {
  return { actor, kind, fields: {}, asks: true, means };
}

export type JudgedMessage =
  | { readonly ok: true; readonly message: Readonly<Record<string, unknown>>; readonly asks: boolean }
  | { readonly ok: false; readonly cause: string };

/** The message as it may be sent to the actor at `path`, or what is wrong with it. */
export function judgeMessage(path: string, value: unknown): JudgedMessage {
  const name = path.split("/").at(-1) ?? "";
  const known = SENDABLE.filter(({ actor }) => actor.test(name));
  if (known.length === 0) return wrong(`nothing can be sent to ${name} by hand`);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return wrong("a message is an object with a kind");
  }
  const { kind, ...given } = value as Readonly<Record<string, unknown>>;
  const entry = known.find((each) => each.kind === kind);
  if (entry === undefined) return wrong(`${name} takes ${known.map((each) => each.kind).join(", ")}`);
  const unknown = Object.keys(given).find((field) => entry.fields[field] === undefined);
  if (unknown !== undefined) return wrong(`${entry.kind} has no field ${unknown.slice(0, 60)}`);
  for (const [field, wanted] of Object.entries(entry.fields)) {
    if (!fits(given[field], wanted)) return wrong(`${entry.kind}: ${field} is not ${WORDS[wanted]}`);
  }
  return { ok: true, message: { kind: entry.kind, ...given }, asks: entry.asks };
}

const WORDS: Readonly<Record<SendableField, string>> = {
  name: "a name",
  name_or_null: "a name or null",
  flag: "true or false",
  count: "a whole number from 1 to 512",
  plain: "an object of plain values",
};

function fits(value: unknown, wanted: SendableField): boolean {
  switch (wanted) {
    case "name":
      return typeof value === "string" && /^[a-z][a-z0-9_-]{0,63}$/i.test(value);
    case "name_or_null":
      return value === null || fits(value, "name");
    case "flag":
      return typeof value === "boolean";
    case "count":
      return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 512;
    case "plain":
      return typeof value === "object" && value !== null && !Array.isArray(value);
  }
}

function wrong(cause: string): JudgedMessage {
  return { ok: false, cause };
}

/**
 * What an agent says of itself: its parameters and actions, from the XML that OCF and fence agents print alike. Pure.
 *
 * Agents take anything: a misspelt parameter is a warning in a log that nobody reads, until the night in which the
 * fence does not work. What they publish of themselves is therefore read at start and the configuration held against
 * it (`agent_parameters.ts`). The one file that knows the XML package; a parser of our own was rejected, since agents
 * write entities, CDATA and document types.
 */
import { XMLParser } from "fast-xml-parser";

export interface AgentParameter {
  readonly name: string;
  readonly required: boolean;
  readonly deprecated: boolean;
  /** The parameter in whose place this one stands: saying either satisfies a requirement of the other. */
  readonly obsoletes: string | null;
  /** As written: `string`, `integer`, `boolean`, `select`, `second`, … */
  readonly type: string;
  /** For `select`, the values there are. */
  readonly options: readonly string[];
  readonly defaultValue: string | null;
  readonly description: string;
}

export interface AgentAction {
  readonly name: string;
  /** Null: the agent gives no advice. */
  readonly timeoutMs: number | null;
  readonly intervalMs: number | null;
  /** Of a monitor: how thorough. */
  readonly depth: number;
  /** Of a promotable agent's monitor: the role in which it is meant, in Pacemaker's words. */
  readonly role: string | null;
}

export interface AgentMetadata {
  readonly name: string;
  readonly description: string;
  readonly parameters: readonly AgentParameter[];
  readonly actions: readonly AgentAction[];
}

/** Metadata longer than this is not believed; the longest of Debian's agents has 60 KiB. */
export const METADATA_BYTES_MAX = 1024 * 1024;

const MANY = new Set(["parameter", "action", "option"]);

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: "",
  parseAttributeValue: false,
  parseTagValue: false,
  isArray: (name, path) => MANY.has(name) && (typeof path !== "string" || !path.endsWith("longdesc." + name)),
});

/** The metadata, or why the text is none. */
export function parseAgentMetadata(text: string): AgentMetadata | { readonly cause: string } {
  if (text.length > METADATA_BYTES_MAX) return { cause: "it is too long to be metadata" };
  let document: unknown;
  try {
    document = parser.parse(text);
  } catch (error) {
    return { cause: `it is no XML: ${error instanceof Error ? error.message : String(error)}` };
  }
  const agent = child(document, "resource-agent");
  if (agent === undefined) return { cause: "it has no <resource-agent>" };
  return {
    name: textOf(child(agent, "name")),
    description: textOf(child(agent, "shortdesc")),
    parameters: children(child(agent, "parameters"), "parameter").map(parameterOf),
    actions: children(child(agent, "actions"), "action").map(actionOf),
  };
}

function parameterOf(node: unknown): AgentParameter {
  const content = child(node, "content");
  const defaultValue = child(content, "default");
  const obsoletes = child(node, "obsoletes");
  return {
    name: textOf(child(node, "name")),
    required: isYes(child(node, "required")),
    deprecated: isYes(child(node, "deprecated")),
    obsoletes: obsoletes === undefined ? null : textOf(obsoletes),
    type: textOf(child(content, "type")) || "string",
    options: children(content, "option").map((option) => textOf(child(option, "value"))),
    defaultValue: defaultValue === undefined ? null : textOf(defaultValue),
    description: textOf(child(node, "shortdesc")),
  };
}

function actionOf(node: unknown): AgentAction {
  const role = child(node, "role");
  return {
    name: textOf(child(node, "name")),
    timeoutMs: parseAgentTime(textOf(child(node, "timeout"))),
    intervalMs: parseAgentTime(textOf(child(node, "interval"))),
    depth: Number.parseInt(textOf(child(node, "depth")), 10) || 0,
    role: role === undefined ? null : textOf(role),
  };
}

const UNIT_MS: Readonly<Record<string, number>> = {
  "": 1_000,
  s: 1_000,
  sec: 1_000,
  ms: 1,
  msec: 1,
  us: 0.001,
  usec: 0.001,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  hr: 3_600_000,
};

/** Pacemaker's way of writing times, in which a bare number is seconds. Null: not a time. */
export function parseAgentTime(text: string): number | null {
  const [, digits, unit = ""] = /^(\d{1,9}(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? [];
  const unitMs = UNIT_MS[unit.toLowerCase()];
  return digits === undefined || unitMs === undefined ? null : Number(digits) * unitMs;
}

function child(node: unknown, name: string): unknown {
  if (typeof node !== "object" || node === null || !Object.hasOwn(node, name)) return undefined;
  return (node as Readonly<Record<string, unknown>>)[name];
}

function children(node: unknown, name: string): readonly unknown[] {
  const found = child(node, name);
  return Array.isArray(found) ? found : [];
}

/** The words of a tag or attribute; a tag with attributes (`lang`) keeps them under `#text`. */
function textOf(node: unknown): string {
  if (Array.isArray(node)) return textOf(node[0]);
  const text = typeof node === "object" ? child(node, "#text") : node;
  return typeof text === "string" ? text.trim().replace(/\s+/g, " ") : "";
}

function isYes(node: unknown): boolean {
  return ["1", "true", "yes"].includes(textOf(node).toLowerCase());
}

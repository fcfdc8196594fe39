/** What a schema library says about a value, in words for the person who wrote it. Pure. */
import { suggestion } from "../runtime/did_you_mean.ts";
import type { Finding, PathSegment } from "./problem.ts";

/** The part of zod's issues that is used here. */
export interface SchemaIssue {
  readonly code: string;
  readonly path: readonly PathSegment[];
  readonly message: string;
  readonly expected?: string;
  readonly keys?: readonly string[];
  readonly values?: readonly unknown[];
  readonly params?: { readonly remedy?: string };
}

export interface Checked {
  readonly document: unknown;
  /** The keys that exist at a path. */
  readonly keysAt: (path: readonly PathSegment[]) => readonly string[];
}

export function findingsOf(issues: readonly SchemaIssue[], checked: Checked): Finding[] {
  return issues.flatMap((issue) => findingOf(issue, checked));
}

function findingOf(issue: SchemaIssue, { document, keysAt }: Checked): Finding[] {
  const { path } = issue;
  const value = valueAt(document, path);
  const shown = JSON.stringify(value)?.slice(0, 60) ?? "nothing";
  switch (issue.code) {
    case "unrecognized_keys":
      return (issue.keys ?? []).map((key): Finding => ({
        path: [...path, key],
        at: "key",
        message: "is no field that exists",
        remedy: suggestion(key, keysAt(path)),
      }));
    case "invalid_key":
      return [{
        path,
        at: "key",
        message: "is no name",
        remedy: "begin with a letter; letters, digits, '-', '_' and '.' may follow, 64 at most",
      }];
    case "invalid_type": {
      if (value === undefined) return [{ path, message: "is missing", remedy: `add it: ${example(path)}` }];
      const needs = issue.message.startsWith("needs")
        ? issue.message
        : `is not ${nounOf(issue.expected ?? "")}`;
      return [{ path, message: `is ${shown}, which ${needs}`, remedy: example(path) }];
    }
    case "invalid_value": {
      const choices = (issue.values ?? []).map(String);
      return [{ path, message: `is ${shown}`, remedy: suggestion(String(value), choices) }];
    }
    case "invalid_format":
      return [{
        path,
        message: `is ${shown}, which is no name`,
        remedy: "letters, digits, '-', '_' and '.', 64 at most",
      }];
    case "too_small":
      return [{ path, message: "is empty", remedy: `add at least one: ${example(path)}` }];
    default:
      return [{ path, message: issue.message, remedy: issue.params?.remedy ?? example(path) }];
  }
}

function nounOf(expected: string): string {
  const nouns: Readonly<Record<string, string>> = {
    object: "a map of fields",
    record: "a map of names",
    array: "a list",
    string: "a text",
  };
  return nouns[expected] ?? `a ${expected}`;
}

/** What a right value looks like, by the field's own name. */
function example(path: readonly PathSegment[]): string {
  const key = path.findLast((segment) => typeof segment === "string");
  const examples: Readonly<Record<string, string>> = {
    cluster: "cluster: demo",
    nodes: "nodes: { alpha: { listen: [tcp://127.0.0.1:7401] } }",
    listen: "listen: [tcp://127.0.0.1:7401]",
    nbd: "nbd: [127.0.0.1:10801]",
    http: "http: 127.0.0.1:7481",
    interval: "interval: 250ms",
    lease: "lease: 2s",
    groups: "groups: { db: { volumes: …, replicas: … } }",
    volumes: "volumes: { data: { size: 1GiB } }",
    size: "size: 1GiB",
    replicas: "replicas: { alpha: { disk: { data: alpha/data.img } } }",
    disk: "disk: { data: alpha/data.img }",
    backlog: "backlog: { bytes: 64MiB }",
    bytes: "bytes: 64MiB",
  };
  return examples[String(key)] ?? "docs/operating/configuration.md lists every field";
}

function valueAt(document: unknown, path: readonly PathSegment[]): unknown {
  let value = document;
  for (const segment of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<PathSegment, unknown>)[segment];
  }
  return value;
}

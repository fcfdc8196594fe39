/**
 * YAML with places: the one import of `yaml`. Whoever finds fault with a value can say its line and column.
 *
 * YAML 1.2, so `off` and `no` are words and not booleans. Aliases are bounded: a few lines of them can stand for a
 * document that fills the memory.
 */
import { isMap, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import type { PathSegment, Problem } from "./problem.ts";

/** A cluster's file is a page or two. */
export const CONFIG_CHARACTERS_MAX = 1_048_576;
const ALIASES_MAX = 100;

export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface YamlSource {
  readonly value: unknown;
  /** Where a value stands (or its key); for a path that is not there, its nearest parent that is. */
  locate(path: readonly PathSegment[], at: "key" | "value"): Place;
}

export type YamlOutcome = { readonly ok: true; readonly source: YamlSource } | {
  readonly ok: false;
  readonly problems: readonly Problem[];
};

export function parseYaml(text: string): YamlOutcome {
  if (text.length > CONFIG_CHARACTERS_MAX) {
    return wholeFile(
      `has ${text.length} characters, more than ${CONFIG_CHARACTERS_MAX}`,
      "is this the right file?",
    );
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: "1.2" });
  const placeOf = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  if (document.errors.length > 0) {
    return {
      ok: false,
      problems: document.errors.map((error) => ({
        ...placeOf(error.pos[0]),
        field: "",
        message: `is not YAML: ${error.message}`,
        remedy: "look at the indentation and the brackets at this place",
      })),
    };
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: ALIASES_MAX });
  } catch (error) {
    return wholeFile(
      `cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      "write aliases out",
    );
  }
  const root = document.contents as Node | null;
  return { ok: true, source: { value, locate: (path, at) => placeOf(offsetOf(root, path, at)) } };
}

function wholeFile(message: string, remedy: string): YamlOutcome {
  return { ok: false, problems: [{ line: 0, column: 0, field: "", message, remedy }] };
}

function offsetOf(root: Node | null, path: readonly PathSegment[], at: "key" | "value"): number {
  let node: unknown = root;
  let offset = root?.range?.[0] ?? 0;
  for (const [index, segment] of path.entries()) {
    const wantsKey = at === "key" && index === path.length - 1;
    if (isMap(node)) {
      const pair = node.items.find((item) =>
        isPair(item) && isScalar(item.key) && String(item.key.value) === String(segment)
      );
      if (pair === undefined) return offset;
      offset = startOf(wantsKey ? pair.key : pair.value) ?? startOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      const item = node.items[Number(segment)];
      if (item === undefined) return offset;
      offset = startOf(item) ?? offset;
      node = item;
    } else {
      return offset;
    }
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}

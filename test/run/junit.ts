/**
 * Reads what a runtime says about one test file. Pure.
 *
 * Both runtimes write JUnit XML, in two dialects, and neither counts as a person would: Deno lists a parent beside
 * its steps, Node wraps the steps in a suite named like the parent. Here only leaves count: a parent is dropped
 * unless it failed by itself, with no failing child to tell of it. Rejected: reading the human output (it moves with
 * every release) and the summary numbers (they mix parents and leaves).
 */
export type CaseOutcome = "passed" | "failed" | "skipped";

export interface TestCase {
  /** Parents and leaf, joined by ` > `. */
  readonly name: string;
  readonly outcome: CaseOutcome;
  /** Why it was skipped, where the runtime hands the reason on (Deno does not). */
  readonly reason: string;
}

const STEP_SEPARATOR = " > ";

/** The leaf cases of a report. An empty report yields none: what that means is the caller's to judge. */
export function readJunit(xml: string): TestCase[] {
  const all: TestCase[] = [];
  const suites: string[] = [];
  // Node leaves `>` unescaped within attributes, so a tag ends only outside quotation marks.
  const elements =
    /<(\/?)(testsuite|testcase)\b((?:[^>"]|"[^"]*")*?)(\/?)>|<(skipped|failure|error)\b((?:[^>"]|"[^"]*")*?)>/g;
  for (const match of withoutText(xml).matchAll(elements)) {
    const [, closing, element, attributes = "", selfClosing, mark, markAttributes = ""] = match;
    if (mark !== undefined) {
      const last = all.pop();
      if (last === undefined) continue;
      const outcome = mark === "skipped" ? "skipped" : "failed";
      all.push({
        ...last,
        outcome,
        reason: outcome === "skipped" ? attributeOf(markAttributes, "message") : "",
      });
    } else if (element === "testsuite") {
      if (closing === "/") suites.pop();
      else if (selfClosing !== "/") suites.push(attributeOf(attributes, "name"));
    } else if (closing !== "/") {
      // A Deno suite is a file, a Node suite is a parent test: only the second belongs to the name.
      const parents = suites.filter((suite) => !suite.endsWith(".ts"));
      const name = [...parents, attributeOf(attributes, "name")].join(STEP_SEPARATOR);
      all.push({ name, outcome: "passed", reason: "" });
    }
  }
  return leavesOf(all);
}

function leavesOf(all: readonly TestCase[]): TestCase[] {
  return all.filter((parent) => {
    const children = all.filter((child) => child.name.startsWith(parent.name + STEP_SEPARATOR));
    if (children.length === 0) return true;
    return parent.outcome === "failed" && !children.some((child) => child.outcome === "failed");
  });
}

/** Failure texts may hold anything, angle brackets of sources included; only the tags matter here. */
function withoutText(xml: string): string {
  return xml.replaceAll(
    /(<(?:failure|error)\b(?:[^>"]|"[^"]*")*[^/]>)[\s\S]*?(<\/(?:failure|error)>)/g,
    "$1$2",
  )
    .replaceAll(/<!--[\s\S]*?-->/g, "");
}

function attributeOf(attributes: string, name: string): string {
  const match = new RegExp(`\\b${name}="([^"]*)"`).exec(attributes);
  return decode(match?.[1] ?? "");
}

function decode(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"').replaceAll(
    "&apos;",
    "'",
  )
    .replaceAll(/&#(\d+);/g, (_all, code: string) => String.fromCodePoint(Number(code))).replaceAll(
      "&amp;",
      "&",
    );
}

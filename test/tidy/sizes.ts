/** When a file needs two introductions it is two files. Past these sizes, the reason stands here. */
import {
  codeOf,
  type Finding,
  isProduct,
  isTypeScript,
  lineAt,
  type Rule,
  sampleTree,
  type SourceFile,
} from "./source_text.ts";

const FILE_LINES_MAX = 500;
/** Tables of cases and transcripts may run on; past this a test has two subjects. */
const TEST_LINES_MAX = 800;
const FUNCTION_LINES_MAX = 70;

/** Path → why it may be longer. */
const LONG_FILES: Readonly<Record<string, string>> = {
  "runtime/cell.ts":
    "mailbox and life cycle of an actor share the private fields that every message touches; apart they would need accessors",
};
/** `path:function` → why it may be longer. */
const LONG_FUNCTIONS: Readonly<Record<string, string>> = {};

export const filesAreShort: Rule = {
  claim: `source files have at most ${FILE_LINES_MAX} lines, tests ${TEST_LINES_MAX}`,
  check: (tree) =>
    tree.files.filter(isTypeScript).filter((file) => LONG_FILES[file.path] === undefined).flatMap(
      (file): Finding[] => {
        const lines = file.text.trimEnd().split("\n").length;
        const most = isProduct(file) ? FILE_LINES_MAX : TEST_LINES_MAX;
        if (lines <= most) return [];
        const remedy = "split it by idea, or give the reason in LONG_FILES of test/tidy/sizes.ts";
        return [{ path: file.path, line: most + 1, what: `${lines} lines`, remedy }];
      },
    ),
  broken: [{ tree: sampleTree({ "runtime/a.ts": "x\n".repeat(501) }), expected: ["runtime/a.ts:501"] }],
};

export const functionsAreShort: Rule = {
  claim: `functions of the product have at most ${FUNCTION_LINES_MAX} lines`,
  check: (tree) => tree.files.filter(isProduct).flatMap(longFunctions),
  broken: [
    {
      tree: sampleTree({ "runtime/a.ts": `\nfunction long(a: number): void {\n${"  a;\n".repeat(70)}}\n` }),
      expected: ["runtime/a.ts:2"],
    },
    {
      tree: sampleTree({ "runtime/a.ts": `class A {\n  step(): void {\n${"  a;\n".repeat(80)}}\n}` }),
      expected: ["runtime/a.ts:2"],
    },
    {
      tree: sampleTree({ "runtime/a.ts": `const f = () => {\n${"  a;\n".repeat(80)}};` }),
      expected: ["runtime/a.ts:1"],
    },
  ],
};

interface OpenBrace {
  readonly line: number;
  /** The function's name, undefined for any other brace. */
  readonly functionName: string | undefined;
}

/** Braces matched over the code without texts; what stands before a brace tells whether a function begins there. */
function longFunctions(file: SourceFile): Finding[] {
  const code = codeOf(file.text);
  const open: OpenBrace[] = [];
  const findings: Finding[] = [];
  let headStart = 0;
  for (const match of code.matchAll(/[{};]/g)) {
    const index = match.index;
    if (match[0] === "{") {
      const head = code.slice(headStart, index);
      const nameAt = headStart + head.length - head.trimStart().length;
      open.push({ line: lineAt(code, nameAt), functionName: functionName(head) });
    } else if (match[0] === "}") {
      const opened = open.pop();
      const lines = opened === undefined ? 0 : lineAt(code, index) - opened.line + 1;
      const key = `${file.path}:${opened?.functionName}`;
      if (
        opened?.functionName !== undefined && lines > FUNCTION_LINES_MAX && LONG_FUNCTIONS[key] === undefined
      ) {
        const remedy = "name its parts, or give the reason in LONG_FUNCTIONS of test/tidy/sizes.ts";
        findings.push({
          path: file.path,
          line: opened.line,
          what: `${opened.functionName} has ${lines} lines`,
          remedy,
        });
      }
    }
    headStart = index + 1;
  }
  return findings;
}

function functionName(head: string): string | undefined {
  const text = head.trim();
  if (
    /^(?:else\s+)?(?:if|for|while|switch|catch|do|else|try|finally)\b/.test(text) ||
    /\bclass\b|\binterface\b/.test(text)
  ) {
    return undefined;
  }
  const isFunction = /\bfunction\b/.test(text) || /=>$/.test(text) || /\)(?:\s*:[^=]+)?$/.test(text);
  if (!isFunction) return undefined;
  return /(?:function\s+|const\s+|^(?:static |async |override |get |set )*)(#?[A-Za-z_]\w*)/.exec(text)
    ?.[1] ?? "a function";
}

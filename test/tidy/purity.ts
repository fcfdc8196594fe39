/**
 * Machines decide, actors do: what decides uses no clock, timer, randomness, promise or I/O, so that the same events
 * give the same effects in a test, in the simulator and on the day of the fire.
 */
import {
  codeOf,
  type Finding,
  headerOf,
  importsOf,
  isProduct,
  lineAt,
  type Rule,
  sampleTree,
  type SourceFile,
} from "./source_text.ts";

/** By name or room; any other file joins by saying «Pure.» in its header. */
function isPure(file: SourceFile): boolean {
  if (!isProduct(file)) return false;
  return file.path.startsWith("protocol/") ||
    /(^|\/)(machine|[a-z0-9_]+_(format|table))\.ts$/.test(file.path) ||
    /^actors\/[^/]+\/states\//.test(file.path) || /\bPure[.:;]/.test(headerOf(file.text));
}

const FORBIDDEN: readonly [RegExp, string][] = [
  [/\bDate\.now\b|\bDate\(\)|\bperformance\./g, "reads a clock"],
  [/\b(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/g, "sets a timer"],
  [/\bMath\.random\b|\bgetRandomValues\b|\brandomBytes\b|\brandomUUID\b/g, "rolls dice"],
  [/\bPromise\b|\basync\b|\bawait\b/g, "waits"],
  [/\bprocess\.|\bDeno\.|\bconsole\.|\bfetch\(/g, "touches the world"],
];

const FORBIDDEN_BUILT_INS =
  /^node:(?:fs|net|http|https|http2|tls|dgram|dns|os|child_process|worker_threads|timers|readline|process|perf_hooks|cluster|repl)(?:\/|$)/;

export const pureFilesDecide: Rule = {
  claim:
    "machines, formats, tables, protocol/ and files that say «Pure.» use no clock, timer, dice, promise or I/O",
  check: (tree) => tree.files.filter(isPure).flatMap(checkPure),
  broken: [
    {
      tree: sampleTree({ "actors/a/machine.ts": "// Date.now in words is fine\nconst t = Date.now();" }),
      expected: ["actors/a/machine.ts:2"],
    },
    {
      tree: sampleTree({ "volume/superblock_format.ts": "export async function f() {}" }),
      expected: ["volume/superblock_format.ts:1"],
    },
    {
      tree: sampleTree({ "protocol/a.ts": 'import { readFileSync } from "node:fs";' }),
      expected: ["protocol/a.ts:1"],
    },
    {
      tree: sampleTree({ "actors/a/rank.ts": "/** Ranks. Pure. */\nconst a = Math.random();" }),
      expected: ["actors/a/rank.ts:2"],
    },
    {
      tree: sampleTree({ "actors/a/rejoin_table.ts": "setTimeout(() => {}, 1);" }),
      expected: ["actors/a/rejoin_table.ts:1"],
    },
    { tree: sampleTree({ "protocol/a.ts": "const a = `${process.pid}`;" }), expected: ["protocol/a.ts:1"] },
  ],
};

function checkPure(file: SourceFile): Finding[] {
  const code = codeOf(file.text);
  const remedy = "take it as a parameter or an event, and let the actor do it";
  const words = FORBIDDEN.flatMap(([pattern, what]) =>
    [...code.matchAll(pattern)].map((match) => ({
      path: file.path,
      line: lineAt(code, match.index),
      what: `a pure file ${what}: ${match[0]}`,
      remedy,
    }))
  );
  const imports = importsOf(file).filter(({ specifier }) => FORBIDDEN_BUILT_INS.test(specifier))
    .map(({ specifier, line }) => ({
      path: file.path,
      line,
      what: `a pure file imports ${specifier}`,
      remedy,
    }));
  return [...words, ...imports];
}

/** Words that do not belong: unfinished work, types given up, failures swallowed, real time, places of one machine. */
import {
  codeOf,
  type Finding,
  isTypeScript,
  lineAt,
  type Rule,
  sampleTree,
  type SourceFile,
} from "./source_text.ts";

interface WordRule {
  readonly claim: string;
  readonly applies: (file: SourceFile) => boolean;
  /** Looks at the code alone, comments and texts blanked. */
  readonly codeOnly: boolean;
  readonly pattern: RegExp;
  readonly what: string;
  readonly remedy: string;
  readonly broken: Rule["broken"];
}

/** These files hold the very words that they forbid. */
function isTidy(file: SourceFile): boolean {
  return file.path.startsWith("test/tidy");
}

function isSource(file: SourceFile): boolean {
  return (isTypeScript(file) || file.path.endsWith(".mjs") || file.path.startsWith("bin/")) && !isTidy(file);
}

function isUnitTest(file: SourceFile): boolean {
  const elsewhere = file.path.startsWith("test/system/") ||
    (file.path.startsWith("test/run/") && !file.path.endsWith("_test.ts"));
  return isTypeScript(file) && file.path.startsWith("test/") && !elsewhere && !isTidy(file);
}

function wordRule(rule: WordRule): Rule {
  return {
    claim: rule.claim,
    broken: rule.broken,
    check: (tree) =>
      tree.files.filter(rule.applies).flatMap((file): Finding[] => {
        const text = rule.codeOnly ? codeOf(file.text) : file.text;
        return [...text.matchAll(rule.pattern)].map((match) => ({
          path: file.path,
          line: lineAt(text, match.index),
          what: `${rule.what}: ${match[0].trim().slice(0, 60)}`,
          remedy: rule.remedy,
        }));
      }),
  };
}

export const nothingUnfinished = wordRule({
  claim: "nothing is left unfinished in a source",
  applies: isSource,
  codeOnly: false,
  pattern: /\b(?:TODO|FIXME|XXX|HACK)\b|\bnot implemented\b|\bunimplemented\b/g,
  what: "unfinished",
  remedy: "finish it, or refuse it with a message that names the field",
  broken: [{ tree: sampleTree({ "runtime/a.ts": "// fine\n// TODO: later" }), expected: ["runtime/a.ts:2"] }],
});

export const typesAreKept = wordRule({
  claim: "no type is given up",
  applies: isSource,
  codeOnly: true,
  pattern: /(?::\s*|\bas\s+|<)any\b/g,
  what: "a type given up",
  remedy: "say what it is, or `unknown` and check it",
  broken: [
    { tree: sampleTree({ "runtime/a.ts": "const a = b as any;" }), expected: ["runtime/a.ts:1"] },
    {
      tree: sampleTree({ "test/a_test.ts": "const a: any = 1;\nconst s = ': any';" }),
      expected: ["test/a_test.ts:1"],
    },
  ],
});

export const checkersAreHeard = wordRule({
  claim: "no checker is silenced for a whole file or line",
  applies: isSource,
  codeOnly: false,
  pattern: /@ts-(?:ignore|nocheck)|deno-lint-ignore-file/g,
  what: "a checker silenced",
  remedy:
    "mend what it complains about; one lint rule on one line with its reason is the most that may be ignored",
  broken: [{ tree: sampleTree({ "runtime/a.ts": "// @ts-ignore\nfoo();" }), expected: ["runtime/a.ts:1"] }],
});

export const nothingIsSwallowed = wordRule({
  claim: "no failure is swallowed",
  applies: isSource,
  codeOnly: true,
  pattern:
    /\bcatch\s*(?:\([^)]*\)\s*)?\{\s*\}|\.catch\(\s*\(\s*\w*\s*\)\s*=>\s*(?:\{\s*\}|undefined|null|void 0)\s*,?\s*\)/g,
  what: "a failure swallowed",
  remedy: "turn it into a value or an event with its cause",
  broken: [
    {
      tree: sampleTree({ "runtime/a.ts": "try {\n  a();\n} catch (error) {\n  // never mind\n}" }),
      expected: ["runtime/a.ts:3"],
    },
    { tree: sampleTree({ "runtime/a.ts": "void a().catch(() => {});" }), expected: ["runtime/a.ts:1"] },
  ],
});

export const testsKnowNoRealTime = wordRule({
  claim: "tests outside test/system know no real time",
  applies: isUnitTest,
  codeOnly: true,
  pattern:
    /\b(?:setTimeout|setInterval)\s*\(|\bDate\.now\s*\(|\bperformance\.now\s*\(|\b(?:sleep|delay)\s*\(/g,
  what: "real time in a test",
  remedy: "drive the simulated clock, or move the test to test/system/",
  broken: [
    {
      tree: sampleTree({ "test/runtime/a_test.ts": "\nawait new Promise((r) => setTimeout(r, 5));" }),
      expected: ["test/runtime/a_test.ts:2"],
    },
    {
      tree: sampleTree({ "test/runtime/a_test.ts": "const t = Date.now();" }),
      expected: ["test/runtime/a_test.ts:1"],
    },
  ],
});

export const testsAllRun = wordRule({
  claim: "no test is switched off, alone, or skipped from within",
  applies: (file) => isTypeScript(file) && file.path.startsWith("test/") && !isTidy(file),
  codeOnly: true,
  pattern:
    /\b(?:it|test|describe)\.(?:only|todo|skip)\b|\b(?:only|todo):\s*true\b|\b(?:t|context)\.(?:skip|todo)\(/g,
  what: "a test that does not run as it stands",
  remedy: "use { skip: reason } from outside: under Deno a test that skips itself counts as passed",
  broken: [
    { tree: sampleTree({ "test/a_test.ts": 'test.only("x", () => {});' }), expected: ["test/a_test.ts:1"] },
    {
      tree: sampleTree({ "test/a_test.ts": 'test("x", (t) => {\n  t.skip("no fio");\n});' }),
      expected: ["test/a_test.ts:2"],
    },
  ],
});

export const noPlaceOfOneMachine = wordRule({
  claim: "the tree names no place of one machine and no registry host",
  applies: (file) => !isTidy(file) && file.path !== "package-lock.json",
  codeOnly: false,
  pattern:
    /\/wor[k]\/[a-z]|\/far[m]\/|\/tmp\/[a-z]*stu[d]io|\/(?:hom[e]|roo[t])\/[a-z.]+\/|\bregis[t]ry\.[a-z]+\.(?:org|com)\b|\bdeb\.debi[a]n\.org\b/g,
  what: "a place of one machine",
  remedy: "make it relative to the tree, a temporary folder or a package name",
  broken: [{ tree: sampleTree({ "docs/a.md": `see\n/wor${"k"}/main/x` }), expected: ["docs/a.md:2"] }],
});

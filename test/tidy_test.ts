/**
 * The house checks itself. Each rule runs over the whole tree, and over small trees that break it: a check that
 * cannot fail protects nothing. Whatever a reviewer says twice becomes a rule here.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { listFiles } from "./run/plan.ts";
import { decisionsAreIndexed, documentsNameWhatExists } from "./tidy/documents.ts";
import { actorsMeetInMessages, importsPointDown } from "./tidy/layers.ts";
import { actorsHaveOneShape, noDrawers, snakeCase } from "./tidy/names.ts";
import { onePackageOneFile, specifiersArePlain, versionsAreExact } from "./tidy/packages.ts";
import { pureFilesDecide } from "./tidy/purity.ts";
import { filesAreShort, functionsAreShort } from "./tidy/sizes.ts";
import {
  codeOf,
  type Finding,
  importsOf,
  type Rule,
  type Tree,
  withoutComments,
} from "./tidy/source_text.ts";
import {
  checkersAreHeard,
  noPlaceOfOneMachine,
  nothingIsSwallowed,
  nothingUnfinished,
  testsAllRun,
  testsKnowNoRealTime,
  typesAreKept,
} from "./tidy/words.ts";

const RULES: readonly Rule[] = [
  importsPointDown,
  actorsMeetInMessages,
  onePackageOneFile,
  specifiersArePlain,
  versionsAreExact,
  pureFilesDecide,
  noDrawers,
  snakeCase,
  actorsHaveOneShape,
  filesAreShort,
  functionsAreShort,
  nothingUnfinished,
  typesAreKept,
  checkersAreHeard,
  nothingIsSwallowed,
  testsKnowNoRealTime,
  testsAllRun,
  noPlaceOfOneMachine,
  decisionsAreIndexed,
  documentsNameWhatExists,
];

const root = join(fileURLToPath(import.meta.url), "..", "..");
/** What is not text of ours: golden images, and files too large to be sources. */
const PICTURE = /\.png$/;
const TEXT = /\.(ts|mjs|js|json|md|sh|css|html|yaml|svg)$|^(bin\/holdfast|\.ci\/run|LICENSE)$/;

const tree: Tree = {
  files: [...listFiles(root), ".ci/run", ".npmrc", ".gitignore"].filter((path) =>
    TEXT.test(path) || PICTURE.test(path)
  )
    // A picture is there to be mentioned; it says nothing.
    .map((path) => ({ path, text: PICTURE.test(path) ? "" : readFileSync(join(root, path), "utf8") })),
};

function show(findings: readonly Finding[]): string {
  return findings.map(({ path, line, what, remedy }) => `\n  ${path}:${line}: ${what} (try: ${remedy})`).join(
    "",
  );
}

for (const rule of RULES) {
  test(`house: ${rule.claim}`, () => {
    const findings = rule.check(tree);
    assert.equal(findings.length, 0, `${findings.length} place(s) to mend:${show(findings)}`);
  });

  test(`house: a tree in which it is not so that ${rule.claim} is found out`, () => {
    assert.ok(rule.broken.length > 0);
    for (const { tree: broken, expected } of rule.broken) {
      assert.deepEqual(rule.check(broken).map(({ path, line }) => `${path}:${line}`), expected);
    }
  });
}

test("source text: comments, texts, templates and regular expressions are told from code", () => {
  const source = 'a("// no"); // yes\nb(/[/"]`/g, `x${c({ d: "e" })}y`); /* f\n */ g(h / i / j);';
  assert.equal(
    withoutComments(source),
    'a("// no");       \nb(/[/"]`/g, `x${c({ d: "e" })}y`);     \n    g(h / i / j);',
  );
  assert.equal(
    codeOf(source),
    'a("     ");       \nb(/     /g, `   c({ d: " " })}  );     \n    g(h / i / j);',
  );
});

test("source text: imports of every form are seen at their line", () => {
  const text =
    'import a from "./a.ts";\nimport {\n  b,\n} from "b";\nexport * from "./c.ts";\nimport "./d.ts";\n' +
    'const e = await import("./e.ts");\n// import f from "./f.ts";\nconst from = "g";\n';
  assert.deepEqual(importsOf({ path: "x.ts", text }).map(({ specifier, line }) => `${specifier}@${line}`), [
    "./a.ts@1",
    "b@4",
    "./c.ts@5",
    "./d.ts@6",
    "./e.ts@7",
  ]);
});

/**
 * Packages are guests with a room of their own: each is imported by one file, so that replacing it is a one-file
 * change. Nothing is fetched by address, and versions are exact.
 */
import {
  type Finding,
  importsOf,
  isProduct,
  isTypeScript,
  lineAt,
  type Rule,
  sampleTree,
  type Tree,
} from "./source_text.ts";

function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith(".") || specifier.startsWith("node:") || specifier.startsWith("/")) {
    return undefined;
  }
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : parts[0];
}

export const onePackageOneFile: Rule = {
  claim: "each npm package is imported by one file of the product",
  check: (tree) => {
    const homes = new Map<string, string>();
    const findings: Finding[] = [];
    for (const file of tree.files.filter(isProduct)) {
      for (const { specifier, line } of importsOf(file)) {
        const name = packageOf(specifier);
        if (name === undefined) continue;
        const home = homes.get(name) ?? file.path;
        homes.set(name, home);
        if (home === file.path) continue;
        const remedy = `its room is ${home}: export from there what ${file.path} needs`;
        findings.push({ path: file.path, line, what: `imports the package ${name}`, remedy });
      }
    }
    return findings;
  },
  broken: [
    {
      tree: sampleTree({
        "cli/a.ts": 'import { z } from "zod";',
        "config/b.ts": '\nimport { z } from "zod/mini";',
      }),
      expected: ["config/b.ts:2"],
    },
    {
      tree: sampleTree({ "cli/a.ts": 'import a from "@x/y";', "cli/b.ts": 'export * from "@x/y/deep";' }),
      expected: ["cli/b.ts:1"],
    },
  ],
};

export const specifiersArePlain: Rule = {
  claim: "imports name a file with its .ts, a node: built-in, or a package of package.json",
  check: (tree) => {
    const known = dependenciesOf(tree);
    return tree.files.filter(isTypeScript).flatMap((file) =>
      importsOf(file).flatMap(({ specifier, line }): Finding[] => {
        const what = `imports "${specifier}"`;
        if (specifier.startsWith(".")) {
          if (/\.(ts|mjs|json)$/.test(specifier)) return [];
          return [{ path: file.path, line, what, remedy: "write the file's whole name, with .ts" }];
        }
        const name = packageOf(specifier);
        if (name === undefined || known.has(name)) return [];
        const remedy = /^[a-z]+:/.test(specifier)
          ? "neither runtime may fetch at start: use an npm package of package.json"
          : "built-ins begin with node:, packages stand in package.json with an exact version";
        return [{ path: file.path, line, what, remedy }];
      })
    );
  },
  broken: [
    { tree: sampleTree({ "runtime/a.ts": 'import { x } from "./b";' }), expected: ["runtime/a.ts:1"] },
    { tree: sampleTree({ "runtime/a.ts": 'import fs from "fs";' }), expected: ["runtime/a.ts:1"] },
    {
      tree: sampleTree({ "test/a_test.ts": 'import a from "jsr:@std/assert";' }),
      expected: ["test/a_test.ts:1"],
    },
  ],
};

function dependenciesOf(tree: Tree): Set<string> {
  const manifest = tree.files.find((file) => file.path === "package.json");
  const parsed = JSON.parse(manifest?.text ?? "{}") as Record<string, Record<string, string> | undefined>;
  const names = ["dependencies", "devDependencies", "optionalDependencies"].flatMap((key) =>
    Object.keys(parsed[key] ?? {})
  );
  return new Set(names);
}

export const versionsAreExact: Rule = {
  claim: "versions are exact, and the lock file names no download address",
  check: (tree) =>
    tree.files.flatMap((file): Finding[] => {
      const patterns: readonly [string, RegExp, string, string][] = [
        ["package.json", /": "[\^~*>]/g, "a version range", "pin it: npm install --save-exact"],
        [
          "package-lock.json",
          /"resolved": "https?:/g,
          "a download address",
          "write the lock file with omit-lockfile-registry-resolved=true, as .npmrc says",
        ],
      ];
      return patterns.filter(([name]) => name === file.path).flatMap(([, pattern, what, remedy]) =>
        [...file.text.matchAll(pattern)].filter((match) =>
          !/"node": ">=/.test(lineText(file.text, match.index))
        )
          .map((match) => ({ path: file.path, line: lineAt(file.text, match.index), what, remedy }))
      );
    }),
  broken: [
    { tree: sampleTree({ "package.json": '{\n  "a": "^1.0.0" }' }), expected: ["package.json:2"] },
    {
      tree: sampleTree({ "package-lock.json": '{\n\n  "resolved": "https://example/a.tgz" }' }),
      expected: ["package-lock.json:3"],
    },
  ],
};

function lineText(text: string, index: number): string {
  return text.slice(text.lastIndexOf("\n", index) + 1, text.indexOf("\n", index));
}

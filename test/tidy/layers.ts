/**
 * Imports point down: doors → actors → workshops → shelves → floor. Workshops never import each other, and actors
 * know each other by their messages alone. This is what keeps a one-idea change inside one idea's file.
 */
import {
  type Finding,
  importsOf,
  isProduct,
  resolveImport,
  type Rule,
  sampleTree,
  type SourceFile,
} from "./source_text.ts";

/** For each room the rooms below it that it may use, itself left out. A new top-level folder needs a row. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  runtime: [],
  protocol: ["runtime"],
  config: ["protocol", "runtime"],
  transports: ["protocol", "runtime"],
  volume: ["protocol", "runtime"],
  kits: ["protocol", "runtime"],
  actors: ["transports", "volume", "kits", "config", "protocol", "runtime"],
  dashboard: ["actors", "transports", "volume", "kits", "config", "protocol", "runtime"],
  cli: ["dashboard", "actors", "transports", "volume", "kits", "config", "protocol", "runtime"],
};

/** The one actor that hangs the others in the tree. */
const WIRING_ACTOR = "node";

function roomOf(path: string): string {
  return path.split("/")[0] ?? "";
}

export const importsPointDown: Rule = {
  claim: "imports point down, and workshops never import each other",
  check: (tree) => tree.files.filter(isProduct).flatMap(checkDirection),
  broken: [
    {
      tree: sampleTree({ "runtime/a.ts": '// x\nimport { b } from "../volume/b.ts";\n' }),
      expected: ["runtime/a.ts:2"],
    },
    {
      tree: sampleTree({ "volume/a.ts": 'import type { B } from "../transports/tcp.ts";' }),
      expected: ["volume/a.ts:1"],
    },
    {
      tree: sampleTree({ "protocol/a.ts": 'export {\n  b,\n} from "../actors/x/b.ts";' }),
      expected: ["protocol/a.ts:3"],
    },
    {
      tree: sampleTree({ "actors/a/actor.ts": 'const m = await import("../../cli/main.ts");' }),
      expected: ["actors/a/actor.ts:1"],
    },
    { tree: sampleTree({ "runtime/a.ts": 'import "../test/run/tally.ts";' }), expected: ["runtime/a.ts:1"] },
    { tree: sampleTree({ "attic/a.ts": "export const a = 1;" }), expected: ["attic/a.ts:1"] },
  ],
};

function checkDirection(file: SourceFile): Finding[] {
  const room = roomOf(file.path);
  const allowed = MAY_IMPORT[room];
  if (allowed === undefined) {
    const remedy =
      "move the file into a room of the house, or give the room its row in test/tidy/layers.ts with a decision record";
    return [{ path: file.path, line: 1, what: `${room}/ has no place in the house`, remedy }];
  }
  const findings: Finding[] = [];
  for (const { specifier, line } of importsOf(file)) {
    const target = resolveImport(file.path, specifier);
    if (target === undefined) continue;
    const targetRoom = roomOf(target);
    // The manifest lies outside the house: whoever prints the version may read it.
    if (targetRoom === room || allowed.includes(targetRoom) || target === "package.json") continue;
    const below = allowed.length === 0 ? "nothing but itself" : allowed.join(", ");
    findings.push({
      path: file.path,
      line,
      what: `${room}/ imports ${target}`,
      remedy: `${room}/ may import ${below}: move the shared idea down, or hand it in as a parameter`,
    });
  }
  return findings;
}

export const actorsMeetInMessages: Rule = {
  claim: "between actors only messages.ts is imported, except by actors/node/",
  check: (tree) => tree.files.filter((file) => file.path.startsWith("actors/")).flatMap(checkActors),
  broken: [
    {
      tree: sampleTree({ "actors/mirror/actor.ts": '\nimport { leg } from "../target/leg.ts";' }),
      expected: ["actors/mirror/actor.ts:2"],
    },
    {
      tree: sampleTree({ "actors/mirror/actor.ts": 'import { start } from "../target/actor.ts";' }),
      expected: ["actors/mirror/actor.ts:1"],
    },
  ],
};

function checkActors(file: SourceFile): Finding[] {
  const [, actor = ""] = file.path.split("/");
  if (actor === WIRING_ACTOR) return [];
  const findings: Finding[] = [];
  for (const { specifier, line } of importsOf(file)) {
    const [room, other, ...rest] = resolveImport(file.path, specifier)?.split("/") ?? [];
    if (room !== "actors" || other === actor || other === undefined || rest.join("/") === "messages.ts") {
      continue;
    }
    findings.push({
      path: file.path,
      line,
      what: `the actor ${actor} imports ${[other, ...rest].join("/")}`,
      remedy: `say it in actors/${other}/messages.ts, or inject it from actors/${WIRING_ACTOR}/`,
    });
  }
  return findings;
}

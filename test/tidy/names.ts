/** The folder answers «where?»: no drawers, one way of writing names, and every actor's folder of one shape. */
import { type Finding, type Rule, sampleTree } from "./source_text.ts";

const DRAWERS = new Set([
  "util",
  "utils",
  "helper",
  "helpers",
  "common",
  "type",
  "types",
  "misc",
  "shared",
  "stuff",
  "lib",
]);

function words(path: string): string[] {
  return path.split("/").map((part) => part.replace(/(_test)?\.[a-z]+$/, ""));
}

export const noDrawers: Rule = {
  claim: "no file and no folder is a drawer (utils, helpers, common, types, misc)",
  check: (tree) =>
    tree.files.flatMap((file): Finding[] => {
      const drawer = words(file.path).find((word) => DRAWERS.has(word));
      if (drawer === undefined) return [];
      return [{
        path: file.path,
        line: 1,
        what: `"${drawer}" says nothing`,
        remedy: "name it after its one idea; two ideas are two files",
      }];
    }),
  broken: [
    { tree: sampleTree({ "runtime/utils.ts": "" }), expected: ["runtime/utils.ts:1"] },
    { tree: sampleTree({ "test/helpers/a_test.ts": "" }), expected: ["test/helpers/a_test.ts:1"] },
  ],
};

export const snakeCase: Rule = {
  claim: "source files and folders are snake_case",
  check: (tree) =>
    tree.files.filter((file) => /\.(ts|mjs)$/.test(file.path)).flatMap((file): Finding[] => {
      const wrong = file.path.split("/").find((part) => !/^[a-z0-9]+(_[a-z0-9]+)*(\.ts|\.mjs)?$/.test(part));
      if (wrong === undefined) return [];
      return [{
        path: file.path,
        line: 1,
        what: `"${wrong}" is not snake_case`,
        remedy: "rename it: words_like_these.ts",
      }];
    }),
  broken: [
    { tree: sampleTree({ "runtime/actorLoop.ts": "" }), expected: ["runtime/actorLoop.ts:1"] },
    { tree: sampleTree({ "test/run-time/a_test.ts": "" }), expected: ["test/run-time/a_test.ts:1"] },
  ],
};

/** `actors/node/` wires; its door is `start.ts`. */
function partsOf(actor: string): readonly string[] {
  return actor === "node" ? ["start.ts"] : ["actor.ts", "messages.ts"];
}

export const actorsHaveOneShape: Rule = {
  claim: "every actor's folder has actor.ts and messages.ts (actors/node/ has start.ts)",
  check: (tree) => {
    const paths = new Set(tree.files.map((file) => file.path));
    const actors = new Set(
      [...paths].filter((path) => /^actors\/[^/]+\//.test(path)).map((path) => path.split("/")[1] ?? ""),
    );
    return [...actors].flatMap((actor) =>
      partsOf(actor).filter((part) => !paths.has(`actors/${actor}/${part}`)).map((part) => ({
        path: `actors/${actor}/${part}`,
        line: 1,
        what: `the actor ${actor} has no ${part}`,
        remedy: "an actor that cannot be sent to or cannot fail alone is a pure idea file of another actor",
      }))
    );
  },
  broken: [{
    tree: sampleTree({ "actors/a/machine.ts": "", "actors/a/actor.ts": "" }),
    expected: ["actors/a/messages.ts:1"],
  }],
};

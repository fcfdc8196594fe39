/** Documents are the truth about the code: what they name exists, and every decision can be found. */
import {
  type Finding,
  lineAt,
  resolveImport,
  type Rule,
  sampleTree,
  type SourceFile,
  type Tree,
} from "./source_text.ts";

const INDEX = "docs/decisions/README.md";

export const decisionsAreIndexed: Rule = {
  claim: "every decision record is in the index, under a number of its own",
  check: (tree) => {
    const index = tree.files.find((file) => file.path === INDEX)?.text ?? "";
    const records = tree.files.filter((file) =>
      file.path.startsWith("docs/decisions/") && file.path !== INDEX
    );
    const numbers = new Map<string, string>();
    return records.flatMap((file): Finding[] => {
      const name = file.path.slice("docs/decisions/".length);
      const number = /^(\d{4})-[a-z0-9-]+\.md$/.exec(name)?.[1];
      const at = { path: file.path, line: 1 };
      if (number === undefined) return [{ ...at, what: "no number", remedy: "name it NNNN-a-few-words.md" }];
      const other = numbers.get(number);
      numbers.set(number, file.path);
      if (other !== undefined) {
        return [{ ...at, what: `shares its number with ${other}`, remedy: "take the next free number" }];
      }
      if (!index.includes(`(${name})`)) {
        return [{ ...at, what: "is not in the index", remedy: `add its line to ${INDEX}` }];
      }
      return [];
    });
  },
  broken: [
    {
      tree: sampleTree({ [INDEX]: "", "docs/decisions/0001-a.md": "" }),
      expected: ["docs/decisions/0001-a.md:1"],
    },
    {
      tree: sampleTree({
        [INDEX]: "(0001-a.md) (0001-b.md)",
        "docs/decisions/0001-a.md": "",
        "docs/decisions/0001-b.md": "",
      }),
      expected: ["docs/decisions/0001-b.md:1"],
    },
    {
      tree: sampleTree({ [INDEX]: "(notes.md)", "docs/decisions/notes.md": "" }),
      expected: ["docs/decisions/notes.md:1"],
    },
  ],
};

/** In back-quotes, a path that begins with a room of the house; with a placeholder, only the folder before it counts. */
const MENTIONED_PATH =
  /`((?:actors|bench|bin|cli|config|dashboard|docs|kits|protocol|runtime|test|transports|volume)\/[\w./<>*{}|-]*)`/g;
const LINK = /\]\((?!https?:|mailto:|#)([^)\s#]+)(?:#[^)]*)?\)/g;

export const documentsNameWhatExists: Rule = {
  claim: "documents mention only files that exist",
  check: (tree) =>
    tree.files.filter((file) => file.path.endsWith(".md") && file.path !== "CHANGELOG.md").flatMap((file) =>
      checkMentions(tree, file)
    ),
  broken: [
    { tree: sampleTree({ "README.md": "see\n`runtime/nowhere.ts`" }), expected: ["README.md:2"] },
    { tree: sampleTree({ "docs/a.md": "[b](b.md)" }), expected: ["docs/a.md:1"] },
    { tree: sampleTree({ "docs/a.md": "`actors/<actor>/machine.ts`" }), expected: ["docs/a.md:1"] },
  ],
};

function checkMentions(tree: Tree, file: SourceFile): Finding[] {
  const mentions = [
    ...[...file.text.matchAll(MENTIONED_PATH)].map((match) => ({ index: match.index, path: match[1] ?? "" })),
    ...[...file.text.matchAll(LINK)].map((match) => ({
      index: match.index,
      path: resolveImport(file.path, `./${match[1] ?? ""}`) ?? "",
    })),
  ];
  return mentions.filter(({ path }) => !exists(tree, path)).map(({ index, path }) => ({
    path: file.path,
    line: lineAt(file.text, index),
    what: `mentions ${path}, which does not exist`,
    remedy: "name what is there, or write it without back-quotes as something to come",
  }));
}

function exists(tree: Tree, mentioned: string): boolean {
  const fixed = mentioned.replace(/[<*{|].*$/, "");
  if (fixed !== mentioned) return tree.files.some((file) => file.path.startsWith(fixed));
  const path = mentioned.replace(/\/$/, "");
  return tree.files.some((file) => file.path === path || file.path.startsWith(`${path}/`));
}

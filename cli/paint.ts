/** Colour and width of text on a terminal. Pure. */

export type Tone = "good" | "warning" | "bad" | "quiet" | "strong";

const CODES: Readonly<Record<Tone, string>> = {
  good: "32",
  warning: "33",
  bad: "31",
  quiet: "2",
  strong: "1",
};

/** Never colour alone: each painted word says by itself what its colour says. */
export function paint(text: string, tone: Tone, options: { readonly colour: boolean }): string {
  return options.colour ? `\u001b[${CODES[tone]}m${text}\u001b[0m` : text;
}

// deno-lint-ignore no-control-regex -- the escape character is what is looked for
const ESCAPES = /\u001b\[[0-9;]*m/g;

/** How many columns it takes, escapes left out. */
export function widthOf(text: string): number {
  return [...text.replaceAll(ESCAPES, "")].length;
}

/** Cut to fit, with `…` for what is gone. Escapes are dropped from what is cut, so that none is left open. */
export function fit(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  return `${[...text.replaceAll(ESCAPES, "")].slice(0, Math.max(0, columns - 1)).join("")}…`;
}

/** Lines no wider than `columns`, broken at spaces, further lines indented. */
export function wrap(text: string, options: { readonly columns: number; readonly indent: string }): string[] {
  const lines: string[] = [];
  let line = /^ */.exec(text)?.[0] ?? "";
  for (const word of text.trimStart().split(" ")) {
    const longer = line.trim() === "" ? line + word : `${line} ${word}`;
    if (line.trim() !== "" && widthOf(longer) > options.columns) {
      lines.push(line);
      line = options.indent + word;
    } else {
      line = longer;
    }
  }
  return [...lines, line];
}

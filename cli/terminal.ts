/**
 * Where a command writes: standard output for what was asked for, standard error for everything else. Colour and
 * width only where a person looks.
 */
import process from "node:process";

export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** A person watches standard output. */
  readonly interactive: boolean;
  readonly colour: boolean;
  columns(): number;
  rows(): number;
  /** Asks a person; false when nobody is there to answer. */
  confirm(question: string): Promise<boolean>;
}

const COLUMNS_DEFAULT = 100;
const ROWS_DEFAULT = 40;

export function processTerminal(): Terminal {
  const interactive = process.stdout.isTTY === true;
  const env = process.env;
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    interactive,
    colour: wantsColour({
      interactive,
      noColour: env["NO_COLOR"],
      forceColour: env["FORCE_COLOR"],
      term: env["TERM"],
    }),
    columns: () => process.stdout.columns || Number(env["COLUMNS"]) || COLUMNS_DEFAULT,
    rows: () => process.stdout.rows || ROWS_DEFAULT,
    confirm: (question) => ask(question),
  };
}

/** https://no-color.org: any value that is not empty counts. */
export function wantsColour(
  { interactive, noColour, forceColour, term }: {
    readonly interactive: boolean;
    readonly noColour: string | undefined;
    readonly forceColour: string | undefined;
    readonly term: string | undefined;
  },
): boolean {
  if (noColour !== undefined && noColour !== "") return false;
  if (forceColour !== undefined && forceColour !== "" && forceColour !== "0") return true;
  return interactive && term !== "dumb";
}

async function ask(question: string): Promise<boolean> {
  if (process.stdin.isTTY !== true) return false;
  const { createInterface } = await import("node:readline/promises");
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await reader.question(`${question} [y/N] `);
  reader.close();
  return /^y(es)?$/i.test(answer.trim());
}

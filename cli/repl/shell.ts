/**
 * The prompt: reads lines, evaluates them here, prints values, keeps a history. Over a terminal or over a pipe, where
 * it prints no prompt and ends with the input.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { createInterface, type Interface } from "node:readline";
import { inspect } from "node:util";
import { complete, type Known } from "./complete.ts";
import { evaluate, isUnfinished, type Scope } from "./evaluate.ts";
import { Shown } from "./functions.ts";

const HISTORY_MAX = 1_000;

export interface ShellOptions {
  readonly prompt: string;
  readonly scope: Scope;
  readonly interactive: boolean;
  readonly colour: boolean;
  /** `null`: no history is kept. */
  readonly historyFile: string | null;
  out(text: string): void;
  known(): Known;
  /** Resolves with the reason when the other side is gone. */
  readonly ended: Promise<string>;
}

export interface Shell {
  /** Resolves when the person leaves or the node does. Answers why, null: by his own wish. */
  run(): Promise<string | null>;
  /** Above the prompt. */
  print(line: string): void;
}

export function createShell(options: ShellOptions): Shell {
  const { interactive, out, prompt, scope } = options;
  const reader = createInterface({
    input: process.stdin,
    ...(interactive ? { output: process.stdout } : {}),
    terminal: interactive,
    prompt,
    history: readHistory(options.historyFile),
    historySize: HISTORY_MAX,
    removeHistoryDuplicates: true,
    completer: (line: string) => complete(line, options.known()),
  });
  const print = (line: string) => {
    if (!interactive) return out(`${line}\n`);
    out(`\r\u001b[K${line}\n`);
    reader.prompt(true);
  };
  return { print, run: () => loop(reader, options, async (code) => await show(code, { scope, options })) };
}

function loop(
  reader: Interface,
  options: ShellOptions,
  carryOut: (code: string) => Promise<void>,
): Promise<string | null> {
  const { interactive, out, prompt } = options;
  let begun = "";
  let working: Promise<void> = Promise.resolve();
  let interruptedEmpty = false;
  const history = { file: options.historyFile };
  const next = () => {
    reader.setPrompt(begun === "" ? prompt : "… ");
    if (interactive) reader.prompt();
  };
  return new Promise((resolve) => {
    const leave = (why: string | null) => {
      resolve(why);
      reader.close();
    };
    void options.ended.then((cause) => leave(cause));
    reader.on("line", (line) => {
      interruptedEmpty = false;
      if (begun === "" && /^\s*\.?(exit|quit)\s*$/.test(line)) return leave(null);
      begun = begun === "" ? line : `${begun}\n${line}`;
      if (isUnfinished(begun)) return next();
      const code = begun;
      begun = "";
      if (code.trim() === "") return next();
      const trouble = remember(history, code);
      if (trouble !== null) out(`${trouble}\n`);
      // One after the other, in the order typed, also over a pipe that brings all at once.
      working = working.then(() => carryOut(code)).then(next);
    });
    reader.on("SIGINT", () => {
      if (begun === "" && reader.line === "" && interruptedEmpty) return leave(null);
      interruptedEmpty = begun === "" && reader.line === "";
      begun = "";
      out(interruptedEmpty ? "\n(again, or Ctrl-D, to leave)\n" : "\n");
      reader.write(null, { ctrl: true, name: "u" });
      next();
    });
    reader.on("close", () => void working.then(() => resolve(null)));
    next();
  });
}

async function show(
  code: string,
  { scope, options }: { readonly scope: Scope; readonly options: ShellOptions },
): Promise<void> {
  const { out, colour } = options;
  try {
    const value = await evaluate(code, scope);
    if (value instanceof Shown) return out(`${value.lines.join("\n")}\n`);
    scope["_"] = value;
    if (value !== undefined) out(`${inspect(value, { colors: colour, depth: 6, maxArrayLength: 200 })}\n`);
  } catch (error) {
    // What a person typed went wrong: the words, and for what is no refusal of ours the kind of error.
    const { name, message } = error instanceof Error ? error : { name: "Thrown", message: String(error) };
    out(`${message.startsWith("Cannot ") ? message : `${name}: ${message}`}\n`);
  }
}

function readHistory(file: string | null): string[] {
  if (file === null || !existsSync(file)) return [];
  return readFileSync(file, "utf8").split("\n").filter((line) => line !== "").slice(-HISTORY_MAX)
    .toReversed();
}

/** A history that cannot be kept is said once, and is no reason to end a shell. */
function remember(history: { file: string | null }, code: string): string | null {
  const { file } = history;
  if (file === null || code.includes("\n")) return null;
  try {
    appendFileSync(file, `${code}\n`, { mode: 0o600 });
    return null;
  } catch (error) {
    history.file = null;
    return `(the history is not kept: ${error instanceof Error ? error.message : String(error)})`;
  }
}

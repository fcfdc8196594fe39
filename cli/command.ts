/**
 * What a command is: words, options, examples and what it does. Commands know no parser; `grammar.ts` hangs them
 * into one, so that it can be replaced in one file.
 */
import type { ExitCode } from "./failure.ts";
import type { Terminal } from "./terminal.ts";

/** Understood by every command, before or after its words. */
export interface SharedOptions {
  readonly config: string | undefined;
  readonly node: string | undefined;
  readonly admin: string | undefined;
  readonly json: boolean;
  readonly yes: boolean;
  readonly timeoutMs: number;
}

export interface Invocation {
  readonly shared: SharedOptions;
  /** By name, as in `words`. */
  readonly args: Readonly<Record<string, string | undefined>>;
  /** The command's own options, camelCase; a flag is true or undefined. */
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
  readonly terminal: Terminal;
}

export interface CommandOption {
  /** `--leg <node>` or `--full`. */
  readonly flags: string;
  readonly means: string;
}

export interface Command {
  /** `mirror pause <group>`; the words before the first argument are the command's name. */
  readonly words: string;
  readonly summary: string;
  readonly options?: readonly CommandOption[];
  /** Whole command lines, without the program's name. */
  readonly examples: readonly string[];
  run(invocation: Invocation): Promise<ExitCode>;
}

export const TIMEOUT_DEFAULT_MS = 30_000;

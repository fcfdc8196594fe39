/** What a person may say after `npm test --`. Pure. */
import { type Stage, STAGES } from "./plan.ts";

export interface RunOptions {
  readonly stages: readonly Stage[];
  /** A part of the paths to run. */
  readonly pattern?: string;
}

export const USAGE = `npm test -- [--only ${STAGES.join("|")}] [part of a path]`;

/** The options, or what is wrong with them. */
export function parseRunOptions(args: readonly string[]): RunOptions | { readonly wrong: string } {
  let stages: readonly Stage[] = STAGES;
  let pattern: string | undefined;
  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? "";
    if (word === "--only") {
      index += 1;
      const named = (args[index] ?? "").split(",");
      const unknown = named.find((name) => !STAGES.some((stage) => stage === name));
      if (unknown !== undefined) return { wrong: `--only "${unknown}" is none of ${STAGES.join(", ")}` };
      stages = STAGES.filter((stage) => named.includes(stage));
    } else if (word.startsWith("-")) {
      return { wrong: `the option ${word} is unknown` };
    } else if (pattern === undefined) {
      pattern = word;
    } else {
      return { wrong: `one part of a path is enough, and "${word}" is a second` };
    }
  }
  return pattern === undefined ? { stages } : { stages, pattern };
}

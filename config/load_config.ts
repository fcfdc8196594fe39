/** Reads a cluster's file. What cannot be read is a problem like any other: it names the file and the remedy. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { checkConfig, type ConfigOutcome } from "./check_config.ts";

/** `file` may be relative to the working directory. Never throws for what a person can mend. */
export function loadConfig(file: string): ConfigOutcome {
  const path = resolve(file);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const problem = {
      line: 0,
      column: 0,
      field: "",
      message: `cannot be read: ${reasonOf(error)}`,
      remedy: "--config FILE",
    };
    return { ok: false, problems: [problem], warnings: [] };
  }
  return checkConfig(text, { file: path });
}

function reasonOf(error: unknown): string {
  switch ((error as { code?: unknown }).code) {
    case "ENOENT":
      return "it does not exist";
    case "EISDIR":
      return "it is a directory";
    case "EACCES":
      return "reading it is not allowed";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}

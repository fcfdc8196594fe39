/** The outcome of a program as the outcome of a kit's action. Pure. */
import { describeOutcome, type ProgramOutcome } from "../program.ts";
import type { KitOutcome } from "./recovery_kit.ts";
import type { CodeVerdict } from "./ocf_code_table.ts";

export interface Reading {
  readonly program: string;
  readonly judge: (code: number, output: { readonly stdout: string; readonly stderr: string }) => CodeVerdict;
  /** What the program itself gives as the reason. */
  readonly reason?: (output: { readonly stdout: string; readonly stderr: string }) => string | null;
}

/** Without an exit code nothing is known. */
export function kitOutcome(outcome: ProgramOutcome, { program, judge, reason }: Reading): KitOutcome {
  if (outcome.kind === "not_started") {
    const retry = outcome.missing ? "elsewhere" : "here";
    return { ...NOTHING, retry, reason: describeOutcome(program, outcome), output: "", elapsedMs: 0 };
  }
  const output = [outcome.stdout, outcome.stderr].filter((text) => text !== "").join("\n");
  const traces = { output, elapsedMs: outcome.elapsedMs };
  const said = reason?.(outcome) ?? null;
  if (outcome.kind !== "exited") {
    const what = describeOutcome(program, outcome);
    return { ...NOTHING, ...traces, reason: said === null ? what : `${what}: ${said}` };
  }
  const { state, degraded, retry, words } = judge(outcome.code, outcome);
  const fine = state !== "failed" && !degraded;
  return { state, degraded, retry, code: outcome.code, reason: fine ? said : said ?? words, ...traces };
}

const NOTHING = { state: "failed", degraded: false, code: null, retry: "here" } as const;

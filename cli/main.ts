/**
 * The command line. Here and in the actor loop alone anything thrown is caught: a person's mistake becomes one line
 * with its remedy and an exit code, a bug keeps its stack.
 */
import process from "node:process";
import manifest from "../package.json" with { type: "json" };
import type { Command } from "./command.ts";
import { actors } from "./commands/actors.ts";
import { certCa, certIssue } from "./commands/cert.ts";
import { check } from "./commands/check.ts";
import { completion } from "./commands/completion.ts";
import { demo } from "./commands/demo.ts";
import { doctor } from "./commands/doctor.ts";
import { events } from "./commands/events.ts";
import { metrics } from "./commands/metrics.ts";
import { mirrorPause, mirrorResume, mirrorResync } from "./commands/mirror.ts";
import { nodeStart } from "./commands/node_start.ts";
import { repl } from "./commands/repl.ts";
import { status } from "./commands/status.ts";
import { switchover } from "./commands/switchover.ts";
import { top } from "./commands/top.ts";
import { why } from "./commands/why.ts";
import { EXIT, type ExitCode, Failure, formatFailure } from "./failure.ts";
import { runCommandLine } from "./grammar.ts";
import { processTerminal } from "./terminal.ts";

/** In the order of the help. A new verb is a file in `commands/` and its line here. */
const COMMANDS: readonly Command[] = [
  demo,
  nodeStart,
  check,
  certCa,
  certIssue,
  status,
  why,
  top,
  doctor,
  mirrorPause,
  mirrorResume,
  mirrorResync,
  switchover,
  events,
  actors,
  metrics,
  repl,
  completion(() => COMMANDS),
];

async function main(): Promise<ExitCode> {
  const terminal = processTerminal();
  try {
    const args = process.argv.slice(2);
    return await runCommandLine({ version: manifest.version, commands: COMMANDS, terminal }, args);
  } catch (error) {
    if (error instanceof Failure) {
      terminal.err(`${formatFailure(error)}\n`);
      return error.exitCode;
    }
    const text = error instanceof Error ? error.stack ?? error.message : String(error);
    terminal.err(
      `holdfast: Cannot go on: this is a bug of Holdfast's, please report it with what follows\n${text}\n`,
    );
    return EXIT.failed;
  }
}

const exitCode = await main();
// Whoever reads our output through a pipe gets the rest of it before the process ends.
process.stdout.write("", () => process.exit(exitCode));

/**
 * From words to an invocation: the one import of commander.
 *
 * Mistakes come out in the form of every other message, with what was probably meant; wrong use ends with code 2.
 */
import { Command as Parser, CommanderError, Option } from "commander";
import { parseDuration } from "../config/units.ts";
import { type Command, type Invocation, type SharedOptions, TIMEOUT_DEFAULT_MS } from "./command.ts";
import { EXIT, type ExitCode, Failure } from "./failure.ts";
import type { Terminal } from "./terminal.ts";

const EXIT_CODES = `
Exit codes: 0 done · 1 failed · 2 wrong use or configuration · 3 refused for safety
            4 nothing reachable · 5 timed out, still going on`;

export interface Program {
  readonly version: string;
  readonly commands: readonly Command[];
  readonly terminal: Terminal;
}

/** Runs what the words ask for. Throws `Failure` for what a person can mend. */
export async function runCommandLine(program: Program, args: readonly string[]): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.done;
  let complaint = "";
  let culprit = "";
  const { terminal } = program;
  const output = {
    writeOut: (text: string) => terminal.out(text),
    writeErr: (text: string) => terminal.err(text),
    outputError: (text: string) => void (complaint += text),
    getOutHelpWidth: () => terminal.columns(),
    getErrHelpWidth: () => terminal.columns(),
    getOutHasColors: () => terminal.colour,
    getErrHasColors: () => terminal.colour,
  };
  const root = rootParser(program.version).configureOutput(output).exitOverride();
  for (const command of program.commands) {
    const leaf = hang(root, command, async (invocation) => {
      exitCode = await command.run({ ...invocation, terminal });
    });
    leaf.configureOutput({
      ...output,
      outputError: (text) => {
        culprit = `${nameOf(command)} `;
        output.outputError(text);
      },
    });
  }
  try {
    await root.parseAsync([...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Commander ends through this error for help and version too.
    if (error.exitCode === 0) return EXIT.done;
    if (error.code === "commander.help") return EXIT.usage;
    throw misuse(complaint === "" ? error.message : complaint, culprit);
  }
  return exitCode;
}

function rootParser(version: string): Parser {
  return new Parser("holdfast")
    .description("Block-level replication and failover: a disk that survives its machine.")
    .version(version, "--version", "print the version")
    .helpOption("-h, --help", "explain a command")
    .helpCommand("help [command]", "explain a command")
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .option("--config <file>", "the cluster's file (default: $HOLDFAST_CONFIG, else cluster.yaml here)")
    .option("--node <name>", "ask this node only")
    .option("--admin <url>", "ask the node at this address only: http://host:port or unix:PATH")
    .option("--json", "print one JSON document instead of text")
    .option("--yes", "answer yes to every question")
    .addOption(new Option("--timeout <time>", "give up waiting after this time").default("30s"))
    .addHelpText("after", EXIT_CODES)
    .showSuggestionAfterError(true);
}

type Run = (invocation: Omit<Invocation, "terminal">) => Promise<void>;

function nameOf(command: Command): string {
  return command.words.split(" ").filter((word) => !/^[<[]/.test(word)).join(" ");
}

function hang(root: Parser, command: Command, run: Run): Parser {
  const words = command.words.split(" ");
  const argumentsAt = words.findIndex((word) => word.startsWith("<") || word.startsWith("["));
  const names = argumentsAt < 0 ? words : words.slice(0, argumentsAt);
  const args = argumentsAt < 0 ? [] : words.slice(argumentsAt);
  let parent = root;
  for (const noun of names.slice(0, -1)) parent = nounOf(parent, noun);
  const leaf = parent.command(names.at(-1) ?? "").description(command.summary).copyInheritedSettings(root);
  for (const argument of args) leaf.argument(argument);
  for (const option of command.options ?? []) leaf.option(option.flags, option.means);
  leaf.addHelpText(
    "after",
    `\nExamples:\n${command.examples.map((each) => `  holdfast ${each}`).join("\n")}`,
  );
  leaf.action(async (...given: unknown[]) => {
    const values = args.map((argument, index) =>
      [argument.replaceAll(/[<>[\].]/g, ""), given[index]] as const
    );
    await run({
      shared: sharedOptions(root.opts()),
      args: Object.fromEntries(
        values.map(([name, value]) => [name, typeof value === "string" ? value : undefined]),
      ),
      options: leaf.opts(),
    });
  });
  return leaf;
}

/** The parent of `mirror pause` and its like, made once. */
function nounOf(parent: Parser, noun: string): Parser {
  const existing = parent.commands.find((each) => each.name() === noun);
  if (existing !== undefined) return existing;
  return parent.command(noun).description(NOUNS[noun] ?? noun).copyInheritedSettings(parent);
}

const NOUNS: Readonly<Record<string, string>> = {
  node: "run a node",
  cert: "make and renew the certificates of nodes",
  mirror: "pause, resume or resynchronise a group's legs",
};

function sharedOptions(given: Readonly<Record<string, unknown>>): SharedOptions {
  const text = (name: string) => typeof given[name] === "string" ? given[name] : undefined;
  return {
    config: text("config"),
    node: text("node"),
    admin: text("admin"),
    json: given["json"] === true,
    yes: given["yes"] === true,
    timeoutMs: timeoutOf(text("timeout")),
  };
}

function timeoutOf(text: string | undefined): number {
  if (text === undefined) return TIMEOUT_DEFAULT_MS;
  const parsed = parseDuration(text);
  if (parsed.ok && parsed.value > 0) return parsed.value;
  const why = parsed.ok ? "is no time to wait" : parsed.message;
  throw new Failure(`use --timeout: it ${why}`, {
    exitCode: EXIT.usage,
    remedy: parsed.ok ? "--timeout 30s" : parsed.remedy,
  });
}

/** `error: unknown command 'statsu'\n(Did you mean status?)` → our form. */
function misuse(complaint: string, culprit: string): Failure {
  const meant = /\(Did you mean (?:one of )?(.*?)\?\)/.exec(complaint)?.[1];
  const message = complaint.replace(/^error: /, "").replace(/\(Did you mean.*\)/, "").trim();
  const remedy = meant === undefined
    ? `holdfast ${culprit}--help`
    : meant.startsWith("-")
    ? meant
    : `holdfast ${meant}`;
  return new Failure(`understand the command: ${message}`, { exitCode: EXIT.usage, remedy });
}

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command, Invocation } from "../../cli/command.ts";
import { EXIT, Failure, formatFailure } from "../../cli/failure.ts";
import { runCommandLine } from "../../cli/grammar.ts";
import type { Terminal } from "../../cli/terminal.ts";

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly invocation?: Invocation;
}

async function run(...args: string[]): Promise<Ran> {
  let out = "";
  let err = "";
  let invocation: Invocation | undefined;
  const terminal: Terminal = {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    interactive: false,
    colour: false,
    columns: () => 100,
    rows: () => 40,
    confirm: () => Promise.resolve(false),
  };
  const keep = (given: Invocation) => {
    invocation = given;
    return Promise.resolve(EXIT.done);
  };
  const commands: Command[] = [
    {
      words: "status",
      summary: "the cluster",
      options: [{ flags: "--watch", means: "again" }],
      examples: ["status"],
      run: keep,
    },
    {
      words: "mirror pause <group>",
      summary: "stop",
      options: [{ flags: "--leg <node>", means: "one" }],
      examples: ["mirror pause db"],
      run: keep,
    },
  ];
  try {
    const code = await runCommandLine({ version: "1.2.3", commands, terminal }, args);
    return { code, out, err, ...(invocation === undefined ? {} : { invocation }) };
  } catch (error) {
    assert.ok(error instanceof Failure, String(error));
    return { code: error.exitCode, out, err: err + formatFailure(error) };
  }
}

test("grammar: nouns, arguments, options and shared options meet in one invocation", async () => {
  const { code, invocation } = await run(
    "mirror",
    "pause",
    "db",
    "--leg",
    "gamma",
    "--json",
    "--timeout",
    "2min",
    "--config",
    "c.yaml",
  );
  assert.equal(code, 0);
  assert.deepEqual(invocation?.args, { group: "db" });
  assert.deepEqual(invocation?.options, { leg: "gamma" });
  const { json, timeoutMs, config, yes, node } = invocation?.shared ?? {};
  assert.deepEqual([json, timeoutMs, config, yes, node], [true, 120_000, "c.yaml", false, undefined]);
});

test("grammar: shared options may stand before the words, and the time-out has its default", async () => {
  const { invocation } = await run("--config", "c.yaml", "status");
  assert.deepEqual([invocation?.shared.config, invocation?.shared.timeoutMs], ["c.yaml", 30_000]);
});

const mistakes: readonly [string[], string][] = [
  [["statsu"], "holdfast: Cannot understand the command: unknown command 'statsu' (try: holdfast status)"],
  [["status", "--wach"], "holdfast: Cannot understand the command: unknown option '--wach' (try: --watch)"],
  [
    ["mirror", "pause"],
    "holdfast: Cannot understand the command: missing required argument 'group' (try: holdfast mirror pause --help)",
  ],
  [
    ["mirror", "pause", "a", "b"],
    "holdfast: Cannot understand the command: too many arguments for 'pause'. Expected 1 argument but got 2. (try: holdfast mirror pause --help)",
  ],
  [
    ["status", "--timeout", "30"],
    "holdfast: Cannot use --timeout: it is 30 without a unit (try: 30min or another of ms, s, min, h, d)",
  ],
];
for (const [args, expected] of mistakes) {
  test(`grammar: «${args.join(" ")}» is wrong use, and says what was meant`, async () => {
    const { code, err } = await run(...args);
    assert.deepEqual([code, err], [EXIT.usage, expected]);
  });
}

test("grammar: help ends with 0 and has examples and exit codes; no words at all show it as wrong use", async () => {
  const asked = await run("mirror", "pause", "--help");
  assert.equal(asked.code, 0);
  assert.match(asked.out, /Examples:\n {2}holdfast mirror pause db/);
  assert.match((await run("--help")).out, /Exit codes: 0 done/);
  assert.match((await run("--version")).out, /^1\.2\.3\n$/);
  const bare = await run();
  assert.deepEqual([bare.code, bare.out], [EXIT.usage, ""]);
  assert.match(bare.err, /^Usage: holdfast/);
});

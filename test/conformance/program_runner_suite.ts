/**
 * What running a program promises, as one suite over the host and its simulated sibling.
 *
 * A world says how a program of each behaviour is called there: a shell script on a host, a function in a simulation.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProgramOutcome, ProgramRequest, ProgramRunner } from "../../kits/program.ts";

export interface ProgramWorld {
  readonly runner: ProgramRunner;
  /** Says its arguments, then its standard input, then the variable GIVEN, on one line each; ends with code 7. */
  readonly echo: string;
  /** Writes «begin», 200 000 letters «x» and «end»; ends with 0. */
  readonly talker: string;
  /** Says «working» on stderr and never ends. */
  readonly sleeper: string;
  /** Ends by SIGSEGV of its own. */
  readonly crasher: string;
  readonly absent: string;
  /** Lets the world's time go on until the outcome is there. */
  ended(outcome: Promise<ProgramOutcome>): Promise<ProgramOutcome>;
  close(): void;
}

export function programRunnerSuite(name: string, open: () => ProgramWorld): void {
  const claim = (
    what: string,
    check: (world: ProgramWorld, run: (request: ProgramRequest) => Promise<ProgramOutcome>) => Promise<void>,
  ) =>
    test(`${name}: ${what}`, async () => {
      const world = open();
      try {
        await check(world, (request) => world.ended(world.runner.run(request)));
      } finally {
        world.close();
      }
    });

  claim("arguments, input and environment arrive, the exit code comes back", async (world, run) => {
    const outcome = await run({
      program: world.echo,
      args: ["one", "two words"],
      stdin: "spoken",
      environment: { GIVEN: "given" },
      timeoutMs: 5_000,
    });
    assert.equal(outcome.kind, "exited");
    assert.equal(outcome.code, 7);
    assert.deepEqual(outcome.stdout.trim().split("\n"), ["one", "two words", "spoken", "given"]);
  });

  claim("of much output the beginning and the end are kept, and the gap is told", async (world, run) => {
    const outcome = await run({ program: world.talker, timeoutMs: 5_000, outputBytesMax: 1_000 });
    assert.equal(outcome.kind, "exited");
    assert.match(outcome.stdout, /^begin\nx+\n… \d+ bytes left out …\nx+\nend\n$/);
    assert.ok(outcome.stdout.length < 1_100);
  });

  claim("what overruns its time is ended, with what it said until then", async (world, run) => {
    const outcome = await run({ program: world.sleeper, timeoutMs: 300, graceMs: 100 });
    assert.equal(outcome.kind, "timed_out");
    assert.equal(outcome.stderr.trim(), "working");
    assert.ok(outcome.elapsedMs >= 299 && outcome.elapsedMs < 3_000, `${outcome.elapsedMs} ms`);
  });

  claim("a cancelled run ends and says so", async (world) => {
    const cancel = new AbortController();
    const running = world.runner.run({
      program: world.sleeper,
      timeoutMs: 60_000,
      graceMs: 0,
      signal: cancel.signal,
    });
    cancel.abort();
    assert.equal((await world.ended(running)).kind, "cancelled");
    const never = await world.ended(
      world.runner.run({ program: world.sleeper, timeoutMs: 60_000, signal: cancel.signal }),
    );
    assert.equal(never.kind, "not_started");
  });

  claim("a program that dies of a signal is not taken for one that answered", async (world, run) => {
    const outcome = await run({ program: world.crasher, timeoutMs: 5_000 });
    assert.equal(outcome.kind, "killed");
    assert.equal(outcome.signal, "SIGSEGV");
  });

  claim("a missing program is a value that says so", async (world, run) => {
    const outcome = await run({ program: world.absent, timeoutMs: 5_000 });
    assert.equal(outcome.kind, "not_started");
    assert.equal(outcome.missing, true);
  });
}

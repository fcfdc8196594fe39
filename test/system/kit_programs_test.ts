/** Real programs: the suite, and what only a host has (groups, daemons, pipes, zombies). */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { hostPrograms } from "../../kits/run_program.ts";
import { programRunnerSuite } from "../conformance/program_runner_suite.ts";

const SCRIPTS: Readonly<Record<string, string>> = {
  echo: 'for each in "$@"; do echo "$each"; done; cat; echo; echo "$GIVEN"; exit 7',
  talker: 'echo begin; head -c 200000 /dev/zero | tr "\\0" x; echo; echo end',
  sleeper: "echo working >&2; sleep 60 & wait",
  crasher: "kill -SEGV $$",
};

function scriptFolder(scripts: Readonly<Record<string, string>>): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-programs-"));
  for (const [name, text] of Object.entries(scripts)) {
    fs.writeFileSync(path.join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
  return folder;
}

programRunnerSuite("programs of this host", () => {
  const folder = scriptFolder(SCRIPTS);
  return {
    runner: hostPrograms(),
    echo: path.join(folder, "echo"),
    talker: path.join(folder, "talker"),
    sleeper: path.join(folder, "sleeper"),
    crasher: path.join(folder, "crasher"),
    absent: path.join(folder, "absent"),
    ended: (outcome) => outcome,
    close: () => fs.rmSync(folder, { recursive: true, force: true }),
  };
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch (error) {
    assert.ok(error instanceof Error);
    return false;
  }
}

async function gone(pid: number): Promise<boolean> {
  const deadline = performance.now() + 2_000;
  while (isAlive(pid) && performance.now() < deadline) await delay(10);
  return !isAlive(pid);
}

async function withScript(
  text: string,
  check: (program: string, folder: string) => Promise<void>,
): Promise<void> {
  const folder = scriptFolder({ script: text });
  try {
    await check(path.join(folder, "script"), folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function pidIn(file: string): number {
  const pid = Number(fs.readFileSync(file, "utf8"));
  assert.ok(pid > 1);
  return pid;
}

test("programs of this host: a time-out kills the whole group, also those that ignore SIGTERM", async () => {
  const text = `trap "" TERM\n(trap "" TERM; exec sleep 60) &\necho $! > "$FOLDER/child"\nwait`;
  await withScript(text, async (program, folder) => {
    const outcome = await hostPrograms().run({
      program,
      environment: { FOLDER: folder },
      timeoutMs: 300,
      graceMs: 100,
    });
    assert.equal(outcome.kind, "timed_out");
    assert.ok(await gone(pidIn(path.join(folder, "child"))), "the child of the script is dead");
  });
});

test("programs of this host: a leader that ends at SIGTERM takes its stubborn children with it", async () => {
  const text = `(trap "" TERM; exec sleep 60) &\necho $! > "$FOLDER/child"\nsleep 60`;
  await withScript(text, async (program, folder) => {
    const outcome = await hostPrograms().run({
      program,
      environment: { FOLDER: folder },
      timeoutMs: 300,
      graceMs: 5_000,
    });
    assert.equal(outcome.kind, "timed_out");
    assert.ok(outcome.elapsedMs < 4_500);
    assert.ok(await gone(pidIn(path.join(folder, "child"))), "the child of the script is dead");
  });
});

test("programs of this host: a daemon that keeps our pipes open neither delays the outcome nor dies of SIGPIPE", async () => {
  const text =
    `(sleep 0.6; echo late; echo lived > "$FOLDER/lived"; exec sleep 60) &\necho $! > "$FOLDER/daemon"\necho started`;
  await withScript(text, async (program, folder) => {
    const outcome = await hostPrograms().run({ program, environment: { FOLDER: folder }, timeoutMs: 10_000 });
    assert.equal(outcome.kind, "exited");
    assert.equal(outcome.stdout, "started\n");
    assert.ok(outcome.elapsedMs < 5_000, `${outcome.elapsedMs} ms`);
    const daemon = pidIn(path.join(folder, "daemon"));
    try {
      const deadline = performance.now() + 5_000;
      while (!fs.existsSync(path.join(folder, "lived")) && performance.now() < deadline) await delay(20);
      assert.ok(fs.existsSync(path.join(folder, "lived")), "it wrote into our pipe and lived on");
    } finally {
      process.kill(daemon, "SIGKILL");
    }
  });
});

test("programs of this host: a program finds nothing of our environment and no file that we opened", async () => {
  process.env["HOLDFAST_SECRET"] = "secret";
  await withScript("env; pwd; ls -l /proc/$$/fd", async (program, folder) => {
    const ours = fs.openSync(path.join(folder, "ours"), "w");
    const outcome = await hostPrograms().run({ program, timeoutMs: 5_000 });
    fs.closeSync(ours);
    assert.equal(outcome.kind, "exited");
    assert.doesNotMatch(outcome.stdout, /HOLDFAST_SECRET|^HOME=|\/ours/m);
    assert.match(outcome.stdout, /^PATH=/m);
    assert.match(outcome.stdout, /\n\/\n/);
  });
});

test("programs of this host: what is not read of the input is no failure", async () => {
  const outcome = await hostPrograms().run({ program: "true", stdin: "x".repeat(1 << 20), timeoutMs: 5_000 });
  assert.equal(outcome.kind, "exited");
});

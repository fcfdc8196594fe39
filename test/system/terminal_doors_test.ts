/** `top` and the shell in a real terminal: drawn over itself, resized, left in good order; Tab and the history. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { TestCluster } from "./support/cluster.ts";
import { HOLDFAST } from "./support/holdfast.ts";

const skip = spawnSync("tmux", ["-V"]).status === 0 ? false : "tmux is not installed";
const WITHIN_MS = 20_000;

let cluster: TestCluster;

before(async () => {
  if (skip === false) cluster = await TestCluster.inService();
});
after(async () => {
  await cluster?.close();
});

/** A terminal of its own server, ended with the test. */
class Terminal {
  readonly #socket: string;

  constructor(name: string) {
    this.#socket = `${cluster.folder}/tmux-${name}`;
    this.run("-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", "sh");
  }

  run(...args: readonly string[]): string {
    return execFileSync("tmux", ["-S", this.#socket, ...args], { encoding: "utf8" });
  }

  type(...keys: readonly string[]): void {
    this.run("send-keys", ...keys);
  }

  screen(): string {
    return this.run("capture-pane", "-p").trimEnd();
  }

  async shows(pattern: RegExp): Promise<string> {
    const deadline = performance.now() + WITHIN_MS;
    for (;;) {
      const screen = this.screen();
      if (pattern.test(screen)) return screen;
      if (performance.now() > deadline) assert.fail(`waited for ${pattern}; the screen is\n${screen}`);
      await delay(100);
    }
  }

  close(): void {
    this.run("kill-server");
  }
}

test("top: fills the terminal, follows its size, and gives the screen back", { skip }, async () => {
  const terminal = new Terminal("top");
  try {
    terminal.type("echo before", "Enter");
    terminal.type(`${HOLDFAST} top --config ${cluster.config}`, "Enter");
    const screen = await terminal.shows(/db +in service +source alpha[\s\S]*MSG\/S/);
    assert.match(screen, /beta +replicating +sync/);
    terminal.run("resize-window", "-x", "60", "-y", "16");
    await terminal.shows(/MSG\/S/);
    await delay(1_500);
    assert.ok(terminal.screen().split("\n").every((line) => [...line].length <= 60));
    terminal.type("C-c");
    const left = await terminal.shows(/before[\s\S]*[$#] *$/);
    assert.doesNotMatch(left, /MSG\/S/);
  } finally {
    terminal.close();
  }
});

test("repl: Tab completes names and paths, and the history is there next time", { skip }, async () => {
  const terminal = new Terminal("repl");
  try {
    const start = () => terminal.type(`${HOLDFAST} repl alpha --config ${cluster.config}`, "Enter");
    start();
    await terminal.shows(/test\/alpha> *$/);
    terminal.type("pee", "Tab");
    await terminal.shows(/test\/alpha> peek/);
    terminal.type('("interlude', "C-u");
    terminal.type('(await peek("intent', "Tab");
    await terminal.shows(/peek\("intent_log/);
    terminal.type('")).state', "Enter");
    await terminal.shows(/'open'/);
    terminal.type("throw 1", "Enter");
    await terminal.shows(/Thrown: 1/);
    terminal.type("C-d");
    await terminal.shows(/[$#] *$/);
    terminal.type("clear", "Enter");
    start();
    await terminal.shows(/test\/alpha> *$/);
    terminal.type("Up", "Up", "Enter");
    await terminal.shows(/intent_log"\)\)\.state[\s\S]*'open'/);
  } finally {
    terminal.close();
  }
});

/**
 * One node of a test cluster: a real process started through the program, ended by its pid alone. Its standard error
 * goes straight into a file, so that a test that is busy elsewhere never holds a node up through a full pipe.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import process from "node:process";
import { HOLDFAST } from "./holdfast.ts";

const READY_MS = 30_000;
const LAST_WORDS_CHARACTERS = 3_000;

export interface Started {
  readonly config: string;
  readonly name: string;
  readonly log: string;
  readonly env?: Readonly<Record<string, string>>;
}

export class ClusterNode {
  readonly name: string;
  readonly log: string;
  readonly ended: Promise<void>;
  /** Exit code, or the signal that ended it; null while it runs. */
  outcome: number | string | null = null;
  readonly #child: ChildProcess;

  constructor({ config, name, log, env = {} }: Started) {
    this.name = name;
    this.log = log;
    const errors = openSync(log, "a");
    this.#child = spawn(HOLDFAST, ["node", "start", "--config", config, "--node", name], {
      stdio: ["pipe", "pipe", errors],
      env: { ...process.env, NO_COLOR: "1", ...env, HOLDFAST_END_WITH_INPUT: "1" },
    });
    closeSync(errors);
    this.ended = new Promise((resolve) =>
      this.#child.once("exit", (code, signal) => {
        this.outcome = signal ?? code ?? 1;
        resolve();
      })
    );
  }

  get running(): boolean {
    return this.outcome === null;
  }
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves at the ready line; fails with the node's last words when it ends before or needs too long. */
  ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      let said = "";
      const fail = (why: string) => reject(new Error(`node ${this.name} ${why}: ${this.lastWords()}`));
      const late = setTimeout(() => fail(`was not ready within ${READY_MS} ms`), READY_MS);
      this.#child.stdout?.on("data", (chunk: Uint8Array) => {
        said += new TextDecoder().decode(chunk);
        if (!said.includes(`holdfast: node ${this.name} ready`)) return;
        clearTimeout(late);
        resolve();
      });
      void this.ended.then(() => {
        clearTimeout(late);
        fail(`ended (${this.outcome})`);
      });
    });
  }

  lastWords(): string {
    return existsSync(this.log) ? readFileSync(this.log, "utf8").slice(-LAST_WORDS_CHARACTERS) : "";
  }

  signal(name: NodeJS.Signals): void {
    if (this.running) process.kill(this.pid, name);
  }

  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }
}

/**
 * One node of the demo: a real process of its own, started the way a person would start it, and killed the way a
 * machine dies.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const PROGRAM = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "bin", "holdfast");

/** What a node said on standard error is kept for the message when it ends too early. */
const LAST_WORDS_CHARACTERS_MAX = 4_000;

export class NodeProcess {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #hasEnded = false;
  #lastWords = "";

  private constructor(name: string, child: ChildProcess, log: string) {
    this.name = name;
    this.#child = child;
    this.#ended = new Promise((resolve) =>
      child.once("exit", () => {
        this.#hasEnded = true;
        resolve();
      })
    );
    child.stderr?.on("data", (chunk: Uint8Array) => {
      const text = new TextDecoder().decode(chunk);
      appendFileSync(log, text);
      this.#lastWords = (this.#lastWords + text).slice(-LAST_WORDS_CHARACTERS_MAX);
    });
  }

  /** Resolves at the node's own ready line; fails with its last words when it ends before or needs too long. */
  static async start(
    name: string,
    { config, log, readyMs }: { config: string; log: string; readyMs: number },
  ): Promise<NodeProcess> {
    const child = spawn(PROGRAM, ["node", "start", "--config", config, "--node", name], {
      stdio: ["pipe", "pipe", "pipe"],
      // The demo's own end is the end of its nodes, also when it is killed: their standard input then closes.
      env: { ...process.env, HOLDFAST_END_WITH_INPUT: "1" },
    });
    const node = new NodeProcess(name, child, log);
    await node.#ready(readyMs);
    return node;
  }

  #ready(readyMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let said = "";
      const late = setTimeout(
        () =>
          reject(
            new Error(
              `Cannot start node ${this.name}: it was not ready within ${readyMs} ms: ${this.#lastWords}`,
            ),
          ),
        readyMs,
      );
      this.#child.stdout?.on("data", (chunk: Uint8Array) => {
        said = (said + new TextDecoder().decode(chunk)).slice(-LAST_WORDS_CHARACTERS_MAX);
        if (!said.includes(`holdfast: node ${this.name} ready`)) return;
        clearTimeout(late);
        resolve();
      });
      void this.#ended.then(() => {
        clearTimeout(late);
        reject(new Error(`Cannot start node ${this.name}: it ended: ${this.#lastWords.trim()}`));
      });
    });
  }

  get running(): boolean {
    return !this.#hasEnded;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** As when its machine loses power, but for the page cache: no handler runs. */
  async kill(): Promise<void> {
    if (!this.#hasEnded) process.kill(this.pid, "SIGKILL");
    await this.#ended;
  }

  /** Lets it hand over and close cleanly; kills it when that takes longer than `withinMs`. */
  async stop({ withinMs }: { withinMs: number }): Promise<void> {
    if (this.#hasEnded) return;
    process.kill(this.pid, "SIGTERM");
    const late = setTimeout(() => void this.kill(), withinMs);
    await this.#ended;
    clearTimeout(late);
  }
}

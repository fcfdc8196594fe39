/** Real nodes as processes in a temporary folder, on unix sockets alone, asked through their admin sockets. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { GroupStatus, NodeReport } from "../../../protocol/admin_messages.ts";
import { parseAddress } from "../../../transports/address.ts";
import { isStreamEnd } from "../../../transports/transport.ts";
import { unixTransport } from "../../../transports/unix.ts";
import { connectNbd, type NbdClient } from "../../../volume/nbd/client.ts";

export const VOLUME_BYTES = 64 * 1024 * 1024;
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

export class ClusterOfProcesses {
  readonly folder: string;
  readonly #processes = new Map<string, ChildProcess>();
  readonly #modes: Readonly<Record<string, string>>;

  /** @param modes the replicas of the group in order of priority */
  constructor(modes: Readonly<Record<string, string>>) {
    this.#modes = modes;
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), "hf-"));
    const names = Object.keys(modes);
    const nodes = names.map((name) =>
      `  ${name}: { listen: ["unix:${name}.sock"], nbd: ["unix:${name}-nbd.sock"] }`
    );
    const replicas = names.map((name) =>
      `      ${name}: { disk: { data: ${name}/data.img }, mode: ${modes[name]} }`
    );
    fs.writeFileSync(
      path.join(this.folder, "cluster.yaml"),
      [
        "cluster: test",
        "nodes:",
        ...nodes,
        "groups:",
        "  db:",
        `    volumes: { data: { size: ${VOLUME_BYTES / 2 ** 20}MiB } }`,
        "    replicas:",
        ...replicas,
        "",
      ].join("\n"),
    );
  }

  disk(name: string): string {
    return path.join(this.folder, name, "data.img");
  }

  nbdSocket(name: string): string {
    return path.join(this.folder, `${name}-nbd.sock`);
  }

  startAll(): Promise<unknown> {
    return Promise.all(Object.keys(this.#modes).map((name) => this.start(name)));
  }

  /** Resolves at the ready line. */
  start(name: string): Promise<void> {
    const program = path.join(ROOT, "cli", "main.ts");
    const isDeno = process.versions["deno"] !== undefined;
    const child = spawn(
      process.execPath,
      [
        ...(isDeno ? ["run", "-A", "-c", path.join(ROOT, "deno.json")] : []),
        program,
        "node",
        "start",
        "--config",
        path.join(this.folder, "cluster.yaml"),
        "--node",
        name,
        "--state",
        path.join(this.folder, "state", name),
      ],
      { cwd: ROOT, stdio: ["ignore", "pipe", fs.openSync(path.join(this.folder, `${name}.log`), "a")] },
    );
    this.#processes.set(name, child);
    return new Promise((resolve, reject) => {
      let said = "";
      child.stdout?.on("data", (chunk: Uint8Array) => {
        said += new TextDecoder().decode(chunk);
        if (said.includes(`node ${name} ready`)) resolve();
      });
      child.on("exit", (code) => {
        const log = fs.readFileSync(path.join(this.folder, `${name}.log`), "utf8").slice(-2_000);
        reject(new Error(`node ${name} ended with ${code} before it was ready:\n${log}`));
      });
    });
  }

  /** Resolves with the exit code when the process is gone. */
  signal(name: string, signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#processes.get(name);
    assert.ok(child?.pid !== undefined, `${name} does not run`);
    const { pid } = child;
    const ended = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
    process.kill(pid, signal);
    if (signal === "SIGSTOP" || signal === "SIGCONT") return Promise.resolve(null);
    this.#processes.delete(name);
    return ended;
  }

  async end(): Promise<void> {
    await Promise.all([...this.#processes.keys()].map((name) => this.signal(name, "SIGKILL")));
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  async status(name: string): Promise<NodeReport> {
    return JSON.parse(await this.ask(name, "/api/v1/status")) as NodeReport;
  }

  /** GET, or POST of a body, at the node's admin socket. */
  ask(name: string, where: string, body?: unknown): Promise<string> {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const asked = http.request({
        socketPath: path.join(this.folder, "state", name, "admin.sock"),
        path: where,
        method: text === undefined ? "GET" : "POST",
        headers: { host: "localhost", "content-type": "application/json", connection: "close" },
        timeout: 60_000,
      }, (answer) => {
        let said = "";
        answer.setEncoding("utf8");
        answer.on("data", (chunk: string) => said += chunk);
        answer.on("end", () => resolve(said));
      });
      asked.on("error", reject);
      asked.end(text);
    });
  }

  /** Waits until the group's status on that node fits. */
  async until(name: string, fits: (group: GroupStatus) => boolean, forMs = 60_000): Promise<GroupStatus> {
    const deadlineMs = Date.now() + forMs;
    for (;;) {
      const group = (await this.status(name)).groups["db"];
      assert.ok(group !== undefined);
      if (fits(group)) return group;
      assert.ok(Date.now() < deadlineMs, `it did not come to that: ${JSON.stringify(group, null, 1)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async client(name: string): Promise<NbdClient | string> {
    const address = parseAddress(`unix:${this.nbdSocket(name)}`);
    assert.ok(!("kind" in address));
    const stream = await unixTransport.connect(address, { timeoutMs: 2_000 });
    if (isStreamEnd(stream)) return stream.detail;
    const outcome = await connectNbd(stream, {
      exportName: "data",
      startTimer: (delayMs, onElapsed) => {
        const timer = setTimeout(onElapsed, delayMs);
        return () => clearTimeout(timer);
      },
    });
    return outcome.ok ? outcome.client : outcome.failure.detail;
  }

  async served(name: string): Promise<NbdClient> {
    const client = await this.client(name);
    assert.ok(typeof client !== "string", `${name} refused: ${String(client)}`);
    return client;
  }
}

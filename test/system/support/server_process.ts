/** Starts a server of somebody else's in the foreground, waits until it answers, and ends it by pid. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import dgram from "node:dgram";
import net from "node:net";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";

const READY_MS = 15_000;

export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #output = "";

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exited = new Promise((resolve) => child.once("exit", resolve));
    for (const pipe of [child.stdout, child.stderr]) {
      pipe?.on("data", (bytes) => this.#output = (this.#output + String(bytes)).slice(-4_000));
    }
  }

  static async start(
    program: string,
    args: readonly string[],
    ready: () => Promise<boolean>,
  ): Promise<ServerProcess> {
    const child = spawn(program, [...args], { stdio: ["ignore", "pipe", "pipe"] });
    const server = new ServerProcess(child);
    const deadline = performance.now() + READY_MS;
    while (!await ready()) {
      assert.ok(child.exitCode === null && performance.now() < deadline, `${program}:\n${server.#output}`);
      await delay(20);
    }
    return server;
  }

  signal(name: "SIGSTOP" | "SIGCONT" | "SIGKILL" | "SIGTERM"): void {
    const { pid } = this.#child;
    assert.ok(pid !== undefined);
    // A stopped process may have died since: whether it is there is what `stop` waits for.
    if (this.#child.exitCode === null && this.#child.signalCode === null) process.kill(pid, name);
  }

  async stop(how: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    this.signal("SIGCONT");
    this.signal(how);
    await this.#exited;
  }
}

/** A TCP port of loopback that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      assert.ok(address !== null && typeof address === "object");
      server.close(() => resolve(address.port));
    });
  });
}

/** A UDP port of loopback that was free a moment ago. */
export function freeUdpPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket("udp4");
    socket.once("error", reject);
    socket.bind(0, "127.0.0.1", () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}

/** Something accepts TCP connections there. */
export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => {
      socket.destroy();
      resolve(false);
    });
  });
}

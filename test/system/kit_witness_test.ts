/** Real servers: redis-server and etcd on loopback, started, stopped and killed by pid. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { EtcdWitness } from "../../kits/witness/etcd.ts";
import { RedisWitness } from "../../kits/witness/redis.ts";
import { SharedFileWitness } from "../../kits/witness/shared_file.ts";
import { sampleVote, witnessSuite, type WitnessWorld } from "../conformance/witness_suite.ts";
import { missing } from "./support/nbd_server_process.ts";
import { Scratch } from "./support/scratch.ts";
import { answers, freePort, ServerProcess } from "./support/server_process.ts";

const place = { cluster: "demo", group: "db" };

/** A proxy on loopback that can swallow what the server says. */
class DeafProxy {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly port: number;
  /** From when a client's bytes hold this, nothing of the server comes back on that connection. */
  swallowAfter: string | undefined;

  private constructor(server: net.Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async start(target: number): Promise<DeafProxy> {
    const port = await freePort();
    const server = net.createServer();
    const proxy = new DeafProxy(server, port);
    server.on("connection", (client) => proxy.#join(client, net.connect(target, "127.0.0.1")));
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    return proxy;
  }

  #join(client: net.Socket, server: net.Socket): void {
    let deaf = false;
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        client.destroy();
        server.destroy();
      });
    }
    client.on("data", (bytes) => {
      if (this.swallowAfter !== undefined && bytes.includes(this.swallowAfter)) {
        deaf = true;
        this.swallowAfter = undefined;
      }
      server.write(bytes);
    });
    server.on("data", (bytes) => deaf || client.write(bytes));
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

interface RedisServer {
  readonly port: number;
  start(durable: boolean): Promise<ServerProcess>;
}

function redisServer(scratch: Scratch, port: number): RedisServer {
  return {
    port,
    start: (durable) => {
      const persistence = durable
        ? ["--appendonly", "yes", "--appendfsync", "always", "--no-appendfsync-on-rewrite", "no"]
        : ["--appendonly", "yes", "--appendfsync", "everysec"];
      const args = [
        "--bind",
        "127.0.0.1",
        "--port",
        String(port),
        "--dir",
        scratch.folder,
        "--save",
        "",
        ...persistence,
      ];
      return ServerProcess.start("redis-server", args, () => answers(port));
    },
  };
}

witnessSuite("redis", async (): Promise<WitnessWorld> => {
  const scratch = new Scratch("redis");
  const redis = redisServer(scratch, await freePort());
  let server = await redis.start(true);
  const proxy = await DeafProxy.start(redis.port);
  const viaProxy = () => new RedisWitness({ host: "127.0.0.1", port: proxy.port, ...place });
  return {
    open: viaProxy,
    wipe: async () => {
      await server.stop();
      fs.rmSync(scratch.path("appendonlydir"), { recursive: true });
      server = await redis.start(true);
    },
    hang: () => server.signal("SIGSTOP"),
    resume: () => server.signal("SIGCONT"),
    loseAnswer: () => proxy.swallowAfter = "HSET",
    restart: async (how) => {
      await server.stop();
      server = await redis.start(how === "kept");
    },
    ended: (answer) => answer,
    close: async () => {
      await proxy.stop();
      await server.stop();
      scratch.remove();
    },
  };
}, {
  can: ["hang", "lose_answer", "restart_kept", "restart_not_kept"],
  skip: missing("redis-server"),
});

test("redis: a server that became durable only later is doubted after a restart all the same", {
  skip: missing("redis-server"),
}, async () => {
  const scratch = new Scratch("redis");
  const redis = redisServer(scratch, await freePort());
  let server = await redis.start(false);
  const register = new RedisWitness({ host: "127.0.0.1", port: redis.port, ...place });
  try {
    await register.compareAndSet({ timeoutMs: 5_000, expected: 0, next: sampleVote() });
    await server.stop("SIGTERM");
    server = await redis.start(true);
    const read = await register.read({ timeoutMs: 5_000 });
    assert.ok(read.kind === "found" && read.doubtful, JSON.stringify(read));
  } finally {
    await register.close();
    await server.stop();
    scratch.remove();
  }
});

test("redis: a server that is gone is unreachable within the time, and nothing was sent", {
  skip: missing("redis-server"),
}, async () => {
  const register = new RedisWitness({ host: "127.0.0.1", port: await freePort(), ...place });
  try {
    const write = await register.compareAndSet({ timeoutMs: 300, expected: 0, next: sampleVote() });
    assert.equal(write.kind, "unreachable");
  } finally {
    await register.close();
  }
});

test(
  "shared file: storage that hangs is a time-out by name, holds one thread at most, and is used again when it goes on",
  {
    skip: missing("mkfifo", "sh"),
  },
  async () => {
    const scratch = new Scratch("witness");
    fs.mkdirSync(scratch.path("demo.db"));
    // Reading a pipe that nobody writes hangs as a dead file server does, in the same place: a thread of the pool.
    const pipe = scratch.path("demo.db/0000000000000001.vote");
    execFileSync("mkfifo", [pipe]);
    const register = new SharedFileWitness({ folder: scratch.folder, ...place });
    try {
      const hung = await register.read({ timeoutMs: 200 });
      assert.ok(hung.kind === "unreachable" && hung.timedOut, JSON.stringify(hung));
      const startedMs = performance.now();
      for (let time = 0; time < 20; time++) {
        const refused = await register.compareAndSet({ timeoutMs: 5_000, expected: 1, next: sampleVote() });
        assert.ok(refused.kind === "unreachable" && refused.timedOut, JSON.stringify(refused));
      }
      assert.ok(performance.now() - startedMs < 1_000, "answered at once");
      execFileSync("sh", ["-c", 'echo > "$0"', pipe]);
      fs.rmSync(pipe);
      const deadline = performance.now() + 5_000;
      let read = await register.read({ timeoutMs: 1_000 });
      while (read.kind !== "empty" && performance.now() < deadline) {
        await delay(10);
        read = await register.read({ timeoutMs: 1_000 });
      }
      assert.equal(read.kind, "empty");
    } finally {
      await register.close();
      scratch.remove();
    }
  },
);

witnessSuite("etcd", async (): Promise<WitnessWorld> => {
  const scratch = new Scratch("etcd");
  const [client, peer, nobody] = [await freePort(), await freePort(), await freePort()];
  const start = () =>
    ServerProcess.start("etcd", [
      "--name=one",
      `--data-dir=${scratch.path("data")}`,
      `--listen-client-urls=http://127.0.0.1:${client}`,
      `--advertise-client-urls=http://127.0.0.1:${client}`,
      `--listen-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-cluster=one=http://127.0.0.1:${peer}`,
      "--log-level=error",
    ], async () => await answers(client) && (await probe.read({ timeoutMs: 1_000 })).kind !== "unreachable");
  const probe = new EtcdWitness({ endpoints: [`http://127.0.0.1:${client}`], ...place });
  let server = await start();
  const proxy = await DeafProxy.start(client);
  return {
    // The first endpoint is nobody: the second must be found.
    open: () =>
      new EtcdWitness({
        endpoints: [`http://127.0.0.1:${nobody}`, `http://127.0.0.1:${proxy.port}`],
        ...place,
      }),
    wipe: async () => {
      await server.stop();
      fs.rmSync(scratch.path("data"), { recursive: true });
      server = await start();
    },
    hang: () => server.signal("SIGSTOP"),
    resume: () => server.signal("SIGCONT"),
    loseAnswer: () => proxy.swallowAfter = "requestPut",
    restart: async () => {
      await server.stop();
      server = await start();
    },
    ended: (answer) => answer,
    close: async () => {
      await probe.close();
      await proxy.stop();
      await server.stop();
      scratch.remove();
    },
  };
}, { can: ["hang", "lose_answer", "restart_kept"], skip: missing("etcd") });

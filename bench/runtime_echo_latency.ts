/**
 * Do sockets stay alive while actors saturate the event loop? TCP echo round trips while messages run at full speed.
 *
 * Two actors throw balls without ever resting, in the process that also serves an echo socket through a guarded actor callback; the client is
 * a process of its own, so that it measures the server and not itself. One echo at a time, 64 bytes. Called with `client <port>` this
 * file is that client. With a policy's name (`immediate`, `seven_to_one`) it measures that one.
 */
import { spawn } from "node:child_process";
import { connect, createServer } from "node:net";
import process from "node:process";
import {
  createSystem,
  hostYield,
  memoryLog,
  type Ref,
  systemScheduler,
  type Yield,
  yieldByImmediate,
  yieldByImmediatesAndTimeout,
} from "../runtime/mod.ts";

const SECONDS = 5;
const BALLS = 64;

function client(port: number): void {
  const tripsUs: number[] = [];
  const endMs = performance.now() + SECONDS * 1_000;
  let sentMs = 0;
  const socket = connect(port, "127.0.0.1", () => {
    socket.setNoDelay(true);
    send();
  });
  const send = () => {
    sentMs = performance.now();
    socket.write(new Uint8Array(64));
  };
  socket.on("data", () => {
    tripsUs.push((performance.now() - sentMs) * 1_000);
    if (performance.now() < endMs) {
      setTimeout(send, 1);
      return;
    }
    tripsUs.sort((left, right) => left - right);
    const at = (share: number) => Math.round(tripsUs[Math.floor(tripsUs.length * share)] ?? NaN);
    process.stdout.write(
      JSON.stringify({ p50: at(0.5), p99: at(0.99), max: at(0.9999), trips: tripsUs.length }),
    );
    socket.destroy();
  });
}

async function server(policy: Yield, name: string): Promise<void> {
  const system = createSystem({
    log: memoryLog({ level: "error" }),
    scheduler: systemScheduler({ yield: policy }),
  });
  let messages = 0;
  const ping: Ref<number> = system.start({
    spec: {
      name: "ping",
      start: () => ({
        receive(ball: number) {
          messages += 1;
          pong.tell(ball);
        },
      }),
    },
    restart: "permanent",
  });
  const pong = system.start({
    spec: {
      name: "pong",
      start: () => ({
        receive(ball: number) {
          messages += 1;
          ping.tell(ball);
        },
      }),
    },
    restart: "permanent",
  });
  const listener = createServer((socket) => {
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes) => socket.write(bytes));
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const deno = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
  const file = process.argv[1] ?? "";
  const child = spawn(process.execPath, [...deno, file, "client", String(port)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  for (let ball = 0; ball < BALLS; ball++) ping.tell(ball);
  const startMs = performance.now();
  let text = "";
  child.stdout.on("data", (bytes) => text += String(bytes));
  await new Promise<void>((resolve) => child.on("close", () => resolve()));
  const rate = messages / ((performance.now() - startMs) / 1_000);
  const { p50, p99, max, trips } = JSON.parse(text);
  console.log(`| ${name} | ${(rate / 1e6).toFixed(1)} M/s | ${p50} µs | ${p99} µs | ${max} µs | ${trips} |`);
  process.exit(0);
}

const [mode, port] = process.argv.slice(2);
if (mode === "client") client(Number(port));
else if (mode === "immediate") await server(yieldByImmediate(), "setImmediate alone");
else if (mode === "seven_to_one") {
  await server(yieldByImmediatesAndTimeout(), "seven setImmediate to one setTimeout(0)");
} else await server(hostYield(), `policy of this runtime (${"Deno" in globalThis ? "Deno" : "Node"})`);

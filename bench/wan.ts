/**
 * A wide-area network on one machine: a proxy between two nodes with a delay, jitter, a thin wire and a switch.
 *
 * The kernel here has no netem, and a proxy of our own does the same on every machine. It is the filters `throttle` and
 * `faulty` around TCP, one pair for each direction, and carries bytes without knowing them, so TLS passes through it.
 * Loss of packets is not imitated: over TCP it is delay and a thinner wire.
 *
 *     deno run -A bench/wan.ts --to tcp://127.0.0.1:7402 --delay 25 --jitter 5 --mbit 10 [--listen tcp://127.0.0.1:17402]
 *
 * Without `--to` it measures itself. `--delay` and `--jitter` are milliseconds one way. It prints its address; a line `cut` or `mend` on standard input is the switch.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import type { ByteStream } from "../runtime/byte_stream.ts";
import { systemClock } from "../runtime/clock.ts";
import { isAddressRefusal, parseAddress, type TransportAddress } from "../transports/address.ts";
import { faulty, type FaultyTransport } from "../transports/filters/faulty.ts";
import { throttled } from "../transports/filters/throttle.ts";
import { tcpTransport } from "../transports/tcp.ts";
import { isListenFailure, isStreamEnd } from "../transports/transport.ts";

export interface WanOptions {
  readonly listen: string;
  readonly to: string;
  /** One way. */
  readonly delayMs: number;
  readonly jitterMs: number;
  /** Each way; undefined: as fast as the machine. */
  readonly bytesPerSecond?: number | undefined;
}

export interface Wan {
  readonly address: string;
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

const SPACE_BYTES = 64 * 1024;
const CONNECT_MS = 5_000;
const BYTES_PER_MBIT = 125_000;

/** Opens the proxy; throws when its address cannot be listened on. */
export async function openWan(options: WanOptions): Promise<Wan> {
  const [towardsCaller, towardsNode] = [wire(options), wire(options)];
  const target = addressOf(options.to);
  const listener = await towardsCaller.transport.listen(addressOf(options.listen), (near) => {
    towardsNode.transport.connect(target, { timeoutMs: CONNECT_MS }).then((far) => {
      if (isStreamEnd(far)) return near.destroy(far.detail);
      couple(near, far);
    });
  });
  if (isListenFailure(listener)) throw new Error(listener.detail);
  const each = (act: (wire: FaultyTransport) => void) => [towardsCaller, towardsNode].forEach(act);
  return {
    address: listener.address,
    cut: () => each((direction) => direction.cut()),
    mend: () => each((direction) => direction.mend()),
    close: () => {
      each((direction) => direction.cut());
      return listener.close();
    },
  };
}

function wire({ delayMs, jitterMs, bytesPerSecond }: WanOptions): FaultyTransport {
  const clock = systemClock();
  const far = faulty(tcpTransport, { clock, delayMs, jitterMs, random: Math.random });
  if (bytesPerSecond === undefined) return far;
  return { ...far, transport: throttled(far.transport, { clock, bytesPerSecond, burstBytes: SPACE_BYTES }) };
}

/** Each side's bytes to the other; a side that is full stops the other's reading, an end ends both. */
function couple(near: ByteStream, far: ByteStream): void {
  pour(near, far);
  pour(far, near);
}

function pour(from: ByteStream, to: ByteStream): void {
  let space = new Uint8Array(SPACE_BYTES);
  let full = false;
  from.start({
    space: () => full ? null : space,
    received: (length) => {
      full = !to.send(space.subarray(0, length));
      if (full) {
        waitingFor.set(to, () => {
          full = false;
          from.resume();
        });
      }
      space = new Uint8Array(SPACE_BYTES);
    },
    drained: () => {
      waitingFor.get(from)?.();
      waitingFor.delete(from);
    },
    ended: () => {
      waitingFor.delete(from);
      to.end();
    },
  });
}

/** For each stream that is full: what goes on when it has drained. */
const waitingFor = new WeakMap<ByteStream, () => void>();

function addressOf(text: string): TransportAddress {
  const address = parseAddress(text);
  if (isAddressRefusal(address)) throw new Error(address.message);
  return address;
}

/** Without a node to lead to: what the proxy makes of four networks, as a table. */
async function measure(): Promise<void> {
  const sink = await tcpTransport.listen(addressOf("tcp://127.0.0.1:0"), (stream) => {
    const space = new Uint8Array(SPACE_BYTES);
    // One byte back for each read: the round trip of a ping, and how far a bulk has come.
    const receiver = { space: () => space, received: () => void stream.send(space.slice(0, 1)) };
    stream.start({ ...receiver, drained: () => {}, ended: () => {} });
  });
  if (isListenFailure(sink)) throw new Error(sink.detail);
  console.log("| asked for | round trip | Mbit/s |\n| --- | --- | --- |");
  for (const [delayMs, mbit] of [[25, 10], [25, 100], [50, 10], [50, 100]] as const) {
    const bytesPerSecond = mbit * BYTES_PER_MBIT;
    const listen = "tcp://127.0.0.1:0";
    const wan = await openWan({ listen, to: sink.address, delayMs, jitterMs: 0, bytesPerSecond });
    const stream = await tcpTransport.connect(addressOf(wan.address), { timeoutMs: CONNECT_MS });
    if (isStreamEnd(stream)) throw new Error(stream.detail);
    let heardAt = 0;
    let heard = () => {};
    const space = new Uint8Array(SPACE_BYTES);
    const received = () => {
      heardAt = performance.now();
      heard();
    };
    stream.start({ space: () => space, received, drained: () => {}, ended: () => {} });
    const ping = async () => {
      const at = performance.now();
      const answered = new Promise<void>((resolve) => heard = resolve);
      stream.send(new Uint8Array(1));
      await answered;
      return performance.now() - at;
    };
    await ping();
    const roundTripMs = await ping();
    const beganAt = performance.now();
    stream.send(new Uint8Array(bytesPerSecond));
    await new Promise((resolve) => setTimeout(resolve, 1_500 + 2 * delayMs));
    const seconds = (heardAt - beganAt - roundTripMs) / 1_000;
    const row = [
      `${2 * delayMs} ms, ${mbit} Mbit/s`,
      `${roundTripMs.toFixed(1)} ms`,
      (mbit / seconds).toFixed(1),
    ];
    console.log(`| ${row.join(" | ")} |`);
    stream.destroy("measured");
    await wan.close();
  }
  await sink.close();
}

async function serve(
  values: Readonly<Record<string, string | undefined>> & { readonly to: string },
): Promise<void> {
  const wan = await openWan({
    listen: values["listen"] ?? "tcp://127.0.0.1:0",
    to: values.to,
    delayMs: Number(values["delay"]),
    jitterMs: Number(values["jitter"]),
    bytesPerSecond: values["mbit"] === undefined ? undefined : Number(values["mbit"]) * BYTES_PER_MBIT,
  });
  console.log(wan.address);
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === "cut") wan.cut();
    if (line === "mend") wan.mend();
  }
  await wan.close();
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      listen: { type: "string" },
      to: { type: "string" },
      delay: { type: "string", default: "25" },
      jitter: { type: "string", default: "0" },
      mbit: { type: "string" },
    },
  });
  const { to } = values;
  await (to === undefined ? measure() : serve({ ...values, to }));
  process.exit(0);
}

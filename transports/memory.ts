/**
 * The simulated network: whole clusters in one process, in virtual time, with every fault a network has.
 *
 * A host is a name. `network.transport("alpha")` is what the node alpha gets as its transport; it listens at
 * `memory://alpha` (or `memory://alpha/nbd`) and connects to `memory://beta`. The first part of the name is the host,
 * so that a partition between two hosts cuts all their connections. Everything happens through the given clock,
 * scheduler and random: one seed is one history. There is no bandwidth, only latency and a window.
 */
import type { ByteStream, StreamEnd } from "../runtime/byte_stream.ts";
import type { Clock } from "../runtime/clock.ts";
import { invariant } from "../runtime/invariant.ts";
import type { Random } from "../runtime/random.ts";
import type { Scheduler } from "../runtime/scheduler.ts";
import { formatAddress, type MemoryAddress } from "./address.ts";
import { type Latency, Paths } from "./simulated/paths.ts";
import { SimulatedStream, type StreamSettings } from "./simulated/stream.ts";
import {
  type ConnectOptions,
  type Listener,
  type ListenFailure,
  type ListenOptions,
  STREAMS_MAX_DEFAULT,
  type Transport,
} from "./transport.ts";

export interface SimulatedNetworkOptions {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly random: Random;
  /** Default 0.05–0.2 ms. */
  readonly latency?: Latency;
  /** Bytes of one direction on their way or unread; default 1 MiB. */
  readonly windowBytes?: number;
  /** Cut reads at random places; default true. */
  readonly splitReads?: boolean;
}

interface Endpoint {
  readonly host: string;
  readonly onStream: (stream: ByteStream) => void;
  readonly options: ListenOptions;
  openStreams: number;
}

interface Connection {
  readonly hosts: readonly [string, string];
  readonly ends: readonly [SimulatedStream, SimulatedStream];
}

const WINDOW_BYTES_DEFAULT = 1024 * 1024;
const LATENCY_DEFAULT: Latency = { minMs: 0.05, maxMs: 0.2 };

export class SimulatedNetwork {
  readonly #paths: Paths;
  readonly #settings: StreamSettings;
  readonly #endpoints = new Map<string, Endpoint>();
  #connections: Connection[] = [];
  /** How often a host has crashed: an attempt of a life before must not open a stream for the next one. */
  readonly #crashes = new Map<string, number>();

  constructor(options: SimulatedNetworkOptions) {
    this.#paths = new Paths({
      clock: options.clock,
      random: options.random,
      latency: options.latency ?? LATENCY_DEFAULT,
    });
    this.#settings = {
      clock: options.clock,
      scheduler: options.scheduler,
      random: options.random,
      windowBytes: options.windowBytes ?? WINDOW_BYTES_DEFAULT,
      splitReads: options.splitReads ?? true,
    };
  }

  /** The network as `host` sees it. */
  transport(host: string): Transport {
    return {
      scheme: "memory",
      traits: { ordered: true, reliable: true, bulk: true, local: true },
      listen: (address, onStream, options) => {
        invariant(address.scheme === "memory", "the memory transport gets memory addresses");
        return Promise.resolve(this.#listen(host, { address, onStream, options: options ?? {} }));
      },
      connect: (address, options) => {
        invariant(address.scheme === "memory", "the memory transport gets memory addresses");
        return new Promise((resolve) => this.#connect(host, { address, options, resolve }));
      },
    };
  }

  // Faults.

  /** Nothing of `from` reaches `to` until `open`; nothing is lost by it. */
  close(from: string, to: string): void {
    this.#paths.close({ from, to });
  }

  open(from: string, to: string): void {
    this.#paths.open({ from, to });
  }

  /** Cuts `host` off from all `others`, both ways. */
  isolate(host: string, others: readonly string[]): void {
    for (const other of others) {
      this.close(host, other);
      this.close(other, host);
    }
  }

  /** Ends all partitions; stopped hosts stay stopped. */
  heal(): void {
    this.#paths.openAll();
  }

  /** Nothing reaches `host` until `go`, like a process under SIGSTOP. */
  stop(host: string): void {
    this.#paths.stop(host);
  }

  go(host: string): void {
    this.#paths.go(host);
  }

  /** Breaks every connection between the two hosts, at once and for both ends. */
  resetBetween(one: string, other: string): void {
    for (const { ends } of this.#connectionsOf(one, other)) {
      for (const end of ends) end.reset("reset by the network");
    }
  }

  /** Breaks each connection between the two after `to` has received `byteLength` more bytes on it. */
  resetAfter(ends: { readonly from: string; readonly to: string }, byteLength: number): void {
    for (const connection of this.#connectionsOf(ends.from, ends.to)) {
      connection.ends[connection.hosts[0] === ends.to ? 0 : 1].resetAfter(byteLength);
    }
  }

  /**
   * The process of `host` is gone: its listeners, its ends of all connections, and nothing of it is called any more.
   * `killed`: the kernel lives and resets the other ends. `power_lost`: the other ends hear nothing.
   */
  crash(host: string, kind: "killed" | "power_lost"): void {
    this.#crashes.set(host, this.#crashesOf(host) + 1);
    for (const [name, endpoint] of this.#endpoints) if (endpoint.host === host) this.#endpoints.delete(name);
    for (const { hosts, ends } of this.#connections) {
      for (const side of [0, 1] as const) {
        if (hosts[side] !== host) continue;
        const other = ends[1 - side];
        ends[side].vanish();
        if (kind === "killed" && other !== undefined) {
          const wire = this.#paths.wire({ from: host, to: hosts[1 - side] ?? host });
          wire.put(() => other.reset("the other side's process is gone"));
        }
      }
    }
    this.#forgetClosed();
  }

  // What transports do.

  #listen(
    host: string,
    plan: { address: MemoryAddress; onStream: (stream: ByteStream) => void; options: ListenOptions },
  ): Listener | ListenFailure {
    const { name } = plan.address;
    const address = formatAddress(plan.address);
    if (hostOf(name) !== host) {
      return {
        kind: "not_usable",
        detail: `Cannot listen on ${address}: this is host "${host}" (try: memory://${host})`,
      };
    }
    if (this.#endpoints.has(name)) {
      return {
        kind: "address_in_use",
        detail: `Cannot listen on ${address}: somebody listens there (try: ${address}/other)`,
      };
    }
    const endpoint: Endpoint = { host, onStream: plan.onStream, options: plan.options, openStreams: 0 };
    this.#endpoints.set(name, endpoint);
    const close = () => {
      if (this.#endpoints.get(name) === endpoint) this.#endpoints.delete(name);
      return Promise.resolve();
    };
    return { address, close };
  }

  #connect(
    from: string,
    attempt: {
      address: MemoryAddress;
      options: ConnectOptions;
      resolve: (outcome: ByteStream | StreamEnd) => void;
    },
  ): void {
    const { name } = attempt.address;
    const address = formatAddress(attempt.address);
    const to = hostOf(name);
    const crashes = this.#crashesOf(from);
    let over = false;
    const finish = (outcome: ByteStream | StreamEnd) => {
      over = true;
      this.#paths.clock.cancel(timer);
      attempt.resolve(outcome);
    };
    const timer = this.#paths.clock.after(attempt.options.timeoutMs, () => {
      finish({
        kind: "timed_out",
        detail: `${address}: no connection within ${attempt.options.timeoutMs} ms`,
      });
    });
    this.#paths.wire({ from, to }).put(() => {
      if (crashes !== this.#crashesOf(from)) return;
      const endpoint = this.#endpoints.get(name);
      const back = this.#paths.wire({ from: to, to: from });
      if (endpoint === undefined) {
        back.put(() => {
          if (!over) finish({ kind: "refused", detail: `${address}: nobody listens there` });
        });
        return;
      }
      const [near, far] = this.#pair({ from, to, address, endpoint });
      back.put(() => {
        if (crashes !== this.#crashesOf(from)) return;
        if (over) near.destroy("the attempt was given up");
        else finish(near);
      });
      this.#accept(endpoint, far, address);
    });
  }

  #pair(
    ends: { from: string; to: string; address: string; endpoint: Endpoint },
  ): [SimulatedStream, SimulatedStream] {
    const { from, to, endpoint } = ends;
    const near = new SimulatedStream({
      remoteAddress: ends.address,
      settings: this.#settings,
      wire: this.#paths.wire({ from, to }),
    });
    const far = new SimulatedStream({
      remoteAddress: `memory://${from}`,
      settings: this.#settings,
      wire: this.#paths.wire({ from: to, to: from }),
      onClosed: () => endpoint.openStreams -= 1,
    });
    SimulatedStream.join(near, far);
    endpoint.openStreams += 1;
    this.#forgetClosed();
    this.#connections.push({ hosts: [from, to], ends: [near, far] });
    return [near, far];
  }

  #accept(endpoint: Endpoint, far: SimulatedStream, address: string): void {
    const streamsMax = endpoint.options.streamsMax ?? STREAMS_MAX_DEFAULT;
    if (endpoint.openStreams <= streamsMax) {
      endpoint.onStream(far);
      return;
    }
    far.destroy("too many streams");
    endpoint.options.onTrouble?.(`${address}: closed a new connection, ${streamsMax} are open`);
  }

  #crashesOf(host: string): number {
    return this.#crashes.get(host) ?? 0;
  }

  #connectionsOf(one: string, other: string): Connection[] {
    return this.#connections.filter(({ hosts }) =>
      (hosts[0] === one && hosts[1] === other) || (hosts[0] === other && hosts[1] === one)
    );
  }

  #forgetClosed(): void {
    this.#connections = this.#connections.filter(({ ends }) => ends.some((end) => end.isOpen));
  }
}

/** The host of an endpoint's name: what is before the first slash. */
function hostOf(name: string): string {
  return name.split("/", 1)[0] ?? name;
}

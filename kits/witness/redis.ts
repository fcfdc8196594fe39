/**
 * A witness that is a Redis server: one hash per group, changed by one Lua script.
 *
 * Redis forgets more easily than it seems. Only with `appendonly yes`, `appendfsync always` and
 * `no-appendfsync-on-rewrite no` is an answered write on disk; and a replica that takes over has what had reached it. So
 * every write notes the server's life (`run_id`, new at each start) and whether all that held, and who finds the vote in another life without
 * it gets it as `doubtful`. Nothing of Redis' own time is used: no expiry, no keyspace event.
 *
 * The client's defaults send a command again after a reconnect and queue for seconds while there is no connection. A
 * renewal that is sent again is a lie about time, so all of that is off: one command is sent once, on a connection that stands.
 */
import { Redis } from "ioredis";
import { type Clock, systemClock } from "../../runtime/clock.ts";
import { causeOf, timely } from "../deadline.ts";
import type {
  RegisterPlace,
  WitnessCall,
  WitnessChange,
  WitnessRead,
  WitnessRegister,
  WitnessWrite,
} from "./witness_register.ts";
import { decodeVote, encodeVote } from "./witness_vote_format.ts";

export interface RedisOptions extends RegisterPlace {
  readonly host: string;
  readonly port: number;
  /** Default 0. */
  readonly database?: number;
  readonly username?: string;
  readonly password?: string;
  readonly clock?: Clock;
}

/**
 * `read durable` or `set durable expected vote incarnation`. Both begin by asking in which life the server is and
 * whether what is kept was written in it, so that no write can make a doubtful vote look sound by itself.
 */
const SCRIPT = `
local life = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''
local replication = redis.call('INFO', 'replication')
local alone = string.match(replication, 'role:(%a+)') == 'master'
  and tonumber(string.match(replication, 'connected_slaves:(%d+)')) == 0
local durable = ARGV[2] == '1' and alone
local held = redis.call('HMGET', KEYS[1], 'version', 'vote', 'incarnation', 'life', 'durable')
local version = tonumber(held[1] or '0')
local doubtful = version > 0 and held[4] ~= life and not (held[5] == '1' and durable)
if ARGV[1] == 'read' then
  return {tostring(version), held[2] or '', doubtful and '1' or '0'}
end
if version ~= tonumber(ARGV[3]) then return {'conflict'} end
if doubtful and held[3] == ARGV[5] then return {'forgotten'} end
redis.call('HSET', KEYS[1], 'version', version + 1, 'vote', ARGV[4], 'incarnation', ARGV[5],
  'life', life, 'durable', durable and '1' or '0')
return {'set'}
`;

/** Between attempts to connect. */
const RECONNECT_AFTER_MS = 250;
/** For the client's own commands (its greeting after each connect); ours have the caller's deadline, or this if it is nearer. */
const COMMAND_TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 5_000;

export class RedisWitness implements WitnessRegister {
  readonly name: string;
  readonly #key: string;
  readonly #clock: Clock;
  readonly #client: Redis;
  /** Why there is no connection, for people. */
  #lastError = "not connected yet";
  #closed = false;

  constructor(options: RedisOptions) {
    this.name = `redis at ${options.host}:${options.port}`;
    this.#key = `holdfast:${options.cluster}:${options.group}`;
    this.#clock = options.clock ?? systemClock();
    this.#client = new Redis({
      host: options.host,
      port: options.port,
      db: options.database ?? 0,
      ...(options.username === undefined ? {} : { username: options.username }),
      ...(options.password === undefined ? {} : { password: options.password }),
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      maxRetriesPerRequest: 0,
      commandTimeout: COMMAND_TIMEOUT_MS,
      connectTimeout: CONNECT_TIMEOUT_MS,
      retryStrategy: () => RECONNECT_AFTER_MS,
      reconnectOnError: () => false,
    });
    // Without a listener the client prints to the console.
    this.#client.on("error", (error: Error) => this.#lastError = error.message);
  }

  async read(call: WitnessCall): Promise<WitnessRead> {
    const asked = await this.#ask(call, ["read"]);
    if (asked.kind !== "answer") {
      return { kind: "unreachable", cause: asked.cause, timedOut: asked.timedOut };
    }
    const [version = "", text = "", doubtful] = asked.words;
    if (version === "0") return { kind: "empty" };
    const vote = decodeVote(text);
    if ("cause" in vote) return { kind: "damaged", cause: `${this.#key}: ${vote.cause}` };
    return { kind: "found", vote, version: Number(version), doubtful: doubtful !== "0" };
  }

  async compareAndSet({ expected, next, timeoutMs }: WitnessChange): Promise<WitnessWrite> {
    const asked = await this.#ask({ timeoutMs }, [
      "set",
      String(expected),
      encodeVote(next),
      next.incarnation,
    ]);
    if (asked.kind !== "answer") {
      const kind = asked.kind === "not_sent" ? "unreachable" : "unknown";
      return { kind, cause: asked.cause, timedOut: asked.timedOut };
    }
    switch (asked.words[0]) {
      case "set":
        return { kind: "set", version: expected + 1 };
      case "conflict":
        return { kind: "conflict" };
      case "forgotten":
        return { kind: "forgotten" };
      default:
        return { kind: "unknown", cause: `an answer without sense: ${asked.words[0]}`, timedOut: false };
    }
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#client.disconnect();
    return Promise.resolve();
  }

  /** `sent`: the script may run or have run. */
  async #ask(
    { timeoutMs }: WitnessCall,
    [action = "", ...rest]: readonly string[],
  ): Promise<
    | { readonly kind: "answer"; readonly words: readonly string[] }
    | { readonly kind: "not_sent" | "sent"; readonly cause: string; readonly timedOut: boolean }
  > {
    const deadlineMs = this.#clock.now() + timeoutMs;
    const leftMs = () => Math.max(1, deadlineMs - this.#clock.now());
    if (!await this.#ready(leftMs())) {
      return { kind: "not_sent", cause: this.#closed ? "closed" : this.#lastError, timedOut: !this.#closed };
    }
    // What holds the answer up holds the connection up, and everything after it: it is given up.
    // `disconnect` would say goodbye and wait for an answer to that.
    const hangUp = () => this.#client.stream.destroy();
    const durable = await timely(this.#isDurable(), {
      clock: this.#clock,
      timeoutMs: leftMs(),
      onLate: hangUp,
    });
    if (durable.kind !== "value") {
      return { kind: "not_sent", cause: durable.cause, timedOut: durable.kind === "late" };
    }
    const answer = await timely(
      this.#client.eval(SCRIPT, 1, this.#key, action, durable.value ? "1" : "0", ...rest),
      { clock: this.#clock, timeoutMs: leftMs(), onLate: hangUp },
    );
    if (answer.kind !== "value") {
      return { kind: "sent", cause: answer.cause, timedOut: answer.kind === "late" };
    }
    const words = Array.isArray(answer.value) ? answer.value.map(String) : [String(answer.value)];
    return { kind: "answer", words };
  }

  /** Asked each time: a person can change it while the server runs. A server that does not tell is not durable. */
  async #isDurable(): Promise<boolean> {
    let pairs: unknown;
    try {
      pairs = await this.#client.config("GET", "*append*");
    } catch (error) {
      if (/NOPERM|unknown command/i.test(causeOf(error))) return false;
      throw error;
    }
    if (!Array.isArray(pairs)) return false;
    const value = (name: string): unknown => pairs[pairs.indexOf(name) + 1];
    return pairs.includes("appendonly") && value("appendonly") === "yes" &&
      value("appendfsync") === "always" &&
      value("no-appendfsync-on-rewrite") === "no";
  }

  async #ready(timeoutMs: number): Promise<boolean> {
    if (this.#closed) return false;
    if (this.#client.status === "ready" && this.#client.stream.writable) return true;
    const client = this.#client;
    let ready: () => void = () => undefined;
    const connected = new Promise<void>((resolve) => client.once("ready", ready = resolve));
    const outcome = await timely(connected, { clock: this.#clock, timeoutMs });
    client.off("ready", ready);
    return outcome.kind === "value" && !this.#closed;
  }
}

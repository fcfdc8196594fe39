/**
 * A witness that is an etcd cluster, over the JSON gateway that every etcd serves: plain `fetch`, no package.
 *
 * An etcd answers a write only when a majority of its own members has it on disk, and reads are linearizable: of all
 * external witnesses it is the one that does not forget. Its leases are not used all the same: an expiry on somebody
 * else's clock tells us nothing (`witness_register.ts`). The key's own `version` counts our writes; a key that was deleted
 * begins again at 1 and is told apart by its incarnation, a restored backup by its lower version.
 */
import { Buffer } from "node:buffer";
import { type Clock, systemClock } from "../../runtime/clock.ts";
import { timely } from "../deadline.ts";
import type {
  RegisterPlace,
  WitnessCall,
  WitnessChange,
  WitnessRead,
  WitnessRegister,
  WitnessWrite,
} from "./witness_register.ts";
import { decodeVote, encodeVote, VOTE_BYTES_MAX } from "./witness_vote_format.ts";

export interface EtcdOptions extends RegisterPlace {
  /** Client addresses, `http://127.0.0.1:2379`; one that cannot be reached is followed by the next. At least one. */
  readonly endpoints: readonly string[];
  /** E.g. an authorization. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly clock?: Clock;
}

const RANGE = "/v3/kv/range";

type Posted =
  | { readonly kind: "answer"; readonly body: unknown }
  /** `sent`: the server may have got it. */
  | { readonly kind: "not_sent" | "sent"; readonly cause: string; readonly timedOut: boolean };

export class EtcdWitness implements WitnessRegister {
  readonly name: string;
  readonly #key: string;
  readonly #endpoints: readonly string[];
  readonly #headers: Readonly<Record<string, string>>;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  /** Where the last answer came from: asked first. */
  #preferred = 0;

  constructor(options: EtcdOptions) {
    this.name = `etcd at ${options.endpoints.join(", ")}`;
    this.#key = toBase64(`holdfast/${options.cluster}/${options.group}`);
    this.#endpoints = options.endpoints;
    this.#headers = options.headers ?? {};
    this.#clock = options.clock ?? systemClock();
  }

  async read(call: WitnessCall): Promise<WitnessRead> {
    const posted = await this.#post(RANGE, { key: this.#key }, call);
    if (posted.kind !== "answer") {
      return { kind: "unreachable", cause: posted.cause, timedOut: posted.timedOut };
    }
    const pair = first(field(posted.body, "kvs"));
    if (pair === undefined) {
      // An answer of an etcd has a header; anything else that answers with JSON must not pass for an empty one.
      if (field(posted.body, "header") === undefined) return { kind: "damaged", cause: "it is no etcd" };
      return { kind: "empty" };
    }
    const version = Number(field(pair, "version"));
    const vote = decodeVote(fromBase64(field(pair, "value")));
    if ("cause" in vote) return { kind: "damaged", cause: vote.cause };
    if (!Number.isSafeInteger(version) || version < 1) {
      return { kind: "damaged", cause: "its version is no number" };
    }
    return { kind: "found", vote, version, doubtful: false };
  }

  async compareAndSet({ expected, next, timeoutMs }: WitnessChange): Promise<WitnessWrite> {
    const transaction = {
      compare: [{ key: this.#key, target: "VERSION", result: "EQUAL", version: String(expected) }],
      success: [{ requestPut: { key: this.#key, value: toBase64(encodeVote(next)) } }],
    };
    const posted = await this.#post("/v3/kv/txn", transaction, { timeoutMs });
    if (posted.kind !== "answer") {
      const kind = posted.kind === "not_sent" ? "unreachable" : "unknown";
      return { kind, cause: posted.cause, timedOut: posted.timedOut };
    }
    // The gateway leaves out what is false.
    if (field(posted.body, "succeeded") === true) return { kind: "set", version: expected + 1 };
    if (field(posted.body, "header") === undefined) {
      return { kind: "unknown", cause: "an answer without sense", timedOut: false };
    }
    return { kind: "conflict" };
  }

  close(): Promise<void> {
    this.#closing.abort();
    return Promise.resolve();
  }

  /** Each endpoint is asked at most once; after one that may have got a change no other is. */
  async #post(path: string, body: unknown, { timeoutMs }: WitnessCall): Promise<Posted> {
    const deadlineMs = this.#clock.now() + timeoutMs;
    let posted: Posted = { kind: "not_sent", cause: "no endpoint is configured", timedOut: false };
    for (let tried = 0; tried < this.#endpoints.length; tried++) {
      if (this.#closing.signal.aborted) return { kind: "not_sent", cause: "closed", timedOut: false };
      const index = (this.#preferred + tried) % this.#endpoints.length;
      const leftMs = Math.max(1, deadlineMs - this.#clock.now());
      posted = await this.#postTo(`${this.#endpoints[index]}${path}`, body, { timeoutMs: leftMs });
      if (posted.kind === "answer") this.#preferred = index;
      // A hung endpoint is not asked first again.
      else if (posted.timedOut) this.#preferred = (index + 1) % this.#endpoints.length;
      // A question may be asked twice, a change may not.
      const mayGoOn = posted.kind === "not_sent" || (posted.kind === "sent" && path === RANGE);
      if (!mayGoOn) break;
    }
    return posted;
  }

  async #postTo(url: string, body: unknown, { timeoutMs }: WitnessCall): Promise<Posted> {
    const abort = new AbortController();
    const onClose = () => abort.abort();
    this.#closing.signal.addEventListener("abort", onClose, { once: true });
    const asking = (async () => {
      const response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json", ...this.#headers },
        body: JSON.stringify(body),
        signal: abort.signal,
        redirect: "error",
      });
      return { status: response.status, text: await boundedText(response) };
    })();
    const outcome = await timely(asking, { clock: this.#clock, timeoutMs, onLate: () => abort.abort() });
    this.#closing.signal.removeEventListener("abort", onClose);
    if (outcome.kind === "late") return { kind: "sent", cause: outcome.cause, timedOut: true };
    if (outcome.kind === "failed") {
      const refused = /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|Connection refused|dns error/i.test(
        `${outcome.cause} ${codeOf(outcome.error)}`,
      );
      return { kind: refused ? "not_sent" : "sent", cause: outcome.cause, timedOut: false };
    }
    const { status, text } = outcome.value;
    const cause = `${url} answered ${status}: ${text.slice(0, 200)}`;
    if (status !== 200) return { kind: "sent", cause, timedOut: false };
    try {
      return { kind: "answer", body: JSON.parse(text) };
    } catch (error) {
      return { kind: "sent", cause: `${cause} (${error})`, timedOut: false };
    }
  }
}

/** A vote in base64 and its frame; more is not read. */
const ANSWER_BYTES_MAX = 4 * VOTE_BYTES_MAX;

async function boundedText(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let byteLength = 0;
  for await (const piece of response.body ?? []) {
    byteLength += piece.byteLength;
    if (byteLength > ANSWER_BYTES_MAX) throw new Error(`the answer is longer than ${ANSWER_BYTES_MAX} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function codeOf(error: unknown): string {
  const behind = error instanceof Error ? error.cause : undefined;
  return String(field(behind, "code") ?? field(error, "code") ?? "");
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

function first(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : undefined;
}

function toBase64(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}

function fromBase64(value: unknown): string {
  return typeof value === "string" ? Buffer.from(value, "base64").toString("utf8") : "";
}

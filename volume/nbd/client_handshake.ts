/**
 * The client's half of the handshake as a machine: the server's bytes in, effects out. Pure.
 *
 * ```text
 * greeting ─► STRUCTURED_REPLY ─► SET_META_CONTEXT ─► GO ─► ready
 *                 (refused: simple replies)  (refused: no block status)
 * ```
 * One option at a time, as the protocol wants it. Anything that a server may not say ends in `failed`, with a
 * sentence; what the server itself says in a refusal is handed on, since it may name the node to ask instead.
 */
import {
  HANDSHAKE_FLAG,
  INFO,
  NBD_MAGIC_HIGH,
  NBD_MAGIC_LOW,
  OPTION,
  OPTION_MAGIC_HIGH,
  OPTION_MAGIC_LOW,
  OPTION_REPLY,
  OPTION_REPLY_HEADER_BYTES,
  OPTION_REPLY_MAGIC_HIGH,
  OPTION_REPLY_MAGIC_LOW,
  STRING_BYTES_MAX,
  TRANSMISSION_FLAG,
} from "./protocol_numbers.ts";

/** What the server serves. */
export interface ServedExport {
  /** Bytes. */
  readonly size: number;
  readonly readOnly: boolean;
  readonly structuredReplies: boolean;
  /** Id of `base:allocation`; null when BLOCK_STATUS cannot be asked. */
  readonly allocationContextId: number | null;
  /** The largest READ or WRITE that the server takes. */
  readonly payloadBytesMax: number;
  /** `TRANSMISSION_FLAG`s as sent. */
  readonly transmissionFlags: number;
}

export type ClientHandshakeEffect =
  | { readonly kind: "send"; readonly bytes: Uint8Array }
  /** `rest`: bytes that came behind the handshake. */
  | { readonly kind: "ready"; readonly served: ServedExport; readonly rest: Uint8Array }
  /** `reply` is the server's `NBD_REP_ERR_…` if it refused. */
  | { readonly kind: "failed"; readonly reply: number | null; readonly detail: string };

const GREETING_BYTES = 18;
/** A reply to an option holds a string and a few numbers. */
const REPLY_DATA_BYTES_MAX = STRING_BYTES_MAX + 1024;
/** Without `NBD_INFO_BLOCK_SIZE` a client should not ask for more than this ("Block size constraints"). */
const PAYLOAD_BYTES_MAX = 32 * 1024 * 1024;
const REPLIES_MAX = 1024;

export class ClientHandshake {
  readonly #exportName: Uint8Array;
  #kept: Uint8Array = new Uint8Array(0);
  #effects: ClientHandshakeEffect[] = [];
  #over = false;
  /** The option that waits for its final reply; 0 before the greeting. */
  #option = 0;
  #replies = 0;
  #structuredReplies = false;
  #allocationContextId: number | null = null;
  #size = -1;
  #transmissionFlags = 0;
  #payloadBytesMax = PAYLOAD_BYTES_MAX;

  constructor(exportName: string) {
    this.#exportName = new TextEncoder().encode(exportName);
  }

  received(bytes: Uint8Array): readonly ClientHandshakeEffect[] {
    let input: Uint8Array = new Uint8Array(this.#kept.length + bytes.length);
    input.set(this.#kept);
    input.set(bytes, this.#kept.length);
    while (!this.#over) {
      const used = this.#step(input);
      if (used === 0) break;
      input = input.subarray(used);
    }
    this.#kept = input;
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #step(input: Uint8Array): number {
    const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
    if (this.#option === 0) {
      if (input.length < GREETING_BYTES) return 0;
      this.#greeting(view);
      return GREETING_BYTES;
    }
    if (input.length < OPTION_REPLY_HEADER_BYTES) return 0;
    if (view.getUint32(0) !== OPTION_REPLY_MAGIC_HIGH || view.getUint32(4) !== OPTION_REPLY_MAGIC_LOW) {
      return this.#fail("the server sent something that is no reply to an option");
    }
    const length = view.getUint32(16);
    if (length > REPLY_DATA_BYTES_MAX) return this.#fail(`the server sent a reply of ${length} bytes`);
    const end = OPTION_REPLY_HEADER_BYTES + length;
    if (input.length < end) return 0;
    if (view.getUint32(8) !== this.#option) return this.#fail("the server answered what was not asked");
    this.#replies += 1;
    if (this.#replies > REPLIES_MAX) return this.#fail("the server's answer has no end");
    this.#reply(view.getUint32(12), input.subarray(OPTION_REPLY_HEADER_BYTES, end), input.subarray(end));
    return end;
  }

  #greeting(view: DataView): void {
    const magics = [view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12)];
    const expected = [NBD_MAGIC_HIGH, NBD_MAGIC_LOW, OPTION_MAGIC_HIGH, OPTION_MAGIC_LOW];
    if (!magics.every((magic, index) => magic === expected[index])) {
      this.#fail("this is no NBD server");
      return;
    }
    const flags = view.getUint16(16);
    if ((flags & HANDSHAKE_FLAG.FIXED_NEWSTYLE) === 0) {
      this.#fail("the NBD server is too old: it has no fixed newstyle handshake");
      return;
    }
    const answer = new Uint8Array(4);
    new DataView(answer.buffer).setUint32(
      0,
      flags & (HANDSHAKE_FLAG.FIXED_NEWSTYLE | HANDSHAKE_FLAG.NO_ZEROES),
    );
    this.#effects.push({ kind: "send", bytes: answer });
    this.#ask(OPTION.STRUCTURED_REPLY, new Uint8Array(0));
  }

  #reply(type: number, data: Uint8Array, rest: Uint8Array): void {
    switch (this.#option) {
      case OPTION.STRUCTURED_REPLY:
        this.#structuredReplies = type === OPTION_REPLY.ACK;
        if (this.#structuredReplies) this.#ask(OPTION.SET_META_CONTEXT, this.#allocationQuery());
        else this.#ask(OPTION.GO, this.#infoQuestion());
        return;
      case OPTION.SET_META_CONTEXT:
        if (type === OPTION_REPLY.META_CONTEXT) this.#context(data);
        else this.#ask(OPTION.GO, this.#infoQuestion());
        return;
      default:
        if (type === OPTION_REPLY.INFO) this.#info(data);
        else if (type === OPTION_REPLY.ACK) this.#ready(rest);
        else if (type >= OPTION_REPLY.ERR_UNSUP) this.#fail(new TextDecoder().decode(data), type);
        else this.#fail("the server sent a reply that no option has");
    }
  }

  #context(data: Uint8Array): void {
    if (data.length < 4) return void this.#fail("the server sent a metadata context without id");
    const name = new TextDecoder().decode(data.subarray(4));
    if (name === "base:allocation") {
      this.#allocationContextId = new DataView(data.buffer, data.byteOffset).getUint32(0);
    }
  }

  #info(data: Uint8Array): void {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const kind = data.length >= 2 ? view.getUint16(0) : -1;
    if (kind === INFO.EXPORT && data.length === 12) {
      const high = view.getUint32(2);
      if (high >= 0x20_0000) return void this.#fail("the export is larger than 2^53 bytes");
      this.#size = high * 0x1_0000_0000 + view.getUint32(6);
      this.#transmissionFlags = view.getUint16(10);
    } else if (kind === INFO.BLOCK_SIZE && data.length === 14) {
      this.#payloadBytesMax = Math.min(Math.max(view.getUint32(10), 1), PAYLOAD_BYTES_MAX);
    }
  }

  #ready(rest: Uint8Array): void {
    if (this.#size < 0) return void this.#fail("the server did not say how large the export is");
    this.#over = true;
    this.#effects.push({
      kind: "ready",
      served: {
        size: this.#size,
        readOnly: (this.#transmissionFlags & TRANSMISSION_FLAG.READ_ONLY) !== 0,
        structuredReplies: this.#structuredReplies,
        allocationContextId: this.#allocationContextId,
        payloadBytesMax: this.#payloadBytesMax,
        transmissionFlags: this.#transmissionFlags,
      },
      rest: rest.slice(),
    });
  }

  #ask(option: number, data: Uint8Array): void {
    this.#option = option;
    const bytes = new Uint8Array(16 + data.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, OPTION_MAGIC_HIGH);
    view.setUint32(4, OPTION_MAGIC_LOW);
    view.setUint32(8, option);
    view.setUint32(12, data.length);
    bytes.set(data, 16);
    this.#effects.push({ kind: "send", bytes });
  }

  /** Name, one query. */
  #allocationQuery(): Uint8Array {
    const query = new TextEncoder().encode("base:allocation");
    const name = this.#exportName;
    const data = new Uint8Array(12 + name.length + query.length);
    const view = new DataView(data.buffer);
    view.setUint32(0, name.length);
    data.set(name, 4);
    view.setUint32(4 + name.length, 1);
    view.setUint32(8 + name.length, query.length);
    data.set(query, 12 + name.length);
    return data;
  }

  /** Name, one request for information: `NBD_INFO_BLOCK_SIZE`, by which we promise to keep to it. */
  #infoQuestion(): Uint8Array {
    const name = this.#exportName;
    const data = new Uint8Array(8 + name.length);
    const view = new DataView(data.buffer);
    view.setUint32(0, name.length);
    data.set(name, 4);
    view.setUint16(4 + name.length, 1);
    view.setUint16(6 + name.length, INFO.BLOCK_SIZE);
    return data;
  }

  #fail(detail: string, reply: number | null = null): 0 {
    this.#over = true;
    this.#effects.push({ kind: "failed", reply, detail });
    return 0;
  }
}

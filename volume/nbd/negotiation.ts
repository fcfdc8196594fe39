/**
 * The server's half of the handshake as a machine: the client's bytes in, effects out. Pure.
 *
 * ```text
 * flags ──4 bytes──► option ──16 bytes──► data ──n bytes──► option …
 *                      │                    │                 ├─ EXPORT_NAME, GO ─► served
 *                      └─ too big ─► skipping ─► option …     └─ ABORT, violation ─► ended
 * ```
 * The bytes may come cut in any way; the machine holds no more than one option, and the length of an option is
 * judged before a byte of its data is kept. An option that we do not know gets its error and the connection
 * lives on ("Fixed newstyle negotiation"). After `EXPORT_NAME` nothing can be refused politely, so that a refusal
 * ends the connection, as the protocol demands. Without TLS, `STARTTLS` is answered by `NBD_REP_ERR_POLICY`
 * ("NOTLS mode"): a client that insists on it then leaves by itself.
 */
import type { ExportDirectory, ExportOffer, ExportRefusal } from "./export_directory.ts";
import type { NbdLimits } from "./limits.ts";
import { listContexts, type MetaContext, selectContexts } from "./meta_contexts.ts";
import {
  isComplaint,
  type MetaContextQuestion,
  parseExportName,
  parseInfoQuestion,
  parseMetaContextQuestion,
} from "./option_data.ts";
import {
  encodeExportNameAnswer,
  encodeGreeting,
  encodeInfoBlockSize,
  encodeInfoExport,
  encodeInfoString,
  encodeListEntry,
  encodeMetaContext,
  encodeOptionError,
  encodeOptionReply,
} from "./option_reply.ts";
import {
  HANDSHAKE_FLAG,
  INFO,
  OPTION,
  OPTION_HEADER_BYTES,
  OPTION_MAGIC_HIGH,
  OPTION_MAGIC_LOW,
  OPTION_REPLY,
  TRANSMISSION_FLAG,
} from "./protocol_numbers.ts";

/** What both ends settled. */
export interface NbdAgreement {
  readonly offer: ExportOffer;
  readonly structuredReplies: boolean;
  /** Contexts that BLOCK_STATUS answers for; empty unless the client chose some for this very export. */
  readonly contexts: readonly MetaContext[];
}

export type NegotiationEffect =
  | { readonly kind: "send"; readonly bytes: Uint8Array }
  /** Transmission begins; `rest` are the bytes that came behind the handshake. */
  | { readonly kind: "serve"; readonly agreement: NbdAgreement; readonly rest: Uint8Array }
  /** After what was sent before, the connection is closed. */
  | { readonly kind: "end"; readonly cause: string };

type State =
  | { readonly kind: "flags" }
  | { readonly kind: "option" }
  | { readonly kind: "data"; readonly option: number; readonly length: number }
  | { readonly kind: "skipping"; readonly option: number; left: number }
  | { readonly kind: "over" };

export class Negotiation {
  readonly #directory: ExportDirectory;
  readonly #limits: NbdLimits;
  #state: State = { kind: "flags" };
  /** What came and could not be used yet: less than one option. */
  #kept: Uint8Array = new Uint8Array(0);
  #effects: NegotiationEffect[] = [];
  #options = 0;
  #zeroes = true;
  #structuredReplies = false;
  #chosen: { readonly exportName: string; readonly contexts: readonly MetaContext[] } | null = null;

  constructor(directory: ExportDirectory, limits: NbdLimits) {
    this.#directory = directory;
    this.#limits = limits;
  }

  /** The server speaks first. */
  begin(): readonly NegotiationEffect[] {
    return [{ kind: "send", bytes: encodeGreeting() }];
  }

  /** `bytes` may change after the call. Nothing is accepted after an effect `serve` or `end`. */
  received(bytes: Uint8Array): readonly NegotiationEffect[] {
    let input = this.#kept.length === 0 ? bytes : concatenate(this.#kept, bytes);
    for (;;) {
      const used = this.#step(input);
      if (used === 0) break;
      input = input.subarray(used);
    }
    this.#kept = this.#state.kind === "over" ? new Uint8Array(0) : input.slice();
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** Bytes used by one step, 0 when more are needed or nothing more is read. */
  #step(input: Uint8Array): number {
    const state = this.#state;
    const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
    switch (state.kind) {
      case "flags":
        if (input.length < 4) return 0;
        this.#clientFlags(view.getUint32(0));
        return 4;
      case "option":
        if (input.length < OPTION_HEADER_BYTES) return 0;
        this.#optionHeader(view, input);
        return OPTION_HEADER_BYTES;
      case "data":
        if (input.length < state.length) return 0;
        this.#state = { kind: "option" };
        this.#option(state.option, input.subarray(0, state.length), input.subarray(state.length));
        return state.length;
      case "skipping": {
        const used = Math.min(state.left, input.length);
        state.left -= used;
        if (state.left === 0) {
          this.#state = { kind: "option" };
          this.#refuse(state.option, OPTION_REPLY.ERR_TOO_BIG, "the option's data are too long");
        }
        return used;
      }
      case "over":
        return 0;
    }
  }

  /** "Client flags": an unknown one must end the connection. */
  #clientFlags(flags: number): void {
    if ((flags & ~(HANDSHAKE_FLAG.FIXED_NEWSTYLE | HANDSHAKE_FLAG.NO_ZEROES)) !== 0) {
      return this.#end(`the client set unknown flags 0x${flags.toString(16)}`);
    }
    this.#zeroes = (flags & HANDSHAKE_FLAG.NO_ZEROES) === 0;
    this.#state = { kind: "option" };
  }

  #optionHeader(view: DataView, input: Uint8Array): void {
    if (view.getUint32(0) !== OPTION_MAGIC_HIGH || view.getUint32(4) !== OPTION_MAGIC_LOW) {
      return this.#end("the client sent something that is no NBD option");
    }
    this.#options += 1;
    if (this.#options > this.#limits.optionsMax) {
      return this.#end(`the client sent more than ${this.#limits.optionsMax} options`);
    }
    const option = view.getUint32(8);
    const length = view.getUint32(12);
    if (length > this.#limits.optionSkipBytesMax) return this.#end(`an option of ${length} bytes`);
    if (length > this.#limits.optionDataBytesMax) {
      if (option === OPTION.EXPORT_NAME) return this.#end("an export name that is too long");
      this.#state = { kind: "skipping", option, left: length };
    } else if (length > 0) {
      this.#state = { kind: "data", option, length };
    } else {
      this.#option(option, input.subarray(0, 0), input.subarray(OPTION_HEADER_BYTES));
    }
  }

  /** "Option types", one row each. */
  #option(option: number, data: Uint8Array, rest: Uint8Array): void {
    switch (option) {
      case OPTION.EXPORT_NAME:
        return this.#exportName(data, rest);
      case OPTION.ABORT:
        this.#reply(encodeOptionReply(option, OPTION_REPLY.ACK));
        return this.#end("the client left during the handshake");
      case OPTION.LIST:
        return this.#list(data);
      case OPTION.STARTTLS:
        return this.#refuse(option, OPTION_REPLY.ERR_POLICY, "this server is configured without TLS");
      case OPTION.INFO:
      case OPTION.GO:
        return this.#info(option, data, rest);
      case OPTION.STRUCTURED_REPLY:
        if (data.length > 0) return this.#refuse(option, OPTION_REPLY.ERR_INVALID, "the option has no data");
        this.#structuredReplies = true;
        return this.#reply(encodeOptionReply(option, OPTION_REPLY.ACK));
      case OPTION.LIST_META_CONTEXT:
      case OPTION.SET_META_CONTEXT:
        return this.#metaContext(option, data);
      default:
        return this.#refuse(option, OPTION_REPLY.ERR_UNSUP, `option ${option} is not supported`);
    }
  }

  #exportName(data: Uint8Array, rest: Uint8Array): void {
    const name = parseExportName(data);
    if (isComplaint(name)) return this.#end(name.complaint);
    const found = this.#directory.find(name);
    if ("refused" in found) return this.#end(`export "${name}" refused: ${found.message}`);
    this.#reply(encodeExportNameAnswer({
      size: found.size,
      transmissionFlags: transmissionFlags(found, this.#structuredReplies),
      zeroes: this.#zeroes,
    }));
    this.#serve(name, found, rest);
  }

  #list(data: Uint8Array): void {
    if (data.length > 0) return this.#refuse(OPTION.LIST, OPTION_REPLY.ERR_INVALID, "the option has no data");
    for (const name of this.#directory.list()) this.#reply(encodeListEntry(OPTION.LIST, name));
    this.#reply(encodeOptionReply(OPTION.LIST, OPTION_REPLY.ACK));
  }

  /** `NBD_OPT_INFO` tells, `NBD_OPT_GO` tells and then begins transmission. */
  #info(option: number, data: Uint8Array, rest: Uint8Array): void {
    const question = parseInfoQuestion(data);
    if (isComplaint(question)) return this.#refuse(option, OPTION_REPLY.ERR_INVALID, question.complaint);
    const found = this.#directory.find(question.exportName);
    if ("refused" in found) return this.#refuse(option, refusalType(found), found.message);
    const flags = transmissionFlags(found, this.#structuredReplies);
    this.#reply(encodeInfoExport(option, { size: found.size, transmissionFlags: flags }));
    if (question.kinds.includes(INFO.NAME)) {
      this.#reply(encodeInfoString(option, { kind: INFO.NAME, text: found.name }));
    }
    if (question.kinds.includes(INFO.DESCRIPTION)) {
      this.#reply(encodeInfoString(option, { kind: INFO.DESCRIPTION, text: found.description }));
    }
    this.#reply(encodeInfoBlockSize(option, this.#limits.payloadBytesMax));
    this.#reply(encodeOptionReply(option, OPTION_REPLY.ACK));
    if (option === OPTION.GO) this.#serve(question.exportName, found, rest);
  }

  #metaContext(option: number, data: Uint8Array): void {
    if (!this.#structuredReplies) {
      return this.#refuse(option, OPTION_REPLY.ERR_INVALID, "structured replies must be negotiated first");
    }
    const question = parseMetaContextQuestion(data);
    if (isComplaint(question)) return this.#refuse(option, OPTION_REPLY.ERR_INVALID, question.complaint);
    const found = this.#directory.find(question.exportName);
    if ("refused" in found) return this.#refuse(option, refusalType(found), found.message);
    if (option === OPTION.LIST_META_CONTEXT) this.#listContexts(question);
    else this.#setContexts(question);
    this.#reply(encodeOptionReply(option, OPTION_REPLY.ACK));
  }

  /** The id in a list is reserved and zero. */
  #listContexts(question: MetaContextQuestion): void {
    for (const { name } of listContexts(question.queries)) {
      this.#reply(encodeMetaContext(OPTION.LIST_META_CONTEXT, { id: 0, name }));
    }
  }

  /** Replaces what was chosen before. */
  #setContexts(question: MetaContextQuestion): void {
    const contexts = selectContexts(question.queries);
    this.#chosen = { exportName: question.exportName, contexts };
    for (const context of contexts) this.#reply(encodeMetaContext(OPTION.SET_META_CONTEXT, context));
  }

  #serve(exportName: string, offer: ExportOffer, rest: Uint8Array): void {
    const contexts = this.#chosen?.exportName === exportName ? this.#chosen.contexts : [];
    const agreement = { offer, structuredReplies: this.#structuredReplies, contexts };
    this.#state = { kind: "over" };
    this.#effects.push({ kind: "serve", agreement, rest: rest.slice() });
  }

  #reply(bytes: Uint8Array): void {
    this.#effects.push({ kind: "send", bytes });
  }

  #refuse(option: number, type: number, message: string): void {
    this.#reply(encodeOptionError(option, type, message));
  }

  #end(cause: string): void {
    this.#state = { kind: "over" };
    this.#effects.push({ kind: "end", cause });
  }
}

/** "Transmission flags". Multi-conn: every connection of a volume meets the same port, so one flush serves all. */
export function transmissionFlags(offer: ExportOffer, structuredReplies: boolean): number {
  return TRANSMISSION_FLAG.HAS_FLAGS |
    TRANSMISSION_FLAG.SEND_FLUSH |
    TRANSMISSION_FLAG.SEND_FUA |
    TRANSMISSION_FLAG.SEND_CACHE |
    TRANSMISSION_FLAG.CAN_MULTI_CONN |
    (offer.readOnly ? TRANSMISSION_FLAG.READ_ONLY : WRITING_FLAGS) |
    (structuredReplies ? TRANSMISSION_FLAG.SEND_DF : 0);
}

const WRITING_FLAGS = TRANSMISSION_FLAG.SEND_TRIM | TRANSMISSION_FLAG.SEND_WRITE_ZEROES |
  TRANSMISSION_FLAG.SEND_FAST_ZERO;

function refusalType(refusal: ExportRefusal): number {
  switch (refusal.refused) {
    case "unknown":
      return OPTION_REPLY.ERR_UNKNOWN;
    case "policy":
      return OPTION_REPLY.ERR_POLICY;
    case "shutdown":
      return OPTION_REPLY.ERR_SHUTDOWN;
    case "block_size":
      return OPTION_REPLY.ERR_BLOCK_SIZE_REQD;
  }
}

function concatenate(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/**
 * Reads the data of a client's options: bytes in, a value or a complaint out. Pure.
 *
 * Every length is checked against what is really there before anything is sliced, and what is left over at the
 * end is as wrong as what is missing: "Option types" says which options carry what.
 */
import { STRING_BYTES_MAX } from "./protocol_numbers.ts";

/** Why data do not mean anything; sent with `NBD_REP_ERR_INVALID`. */
export interface OptionComplaint {
  readonly complaint: string;
}

/** Data of `NBD_OPT_INFO` and `NBD_OPT_GO`. */
export interface InfoQuestion {
  readonly exportName: string;
  /** Kinds of information asked for (`NBD_INFO_…`), as they came. */
  readonly kinds: readonly number[];
}

/** Data of `NBD_OPT_LIST_META_CONTEXT` and `NBD_OPT_SET_META_CONTEXT`. */
export interface MetaContextQuestion {
  readonly exportName: string;
  readonly queries: readonly string[];
}

export function parseInfoQuestion(data: Uint8Array): InfoQuestion | OptionComplaint {
  const reader = new OptionReader(data);
  const exportName = reader.string("export name");
  const count = reader.uint16("number of information requests");
  const kinds: number[] = [];
  for (let index = 0; index < count && reader.complaint === null; index += 1) {
    kinds.push(reader.uint16("information request"));
  }
  return reader.finish() ?? { exportName, kinds };
}

export function parseMetaContextQuestion(data: Uint8Array): MetaContextQuestion | OptionComplaint {
  const reader = new OptionReader(data);
  const exportName = reader.string("export name");
  const count = reader.uint32("number of queries");
  const queries: string[] = [];
  for (let index = 0; index < count && reader.complaint === null; index += 1) {
    queries.push(reader.string("query"));
  }
  return reader.finish() ?? { exportName, queries };
}

/** The whole of `data` as an export name. */
export function parseExportName(data: Uint8Array): string | OptionComplaint {
  return decodeString(data, "export name");
}

export function isComplaint(value: unknown): value is OptionComplaint {
  return typeof value === "object" && value !== null && "complaint" in value;
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** "Conventions": UTF-8, no NUL, at most 4,096 bytes. */
function decodeString(bytes: Uint8Array, what: string): string | OptionComplaint {
  if (bytes.length > STRING_BYTES_MAX) {
    return { complaint: `${what} is longer than ${STRING_BYTES_MAX} bytes` };
  }
  if (bytes.includes(0)) return { complaint: `${what} contains a NUL` };
  try {
    return UTF8.decode(bytes);
  } catch {
    return { complaint: `${what} is not UTF-8` };
  }
}

/** Reads on after the first complaint without harm: everything is empty or zero then. */
class OptionReader {
  complaint: string | null = null;
  readonly #data: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  }

  uint16(what: string): number {
    return this.#has(2, what) ? this.#view.getUint16((this.#at += 2) - 2) : 0;
  }

  uint32(what: string): number {
    return this.#has(4, what) ? this.#view.getUint32((this.#at += 4) - 4) : 0;
  }

  string(what: string): string {
    const length = this.uint32(`length of ${what}`);
    if (!this.#has(length, what)) return "";
    const decoded = decodeString(this.#data.subarray(this.#at, this.#at + length), what);
    this.#at += length;
    if (typeof decoded === "string") return decoded;
    this.complaint ??= decoded.complaint;
    return "";
  }

  finish(): OptionComplaint | null {
    if (this.complaint === null && this.#at < this.#data.length) {
      this.complaint = "the option has bytes left over";
    }
    return this.complaint === null ? null : { complaint: this.complaint };
  }

  #has(length: number, what: string): boolean {
    if (this.complaint === null && this.#at + length > this.#data.length) {
      this.complaint = `${what} is cut short`;
    }
    return this.complaint === null;
  }
}

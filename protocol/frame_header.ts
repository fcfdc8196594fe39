/**
 * Pure: the 56 bytes before every payload, and which combinations of them mean something.
 *
 * One fixed binary header for data and control frames alike (docs/formats/wire.md tells every byte). Data frames
 * carry their payload as it came from the client, so that shipping a write is a header and a view; only `message`
 * frames carry CBOR. A fixed header is 10 to 30 times cheaper than encoding a map per write, and every field that is
 * unused today must be zero, so that a later version can give it a meaning.
 *
 * What a frame kind may carry is one table row, checked by the encoder (a bug of ours) and by the decoder (the
 * other side's).
 */
import { invariant } from "../runtime/invariant.ts";
import { headerChecksum } from "./header_checksum.ts";

export const HEADER_BYTES = 56;
/** "HFFR" in the order of the bytes. */
export const FRAME_MAGIC = 0x52464648;
/** The layout of the header. The version of the protocol is settled at the handshake (version.ts). */
export const HEADER_VERSION = 1;

/** The largest request of a client (32 MiB) and room for what a later version may wrap around it. */
export const DATA_PAYLOAD_BYTES_MAX = 32 * 1024 * 1024 + 64 * 1024;
export const MESSAGE_PAYLOAD_BYTES_MAX = 1024 * 1024;
/** Trims and zeroes cover bytes without carrying them. */
export const SPAN_BYTES_MAX = 0xffff_ffff;

/** The operation asks for a barrier after it. */
export const FLAG_FUA = 0b01;
/** The zeroes must take space. */
export const FLAG_NO_HOLE = 0b10;

/**
 * `write trim write_zeroes barrier`: operations of the stream · `copy copy_zeroes`: blocks of a resync ·
 * `ack`: `seq` = applied through, `offset` = stable through, both frame numbers of the other direction ·
 * `message`: CBOR.
 */
export type FrameKind =
  | "write"
  | "trim"
  | "write_zeroes"
  | "barrier"
  | "copy"
  | "copy_zeroes"
  | "ack"
  | "message";

/** What a frame says, before it has a number and checksums. */
export interface FrameFields {
  readonly kind: FrameKind;
  /** Bits of FLAG_*; default 0. */
  readonly flags?: number;
  /** Which volume of the group, 0–65,535; default 0. */
  readonly volume?: number;
  /** Bytes covered from `offset`; for kinds with payload its length. Default 0. */
  readonly span?: number;
  /** The operation's seq; default 0. */
  readonly seq?: number;
  /** Bytes from the volume's beginning; default 0. */
  readonly offset?: number;
  /** The payload's checksum when it is known already (several legs, one payload); else it is computed. */
  readonly payloadChecksum?: number;
}

/** A header as read. One object is reused for all frames of a connection. */
export interface FrameHeader {
  kind: FrameKind;
  flags: number;
  volume: number;
  payloadLength: number;
  payloadChecksum: number;
  span: number;
  /** The connection's own number of this frame: 1, 2, 3, … in each direction, never jumping. */
  frame: number;
  seq: number;
  offset: number;
}

/** What was wrong with bytes that claimed to be a frame. The connection ends. */
export interface FrameFailure {
  readonly kind:
    | "bad_magic"
    | "other_header_version"
    | "header_checksum"
    | "unknown_kind"
    | "bad_flags"
    | "bad_reserved"
    | "bad_lengths"
    | "payload_too_long"
    | "number_too_large"
    | "frame_jumped"
    | "payload_checksum"
    | "bad_message";
  /** For people: what was found and what was expected. */
  readonly detail: string;
}

interface KindRule {
  readonly kind: FrameKind;
  readonly byte: number;
  readonly flags: number;
  /** `data`: 1 … DATA_PAYLOAD_BYTES_MAX, equal to the span · `message`: 1 … MESSAGE_PAYLOAD_BYTES_MAX. */
  readonly payload: "data" | "message" | "none";
  readonly span: "payload" | "some" | "none";
}

const RULES: readonly KindRule[] = [
  { kind: "write", byte: 1, flags: FLAG_FUA, payload: "data", span: "payload" },
  { kind: "trim", byte: 2, flags: FLAG_FUA, payload: "none", span: "some" },
  { kind: "write_zeroes", byte: 3, flags: FLAG_FUA | FLAG_NO_HOLE, payload: "none", span: "some" },
  { kind: "barrier", byte: 4, flags: 0, payload: "none", span: "none" },
  { kind: "copy", byte: 5, flags: 0, payload: "data", span: "payload" },
  { kind: "copy_zeroes", byte: 6, flags: FLAG_NO_HOLE, payload: "none", span: "some" },
  { kind: "ack", byte: 7, flags: 0, payload: "none", span: "none" },
  { kind: "message", byte: 8, flags: 0, payload: "message", span: "none" },
];
const RULE_BY_BYTE: readonly (KindRule | undefined)[] = Array.from(
  { length: 9 },
  (_, byte) => RULES.find((rule) => rule.byte === byte),
);
const RULE_BY_KIND = new Map(RULES.map((rule) => [rule.kind, rule]));

const TWO_POW_32 = 2 ** 32;
const HIGH_WORD_MAX = 2 ** 21 - 1;
/** Where the header's own checksum lies; it covers all before it. */
const CHECKSUM_AT = 52;

/** How much a connection lets the other side send; small until the handshake is done. */
export interface FrameLimits {
  readonly dataPayloadBytesMax: number;
  readonly messagePayloadBytesMax: number;
}

export const SESSION_LIMITS: FrameLimits = {
  dataPayloadBytesMax: DATA_PAYLOAD_BYTES_MAX,
  messagePayloadBytesMax: MESSAGE_PAYLOAD_BYTES_MAX,
};
/** A stranger may say hello, and nothing that would take memory. */
export const HANDSHAKE_LIMITS: FrameLimits = { dataPayloadBytesMax: 0, messagePayloadBytesMax: 8 * 1024 };

export function emptyHeader(): FrameHeader {
  return {
    kind: "barrier",
    flags: 0,
    volume: 0,
    payloadLength: 0,
    payloadChecksum: 0,
    span: 0,
    frame: 0,
    seq: 0,
    offset: 0,
  };
}

/** Writes a header at `at`. Fields that the kind's row does not allow are a bug of the caller. */
export function writeHeader(
  view: DataView,
  options: {
    readonly at: number;
    readonly bytes: Uint8Array;
    readonly fields: FrameFields;
    readonly frame: number;
    readonly payloadLength: number;
    readonly payloadChecksum: number;
  },
): void {
  const { at, bytes, fields, payloadLength } = options;
  const rule = RULE_BY_KIND.get(fields.kind);
  invariant(rule !== undefined, "a frame is of a known kind");
  const flags = fields.flags ?? 0;
  const span = fields.span ?? 0;
  invariant((flags & ~rule.flags) === 0, "a frame has only the flags of its kind");
  invariant(lengthsFit(rule, { payloadLength, span }), "a frame's payload and span are those of its kind");
  invariant(payloadLength <= payloadBytesMax(rule, SESSION_LIMITS), "a payload is within its bound");
  view.setUint32(at, FRAME_MAGIC, true);
  view.setUint8(at + 4, HEADER_VERSION);
  view.setUint8(at + 5, rule.byte);
  view.setUint8(at + 6, flags);
  view.setUint8(at + 7, 0);
  view.setUint16(at + 8, checkedVolume(fields.volume ?? 0), true);
  view.setUint16(at + 10, 0, true);
  view.setUint32(at + 12, payloadLength, true);
  view.setUint32(at + 16, options.payloadChecksum, true);
  view.setUint32(at + 20, span, true);
  writeNumber(view, at + 24, options.frame);
  writeNumber(view, at + 32, fields.seq ?? 0);
  writeNumber(view, at + 40, fields.offset ?? 0);
  view.setUint32(at + 48, 0, true);
  view.setUint32(at + CHECKSUM_AT, headerChecksum(bytes, { at, length: CHECKSUM_AT }), true);
}

/** Reads the header at `at` into `header`; null, or what was wrong. The frame number is checked by the decoder. */
export function readHeader(
  view: DataView,
  options: {
    readonly at: number;
    readonly bytes: Uint8Array;
    readonly header: FrameHeader;
    readonly limits: FrameLimits;
  },
): FrameFailure | null {
  const { at, header } = options;
  const magic = view.getUint32(at, true);
  if (magic !== FRAME_MAGIC) {
    return failure("bad_magic", `the bytes ${hex(options.bytes, at, 4)} begin no frame of Holdfast`);
  }
  const version = view.getUint8(at + 4);
  if (version !== HEADER_VERSION) {
    return failure(
      "other_header_version",
      `frame headers of version ${version}, version ${HEADER_VERSION} is known here`,
    );
  }
  const checksum = view.getUint32(at + CHECKSUM_AT, true);
  const expected = headerChecksum(options.bytes, { at, length: CHECKSUM_AT });
  if (checksum !== expected) {
    return failure(
      "header_checksum",
      `the header's checksum is ${hex32(checksum)}, its bytes give ${hex32(expected)}`,
    );
  }
  const kindByte = view.getUint8(at + 5);
  const rule = RULE_BY_BYTE[kindByte];
  if (rule === undefined) return failure("unknown_kind", `frame kind ${kindByte} is not known here`);
  header.kind = rule.kind;
  header.flags = view.getUint8(at + 6);
  if ((header.flags & ~rule.flags) !== 0) {
    return failure("bad_flags", `a ${rule.kind} frame has flags ${header.flags}, it may have ${rule.flags}`);
  }
  if (
    view.getUint8(at + 7) !== 0 || view.getUint16(at + 10, true) !== 0 || view.getUint32(at + 48, true) !== 0
  ) {
    return failure("bad_reserved", `reserved bytes of a ${rule.kind} frame are not zero`);
  }
  header.volume = view.getUint16(at + 8, true);
  header.payloadLength = view.getUint32(at + 12, true);
  header.payloadChecksum = view.getUint32(at + 16, true);
  header.span = view.getUint32(at + 20, true);
  header.frame = readNumber(view, at + 24);
  header.seq = readNumber(view, at + 32);
  header.offset = readNumber(view, at + 40);
  return judge(header, rule, options.limits);
}

function judge(header: FrameHeader, rule: KindRule, limits: FrameLimits): FrameFailure | null {
  if (header.frame < 0 || header.seq < 0 || header.offset < 0) {
    return failure("number_too_large", `a number of a ${rule.kind} frame is above 2^53 − 1`);
  }
  const bytesMax = payloadBytesMax(rule, limits);
  if (header.payloadLength > bytesMax) {
    return failure(
      "payload_too_long",
      `a ${rule.kind} frame announces ${header.payloadLength} bytes, ${bytesMax} are allowed now`,
    );
  }
  if (!lengthsFit(rule, header)) {
    return failure(
      "bad_lengths",
      `a ${rule.kind} frame has a payload of ${header.payloadLength} and a span of ${header.span} bytes`,
    );
  }
  if (header.payloadLength === 0 && header.payloadChecksum !== 0) {
    return failure("payload_checksum", `a ${rule.kind} frame without payload has a payload checksum`);
  }
  return null;
}

function payloadBytesMax(rule: KindRule, limits: FrameLimits): number {
  switch (rule.payload) {
    case "data":
      return limits.dataPayloadBytesMax;
    case "message":
      return limits.messagePayloadBytesMax;
    case "none":
      return 0;
  }
}

function lengthsFit(
  rule: KindRule,
  lengths: { readonly payloadLength: number; readonly span: number },
): boolean {
  const payloadFits = rule.payload === "none" ? lengths.payloadLength === 0 : lengths.payloadLength > 0;
  switch (rule.span) {
    case "payload":
      return payloadFits && lengths.span === lengths.payloadLength;
    case "some":
      return payloadFits && lengths.span >= 1 && lengths.span <= SPAN_BYTES_MAX;
    case "none":
      return payloadFits && lengths.span === 0;
  }
}

function checkedVolume(volume: number): number {
  invariant(Number.isInteger(volume) && volume >= 0 && volume <= 0xffff, "a volume's index has 16 bits");
  return volume;
}

function writeNumber(view: DataView, at: number, value: number): void {
  invariant(Number.isSafeInteger(value) && value >= 0, "numbers on the wire are 0 … 2^53 − 1");
  const high = Math.floor(value / TWO_POW_32);
  view.setUint32(at, value - high * TWO_POW_32, true);
  view.setUint32(at + 4, high, true);
}

/** −1 when it is above 2^53 − 1. */
function readNumber(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true);
  return high > HIGH_WORD_MAX ? -1 : high * TWO_POW_32 + view.getUint32(at, true);
}

function failure(kind: FrameFailure["kind"], detail: string): FrameFailure {
  return { kind, detail };
}

function hex(bytes: Uint8Array, at: number, length: number): string {
  return Array.from(bytes.subarray(at, at + length), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

function hex32(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}

/**
 * Writes what a server says during the handshake, one function per message. Pure.
 *
 * Handshakes are rare, so each message is a fresh array: plain beats fast here.
 */
import { invariant } from "../../runtime/invariant.ts";
import { BLOCK_BYTES_MIN, BLOCK_BYTES_PREFERRED } from "./limits.ts";
import {
  EXPORT_NAME_ZEROES_BYTES,
  HANDSHAKE_FLAG,
  INFO,
  NBD_MAGIC_HIGH,
  NBD_MAGIC_LOW,
  OPTION_MAGIC_HIGH,
  OPTION_MAGIC_LOW,
  OPTION_REPLY,
  OPTION_REPLY_HEADER_BYTES,
  OPTION_REPLY_MAGIC_HIGH,
  OPTION_REPLY_MAGIC_LOW,
  STRING_BYTES_MAX,
} from "./protocol_numbers.ts";

const UTF8 = new TextEncoder();

/** "Newstyle negotiation": the server speaks first. */
export function encodeGreeting(): Uint8Array {
  const { bytes, view } = allocate(18);
  view.setUint32(0, NBD_MAGIC_HIGH);
  view.setUint32(4, NBD_MAGIC_LOW);
  view.setUint32(8, OPTION_MAGIC_HIGH);
  view.setUint32(12, OPTION_MAGIC_LOW);
  view.setUint16(16, HANDSHAKE_FLAG.FIXED_NEWSTYLE | HANDSHAKE_FLAG.NO_ZEROES);
  return bytes;
}

/** "Fixed newstyle negotiation": the frame of every reply. `data` is empty for an ACK. */
export function encodeOptionReply(option: number, type: number, data: Uint8Array = NOTHING): Uint8Array {
  const { bytes, view } = allocate(OPTION_REPLY_HEADER_BYTES + data.length);
  view.setUint32(0, OPTION_REPLY_MAGIC_HIGH);
  view.setUint32(4, OPTION_REPLY_MAGIC_LOW);
  view.setUint32(8, option);
  view.setUint32(12, type);
  view.setUint32(16, data.length);
  bytes.set(data, OPTION_REPLY_HEADER_BYTES);
  return bytes;
}

export function encodeOptionError(option: number, type: number, message: string): Uint8Array {
  invariant(type >= OPTION_REPLY.ERR_UNSUP, "an error reply has bit 31 set");
  return encodeOptionReply(option, type, encodeString(message));
}

/** `NBD_REP_SERVER`: one entry of the list. */
export function encodeListEntry(option: number, name: string): Uint8Array {
  return encodeOptionReply(option, OPTION_REPLY.SERVER, prefixed(encodeString(name)));
}

/** `NBD_REP_META_CONTEXT`. */
export function encodeMetaContext(option: number, context: { id: number; name: string }): Uint8Array {
  return encodeOptionReply(
    option,
    OPTION_REPLY.META_CONTEXT,
    prefixed(encodeString(context.name), context.id),
  );
}

/** `NBD_INFO_EXPORT`, which every successful GO must hold. */
export function encodeInfoExport(
  option: number,
  offer: { size: number; transmissionFlags: number },
): Uint8Array {
  const { bytes, view } = allocate(12);
  view.setUint16(0, INFO.EXPORT);
  putUint64(view, 2, offer.size);
  view.setUint16(10, offer.transmissionFlags);
  return encodeOptionReply(option, OPTION_REPLY.INFO, bytes);
}

/** `NBD_INFO_NAME` and `NBD_INFO_DESCRIPTION`. */
export function encodeInfoString(option: number, info: { kind: number; text: string }): Uint8Array {
  const text = encodeString(info.text);
  const { bytes, view } = allocate(2 + text.length);
  view.setUint16(0, info.kind);
  bytes.set(text, 2);
  return encodeOptionReply(option, OPTION_REPLY.INFO, bytes);
}

/** `NBD_INFO_BLOCK_SIZE`: the least, the preferred and the largest length of a request. */
export function encodeInfoBlockSize(option: number, payloadBytesMax: number): Uint8Array {
  const { bytes, view } = allocate(14);
  view.setUint16(0, INFO.BLOCK_SIZE);
  view.setUint32(2, BLOCK_BYTES_MIN);
  view.setUint32(6, BLOCK_BYTES_PREFERRED);
  view.setUint32(10, payloadBytesMax);
  return encodeOptionReply(option, OPTION_REPLY.INFO, bytes);
}

/** The answer to `NBD_OPT_EXPORT_NAME`, which has no frame. */
export function encodeExportNameAnswer(
  offer: { size: number; transmissionFlags: number; zeroes: boolean },
): Uint8Array {
  const { bytes, view } = allocate(10 + (offer.zeroes ? EXPORT_NAME_ZEROES_BYTES : 0));
  putUint64(view, 0, offer.size);
  view.setUint16(8, offer.transmissionFlags);
  return bytes;
}

const NOTHING = new Uint8Array(0);

function allocate(length: number): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(length);
  return { bytes, view: new DataView(bytes.buffer) };
}

/** A number of 32 bits, the string's length if none is given, before the string. */
function prefixed(text: Uint8Array, number = text.length): Uint8Array {
  const { bytes, view } = allocate(4 + text.length);
  view.setUint32(0, number);
  bytes.set(text, 4);
  return bytes;
}

/** Cut at the protocol's bound, never in the middle of a character. */
export function encodeString(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.min(text.length * 3, STRING_BYTES_MAX));
  return bytes.subarray(0, UTF8.encodeInto(text, bytes).written);
}

/** `value` up to 2^53 − 1. */
export function putUint64(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / 0x1_0000_0000));
  view.setUint32(at + 4, value >>> 0);
}

/**
 * Pure: the acceptor's first bytes inside a TLS connection: "you are let in", or "you are not, because …".
 *
 * In TLS 1.3 a client is done before its server has looked at its certificate, and all it would hear of a refusal is
 * a reset. So the acceptor says a word before anything else travels, and a stream counts as open only after it. An
 * expired certificate is then a sentence in the status of the node that shows it, where the person is who can renew it.
 *
 * ```text
 * "HFTL"  1 byte: 1 let in, 0 refused  2 bytes: length of the reason, little endian  the reason, UTF-8
 * ```
 */

export type Preface = { readonly kind: "accepted" } | { readonly kind: "refused"; readonly reason: string };

export type PrefaceReading =
  /** `length` bytes were the preface; what follows belongs to the stream. */
  | { readonly kind: "read"; readonly preface: Preface; readonly length: number }
  | { readonly kind: "incomplete" }
  | { readonly kind: "not_a_preface" };

const MAGIC = [0x48, 0x46, 0x54, 0x4c] as const;
const HEAD_BYTES = 7;
const REASON_BYTES_MAX = 1_024;

export function writePreface(preface: Preface): Uint8Array {
  const reason = new TextEncoder().encode(preface.kind === "refused" ? preface.reason : "")
    .subarray(0, REASON_BYTES_MAX);
  const bytes = new Uint8Array(HEAD_BYTES + reason.byteLength);
  bytes.set(MAGIC);
  bytes[4] = preface.kind === "accepted" ? 1 : 0;
  new DataView(bytes.buffer).setUint16(5, reason.byteLength, true);
  bytes.set(reason, HEAD_BYTES);
  return bytes;
}

/** `bytes` is all that has come so far. */
export function readPreface(bytes: Uint8Array): PrefaceReading {
  const known = Math.min(bytes.byteLength, MAGIC.length);
  for (let index = 0; index < known; index += 1) {
    if (bytes[index] !== MAGIC[index]) return { kind: "not_a_preface" };
  }
  if (bytes.byteLength < HEAD_BYTES) return { kind: "incomplete" };
  const status = bytes[4];
  const reasonLength = new DataView(bytes.buffer, bytes.byteOffset).getUint16(5, true);
  if (status === undefined || status > 1 || reasonLength > REASON_BYTES_MAX) return { kind: "not_a_preface" };
  if (status === 1 && reasonLength > 0) return { kind: "not_a_preface" };
  const length = HEAD_BYTES + reasonLength;
  if (bytes.byteLength < length) return { kind: "incomplete" };
  if (status === 1) return { kind: "read", preface: { kind: "accepted" }, length };
  const reason = new TextDecoder().decode(bytes.subarray(HEAD_BYTES, length));
  return { kind: "read", preface: { kind: "refused", reason }, length };
}

/**
 * Pure: control messages as bytes and back; the one room of the package `cbor-x`.
 *
 * CBOR was taken over JSON for byte strings (bitmaps, ids) and compact tuples, and over an own format because these
 * messages are many, small and never hot. The package's `encode` entry is plain JavaScript; its main entry loads a
 * native add-on that can take the runtime down with it. It is never shown bytes that `scanCbor` has not passed, and
 * what it decodes owns its byte strings: the slab below may change as soon as the call is over.
 */
import { Encoder } from "cbor-x/encode";
import { invariant } from "../runtime/invariant.ts";
import { scanCbor } from "./cbor_scan.ts";
import { MESSAGE_PAYLOAD_BYTES_MAX } from "./frame_header.ts";

/** Bytes that are no message. A class, so that no decoded value can look like it. */
export class DecodeFailure {
  /** For people: what is wrong and where. */
  readonly detail: string;

  constructor(detail: string) {
    this.detail = detail;
  }
}

// `copyBuffers` is known to the decoder and missing in the package's types.
const OPTIONS = {
  useRecords: false,
  mapsAsObjects: true,
  tagUint8Array: false,
  variableMapSize: true,
  int64AsNumber: true,
  copyBuffers: true,
};
const codec = new Encoder(OPTIONS as ConstructorParameters<typeof Encoder>[0]);

/** Plain data (see cbor_scan.ts) as CBOR. Anything else, or more than a message may hold, is a bug of the caller. */
export function encodeMessage(value: unknown): Uint8Array {
  const bytes: Uint8Array = codec.encode(value);
  invariant(bytes.byteLength <= MESSAGE_PAYLOAD_BYTES_MAX, "a message fits its frame");
  const wrong = scanCbor(bytes);
  invariant(wrong === null, `a message is plain data; found ${wrong}`);
  return bytes;
}

/** The value, or why the bytes are none. Never throws. */
export function decodeMessage(bytes: Uint8Array): unknown {
  if (bytes.byteLength > MESSAGE_PAYLOAD_BYTES_MAX) {
    return new DecodeFailure(`${bytes.byteLength} bytes, a message has ${MESSAGE_PAYLOAD_BYTES_MAX} at most`);
  }
  const wrong = scanCbor(bytes);
  if (wrong !== null) return new DecodeFailure(wrong);
  try {
    return codec.decode(bytes);
  } catch (error) {
    return new DecodeFailure(String(error));
  }
}

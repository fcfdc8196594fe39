/**
 * Every bound of one NBD connection, with what happens there, in one place (I8). Pure.
 *
 * A client is a stranger: whatever it sends, one connection costs at most the sum of these numbers. How many
 * connections there may be is the owner's number.
 */
import { invariant } from "../../runtime/invariant.ts";
import { REQUEST_HEADER_BYTES, STRING_BYTES_MAX } from "./protocol_numbers.ts";

export interface NbdLimits {
  /** From the first byte to transmission. Then: the connection is ended. */
  readonly handshakeMs: number;
  /** From the end of the last reply until the client took it. Then: the connection is dropped. */
  readonly lingerMs: number;
  /** Options per connection. Then: the connection is ended. */
  readonly optionsMax: number;
  /** Data of one option. Beyond: skipped unread, answered `NBD_REP_ERR_TOO_BIG`. */
  readonly optionDataBytesMax: number;
  /** Option data that is skipped at all. Beyond: the connection is ended. */
  readonly optionSkipBytesMax: number;
  /** Payload of a READ or WRITE. Beyond: EINVAL. Told to clients by `NBD_INFO_BLOCK_SIZE`. */
  readonly payloadBytesMax: number;
  /** Payload of a refused WRITE that is skipped. Beyond: the connection is ended. */
  readonly payloadSkipBytesMax: number;
  /** Requests that wait for the volume. Then: the socket is not read. */
  readonly requestsInFlightMax: number;
  /** Reads that wait for the volume plus replies that wait for the client. Then: the socket is not read. */
  readonly replyBytesMax: number;
  /** Receive buffers that writes in flight keep from being used again. Then: the socket is not read. */
  readonly pinnedBytesMax: number;
  /** Extents in one answer to BLOCK_STATUS. Then: the client asks again for the rest, as the protocol lets it. */
  readonly extentsMax: number;
}

const MEBIBYTE = 1024 * 1024;

export const NBD_LIMITS: NbdLimits = {
  handshakeMs: 10_000,
  lingerMs: 5_000,
  optionsMax: 256,
  optionDataBytesMax: 64 * 1024,
  optionSkipBytesMax: MEBIBYTE,
  payloadBytesMax: 32 * MEBIBYTE,
  payloadSkipBytesMax: 64 * MEBIBYTE,
  requestsInFlightMax: 512,
  replyBytesMax: 64 * MEBIBYTE,
  pinnedBytesMax: 64 * MEBIBYTE,
  extentsMax: 4096,
};

/** The size of slab that suits connections: a write of 2 MiB, which clients like, with its header and more. */
export const NBD_SLAB_BYTES = 2 * MEBIBYTE + 64 * 1024;

/** "Block size constraints": what suits us best; anything from one byte on is served. */
export const BLOCK_BYTES_MIN = 1;
export const BLOCK_BYTES_PREFERRED = 4096;

/** Throws when the numbers contradict each other, so that a wrong configuration dies at the start. */
export function assertLimits(limits: NbdLimits): void {
  invariant(
    limits.optionDataBytesMax >= STRING_BYTES_MAX + 16,
    "the longest export name fits into an option",
  );
  invariant(limits.optionSkipBytesMax >= limits.optionDataBytesMax, "what may be kept may be skipped");
  invariant(
    limits.payloadSkipBytesMax >= limits.payloadBytesMax,
    "a refused payload of legal size can be skipped",
  );
  invariant(limits.replyBytesMax >= limits.payloadBytesMax, "the largest read can be answered");
  invariant(
    limits.pinnedBytesMax >= limits.payloadBytesMax + REQUEST_HEADER_BYTES,
    "the largest write can wait for the volume",
  );
  invariant(limits.requestsInFlightMax >= 1 && limits.extentsMax >= 1, "there is room for one of everything");
}

/**
 * Pure: what the system's error codes mean for a stream, in the words of the `ByteStream` contract.
 *
 * A table, because the difference between "nobody listens there" and "no way to that host" decides what a person
 * is told to look at, and both runtimes spell the same codes.
 */
import type { StreamEnd } from "../runtime/byte_stream.ts";

const KIND_BY_CODE: Readonly<Record<string, StreamEnd["kind"]>> = {
  ECONNREFUSED: "refused",
  ENOENT: "refused", // a unix socket whose file is not there
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  EHOSTDOWN: "unreachable",
  ENETDOWN: "unreachable",
  EADDRNOTAVAIL: "unreachable",
  ENOTFOUND: "unreachable",
  EAI_AGAIN: "unreachable",
  ETIMEDOUT: "timed_out",
  ECONNRESET: "reset",
  ECONNABORTED: "reset",
  EPIPE: "reset",
};

/** The code of a system error, "" when it has none. */
export function errorCode(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : "";
}

/** The end that an error means. `refused` and `unreachable` come only before the stream was open (contract). */
export function endOfError(
  error: Error,
  situation: { readonly address: string; readonly open: boolean },
): StreamEnd {
  const kind = KIND_BY_CODE[errorCode(error)] ?? "failed";
  // An error of several attempts (IPv6 and IPv4) has an empty message and the code of the last one.
  const detail = `${situation.address}: ${error.message === "" ? errorCode(error) : error.message}`;
  if (situation.open && (kind === "refused" || kind === "unreachable")) return { kind: "failed", detail };
  return { kind, detail };
}

/**
 * Which requests are well formed, as one table of commands and one ordered list of objections. Pure.
 *
 * The connection survives every objection: the client gets an error number and a sentence ("Error values"), the
 * volume never sees the request. Only what makes the byte stream unreadable ends a connection, and that is the
 * decoder's matter. `NBD_CMD_FLAG_FUA` is legal on every command ("Command flags", bit 0); the others only where
 * their section names them.
 */
import type { VolumeErrorKind, VolumeRequestKind } from "../volume_request.ts";
import { COMMAND, COMMAND_FLAG, NBD_ERROR } from "./protocol_numbers.ts";

export interface CommandRow {
  readonly kind: VolumeRequestKind;
  /** Legal flags besides FUA. */
  readonly flags: number;
  /** Changes the volume: refused on a read-only export, and beyond the end it is a lack of space. */
  readonly writes: boolean;
  /** Moves `length` bytes over the wire, one way or the other, so that the length has a bound. */
  readonly payload: boolean;
}

/** By request type. DISC is missing: it is no request but a farewell. */
export const COMMAND_TABLE: readonly (CommandRow | undefined)[] = commandTable();

function commandTable(): (CommandRow | undefined)[] {
  const rows: (CommandRow | undefined)[] = [];
  rows[COMMAND.READ] = { kind: "read", flags: COMMAND_FLAG.DF, writes: false, payload: true };
  rows[COMMAND.WRITE] = { kind: "write", flags: 0, writes: true, payload: true };
  rows[COMMAND.DISC] = undefined;
  rows[COMMAND.FLUSH] = { kind: "flush", flags: 0, writes: false, payload: false };
  rows[COMMAND.TRIM] = { kind: "trim", flags: 0, writes: true, payload: false };
  rows[COMMAND.CACHE] = { kind: "cache", flags: 0, writes: false, payload: false };
  rows[COMMAND.WRITE_ZEROES] = {
    kind: "write_zeroes",
    flags: COMMAND_FLAG.NO_HOLE | COMMAND_FLAG.FAST_ZERO,
    writes: true,
    payload: false,
  };
  rows[COMMAND.BLOCK_STATUS] = {
    kind: "block_status",
    flags: COMMAND_FLAG.REQ_ONE,
    writes: false,
    payload: false,
  };
  return rows;
}

/** What the connection settled and the volume is. */
export interface RequestRules {
  readonly size: number;
  readonly readOnly: boolean;
  readonly structuredReplies: boolean;
  readonly contexts: number;
  readonly payloadBytesMax: number;
}

/** A request's header, as decoded. One object is used again and again. */
export interface RequestHeader {
  readonly flags: number;
  readonly type: number;
  /** Bytes; −1 when it does not fit into 2^53 − 1, which is past the end of any export. */
  readonly offset: number;
  readonly length: number;
}

export interface Objection {
  readonly error: number;
  readonly message: string;
}

/** The first objection in order, or null. Allocates nothing. */
export function objectionTo(header: RequestHeader, rules: RequestRules): Objection | null {
  const row = COMMAND_TABLE[header.type];
  if (row === undefined) return UNKNOWN_COMMAND;
  if ((header.flags & ~(row.flags | COMMAND_FLAG.FUA)) !== 0) return UNKNOWN_FLAGS;
  if ((header.flags & COMMAND_FLAG.DF) !== 0 && !rules.structuredReplies) return UNKNOWN_FLAGS;
  if (row.writes && rules.readOnly) return READ_ONLY;
  if (header.type === COMMAND.FLUSH) {
    return header.offset === 0 && header.length === 0 ? null : FLUSH_HAS_A_RANGE;
  }
  if (header.type === COMMAND.BLOCK_STATUS && rules.contexts === 0) return NO_CONTEXT;
  if (header.length === 0) return NO_LENGTH;
  // In this order, so that the sum is never computed beyond 2^53: offset ≤ size first, then the rest of the size.
  if (header.offset < 0 || header.offset > rules.size || header.length > rules.size - header.offset) {
    return header.type === COMMAND.WRITE || header.type === COMMAND.WRITE_ZEROES ? WRITES_PAST_END : PAST_END;
  }
  if (row.payload && header.length > rules.payloadBytesMax) {
    return (header.flags & COMMAND_FLAG.DF) !== 0 ? TOO_LONG_IN_ONE_PIECE : TOO_LONG;
  }
  return null;
}

const UNKNOWN_COMMAND = { error: NBD_ERROR.INVALID, message: "this command is not known" };
const UNKNOWN_FLAGS = { error: NBD_ERROR.INVALID, message: "the command has flags that it cannot have" };
const READ_ONLY = { error: NBD_ERROR.PERM, message: "the export is read-only" };
const FLUSH_HAS_A_RANGE = { error: NBD_ERROR.INVALID, message: "a flush has neither offset nor length" };
const NO_CONTEXT = {
  error: NBD_ERROR.INVALID,
  message: "no metadata context was negotiated for this export",
};
const NO_LENGTH = { error: NBD_ERROR.INVALID, message: "the request has no length" };
const PAST_END = { error: NBD_ERROR.INVALID, message: "the range ends beyond the export" };
const WRITES_PAST_END = { error: NBD_ERROR.NO_SPACE, message: "the range ends beyond the export" };
const TOO_LONG = { error: NBD_ERROR.INVALID, message: "the request is longer than the maximum block size" };
const TOO_LONG_IN_ONE_PIECE = {
  error: NBD_ERROR.OVERFLOW,
  message: "the read is too long to be sent in one piece",
};

/** How the volume's errors are called on the wire. */
export function errorNumber(error: VolumeErrorKind, kind: VolumeRequestKind): number {
  switch (error) {
    case "io_error":
      return NBD_ERROR.IO;
    case "no_space":
      return NBD_ERROR.NO_SPACE;
    case "out_of_range":
      return kind === "write" || kind === "write_zeroes" ? NBD_ERROR.NO_SPACE : NBD_ERROR.INVALID;
    case "not_supported":
      return NBD_ERROR.NOT_SUPPORTED;
    case "shutting_down":
      return NBD_ERROR.SHUTDOWN;
  }
}

/** For people, sent along where the connection has structured replies. */
export function errorMessage(error: VolumeErrorKind): string {
  switch (error) {
    case "io_error":
      return "the volume could not do it: input/output error";
    case "no_space":
      return "no space left under the volume";
    case "out_of_range":
      return "the range ends beyond the volume";
    case "not_supported":
      return "the volume cannot do this, or not fast";
    case "shutting_down":
      return "this node stops serving the volume";
  }
}

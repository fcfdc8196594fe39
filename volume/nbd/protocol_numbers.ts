/**
 * Every number of the NBD protocol that we speak, under the protocol's own names, and nothing else. Pure.
 *
 * The text is doc/proto.md of the NetworkBlockDevice/nbd project; docstrings in this folder cite its sections.
 * All integers on the wire are unsigned and big endian. The 64-bit magics are kept as two halves, because a
 * `bigint` per request would cost more than the rest of the decoding.
 */

/** "Newstyle negotiation": `NBDMAGIC`, then `IHAVEOPT`, which also opens every option of the client. */
export const NBD_MAGIC_HIGH = 0x4e42444d;
export const NBD_MAGIC_LOW = 0x41474943;
export const OPTION_MAGIC_HIGH = 0x49484156;
export const OPTION_MAGIC_LOW = 0x454f5054;
/** "Fixed newstyle negotiation": opens every reply to an option. */
export const OPTION_REPLY_MAGIC_HIGH = 0x0003e889;
export const OPTION_REPLY_MAGIC_LOW = 0x045565a9;
/** "Request message", "Simple reply message", "Structured reply chunk message". */
export const REQUEST_MAGIC = 0x25609513;
export const SIMPLE_REPLY_MAGIC = 0x67446698;
export const STRUCTURED_REPLY_MAGIC = 0x668e33ef;

/** magic · client's option · length of its data. */
export const OPTION_HEADER_BYTES = 16;
/** magic · option · reply type · length. */
export const OPTION_REPLY_HEADER_BYTES = 20;
/** magic · flags · type · handle · offset · length. */
export const REQUEST_HEADER_BYTES = 28;
/** magic · error · handle. */
export const SIMPLE_REPLY_BYTES = 16;
/** magic · flags · type · handle · length. */
export const CHUNK_HEADER_BYTES = 20;
/** After a name export was chosen by the oldest option, unless both ends agreed to leave them out. */
export const EXPORT_NAME_ZEROES_BYTES = 124;
/** "Conventions": a string is at most this long. */
export const STRING_BYTES_MAX = 4096;

/** "Handshake flags" and "Client flags" have the same two bits. */
export const HANDSHAKE_FLAG = { FIXED_NEWSTYLE: 1, NO_ZEROES: 2 } as const;

/** "Transmission flags". */
export const TRANSMISSION_FLAG = {
  HAS_FLAGS: 1 << 0,
  READ_ONLY: 1 << 1,
  SEND_FLUSH: 1 << 2,
  SEND_FUA: 1 << 3,
  ROTATIONAL: 1 << 4,
  SEND_TRIM: 1 << 5,
  SEND_WRITE_ZEROES: 1 << 6,
  SEND_DF: 1 << 7,
  CAN_MULTI_CONN: 1 << 8,
  SEND_RESIZE: 1 << 9,
  SEND_CACHE: 1 << 10,
  SEND_FAST_ZERO: 1 << 11,
} as const;

/** "Option types". */
export const OPTION = {
  EXPORT_NAME: 1,
  ABORT: 2,
  LIST: 3,
  STARTTLS: 5,
  INFO: 6,
  GO: 7,
  STRUCTURED_REPLY: 8,
  LIST_META_CONTEXT: 9,
  SET_META_CONTEXT: 10,
  EXTENDED_HEADERS: 11,
} as const;

/** "Option reply types"; errors have the highest bit set. */
export const OPTION_REPLY = {
  ACK: 1,
  SERVER: 2,
  INFO: 3,
  META_CONTEXT: 4,
  ERR_UNSUP: 0x80000001,
  ERR_POLICY: 0x80000002,
  ERR_INVALID: 0x80000003,
  ERR_PLATFORM: 0x80000004,
  ERR_TLS_REQD: 0x80000005,
  ERR_UNKNOWN: 0x80000006,
  ERR_SHUTDOWN: 0x80000007,
  ERR_BLOCK_SIZE_REQD: 0x80000008,
  ERR_TOO_BIG: 0x80000009,
} as const;

/** "NBD_REP_INFO": what one information reply tells. */
export const INFO = { EXPORT: 0, NAME: 1, DESCRIPTION: 2, BLOCK_SIZE: 3 } as const;

/** "Request types". */
export const COMMAND = {
  READ: 0,
  WRITE: 1,
  DISC: 2,
  FLUSH: 3,
  TRIM: 4,
  CACHE: 5,
  WRITE_ZEROES: 6,
  BLOCK_STATUS: 7,
} as const;

/** "Command flags". */
export const COMMAND_FLAG = {
  FUA: 1 << 0,
  NO_HOLE: 1 << 1,
  DF: 1 << 2,
  REQ_ONE: 1 << 3,
  FAST_ZERO: 1 << 4,
} as const;

/** "Structured reply flags". */
export const CHUNK_FLAG_DONE = 1;

/** "Structured reply types"; errors have bit 15 set. */
export const CHUNK = {
  NONE: 0,
  OFFSET_DATA: 1,
  OFFSET_HOLE: 2,
  BLOCK_STATUS: 5,
  ERROR: 0x8001,
  ERROR_OFFSET: 0x8002,
} as const;
export const CHUNK_ERROR_BIT = 0x8000;

/** "Metadata contexts", `base:allocation`. */
export const BLOCK_STATE = { HOLE: 1, ZERO: 2 } as const;

/** "Error values". */
export const NBD_ERROR = {
  PERM: 1,
  IO: 5,
  NO_MEMORY: 12,
  INVALID: 22,
  NO_SPACE: 28,
  OVERFLOW: 75,
  NOT_SUPPORTED: 95,
  SHUTDOWN: 108,
} as const;

/**
 * What a client asks of a volume, whatever door it came through. The NBD session makes these, the mirror answers
 * them. One object per request and no promise: the mirror calls `complete` once, in the same turn or much later.
 */
import type { Slab } from "../runtime/slab.ts";
import type { Extent } from "./block_device.ts";

export type VolumeRequestKind =
  | "read"
  | "write"
  | "flush"
  | "trim"
  | "write_zeroes"
  | "cache"
  | "block_status";

/** How a request ended badly. The NBD session turns these into the protocol's error numbers. */
export type VolumeErrorKind = "io_error" | "no_space" | "out_of_range" | "not_supported" | "shutting_down";

export interface VolumeRequest {
  readonly kind: VolumeRequestKind;
  /** Index of the volume in its group. */
  readonly volume: number;
  /** Bytes. 0 for a flush. */
  readonly offset: number;
  readonly length: number;
  /** Complete only when stable (write, trim, write_zeroes). */
  readonly fua: boolean;
  /** write_zeroes: the range must stay allocated (NBD_CMD_FLAG_NO_HOLE). */
  readonly noHole: boolean;
  /** write_zeroes: complete with `not_supported` if it would be no faster than a write (NBD_CMD_FLAG_FAST_ZERO). */
  readonly fastZero?: boolean;
  /** write: `length` bytes inside `slab`, valid during the call; whoever needs them longer retains the slab. */
  readonly payload: Uint8Array | null;
  readonly slab: Slab | null;
  /**
   * read: space of `length` bytes inside the reply itself. A volume that fills it and completes with this very
   * array saves a buffer and a copy; it need not ask. At most once, before `complete`.
   */
  replySpace?(): Uint8Array;
  /**
   * Exactly once. `data`: for a read, `length` bytes that stay unchanged until the door has sent them;
   * `extents`: for block_status.
   */
  complete(error: VolumeErrorKind | null, data?: Uint8Array, extents?: readonly Extent[]): void;
}

/** Where requests go: the mirror of the group, or nobody. */
export interface VolumePort {
  /** All requests that one socket read brought, in order. Never throws. */
  submit(batch: readonly VolumeRequest[]): void;
  /**
   * False when the port is full: the door reads no further request until its `onWritable` is called (I8). Asked
   * after each batch; requests of a batch that is submitted are always taken.
   */
  readonly writable: boolean;
}

/**
 * One request on its way through the mirror, from the door to its completion. Mutable and small, one object per
 * request: at a hundred thousand requests a second every further object shows.
 *
 * An operation without a request is the mirror's own: a repair (the range of a failed write, shipped again as it now
 * stands) or a barrier before a planned move.
 */
import type { VolumeErrorKind, VolumeRequest } from "../../volume/volume_request.ts";
import type { RangeTicket } from "./range_queue.ts";
import type { WindowEntry } from "./write_window.ts";

export type StreamKind = "write" | "trim" | "write_zeroes" | "barrier";
/** `copy`: a resync reads a range that must hold still. */
export type OperationKind = StreamKind | "read" | "copy";

export class Operation implements WindowEntry {
  readonly kind: OperationKind;
  readonly volume: number;
  readonly offset: number;
  readonly length: number;
  readonly durable: boolean;
  readonly noHole: boolean;
  readonly request: VolumeRequest | null;
  /** write: the bytes; they live in the request's slab, or in memory of their own. */
  payload: Uint8Array | null;
  /** 0 until it enters the stream. */
  seq = 0;
  localDone = false;
  completed = false;
  ticket: RangeTicket<Operation> | null = null;
  /** How it ended badly, for the client; the stream goes on with its repair. */
  error: VolumeErrorKind | null = null;
  /** The client was told an error already, since the group was blocked for too long; the stream goes on without it. */
  answered = false;
  /** A read that is on the disk's side of its range: its buffer is in use. */
  reading = false;
  /** Its intent is durable and pinned. */
  pinned = false;
  /** The mirror's own: called when a barrier is complete, or when the range of a copy holds still. */
  readonly onComplete: (() => void) | null;

  constructor(fields: {
    kind: OperationKind;
    volume: number;
    offset: number;
    length: number;
    durable: boolean;
    noHole?: boolean;
    request?: VolumeRequest;
    payload?: Uint8Array | null;
    onComplete?: () => void;
  }) {
    this.kind = fields.kind;
    this.volume = fields.volume;
    this.offset = fields.offset;
    this.length = fields.length;
    this.durable = fields.durable;
    this.noHole = fields.noHole ?? false;
    this.request = fields.request ?? null;
    this.payload = fields.payload ?? null;
    this.onComplete = fields.onComplete ?? null;
  }
}

/**
 * A client's request on its way through the volume: what was asked, and all that its reply needs.
 *
 * It is the one object that a request costs. What the volume must not know (handle, place of the reply, buffer of
 * the payload) lies beside what it must, so that a completion finds everything without a table.
 */
import { invariant } from "../../runtime/invariant.ts";
import type { Slab } from "../../runtime/slab.ts";
import type { Extent } from "../block_device.ts";
import type { VolumeErrorKind, VolumeRequest, VolumeRequestKind } from "../volume_request.ts";
import { COMMAND_FLAG } from "./protocol_numbers.ts";
import type { Handle, ReservedReply } from "./reply_outbox.ts";
import type { ReceiveBuffer, RequestDecoder } from "./request_decoder.ts";
import type { CommandRow } from "./request_table.ts";

/** Where a request came from and its reply goes. */
export interface RequestDoor {
  /** A place for the data of a read inside its reply; null when nothing is sent any more. */
  reserve(length: number): ReservedReply | null;
  /** The request is complete; what it ended with lies in the request. */
  completed(request: NbdRequest, error: VolumeErrorKind | null): void;
}

export class NbdRequest implements VolumeRequest, Handle {
  readonly kind: VolumeRequestKind;
  readonly volume: number;
  readonly offset: number;
  readonly length: number;
  readonly fua: boolean;
  readonly noHole: boolean;
  readonly fastZero: boolean;
  /** block_status: the client wants one extent only. */
  readonly oneExtent: boolean;
  readonly payload: Uint8Array | null;
  readonly slab: Slab | null;
  readonly handleHigh: number;
  readonly handleLow: number;
  /** Where the payload lies. */
  readonly buffer: ReceiveBuffer | null;
  reserved: ReservedReply | null = null;
  data: Uint8Array | undefined;
  extents: readonly Extent[] | undefined;
  readonly #door: RequestDoor;
  #complete = false;

  /** @param door where the reply goes · `source.header` the request as decoded, before it is consumed */
  constructor(
    door: RequestDoor,
    source: { header: RequestDecoder; row: CommandRow; volume: number },
  ) {
    const { header, row } = source;
    this.#door = door;
    this.kind = row.kind;
    this.volume = source.volume;
    this.offset = header.offset;
    this.length = header.length;
    this.handleHigh = header.handleHigh;
    this.handleLow = header.handleLow;
    this.fua = (header.flags & COMMAND_FLAG.FUA) !== 0;
    this.noHole = (header.flags & COMMAND_FLAG.NO_HOLE) !== 0;
    this.fastZero = (header.flags & COMMAND_FLAG.FAST_ZERO) !== 0;
    this.oneExtent = (header.flags & COMMAND_FLAG.REQ_ONE) !== 0;
    if (row.kind === "write") {
      this.payload = header.consumePayload();
      this.buffer = header.submitted();
      this.slab = this.buffer.slab;
    } else {
      header.consume();
      this.payload = null;
      this.buffer = null;
      this.slab = null;
    }
    this.data = undefined;
    this.extents = undefined;
  }

  replySpace(): Uint8Array {
    invariant(
      this.kind === "read" && !this.#complete && this.reserved === null,
      "space is asked for once, by a read",
    );
    this.reserved = this.#door.reserve(this.length);
    return this.reserved?.data ?? new Uint8Array(this.length);
  }

  complete(error: VolumeErrorKind | null, data?: Uint8Array, extents?: readonly Extent[]): void {
    invariant(!this.#complete, "a request is completed once");
    this.#complete = true;
    this.data = data;
    this.extents = extents;
    this.#door.completed(this, error);
    this.data = undefined;
  }
}

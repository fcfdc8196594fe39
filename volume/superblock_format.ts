/**
 * What one disk remembers about itself: to whom it belongs, how far its bytes go, and whether they can be trusted.
 * Pure: bytes in, bytes out. `record_file.ts` keeps it in two checksummed copies.
 *
 * The payload is JSON with its fields in a fixed order. A fixed binary layout was considered and rejected: a superblock
 * is written a few times per hour and read by people at bad moments, with `strings` if need be; histories, records and
 * peers have variable length anyway; and a field that a later version adds does not move the others. Every field is
 * checked on reading as strictly as a binary one would be, unknown ones are refused: they belong to a newer version.
 */
import type { GroupRecord } from "../protocol/member_set.ts";
import type { History, Position } from "../protocol/position.ts";

/** The states that are kept; the others of the glossary exist only while a node runs. */
export type DiskState = "empty" | "inconsistent" | "consistent" | "up_to_date";

/** An open resync window: the disk mixes old and new blocks until it closes (design §4.7). */
export interface ResyncWindow {
  readonly source: string;
  readonly kind: "partial" | "full" | "hash";
  /** Where the undo journal of the window is, once there is one; null: the window cannot be rolled back. */
  readonly undo: { readonly path: string; readonly offset: number } | null;
}

/** Another replica, and the file beside the disk that keeps its marks. */
export interface PeerSlot {
  readonly node: string;
  readonly bitmap: string;
}

export interface Superblock {
  readonly group: string;
  readonly volume: string;
  readonly node: string;
  /** 32 hexadecimal digits; null until the group is born. */
  readonly groupId: string | null;
  /** Bytes of the volume. */
  readonly size: number;
  /** Bytes per bitmap bit, and per entry of the hot set. */
  readonly regionBytes: number;
  readonly hotRegionBytes: number;
  readonly diskState: DiskState;
  /** Known to be all zero. */
  readonly zero: boolean;
  readonly history: History;
  /** The last position recorded as stable: a lower bound of what the disk holds. */
  readonly stable: Position;
  readonly record: GroupRecord | null;
  readonly peers: readonly PeerSlot[];
  readonly resync: ResyncWindow | null;
  /** Nothing was in flight when it was closed. False while open. */
  readonly cleanShutdown: boolean;
}

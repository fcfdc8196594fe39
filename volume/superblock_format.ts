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
import { type Generation, type History, HISTORY_ENTRIES_MAX, type Position } from "../protocol/position.ts";
import { invariant } from "../runtime/invariant.ts";
import { FieldReader, type Fields } from "./field_reader.ts";

/** Replicas of a group that the format has room for. */
export const REPLICAS_MAX = 64;

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

export const SUPERBLOCK_MAGIC = "HFsb";
export const SUPERBLOCK_FORMAT_VERSION = 1;
/** Bytes of the longest payload: 64 history entries and 64 replicas take a third of it. */
export const SUPERBLOCK_PAYLOAD_MAX = 48 * 1024;

const DISK_STATES: readonly DiskState[] = ["empty", "inconsistent", "consistent", "up_to_date"];

/** The fields in the order of the format. Throws an invariant error when the result is longer than the format allows. */
export function encodeSuperblock(superblock: Superblock): Uint8Array {
  const generation = (value: Generation) => ({ number: value.number, id: value.id });
  const ordered = {
    group: superblock.group,
    volume: superblock.volume,
    node: superblock.node,
    groupId: superblock.groupId,
    size: superblock.size,
    regionBytes: superblock.regionBytes,
    hotRegionBytes: superblock.hotRegionBytes,
    diskState: superblock.diskState,
    zero: superblock.zero,
    history: superblock.history.map((entry) => ({
      generation: generation(entry.generation),
      source: entry.source,
      baseSeq: entry.baseSeq,
      lossless: entry.lossless,
    })),
    stable: { generation: superblock.stable.generation, seq: superblock.stable.seq },
    record: superblock.record === null ? null : {
      groupId: superblock.record.groupId,
      generation: generation(superblock.record.generation),
      source: superblock.record.source,
      version: superblock.record.version,
      members: superblock.record.members.map(({ node, mode }) => ({ node, mode })),
      voters: superblock.record.voters,
      replicas: superblock.record.replicas,
    },
    peers: superblock.peers.map(({ node, bitmap }) => ({ node, bitmap })),
    resync: superblock.resync === null ? null : {
      source: superblock.resync.source,
      kind: superblock.resync.kind,
      undo: superblock.resync.undo === null
        ? null
        : { path: superblock.resync.undo.path, offset: superblock.resync.undo.offset },
    },
    cleanShutdown: superblock.cleanShutdown,
  };
  const bytes = new TextEncoder().encode(JSON.stringify(ordered));
  invariant(bytes.length <= SUPERBLOCK_PAYLOAD_MAX, "a superblock fits its place");
  const readBack = decodeSuperblock(bytes);
  invariant(typeof readBack !== "string", `what is written can be read: ${String(readBack)}`);
  return bytes;
}

/** The superblock, or what is wrong with it: a path and what belongs there. */
export function decodeSuperblock(bytes: Uint8Array): Superblock | string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    return `it is not JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
  const reader = new FieldReader();
  const superblock = readSuperblock(reader, reader.object(parsed, "superblock"));
  return reader.fault ?? superblock;
}

function readSuperblock(reader: FieldReader, root: Fields): Superblock {
  const size = reader.count(root, "size");
  const superblock: Superblock = {
    group: reader.text(root, "group"),
    volume: reader.text(root, "volume"),
    node: reader.text(root, "node"),
    groupId: reader.optional(root, "groupId", (value) => reader.hex(value, "groupId")),
    size,
    regionBytes: reader.powerOfTwo(root, "regionBytes"),
    hotRegionBytes: reader.powerOfTwo(root, "hotRegionBytes"),
    diskState: reader.oneOf(root, "diskState", DISK_STATES),
    zero: reader.truth(root, "zero"),
    history: reader.list(root, "history", HISTORY_ENTRIES_MAX).map((entry) => ({
      generation: readGeneration(reader, entry),
      source: reader.text(entry, "source"),
      baseSeq: reader.count(entry, "baseSeq"),
      lossless: reader.truth(entry, "lossless"),
    })),
    stable: readPosition(reader, reader.fields(root, "stable")),
    record: reader.optional(
      root,
      "record",
      (value) => readRecordOfGroup(reader, reader.object(value, "record")),
    ),
    peers: reader.list(root, "peers", REPLICAS_MAX).map((peer) => ({
      node: reader.text(peer, "node"),
      bitmap: reader.text(peer, "bitmap"),
    })),
    resync: reader.optional(root, "resync", (value) => readResync(reader, reader.object(value, "resync"))),
    cleanShutdown: reader.truth(root, "cleanShutdown"),
  };
  reader.noFurtherFields(root, Object.keys(superblock));
  return superblock;
}

function readGeneration(reader: FieldReader, entry: Fields): Generation {
  const generation = reader.fields(entry, "generation");
  return { number: reader.count(generation, "number"), id: reader.hex(generation["id"], "generation.id") };
}

function readPosition(reader: FieldReader, fields: Fields): Position {
  return { generation: reader.count(fields, "generation"), seq: reader.count(fields, "seq") };
}

function readRecordOfGroup(reader: FieldReader, fields: Fields): GroupRecord {
  return {
    groupId: reader.hex(fields["groupId"], "record.groupId"),
    generation: readGeneration(reader, fields),
    source: reader.text(fields, "source"),
    version: reader.count(fields, "version"),
    members: reader.list(fields, "members", REPLICAS_MAX).map((member) => ({
      node: reader.text(member, "node"),
      mode: reader.oneOf(member, "mode", ["sync", "commit"] as const),
    })),
    voters: reader.texts(fields, "voters", REPLICAS_MAX),
    replicas: reader.texts(fields, "replicas", REPLICAS_MAX),
  };
}

function readResync(reader: FieldReader, fields: Fields): ResyncWindow {
  return {
    source: reader.text(fields, "source"),
    kind: reader.oneOf(fields, "kind", ["partial", "full", "hash"] as const),
    undo: reader.optional(fields, "undo", (value) => {
      const undo = reader.object(value, "undo");
      return { path: reader.text(undo, "path"), offset: reader.count(undo, "offset") };
    }),
  };
}

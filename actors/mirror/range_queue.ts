/**
 * Who must wait for whom: byte ranges in flight, in order of arrival. Pure.
 *
 * Two writes that overlap may not race to the disk, a resync may not copy a block that is changing under it (I7), and
 * a read may not see a write that a failover could still undo. Each of them enters here with its range; whoever finds
 * an earlier conflicting range waits, and is named ready when the last of those is out of its way. Order of arrival is
 * kept, so nobody starves.
 *
 * | later ↓ · earlier → | read | write, not on the disk | write, settled | copy |
 * |---------------------|------|------------------------|----------------|------|
 * | read                |      | waits                  | waits          |      |
 * | write               | waits| waits                  |                | waits|
 * | copy                |      | waits                  |                |      |
 *
 * A write *settles* when it is on the local disk and has its place in the stream: from then on the order of the stream
 * keeps writes and copies apart, and only readers wait until it is complete. Were copies to wait for completion too, a
 * leg that a write waits for could never be resynchronised: each would wait for the other.
 *
 * Ranges are filed under the 1 MiB buckets they touch: with a few hundred in flight a bucket holds a handful, and a
 * lookup compares only those. An interval tree was rejected: it is slower at these sizes and five times the code.
 */
import { invariant } from "../../runtime/invariant.ts";

const BUCKET_BYTES = 1 << 20;

export type RangeKind = "read" | "write" | "copy";

/** A place in the queue; `owner` is whatever the caller wants back when the range becomes ready. */
export interface RangeTicket<Owner> {
  readonly owner: Owner;
  readonly kind: RangeKind;
  readonly volume: number;
  readonly offset: number;
  readonly length: number;
  /** Earlier conflicting ranges still inside. */
  blockedBy: number;
  dependents: RangeTicket<Owner>[] | null;
  inside: boolean;
  settled: boolean;
}

export class RangeQueue<Owner> {
  readonly #buckets = new Map<number, RangeTicket<Owner>[]>();
  #count = 0;

  /** Ranges inside, ready or waiting. */
  get size(): number {
    return this.#count;
  }

  /** Everybody inside, ready or waiting, each once. Walks all buckets: not for the hot path. */
  owners(): readonly Owner[] {
    const tickets = new Set<RangeTicket<Owner>>();
    for (const bucket of this.#buckets.values()) for (const ticket of bucket) tickets.add(ticket);
    return [...tickets].map((ticket) => ticket.owner);
  }

  /** Takes a place. The range may be used at once when `blockedBy` is 0. */
  enter(
    owner: Owner,
    range: { kind: RangeKind; volume: number; offset: number; length: number },
  ): RangeTicket<Owner> {
    const { kind, volume, offset, length } = range;
    invariant(length > 0, "a range in flight has a length");
    const ticket: RangeTicket<Owner> = {
      owner,
      kind,
      volume,
      offset,
      length,
      blockedBy: 0,
      dependents: null,
      inside: true,
      settled: false,
    };
    const last = lastBucket(offset, length);
    for (let bucket = firstBucket(offset); bucket <= last; bucket += 1) {
      const key = bucketKey(volume, bucket);
      const earlier = this.#buckets.get(key);
      if (earlier === undefined) {
        this.#buckets.set(key, [ticket]);
        continue;
      }
      for (const other of earlier) {
        // A pair that shares several buckets is counted once, in the first bucket that both touch.
        if (conflicts(other, ticket) && bucket === Math.max(firstBucket(other.offset), firstBucket(offset))) {
          (other.dependents ??= []).push(ticket);
          ticket.blockedBy += 1;
        }
      }
      earlier.push(ticket);
    }
    this.#count += 1;
    return ticket;
  }

  /** A write is on the local disk and in the stream; answers the owners that are ready because of it. */
  settle(ticket: RangeTicket<Owner>): readonly Owner[] {
    invariant(ticket.inside && ticket.kind === "write" && !ticket.settled, "a write settles once");
    ticket.settled = true;
    const dependents = ticket.dependents;
    if (dependents === null) return NOBODY;
    ticket.dependents = dependents.filter((dependent) => dependent.kind === "read");
    return unblock(dependents.filter((dependent) => dependent.kind !== "read"));
  }

  /** Gives the place up; answers the owners that are ready because of it, in order of arrival. */
  leave(ticket: RangeTicket<Owner>): readonly Owner[] {
    invariant(ticket.inside, "a range leaves once");
    ticket.inside = false;
    this.#count -= 1;
    const last = lastBucket(ticket.offset, ticket.length);
    for (let bucket = firstBucket(ticket.offset); bucket <= last; bucket += 1) {
      const key = bucketKey(ticket.volume, bucket);
      const inside = this.#buckets.get(key);
      invariant(inside !== undefined, "a range inside is filed under its buckets");
      if (inside.length === 1) this.#buckets.delete(key);
      else inside.splice(inside.indexOf(ticket), 1);
    }
    return ticket.dependents === null ? NOBODY : unblock(ticket.dependents);
  }
}

function unblock<Owner>(dependents: readonly RangeTicket<Owner>[]): readonly Owner[] {
  const ready: Owner[] = [];
  for (const dependent of dependents) {
    dependent.blockedBy -= 1;
    if (dependent.blockedBy === 0 && dependent.inside) ready.push(dependent.owner);
  }
  return ready;
}

const NOBODY: readonly never[] = [];

/** 2^24 volumes apart is beyond any group; 2^53 bytes hold 2^33 buckets, so keys stay exact up to a million volumes. */
function bucketKey(volume: number, bucket: number): number {
  return volume * 2 ** 33 + bucket;
}

function firstBucket(offset: number): number {
  return Math.floor(offset / BUCKET_BYTES);
}

function lastBucket(offset: number, length: number): number {
  return Math.floor((offset + length - 1) / BUCKET_BYTES);
}

function conflicts<Owner>(earlier: RangeTicket<Owner>, later: RangeTicket<Owner>): boolean {
  if (earlier.offset >= later.offset + later.length || later.offset >= earlier.offset + earlier.length) {
    return false;
  }
  if (earlier.kind === "write") return later.kind === "read" || !earlier.settled;
  return later.kind === "write";
}

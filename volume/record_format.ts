/**
 * A record longer than a sector, as a run of sealed sectors, and what the two copies of one tell together. Pure.
 */
import { invariant } from "../runtime/invariant.ts";
import { openSector, PAYLOAD_BYTES, type Seal, sealSector, SECTOR_BYTES } from "./sealed_sector.ts";

/** What one copy holds. */
export type RecordReading =
  /** `newestSeen`: also of sectors behind its end, where a longer attempt may have been cut short before its first sector. */
  | {
    readonly kind: "whole";
    readonly revision: number;
    readonly payload: Uint8Array;
    readonly newestSeen: number;
  }
  /** Never written. */
  | { readonly kind: "blank" }
  /** A crash cut its writing short: every sector is whole, but they belong to different revisions. */
  | { readonly kind: "torn"; readonly newestSeen: number }
  /** `newestSeen`: the highest revision that a whole sector in it shows; null: none is whole. */
  | { readonly kind: "damaged"; readonly newestSeen: number | null; readonly magicFits: boolean }
  | { readonly kind: "foreign"; readonly difference: "magic" | "identity" }
  | { readonly kind: "newer_version"; readonly formatVersion: number };

/** Sectors that a payload of this length takes; an empty one takes one. */
export function sectorsFor(payloadBytes: number): number {
  return Math.max(1, Math.ceil(payloadBytes / PAYLOAD_BYTES));
}

/** The sectors of one record, ready to be written. */
export function sealRecord(seal: Seal, record: { revision: number; payload: Uint8Array }): Uint8Array {
  const count = sectorsFor(record.payload.length);
  const bytes = new Uint8Array(count * SECTOR_BYTES);
  for (let index = 0; index < count; index += 1) {
    const payload = record.payload.subarray(index * PAYLOAD_BYTES, (index + 1) * PAYLOAD_BYTES);
    sealSector(seal, { index, count, revision: record.revision, payload }, {
      into: bytes,
      at: index * SECTOR_BYTES,
    });
  }
  return bytes;
}

/** Reads one copy from its whole place; sectors behind the end of a shorter, newer record do not disturb. */
export function readRecord(seal: Seal, bytes: Uint8Array): RecordReading {
  invariant(bytes.length > 0 && bytes.length % SECTOR_BYTES === 0, "a record's place is a number of sectors");
  const sectors = Array.from(
    { length: bytes.length / SECTOR_BYTES },
    (_, index) => openSector(seal, bytes, index * SECTOR_BYTES),
  );
  for (const sector of sectors) {
    if (sector.kind === "newer_version" || sector.kind === "foreign") return sector;
  }
  const revisions = sectors.flatMap((sector) => sector.kind === "sealed" ? [sector.revision] : []);
  const head = sectors[0];
  if (head?.kind === "sealed" && head.count <= sectors.length) {
    const own = sectors.slice(0, head.count);
    const fits = own.every((sector, index) =>
      sector.kind === "sealed" && sector.revision === head.revision && sector.index === index &&
      sector.count === head.count
    );
    if (fits) {
      const payload = own.flatMap((sector) => sector.kind === "sealed" ? [sector.payload] : []);
      const newestSeen = Math.max(...revisions);
      return { kind: "whole", revision: head.revision, payload: joined(payload), newestSeen };
    }
  }
  const damaged = sectors.flatMap((sector) => sector.kind === "damaged" ? [sector.magicFits] : []);
  if (damaged.length > 0) {
    const newestSeen = revisions.length === 0 ? null : Math.max(...revisions);
    return { kind: "damaged", newestSeen, magicFits: newestSeen !== null || damaged.includes(true) };
  }
  return revisions.length === 0 ? { kind: "blank" } : { kind: "torn", newestSeen: Math.max(...revisions) };
}

/** What both copies tell: the record in force, or why there is none. */
export type CopiesVerdict =
  | {
    readonly kind: "in_force";
    readonly copy: 0 | 1;
    readonly revision: number;
    readonly payload: Uint8Array;
    /** The other copy says exactly the same. */
    readonly twin: boolean;
    /** The other copy is damaged, and may have been newer than the one in force. */
    readonly newerMayBeLost: boolean;
    /**
     * The highest revision in any sector. The next record needs a higher one: with the number of an attempt that was
     * cut short, sectors of both could look like one whole record.
     */
    readonly newestSeen: number;
  }
  | { readonly kind: "empty"; readonly newestSeen: number }
  | { readonly kind: "damaged" }
  | { readonly kind: "foreign"; readonly difference: "magic" | "identity" }
  | { readonly kind: "newer_version"; readonly formatVersion: number };

export function judgeCopies(first: RecordReading, second: RecordReading): CopiesVerdict {
  for (const reading of [first, second]) if (reading.kind === "newer_version") return reading;
  const whole = [first, second].flatMap((reading, index) =>
    reading.kind === "whole" ? [{ ...reading, copy: index === 0 ? 0 as const : 1 as const }] : []
  ).sort((a, b) => b.revision - a.revision);
  const [newest, older] = whole;
  const newestSeen = Math.max(seenIn(first), seenIn(second));
  for (const reading of [first, second]) if (reading.kind === "foreign") return reading;
  if (newest === undefined) {
    const damaged = [first, second].flatMap((reading) => reading.kind === "damaged" ? [reading] : []);
    if (damaged.length === 0) return { kind: "empty", newestSeen };
    return damaged.some((reading) => reading.magicFits)
      ? { kind: "damaged" }
      : { kind: "foreign", difference: "magic" };
  }
  const other = newest.copy === 0 ? second : first;
  const newerMayBeLost = other.kind === "damaged" &&
    (other.newestSeen === null || other.newestSeen >= newest.revision);
  const twin = older !== undefined && older.revision === newest.revision;
  const { copy, revision, payload } = newest;
  return { kind: "in_force", copy, revision, payload, twin, newerMayBeLost, newestSeen };
}

function seenIn(reading: RecordReading): number {
  if (reading.kind === "whole") return reading.newestSeen;
  return reading.kind === "torn" || reading.kind === "damaged" ? reading.newestSeen ?? 0 : 0;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

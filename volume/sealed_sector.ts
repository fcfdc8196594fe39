/**
 * Everything that Holdfast keeps beside a disk consists of sealed sectors: 512 bytes with a head, 480 bytes of
 * payload and a checksum over all of it. Pure.
 *
 * Why seal each sector and not each record? A disk writes a sector entirely or not at all. So a record that a crash
 * cut short shows sectors of two revisions, each of them whole, while a sector whose checksum is wrong was damaged on
 * the medium. With one checksum per record both look the same, and the reader must either take every interrupted write
 * for damage, or fall back to an older record when the newest, which something already depends on, has rotted.
 * Where a disk breaks the promise of whole sectors, the checksum finds it, and it counts as damage: the safe side.
 *
 * ```text
 * offset  bytes
 *      0      4  magic, four ASCII characters: which kind of file
 *      4      2  format version of that kind
 *      6      2  payload bytes used in this sector, 0–480
 *      8      4  index of the sector in its record (or of the page)
 *     12      4  sectors in the record (or pages)
 *     16      4  identity: crc32 of a text that tells whose file it is
 *     20      8  revision of the record (or page), ≥ 1
 *     28    480  payload, zeros after what is used
 *    508      4  crc32 of bytes 0–507
 * ```
 * All numbers are little endian.
 */
import { crc32 } from "node:zlib";
import { invariant } from "../runtime/invariant.ts";

export const SECTOR_BYTES = 512;
export const PAYLOAD_BYTES = 480;
const PAYLOAD_AT = 28;
const CRC_AT = 508;

/** What a file's sectors have in common. */
export interface Seal {
  /** Four ASCII characters. */
  readonly magic: string;
  /** 1–65535. A sector of a higher one is refused, never guessed at. */
  readonly formatVersion: number;
  /** Whose file it is, so that one that was moved or swapped is noticed. */
  readonly identity: string;
}

export interface SectorFields {
  readonly index: number;
  readonly count: number;
  readonly revision: number;
  readonly payload: Uint8Array;
}

export type SectorReading =
  | ({ readonly kind: "sealed" } & SectorFields)
  /** All zeros: never written. */
  | { readonly kind: "blank" }
  /** The checksum is wrong. `magicFits`: it once was a sector of this kind. */
  | { readonly kind: "damaged"; readonly magicFits: boolean }
  /** A whole sector of something else. */
  | { readonly kind: "foreign"; readonly difference: "magic" | "identity" }
  | { readonly kind: "newer_version"; readonly formatVersion: number };

/** Fills one sector of `into` at `at`. */
export function sealSector(seal: Seal, fields: SectorFields, place: { into: Uint8Array; at: number }): void {
  const { index, count, revision, payload } = fields;
  invariant(payload.length <= PAYLOAD_BYTES && seal.magic.length === 4, "a sector has 480 bytes of payload");
  invariant(Number.isSafeInteger(revision) && revision >= 1, "revisions count from 1");
  const sector = place.into.subarray(place.at, place.at + SECTOR_BYTES);
  const view = new DataView(sector.buffer, sector.byteOffset, SECTOR_BYTES);
  sector.fill(0);
  for (let i = 0; i < 4; i += 1) sector[i] = seal.magic.charCodeAt(i);
  view.setUint16(4, seal.formatVersion, true);
  view.setUint16(6, payload.length, true);
  view.setUint32(8, index, true);
  view.setUint32(12, count, true);
  view.setUint32(16, crc32(seal.identity), true);
  view.setBigUint64(20, BigInt(revision), true);
  sector.set(payload, PAYLOAD_AT);
  view.setUint32(CRC_AT, crc32(sector.subarray(0, CRC_AT)), true);
}

/** Reads one sector; the payload is a view of `from`. */
export function openSector(seal: Seal, from: Uint8Array, at = 0): SectorReading {
  const sector = from.subarray(at, at + SECTOR_BYTES);
  invariant(sector.length === SECTOR_BYTES, "a sector has 512 bytes");
  const view = new DataView(sector.buffer, sector.byteOffset, SECTOR_BYTES);
  const magicFits = [0, 1, 2, 3].every((i) => sector[i] === seal.magic.charCodeAt(i));
  if (view.getUint32(CRC_AT, true) !== crc32(sector.subarray(0, CRC_AT))) {
    return isBlank(sector) ? { kind: "blank" } : { kind: "damaged", magicFits };
  }
  if (!magicFits) return { kind: "foreign", difference: "magic" };
  const formatVersion = view.getUint16(4, true);
  if (formatVersion > seal.formatVersion) return { kind: "newer_version", formatVersion };
  if (view.getUint32(16, true) !== crc32(seal.identity)) return { kind: "foreign", difference: "identity" };
  const revision = Number(view.getBigUint64(20, true));
  const used = view.getUint16(6, true);
  if (used > PAYLOAD_BYTES || !Number.isSafeInteger(revision) || revision < 1) {
    return { kind: "damaged", magicFits };
  }
  return {
    kind: "sealed",
    index: view.getUint32(8, true),
    count: view.getUint32(12, true),
    revision,
    payload: sector.subarray(PAYLOAD_AT, PAYLOAD_AT + used),
  };
}

/** A loop, since a file beside a disk is blank for the most part, and all of it is read at each start. */
function isBlank(sector: Uint8Array): boolean {
  for (let index = 0; index < SECTOR_BYTES; index += 1) if (sector[index] !== 0) return false;
  return true;
}

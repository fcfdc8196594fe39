/**
 * The superblock of one disk, in its file: opened only if it is certainly this disk's, changed only in both copies
 * (design §4.3 rule 8).
 */
import type { BlockDevice, DiskOutcome } from "./block_device.ts";
import { OpenFailure } from "./open_failure.ts";
import { openRecordFile, type RecordFile, recordFileBytes } from "./record_file.ts";
import {
  decodeSuperblock,
  encodeSuperblock,
  type Superblock,
  SUPERBLOCK_FORMAT_VERSION,
  SUPERBLOCK_MAGIC,
  SUPERBLOCK_PAYLOAD_MAX,
} from "./superblock_format.ts";

/** Bytes of the file. */
export const SUPERBLOCK_FILE_BYTES = recordFileBytes(SUPERBLOCK_PAYLOAD_MAX);

/** What the configuration says that this disk is. */
export interface SuperblockIdentity {
  readonly group: string;
  readonly volume: string;
  readonly node: string;
  /** Bytes. */
  readonly size: number;
}

/**
 * Reads the superblock; `value` is null when there is none yet. Another group's, volume's or node's is refused by name
 * (the identity is in the payload and not in the seal, so that the refusal can say whose it is).
 */
export async function openSuperblock(
  device: BlockDevice,
  expected: SuperblockIdentity,
): Promise<SuperblockFile | OpenFailure> {
  const record = await openRecordFile(device, {
    magic: SUPERBLOCK_MAGIC,
    formatVersion: SUPERBLOCK_FORMAT_VERSION,
    payloadMax: SUPERBLOCK_PAYLOAD_MAX,
    both: true,
  });
  if (record instanceof OpenFailure) return record;
  if (record.payload === null) return new SuperblockFile(device, record, null);
  const found = decodeSuperblock(record.payload);
  if (typeof found === "string") {
    return new OpenFailure("damaged", {
      file: device.name,
      detail: `its checksums are right, but ${found}`,
      remedy: "start the newer Holdfast that wrote it, or report this as a bug",
    });
  }
  for (const field of ["group", "volume", "node", "size"] as const) {
    if (found[field] === expected[field]) continue;
    return new OpenFailure("foreign", {
      file: device.name,
      detail: `it belongs to ${field} ${found[field]}, not ${expected[field]} ` +
        `(${found.group}/${found.volume} on ${found.node}, ${found.size} bytes)`,
      remedy: "check disk and size in the configuration; replace the replica if the disk is to be used anew",
    });
  }
  return new SuperblockFile(device, record, found);
}

export class SuperblockFile {
  readonly #device: BlockDevice;
  readonly #record: RecordFile;
  #value: Superblock | null;

  /** Made by `openSuperblock` only. */
  constructor(device: BlockDevice, record: RecordFile, value: Superblock | null) {
    this.#device = device;
    this.#record = record;
    this.#value = value;
  }

  /** As last stored, or found at open. */
  get value(): Superblock | null {
    return this.#value;
  }

  /** Null: both copies are stable. One call at a time. */
  async store(value: Superblock): Promise<DiskOutcome> {
    const outcome = await this.#record.store(encodeSuperblock(value));
    if (outcome === null) this.#value = value;
    return outcome;
  }

  close(): Promise<void> {
    return this.#device.close();
  }
}

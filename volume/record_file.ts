/**
 * A small durable record over a block device: what is stored is found again after any crash, whole, or the file is
 * refused by name. Superblocks, votes and hot sets are such records.
 *
 * Two copies of sealed sectors. By default a store overwrites the older copy and flushes once: a crash in between
 * leaves the newer one. With `both` it then writes the other copy too and flushes again (design §4.3 rule 8): no
 * single damaged sector can bring back a record older than what was reported stored. Use `both` where an older record
 * would be a lie that matters (promises, superblocks); without it, a copy that is damaged and may have been the newest
 * refuses the file, unless the caller says that it can live with the older one (`newerMayBeLost`).
 */
import { invariant } from "../runtime/invariant.ts";
import type { BlockDevice, DiskOutcome } from "./block_device.ts";
import { OpenFailure } from "./open_failure.ts";
import { judgeCopies, readRecord, sealRecord, sectorsFor } from "./record_format.ts";
import { type Seal, SECTOR_BYTES } from "./sealed_sector.ts";

/** Copies begin at multiples of this, so that a disk with sectors of 4 KiB never rewrites both at once. */
const COPY_ALIGNMENT = 4096;

export interface RecordFileOptions {
  /** Four ASCII characters: the kind of file. */
  readonly magic: string;
  /** 1–65535; a file of a higher one is refused. */
  readonly formatVersion: number;
  /** Bytes of the longest payload. Part of the layout: never changes for a format version. */
  readonly payloadMax: number;
  /** Whose file it is, e.g. "db/data/alpha"; a file of another identity is refused as foreign. Default "". */
  readonly identity?: string;
  /** Both copies on every store. Default false. */
  readonly both?: boolean;
  /** Accept the older copy where the newest may be damaged; `newerMayBeLost` tells. Default false. */
  readonly acceptOlder?: boolean;
  /** Bytes from the device's start, a multiple of 4096. Default 0. */
  readonly at?: number;
}

/** Bytes that a record file takes on its device. */
export function recordFileBytes(payloadMax: number): number {
  return 2 * copyBytes(payloadMax);
}

function copyBytes(payloadMax: number): number {
  return Math.ceil(sectorsFor(payloadMax) * SECTOR_BYTES / COPY_ALIGNMENT) * COPY_ALIGNMENT;
}

/** Reads what is in force. With `both`, a copy that fell behind is mended before the answer. */
export async function openRecordFile(
  device: BlockDevice,
  options: RecordFileOptions,
): Promise<RecordFile | OpenFailure> {
  invariant(/^[ -~]{4}$/.test(options.magic), "a magic is four ASCII characters");
  const seal: Seal = {
    magic: options.magic,
    formatVersion: options.formatVersion,
    identity: options.identity ?? "",
  };
  const start = options.at ?? 0;
  const placeBytes = copyBytes(options.payloadMax);
  const places: [Uint8Array, Uint8Array] = [new Uint8Array(placeBytes), new Uint8Array(placeBytes)];
  for (const [index, place] of places.entries()) {
    const outcome = await device.read(start + index * placeBytes, place);
    if (outcome !== null) return unreadable(device, outcome.detail);
  }
  const used = sectorsFor(options.payloadMax) * SECTOR_BYTES;
  const verdict = judgeCopies(
    readRecord(seal, places[0].subarray(0, used)),
    readRecord(seal, places[1].subarray(0, used)),
  );
  if (verdict.kind === "empty") {
    const nothing = { payload: null, revision: 0, current: 1, newestSeen: verdict.newestSeen } as const;
    return new RecordFile(device, { ...options, seal, start, placeBytes, ...nothing });
  }
  if (verdict.kind !== "in_force") return refusal(device, seal, verdict);
  if (verdict.newerMayBeLost && options.both !== true && options.acceptOlder !== true) {
    return refusal(device, seal, { kind: "damaged" });
  }
  const record = new RecordFile(device, {
    ...options,
    seal,
    start,
    placeBytes,
    payload: verdict.payload,
    revision: verdict.revision,
    current: verdict.copy,
    newestSeen: verdict.newestSeen,
    newerMayBeLost: verdict.newerMayBeLost,
  });
  if (options.both === true && !verdict.twin) {
    const outcome = await record.store(verdict.payload);
    if (outcome !== null) return unreadable(device, outcome.detail);
  }
  return record;
}

interface RecordFileState {
  readonly seal: Seal;
  readonly start: number;
  readonly placeBytes: number;
  readonly payloadMax: number;
  readonly payload: Uint8Array | null;
  readonly revision: number;
  readonly current: 0 | 1;
  readonly newestSeen: number;
  readonly both?: boolean;
  readonly newerMayBeLost?: boolean;
}

export class RecordFile {
  /** The older copy is in force because the other is damaged (only with `acceptOlder` or `both`). */
  readonly newerMayBeLost: boolean;
  readonly #device: BlockDevice;
  readonly #state: RecordFileState;
  #payload: Uint8Array | null;
  #revision: number;
  /** No attempt, whatever became of it, has a higher one. */
  #attempted: number;
  /** The copy that holds the newest record. */
  #current: 0 | 1;
  #running: Promise<DiskOutcome> | null = null;
  #queued: { payload: Uint8Array; outcome: Promise<DiskOutcome> } | null = null;

  /** Made by `openRecordFile` only. */
  constructor(device: BlockDevice, state: RecordFileState) {
    this.#device = device;
    this.#state = state;
    this.#payload = state.payload;
    this.#revision = state.revision;
    this.#current = state.current;
    this.#attempted = state.newestSeen;
    this.newerMayBeLost = state.newerMayBeLost ?? false;
  }

  /** As last stored successfully, or found at open; null: nothing was ever stored. Not a copy. */
  get payload(): Uint8Array | null {
    return this.#payload;
  }

  get revision(): number {
    return this.#revision;
  }

  /**
   * Null: `payload` is stable, and is what any later open finds. A failure: either may be found. At most one store
   * runs and one waits: a later payload replaces the waiting one, whose caller then gets the later one's outcome, so
   * each payload must contain all that the one before it did.
   */
  store(payload: Uint8Array): Promise<DiskOutcome> {
    invariant(payload.length <= this.#state.payloadMax, "a record is no longer than its place");
    if (this.#queued !== null) {
      this.#queued.payload = payload;
      return this.#queued.outcome;
    }
    if (this.#running === null) return this.#run(payload);
    const queued: { payload: Uint8Array; outcome: Promise<DiskOutcome> } = {
      payload,
      outcome: this.#running.then(() => {
        this.#queued = null;
        return this.#run(queued.payload);
      }),
    };
    this.#queued = queued;
    return queued.outcome;
  }

  #run(payload: Uint8Array): Promise<DiskOutcome> {
    this.#running = this.#write(payload.slice()).finally(() => this.#running = null);
    return this.#running;
  }

  async #write(payload: Uint8Array): Promise<DiskOutcome> {
    const revision = this.#attempted += 1;
    const bytes = sealRecord(this.#state.seal, { revision, payload });
    const first = this.#current === 0 ? 1 : 0;
    for (const copy of this.#state.both === true ? [first, this.#current] : [first]) {
      const outcome = await this.#device.write(this.#state.start + copy * this.#state.placeBytes, bytes) ??
        await this.#device.flush();
      if (outcome !== null) return outcome;
    }
    this.#revision = revision;
    this.#payload = payload;
    this.#current = first;
    return null;
  }
}

function refusal(
  device: BlockDevice,
  seal: Seal,
  verdict: { kind: "damaged" } | { kind: "foreign"; difference: "magic" | "identity" } | {
    kind: "newer_version";
    formatVersion: number;
  },
): OpenFailure {
  const file = device.name;
  switch (verdict.kind) {
    case "damaged":
      return new OpenFailure("damaged", {
        file,
        detail: `its checksums are wrong (format ${seal.magic})`,
        remedy: "check the disk it lies on, then restore the file or replace the replica",
      });
    case "foreign":
      return new OpenFailure("foreign", {
        file,
        detail: verdict.difference === "magic"
          ? `it is no file of the format ${seal.magic}`
          : `it belongs to something else than ${seal.identity}`,
        remedy: "check the path in the configuration, and move the foreign file away if it is not needed",
      });
    case "newer_version":
      return new OpenFailure("newer_version", {
        file,
        detail:
          `its format ${seal.magic} has version ${verdict.formatVersion}, and ${seal.formatVersion} is the newest known here`,
        remedy: "start the newer Holdfast that wrote it",
      });
  }
}

function unreadable(device: BlockDevice, detail: string): OpenFailure {
  return new OpenFailure("io_error", { file: device.name, detail, remedy: "check the disk it lies on" });
}

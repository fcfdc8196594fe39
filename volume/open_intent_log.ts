/**
 * The intent log over its files: decides nothing (`hot_set.ts` and `mark_ledger.ts` do) and sees to it that every step
 * is stable before the next one depends on it:
 *
 * ```text
 * open:    read the hot set ▸ mark its regions towards every peer ▸ persist the bitmaps ▸ record: nothing is hot
 * commit:  persist the bits of evicted regions ▸ record with the new set, one write and one fdatasync ▸ requests go on
 * close:   persist all bits ▸ record: clean
 * ```
 *
 * The record is written whole (4 KiB of region numbers at the default capacity) into the older of two copies. An
 * append-only log of differences was rejected: it needs compaction, and what costs is the fdatasync, not the 4 KiB.
 * A copy that is damaged and may have been the newest makes everything dirty: losing a resync's worth of time is the
 * price of never losing a mark.
 */
import { invariant } from "../runtime/invariant.ts";
import { type BitmapFile, createBitmapFile, openBitmapFile } from "./bitmap_file.ts";
import type { BlockDevice, DiskFailure, DiskOutcome } from "./block_device.ts";
import { type DirtyBitmap, REGION_BYTES_DEFAULT, type RegionRun } from "./dirty_bitmap.ts";
import {
  type HeatRequest,
  HOT_CAPACITY_DEFAULT,
  type HotPlan,
  hotRegionBytesFor,
  HotSet,
} from "./hot_set.ts";
import {
  decodeHotSet,
  encodeHotSet,
  HOT_CAPACITY_MAX,
  HOT_SET_FORMAT_VERSION,
  HOT_SET_MAGIC,
  HOT_SET_PAYLOAD_MAX,
} from "./hot_set_format.ts";
import type { ByteRange, IntentLog, IntentLogFigures, ResyncedRange } from "./intent_log.ts";
import { MarkLedger } from "./mark_ledger.ts";
import { OpenFailure } from "./open_failure.ts";
import { openRecordFile, type RecordFile, recordFileBytes } from "./record_file.ts";

/** Bytes of the hot set's file. */
export const INTENT_LOG_FILE_BYTES = recordFileBytes(HOT_SET_PAYLOAD_MAX);

export interface PeerBitmapDevice {
  readonly device: BlockDevice;
  /** Set: the file is to be made, with these marks. Null: it must be there already. */
  readonly create: "all" | "none" | null;
}

export interface IntentLogOptions {
  /** Bytes of the volume. */
  readonly size: number;
  /** "group/volume/node": whose files these are. */
  readonly identity: string;
  readonly logDevice: BlockDevice;
  /** The disk never had an intent log. False: a log that is blank was lost, and everything is dirty. */
  readonly fresh: boolean;
  readonly peers: ReadonlyMap<string, PeerBitmapDevice>;
  /** For `addPeer`: the device of another peer's bitmap, of `bitmapFileBytes`. */
  readonly openBitmap: (peer: string) => Promise<BlockDevice | OpenFailure>;
  readonly regionBytes?: number;
  readonly hotRegionBytes?: number;
  /** Hot regions at most, 32–4096. */
  readonly hotCapacity?: number;
  readonly seqPagesMax?: number;
}

export interface IntentLogOpened {
  readonly intentLog: IntentLog;
  /** The last close was not a clean one; so many regions were hot, and are dirty now. */
  readonly crashedWithHot: number | null;
  /** What was damaged and costs a resync; each line names its file. */
  readonly damage: readonly string[];
}

/**
 * Opens the log; when this answers, everything that was in flight before is marked towards every peer, durably. The
 * data disk has been flushed before, so that what the marks do not cover is stable.
 */
export async function openIntentLog(options: IntentLogOptions): Promise<IntentLogOpened | OpenFailure> {
  const geometry = {
    size: options.size,
    regionBytes: options.regionBytes ?? REGION_BYTES_DEFAULT,
    hotRegionBytes: options.hotRegionBytes ?? hotRegionBytesFor(options.size),
  };
  const capacity = options.hotCapacity ?? HOT_CAPACITY_DEFAULT;
  invariant(capacity >= 32 && capacity <= HOT_CAPACITY_MAX, "the hot set has 32 to 4096 slots");
  const files = new Map<string, BitmapFile>();
  const damage: string[] = [];
  for (const [peer, { device, create }] of options.peers) {
    const own = { ...geometry, identity: `${options.identity}/${peer}` };
    const file = create === null
      ? await openBitmapFile(device, own)
      : await createBitmapFile(device, { ...own, marks: create });
    if (file instanceof OpenFailure) return file;
    damage.push(...file.damage);
    files.set(peer, file);
  }
  const found = await readHotSet(options);
  if (found instanceof OpenFailure) return found;
  damage.push(...found.damage);
  for (const file of files.values()) markHot(file.bitmap, found.hot);
  for (const file of files.values()) {
    const outcome = await file.persist();
    if (outcome !== null) return unusable(outcome);
  }
  const nothingHot = { clean: false, hotRegionBytes: geometry.hotRegionBytes, regions: [] };
  const outcome = await found.record.store(encodeHotSet(nothingHot));
  if (outcome !== null) return unusable(outcome);
  return {
    intentLog: new FileIntentLog({ ...geometry, capacity, options, files, record: found.record }),
    crashedWithHot: found.clean ? null : found.hot === "all" ? 0 : found.hot.length,
    damage,
  };
}

interface FoundHotSet {
  readonly record: RecordFile;
  readonly clean: boolean;
  readonly hot: "all" | readonly ByteRange[];
  readonly damage: readonly string[];
}

async function readHotSet(options: IntentLogOptions): Promise<FoundHotSet | OpenFailure> {
  const device = options.logDevice;
  const about = {
    magic: HOT_SET_MAGIC,
    formatVersion: HOT_SET_FORMAT_VERSION,
    payloadMax: HOT_SET_PAYLOAD_MAX,
    identity: options.identity,
    acceptOlder: true,
  };
  let record = await openRecordFile(device, about);
  if (record instanceof OpenFailure && record.kind === "damaged") {
    const outcome = await device.writeZeroes(0, INTENT_LOG_FILE_BYTES, { punch: false });
    if (outcome !== null) return unusable(outcome);
    record = await openRecordFile(device, about);
    if (record instanceof OpenFailure) return record;
    return {
      record,
      clean: false,
      hot: "all",
      damage: [`${device.name}: damaged: every region counts as dirty`],
    };
  }
  if (record instanceof OpenFailure) return record;
  if (record.payload === null) {
    if (options.fresh) return { record, clean: true, hot: [], damage: [] };
    return {
      record,
      clean: false,
      hot: "all",
      damage: [`${device.name}: it was lost: every region counts as dirty`],
    };
  }
  const hotSet = decodeHotSet(record.payload);
  if (hotSet === null) {
    return new OpenFailure("damaged", {
      file: device.name,
      detail: "its checksums are right, but it is no hot set",
      remedy: "report this as a bug; removing the file makes every region dirty and lets the replica start",
    });
  }
  if (record.newerMayBeLost) {
    const line = `${device.name}: its newest copy is damaged: every region counts as dirty`;
    return { record, clean: false, hot: "all", damage: [line] };
  }
  const { hotRegionBytes } = hotSet;
  const hot = hotSet.regions.map((region) => ({ offset: region * hotRegionBytes, length: hotRegionBytes }));
  return { record, clean: hotSet.clean, hot, damage: [] };
}

/** Rule 5: what was hot may differ from every peer. */
function markHot(bitmap: DirtyBitmap, hot: "all" | readonly ByteRange[]): void {
  if (hot === "all") return bitmap.markAll();
  for (const range of hot) {
    if (range.offset < bitmap.size) {
      bitmap.markRange(range.offset, Math.min(range.length, bitmap.size - range.offset));
    }
  }
}

function unusable(outcome: DiskFailure): OpenFailure {
  const kind = outcome.kind === "no_space" ? "no_space" : "io_error";
  return new OpenFailure(kind, {
    file: "the intent log",
    detail: outcome.detail,
    remedy: "check the disk it lies on",
  });
}

interface WaitingHeat extends HeatRequest {
  readonly ranges: readonly ByteRange[];
  readonly done: (outcome: DiskOutcome) => void;
}

interface FileIntentLogState {
  readonly size: number;
  readonly regionBytes: number;
  readonly hotRegionBytes: number;
  readonly capacity: number;
  readonly options: IntentLogOptions;
  readonly files: Map<string, BitmapFile>;
  readonly record: RecordFile;
}

class FileIntentLog implements IntentLog {
  readonly size: number;
  readonly regionBytes: number;
  readonly hotRegionBytes: number;
  readonly heatBytesMax: number;
  readonly #options: IntentLogOptions;
  readonly #files: Map<string, BitmapFile>;
  readonly #record: RecordFile;
  readonly #hotSet: HotSet;
  readonly #ledger: MarkLedger;
  #waiting: WaitingHeat[] = [];
  /** A commit runs, or is about to at the end of this turn. */
  #committing: Promise<void> | null = null;
  #failure: DiskOutcome = null;
  #closed = false;
  /** Counts those who used the log, so that a commit under way is not answered to the dead. */
  #users = 0;
  #commits = 0;

  constructor(state: FileIntentLogState) {
    this.size = state.size;
    this.regionBytes = state.regionBytes;
    this.hotRegionBytes = state.hotRegionBytes;
    this.heatBytesMax = (state.capacity / 2 - 1) * state.hotRegionBytes;
    this.#options = state.options;
    this.#files = state.files;
    this.#record = state.record;
    this.#hotSet = new HotSet(state.capacity);
    this.#ledger = new MarkLedger({ ...state, ...pagesMaxOf(state.options) });
    for (const [peer, file] of state.files) this.#ledger.addPeer(peer, file.bitmap);
  }

  get peers(): readonly string[] {
    return this.#ledger.peers;
  }

  get failure(): DiskOutcome {
    return this.#failure;
  }

  takeOver(): void {
    this.#users += 1;
    this.#waiting = [];
    this.#hotSet.unpinAll();
    for (const peer of this.peers) this.#ledger.setShipping(peer, false);
  }

  isHot(offset: number, length: number): boolean {
    return length <= 0 || this.#hotSet.isHot(this.#hotRegion(offset), this.#hotRegion(offset + length - 1));
  }

  tryPin(offset: number, length: number): boolean {
    if (length <= 0) return true;
    const first = this.#hotRegion(offset);
    const last = this.#hotRegion(offset + length - 1);
    if (this.#failure !== null || this.#closed || !this.#hotSet.isHot(first, last)) return false;
    this.#hotSet.pin(first, last);
    return true;
  }

  unpin(offset: number, length: number): void {
    if (length <= 0) return;
    const drained = this.#hotSet.unpin(this.#hotRegion(offset), this.#hotRegion(offset + length - 1));
    if (drained && this.#waiting.length > 0) this.#commitSoon();
  }

  heat(ranges: readonly ByteRange[], done: (outcome: DiskOutcome) => void): void {
    const pins: number[] = [];
    for (const { offset, length } of ranges) {
      invariant(offset >= 0 && offset + length <= this.size, "only ranges of the volume are heated");
      invariant(length <= this.heatBytesMax, "one call heats no more than heatBytesMax");
      if (length <= 0) continue;
      const last = this.#hotRegion(offset + length - 1);
      for (let region = this.#hotRegion(offset); region <= last; region += 1) pins.push(region);
    }
    invariant(new Set(pins).size <= this.#hotSet.capacity / 2, "one call heats at most half the hot set");
    this.#waiting.push({ pins, ranges, done });
    this.#commitSoon();
  }

  mark(offset: number, length: number, seq: number): void {
    if (length <= 0) return;
    const pinned = this.#hotSet.isPinned(this.#hotRegion(offset), this.#hotRegion(offset + length - 1));
    invariant(pinned, "I3: intent is stable before any write that it covers");
    this.#ledger.mark(offset, length, seq);
  }

  markOwed(peer: string, range: ByteRange): void {
    this.#ledger.markOwed(peer, range);
  }

  setShipping(peer: string, shipping: boolean): void {
    this.#ledger.setShipping(peer, shipping);
  }

  localStableUpTo(seq: number): void {
    this.#ledger.localStableUpTo(seq);
  }

  stableUpTo(peer: string, seq: number): void {
    this.#ledger.stableUpTo(peer, seq);
  }

  clearAllUpTo(peer: string, seq: number): void {
    this.#ledger.clearAllUpTo(peer, seq);
  }

  clearResynced(peer: string, range: ResyncedRange): void {
    this.#ledger.clearResynced(peer, range);
  }

  forgetSeqs(): void {
    this.#ledger.forgetSeqs();
  }

  markAll(peer: string): void {
    this.#ledger.markAll(peer);
  }

  mergeInto(peer: string, marks: DirtyBitmap): void {
    this.#ledger.mergeInto(peer, marks);
  }

  markRange(peer: string, range: ByteRange): void {
    this.#ledger.markOwed(peer, range);
  }

  persist(): Promise<DiskOutcome> {
    this.#ledger.sweep();
    return this.#persistRegions();
  }

  dirtyBytes(peer: string): number {
    return this.#ledger.bitmap(peer).dirtyBytes;
  }

  bitmap(peer: string): DirtyBitmap {
    return this.#ledger.bitmap(peer);
  }

  isOwed(peer: string, range: ByteRange): boolean {
    return this.#ledger.isOwed(peer, range);
  }

  async addPeer(peer: string, options: { marks: "all" | "none" }): Promise<DiskOutcome> {
    invariant(!this.#files.has(peer), "a peer is added once");
    const device = await this.#options.openBitmap(peer);
    if (device instanceof OpenFailure) return { kind: "io_error", detail: device.toString() };
    const { size, regionBytes } = this;
    const identity = `${this.#options.identity}/${peer}`;
    const file = await createBitmapFile(device, { size, regionBytes, identity, marks: options.marks });
    if (file instanceof OpenFailure) return { kind: "io_error", detail: file.toString() };
    this.#files.set(peer, file);
    this.#ledger.addPeer(peer, file.bitmap);
    return null;
  }

  removePeer(peer: string): void {
    void this.#files.get(peer)?.close();
    this.#files.delete(peer);
    this.#ledger.removePeer(peer);
  }

  figures(): IntentLogFigures {
    let bitmapPagesWritten = 0;
    for (const file of this.#files.values()) bitmapPagesWritten += file.pagesWritten;
    return {
      hotRegions: this.#hotSet.size,
      hotCapacity: this.#hotSet.capacity,
      commits: this.#commits,
      evictions: this.#hotSet.evictions,
      waiting: this.#waiting.length,
      bitmapPagesWritten,
      seqPages: this.#ledger.seqPages,
    };
  }

  async closeClean(): Promise<DiskOutcome> {
    this.#closed = true;
    await this.#committing;
    this.#refuseWaiting({ kind: "closed", detail: `${this.#options.logDevice.name}: it is closed` });
    const outcome = await this.#recordCleanClose();
    await this.abandon();
    return outcome;
  }

  async #recordCleanClose(): Promise<DiskOutcome> {
    if (this.#failure !== null) return this.#failure;
    if (this.#hotSet.pinned) {
      return {
        kind: "closed",
        detail: `${this.#options.logDevice.name}: writes were in flight when it was closed`,
      };
    }
    const clean = { clean: true, hotRegionBytes: this.hotRegionBytes, regions: [] };
    return await this.persist() ?? await this.#record.store(encodeHotSet(clean));
  }

  async abandon(): Promise<void> {
    this.#closed = true;
    await this.#options.logDevice.close();
    for (const file of this.#files.values()) await file.close();
  }

  #hotRegion(offset: number): number {
    return Math.floor(offset / this.hotRegionBytes);
  }

  /** At the end of the turn, so that all of one batch share the commit. */
  #commitSoon(): void {
    this.#committing ??= Promise.resolve().then(() => this.#commitAll());
  }

  async #commitAll(): Promise<void> {
    try {
      while (this.#waiting.length > 0 && !this.#closed) {
        if (this.#failure !== null) return this.#refuseWaiting(this.#failure);
        const plan = this.#hotSet.plan(this.#waiting);
        if (plan.granted.length === 0 && plan.evicted.length === 0) return;
        const granted = this.#waiting.splice(0, plan.granted.length);
        const user = this.#users;
        const outcome = await this.#commit(plan);
        // Whoever asked may be dead by now, and its pins are ended with it.
        if (user !== this.#users) granted.length = 0;
        if (outcome === null) this.#hotSet.committed(plan);
        else {
          this.#hotSet.failed({ ...plan, granted });
          this.#failure ??= outcome;
        }
        for (const request of granted) request.done(outcome);
      }
    } finally {
      this.#committing = null;
    }
  }

  async #commit(plan: HotPlan): Promise<DiskOutcome> {
    // Rule 4: the bits of what is evicted are stable before the record without it is.
    if (plan.evicted.length > 0) {
      this.#ledger.sweep();
      const outcome = await this.#persistRegions(this.#fineRuns(plan.evicted));
      if (outcome !== null) return outcome;
    }
    if (plan.added.length === 0) return null;
    this.#commits += 1;
    const regions = this.#hotSet.regions();
    return await this.#record.store(
      encodeHotSet({ clean: false, hotRegionBytes: this.hotRegionBytes, regions }),
    );
  }

  #fineRuns(hotRegions: readonly number[]): RegionRun[] {
    const perHot = this.hotRegionBytes / this.regionBytes;
    const regions = Math.ceil(this.size / this.regionBytes);
    return hotRegions.map((hot) => ({
      first: hot * perHot,
      count: Math.min(perHot, regions - hot * perHot),
    }));
  }

  async #persistRegions(regions?: readonly RegionRun[]): Promise<DiskOutcome> {
    const outcomes = await Promise.all([...this.#files.values()].map((file) => file.persist(regions)));
    const failure = outcomes.find((outcome) => outcome !== null) ?? null;
    if (failure !== null) this.#failure ??= failure;
    return failure;
  }

  #refuseWaiting(outcome: DiskOutcome): void {
    const refused = this.#waiting;
    this.#waiting = [];
    for (const request of refused) request.done(outcome);
  }
}

function pagesMaxOf(options: IntentLogOptions): { seqPagesMax?: number } {
  return options.seqPagesMax === undefined ? {} : { seqPagesMax: options.seqPagesMax };
}

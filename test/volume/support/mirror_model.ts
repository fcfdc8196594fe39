/**
 * A small mirror around one intent log, with everything that can go wrong: a local data disk whose cache a crash
 * loses in part, two peers that apply late, flush late, crash, leave and return, live writes beside a resync, and
 * metadata disks that answer late. It knows the true content of every region everywhere, so it can say after each step
 * whether every region that may differ is marked (I4), and after each crash whether it is marked durably (I3).
 *
 * A region is one sector and its content is one number, so a region is never half old: what the log promises is per
 * region.
 */
import assert from "node:assert/strict";
import type { BlockDevice } from "../../../volume/block_device.ts";
import { bitmapFileBytes } from "../../../volume/bitmap_file.ts";
import { DirtyBitmap } from "../../../volume/dirty_bitmap.ts";
import type { IntentLog } from "../../../volume/intent_log.ts";
import { MemoryDisk } from "../../../volume/memory_device.ts";
import { INTENT_LOG_FILE_BYTES, openIntentLog } from "../../../volume/open_intent_log.ts";
import { OpenFailure } from "../../../volume/open_failure.ts";
import { randomFrom } from "./seeded_random.ts";

export const REGION = 512;
export const REGIONS = 600;
const SIZE = REGION * REGIONS;
const HOT_REGION = 4 * REGION;
const HOT_CAPACITY = 32;
const PEERS = ["beta", "gamma"] as const;
type PeerName = typeof PEERS[number];

type Frame =
  | {
    readonly kind: "write";
    readonly seq: number;
    readonly first: number;
    readonly count: number;
    readonly value: number;
  }
  | { readonly kind: "copy"; readonly copy: Copy };

interface Copy {
  readonly first: number;
  readonly values: readonly number[];
  readonly version: number;
  /** Every later write to it was shipped. */
  rewritesShipped: boolean;
}

interface Peer {
  readonly content: number[];
  readonly durable: number[];
  connected: boolean;
  queue: Frame[];
  /** Applied and not yet flushed. */
  applied: Frame[];
  stableSeq: number;
  copies: Set<Copy>;
}

export class MirrorModel {
  readonly #random: () => number;
  readonly #data = new MemoryDisk({ name: "data", size: SIZE });
  readonly #logDisk: MemoryDisk;
  readonly #bitmapDisks: ReadonlyMap<PeerName, MemoryDisk>;
  readonly #peers: ReadonlyMap<PeerName, Peer>;
  /** Answers of metadata disks that have not been given yet. */
  #answers: (() => void)[] = [];
  #seq = 0;
  /** What a crash certainly leaves, by region. */
  #durable: number[] = new Array<number>(REGIONS).fill(0);
  #device: BlockDevice;
  #log: IntentLog | null = null;
  #life = 0;
  #pins: { offset: number; length: number }[] = [];
  failures = 0;
  crashes = 0;
  writes = 0;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
    const later = (work: () => void): void => void this.#answers.push(work);
    this.#logDisk = new MemoryDisk({ name: "log", size: INTENT_LOG_FILE_BYTES, later });
    const bytes = bitmapFileBytes({ size: SIZE, regionBytes: REGION });
    this.#bitmapDisks = new Map(PEERS.map((name) => [name, new MemoryDisk({ name, size: bytes, later })]));
    const zeros = (): number[] => new Array<number>(REGIONS).fill(0);
    this.#peers = new Map(PEERS.map((name) => [name, {
      content: zeros(),
      durable: zeros(),
      connected: false,
      queue: [],
      applied: [],
      stableSeq: 0,
      copies: new Set<Copy>(),
    }]));
    this.#device = this.#data.open();
  }

  get log(): IntentLog {
    assert.ok(this.#log !== null, "the log is open");
    return this.#log;
  }

  async open(fresh: boolean): Promise<void> {
    this.#life += 1;
    this.#pins = [];
    this.#device = this.#data.open();
    await this.#flushData();
    const peers = new Map(PEERS.map((name) => {
      const disk = this.#bitmapDisks.get(name);
      assert.ok(disk);
      return [name, { device: disk.open(), create: fresh ? "none" as const : null }];
    }));
    const opening = openIntentLog({
      size: SIZE,
      identity: "db/data/alpha",
      logDevice: this.#logDisk.open(),
      fresh,
      peers,
      openBitmap: () => Promise.reject(new Error("no peer is added here")),
      regionBytes: REGION,
      hotRegionBytes: HOT_REGION,
      hotCapacity: HOT_CAPACITY,
      seqPagesMax: 48,
    });
    let result: Awaited<typeof opening> | null = null;
    void opening.then((opened) => result = opened);
    while (result === null) await this.#answerAll();
    const opened = result as Awaited<typeof opening>;
    assert.ok(!(opened instanceof OpenFailure), String(opened));
    assert.deepEqual(opened.damage, []);
    this.#log = opened.intentLog;
  }

  /** What a client does. The write happens when its intent is durable, perhaps after a crash: then never. */
  write(first: number, count: number): void {
    const life = this.#life;
    const range = { offset: first * REGION, length: Math.min(count, REGIONS - first) * REGION };
    const perform = (): void => {
      if (life !== this.#life) return;
      this.#pins.push(range);
      this.#performWrite(range);
    };
    if (this.log.tryPin(range.offset, range.length)) perform();
    else this.log.heat([range], (outcome) => outcome === null && perform());
  }

  #performWrite(range: { offset: number; length: number }): void {
    const seq = this.#seq += 1;
    const first = range.offset / REGION;
    const count = range.length / REGION;
    this.writes += 1;
    this.log.mark(range.offset, range.length, seq);
    for (let i = 0; i < count; i += 1) this.#device.write(range.offset + i * REGION, sectorOf(seq));
    for (const [name, peer] of this.#peers) {
      if (!peer.connected) continue;
      const regions = Array.from({ length: count }, (_, i) => first + i);
      const shipped = regions.every((region) =>
        !this.log.isOwed(name, { offset: region * REGION, length: REGION }) ||
        this.#copyCovering(peer, region)
      );
      if (shipped) peer.queue.push({ kind: "write", seq, first, count, value: seq });
      else {
        this.log.markOwed(name, range);
        for (const copy of peer.copies) {
          if (copy.first < first + count && first < copy.first + copy.values.length) {
            copy.rewritesShipped = false;
          }
        }
      }
    }
  }

  #copyCovering(peer: Peer, region: number): boolean {
    return [...peer.copies].some((copy) =>
      copy.rewritesShipped && copy.first <= region && region < copy.first + copy.values.length
    );
  }

  endSomePins(): void {
    const ended = this.#pins.splice(0, 1 + this.#random() % 8);
    for (const range of ended) this.log.unpin(range.offset, range.length);
  }

  async flushLocal(): Promise<void> {
    const upTo = this.#seq;
    await this.#flushData();
    this.log.localStableUpTo(upTo);
  }

  async #flushData(): Promise<void> {
    assert.equal(await this.#device.flush(), null);
    for (let region = 0; region < REGIONS; region += 1) this.#durable[region] = this.#local(region);
  }

  connect(name: PeerName): void {
    const peer = this.#of(name);
    if (peer.connected) return;
    peer.connected = true;
    peer.stableSeq = 0;
    this.log.setShipping(name, true);
  }

  /** Frames on their way arrive or do not. */
  disconnect(name: PeerName): void {
    const peer = this.#of(name);
    if (!peer.connected) return;
    this.apply(name, this.#random() % (peer.queue.length + 1));
    this.#cutOff(peer);
    this.log.setShipping(name, false);
  }

  #cutOff(peer: Peer): void {
    peer.connected = false;
    peer.queue = [];
    peer.copies.clear();
  }

  apply(name: PeerName, frames: number): void {
    const peer = this.#of(name);
    for (const frame of peer.queue.splice(0, frames)) {
      if (frame.kind === "write") peer.content.fill(frame.value, frame.first, frame.first + frame.count);
      else for (const [i, value] of frame.copy.values.entries()) peer.content[frame.copy.first + i] = value;
      peer.applied.push(frame);
    }
  }

  flushPeer(name: PeerName): void {
    const peer = this.#of(name);
    for (const [region, value] of peer.content.entries()) peer.durable[region] = value;
    const applied = peer.applied;
    peer.applied = [];
    if (!peer.connected) return;
    for (const frame of applied) {
      if (frame.kind === "write") peer.stableSeq = Math.max(peer.stableSeq, frame.seq);
      else if (peer.copies.delete(frame.copy)) {
        const { first, values, version, rewritesShipped } = frame.copy;
        const range = { offset: first * REGION, length: values.length * REGION, version, rewritesShipped };
        this.log.clearResynced(name, range);
      }
    }
    this.log.stableUpTo(name, peer.stableSeq);
  }

  crashPeer(name: PeerName): void {
    const peer = this.#of(name);
    for (const [region, value] of peer.durable.entries()) {
      if (this.#random() % 2 === 0) peer.content[region] = value;
      else peer.durable[region] = peer.content[region] ?? 0;
    }
    peer.applied = [];
    if (peer.connected) {
      this.#cutOff(peer);
      this.log.setShipping(name, false);
    }
  }

  /** One run of owed regions is copied; live writes go on behind it. */
  resync(name: PeerName): void {
    const peer = this.#of(name);
    if (!peer.connected) return;
    for (let region = 0; region < REGIONS; region += 1) {
      const range = { offset: region * REGION, length: REGION };
      if (!this.log.isOwed(name, range) || [...peer.copies].some((copy) => covers(copy, region))) continue;
      let count = 1;
      while (
        count < 7 && region + count < REGIONS &&
        this.log.isOwed(name, { ...range, length: REGION * (count + 1) }) &&
        ![...peer.copies].some((copy) => covers(copy, region + count))
      ) count += 1;
      const values = Array.from({ length: count }, (_, i) => this.#local(region + i));
      const copy: Copy = { first: region, values, version: this.#seq, rewritesShipped: true };
      peer.copies.add(copy);
      peer.queue.push({ kind: "copy", copy });
      return;
    }
  }

  /** The peer is proven to be equal as a whole and stable: it is up to date. */
  proveEqual(name: PeerName): void {
    const peer = this.#of(name);
    if (!peer.connected || peer.queue.length > 0) return;
    for (let region = 0; region < REGIONS; region += 1) {
      const value = this.#local(region);
      if (peer.content[region] !== value || peer.durable[region] !== value) return;
    }
    this.log.clearAllUpTo(name, this.#seq);
  }

  persist(): void {
    void this.log.persist().then((outcome) => this.failures += outcome === null ? 0 : 1);
  }

  /** Power loss of this node, at whatever point its disks are. */
  async crash(): Promise<void> {
    this.crashes += 1;
    for (const [name, peer] of this.#peers) {
      // What was shipped may still arrive: a peer can be ahead of what this node finds after its crash.
      if (peer.connected) this.apply(name, this.#random() % (peer.queue.length + 1));
      this.#cutOff(peer);
    }
    this.#answers = [];
    for (const disk of [this.#data, this.#logDisk, ...this.#bitmapDisks.values()]) disk.crash(this.#random);
    await this.open(false);
    this.check("I3 and I4 after a crash");
  }

  async restartCleanly(): Promise<void> {
    while (this.log.figures().waiting > 0 || this.#pins.length > 0 || this.#answers.length > 0) {
      for (const range of this.#pins.splice(0)) this.log.unpin(range.offset, range.length);
      await this.#answerAll();
    }
    this.#life += 1;
    for (const peer of this.#peers.values()) this.#cutOff(peer);
    await this.#flushData();
    let closed: unknown = "not yet";
    void this.log.closeClean().then((outcome) => closed = outcome);
    while (closed === "not yet") await this.#answerAll();
    assert.equal(closed, null);
    await this.open(false);
    this.check("I4 after a clean restart");
  }

  /** Some answers of the metadata disks come, in order per disk by construction. */
  async tick(answers: number): Promise<void> {
    for (const answer of this.#answers.splice(0, answers)) answer();
    await settle();
  }

  async #answerAll(): Promise<void> {
    await this.tick(this.#answers.length);
  }

  /** Every region that may differ is marked, towards every peer. */
  check(when: string): void {
    for (const [name, peer] of this.#peers) {
      const marks: DirtyBitmap = this.log.bitmap(name);
      for (let region = 0; region < REGIONS; region += 1) {
        if (marks.has(region)) continue;
        const local = this.#local(region);
        assert.equal(
          this.#durable[region],
          local,
          `${when}: region ${region} is not stable here and not marked towards ${name}`,
        );
        assert.equal(
          peer.content[region],
          local,
          `${when}: region ${region} differs on ${name} and is not marked`,
        );
        assert.equal(
          peer.durable[region],
          local,
          `${when}: region ${region} is not stable on ${name} and not marked`,
        );
      }
    }
  }

  /** I10, in small: when faults stop, everything is equal and every bit clear. */
  async calmDown(): Promise<void> {
    for (let round = 0; round < 2000; round += 1) {
      this.endSomePins();
      await this.#answerAll();
      await this.flushLocal();
      for (const name of PEERS) {
        this.connect(name);
        for (let i = 0; i < 20; i += 1) this.resync(name);
        this.apply(name, Infinity);
        this.flushPeer(name);
        this.proveEqual(name);
      }
      const waiting = this.log.figures().waiting + this.#pins.length;
      if (waiting === 0 && PEERS.every((name) => this.log.dirtyBytes(name) === 0)) return this.check("I10");
    }
    assert.fail("I10: bits stay set though faults have stopped");
  }

  #local(region: number): number {
    return new DataView(this.#data.peek(region * REGION, 8).buffer).getFloat64(0, true);
  }

  #of(name: PeerName): Peer {
    const peer = this.#peers.get(name);
    assert.ok(peer);
    return peer;
  }
}

function covers(copy: Copy, region: number): boolean {
  return copy.first <= region && region < copy.first + copy.values.length;
}

function sectorOf(value: number): Uint8Array {
  const sector = new Uint8Array(REGION);
  new DataView(sector.buffer).setFloat64(0, value, true);
  return sector;
}

/** Lets every promise that can go on do so. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn += 1) await null;
}

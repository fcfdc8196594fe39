/**
 * The source's marks towards third replicas, kept until the resync window closes and then taken over (decision 0032):
 * what the source knows that another replica lacks, this one must know before it may call itself up to date.
 */
import type { LegToTarget } from "../../protocol/leg_messages.ts";
import { applyRuns } from "../../volume/bitmap_runs.ts";
import { DirtyBitmap } from "../../volume/dirty_bitmap.ts";
import type { VolumeStore } from "../../volume/group_store.ts";

type MarksMessage = Extract<LegToTarget, { kind: "marks" }>;

/** What a chunk of marks costs besides its bytes. */
const CHUNK_BYTES = 256;
/** A run takes at most so many bytes per region in the worst bitmap. */
const BYTES_PER_REGION = 3;
const BYTES_MIN = 65_536;

export class ForeignMarks {
  readonly #volumes: readonly VolumeStore[];
  #chunks: MarksMessage[] = [];
  #bytes = 0;

  constructor(volumes: readonly VolumeStore[]) {
    this.#volumes = volumes;
  }

  /** Null, or why the source cannot have meant it. Bounded by what the bitmaps of all peers can hold (I8). */
  keep(message: MarksMessage): string | null {
    const volume = this.#volumes[message.volume];
    if (volume === undefined) return `there is no volume ${message.volume} in the group`;
    this.#bytes += message.runs.byteLength + CHUNK_BYTES;
    const regions = this.#volumes.reduce((sum, { size, intentLog }) => sum + size / intentLog.regionBytes, 0);
    const peers = Math.max(1, volume.intentLog.peers.length);
    if (this.#bytes > (regions * BYTES_PER_REGION + BYTES_MIN) * peers) {
      return "the source sent more marks than the volumes have regions";
    }
    this.#chunks.push(message);
    return null;
  }

  /** Null: all are in the intent logs, in memory. Otherwise what is wrong with them. */
  merge(): string | null {
    for (const { volume, peer, runs } of this.#chunks.splice(0)) {
      const store = this.#volumes[volume];
      if (store === undefined || !store.intentLog.peers.includes(peer)) continue;
      const marks = new DirtyBitmap({ size: store.size, regionBytes: store.intentLog.regionBytes });
      const wrong = applyRuns(marks, runs);
      if (wrong !== null) return `the source sent marks of which ${wrong}`;
      store.intentLog.mergeInto(peer, marks);
    }
    return null;
  }

  forget(): void {
    this.#chunks = [];
  }
}

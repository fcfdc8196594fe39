/**
 * How far one leg is: what was shipped on its session, what it has applied, what is stable there. Pure.
 *
 * A leg counts frames, not seqs: in a resync window seq may jump and copies have none of their own, while the frame
 * number never jumps. So the target acks frames, cumulatively, and this file translates: frame → the seq it brought
 * the leg to, its bytes (for the budget), the copy it carried (whose region may be cleared once stable).
 *
 * One object per session. A new session starts at frame 1 with a new object, so that an answer of an old session can
 * never be counted in the new one.
 */
import { invariant } from "../../runtime/invariant.ts";

/** A run of regions that a copy frame carried, and the seq up to which its content was current. */
export interface CopiedRun {
  readonly volume: number;
  readonly offset: number;
  readonly length: number;
  readonly asOfSeq: number;
}

interface Shipped {
  readonly frame: number;
  readonly seq: number;
  readonly bytes: number;
  readonly at: number;
  readonly copy: CopiedRun | null;
}

export class LegProgress {
  #shipped: Shipped[] = [];
  #start = 0;
  #stableStart = 0;
  #lastFrame = 0;
  #appliedFrame = 0;
  #stableFrame = 0;
  #appliedSeq: number;
  #stableSeq: number;
  #unappliedBytes = 0;
  #copyBytesInFlight = 0;

  /** @param seq where the leg stands when its session begins: applied and stable */
  constructor(seq: number) {
    this.#appliedSeq = seq;
    this.#stableSeq = seq;
  }

  get appliedSeq(): number {
    return this.#appliedSeq;
  }
  get stableSeq(): number {
    return this.#stableSeq;
  }
  /** Bytes shipped and not yet applied: what the leg's budget bounds (I8). */
  get unappliedBytes(): number {
    return this.#unappliedBytes;
  }
  get unappliedFrames(): number {
    return this.#shipped.length - this.#start;
  }
  /** Bytes of copies not yet applied: what paces a resync. */
  get copyBytesInFlight(): number {
    return this.#copyBytesInFlight;
  }
  /** When the oldest frame that is not applied was shipped; `null` when all are. */
  get waitingSince(): number | null {
    return this.#shipped[this.#start]?.at ?? null;
  }
  /** When the oldest frame that is applied but not stable was shipped. */
  get unstableSince(): number | null {
    return this.#shipped[this.#stableStart]?.at ?? null;
  }

  /**
   * Notes a frame under the channel's number of it; messages between frames are not noted, so numbers may be left out.
   * `seq` is the position the leg stands at after it (a copy leaves it where it is).
   */
  shipped(sent: { frame: number; seq: number; bytes: number; at: number; copy?: CopiedRun }): void {
    invariant(sent.frame > this.#lastFrame, "frames are numbered upwards");
    this.#lastFrame = sent.frame;
    const copy = sent.copy ?? null;
    this.#shipped.push({ frame: sent.frame, seq: sent.seq, bytes: sent.bytes, at: sent.at, copy });
    this.#unappliedBytes += sent.bytes;
    if (copy !== null) this.#copyBytesInFlight += sent.bytes;
  }

  /**
   * Takes a cumulative ack. Answers a reason to end the session when the ack cannot be true, else `null`.
   * @param ack frames applied through and stable through, `sent` the newest frame of the channel · `copiesStable` receives each copy that became stable
   */
  acked(
    ack: { applied: number; stable: number; sent: number },
    copiesStable: (run: CopiedRun) => void,
  ): string | null {
    // Messages have frame numbers too and are acked with the rest, so the bound is the channel's and not the last noted.
    if (ack.applied > ack.sent) {
      return `acked frame ${ack.applied}, only ${ack.sent} were sent`;
    }
    if (ack.stable > ack.applied) {
      return `acked frame ${ack.stable} as stable, but applied only through ${ack.applied}`;
    }
    if (ack.applied < this.#appliedFrame || ack.stable < this.#stableFrame) return "acked less than before";
    while (this.#start < this.#shipped.length) {
      const entry = this.#shipped[this.#start];
      if (entry === undefined || entry.frame > ack.applied) break;
      this.#appliedSeq = Math.max(this.#appliedSeq, entry.seq);
      this.#unappliedBytes -= entry.bytes;
      if (entry.copy !== null) this.#copyBytesInFlight -= entry.bytes;
      this.#start += 1;
    }
    this.#appliedFrame = ack.applied;
    while (this.#stableStart < this.#start) {
      const entry = this.#shipped[this.#stableStart];
      if (entry === undefined || entry.frame > ack.stable) break;
      this.#stableSeq = Math.max(this.#stableSeq, entry.seq);
      if (entry.copy !== null) copiesStable(entry.copy);
      this.#stableStart += 1;
    }
    this.#stableFrame = ack.stable;
    invariant(this.#unappliedBytes >= 0, "a leg applies no more than was shipped");
    if (this.#stableStart > 4096 && this.#stableStart * 2 > this.#shipped.length) {
      this.#shipped = this.#shipped.slice(this.#stableStart);
      this.#start -= this.#stableStart;
      this.#stableStart = 0;
    }
    return null;
  }

  /** The resync window closed: the leg is up to date and stable at `seq`, whatever its frames said. */
  stands(seq: number): void {
    this.#appliedSeq = Math.max(this.#appliedSeq, seq);
    this.#stableSeq = Math.max(this.#stableSeq, seq);
  }
}

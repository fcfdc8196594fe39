/**
 * One session of one leg, as the source holds it: from the first word on the data connection to its end.
 *
 * ```text
 *  opening ──leg_state──▶ marks ──marks_end, persisted──▶ window ──all copied──▶ closing ──up_to_date──▶ replicating
 *     └─ refused: the verdict allows nothing, or the target knows a higher generation
 * ```
 *
 * In `window` the leg is attached: live writes go out in stream order together with the copies, except those that a
 * copy will bring anyway. In `closing` every live write goes out. Only in `replicating` do its acks speak of seqs: in a
 * window seq may jump, so what was acked there proves nothing about a prefix (I5).
 *
 * The session decides and sends; it owns no timer and reads no clock. Its owner ticks it and acts on what it reports.
 */
import { Buffer } from "node:buffer";
import { assertNever, invariant } from "../../runtime/invariant.ts";
import type { FrameChannel, FrameSink } from "../../protocol/frame_channel.ts";
import { FLAG_FUA, FLAG_NO_HOLE, HEADER_BYTES } from "../../protocol/frame_header.ts";
import { type LegFromTarget, legFromTarget, type LegToTarget } from "../../protocol/leg_messages.ts";
import { ownedSink } from "../../protocol/owned_sink.ts";
import { isShapeFailure } from "../../protocol/shape.ts";
import { judgeRejoin, type RejoinVerdict, type ReplicaView } from "../../protocol/rejoin_table.ts";
import type { DiskFailure, DiskOutcome } from "../../volume/block_device.ts";
import { DirtyBitmap } from "../../volume/dirty_bitmap.ts";
import type { VolumeStore } from "../../volume/group_store.ts";
import { applyRuns, encodeRuns } from "../../volume/bitmap_runs.ts";
import type { ReplicaStore } from "../intent_log/messages.ts";
import { LegProgress } from "./leg_progress.ts";
import type { LastResync, ResyncProgress } from "./messages.ts";
import type { Operation } from "./operation.ts";
import { type CopyRange, ResyncCursor } from "./resync_cursor.ts";

/** Copies shipped and not yet applied: enough to fill a wire, little enough that live writes are not behind much. */
const COPY_WINDOW_BYTES = 4 * 1024 * 1024;
/** Copies read in one turn. */
const COPIES_PER_TURN_BYTES = 1024 * 1024;
/** How long a target may say nothing to a question, or not apply the oldest frame, before the session ends. */
export const SILENCE_MS_MAX = 10_000;
/** How long an applied frame may stay unstable: a target flushes every second, so its disk does not answer. */
export const UNSTABLE_MS_MAX = 30_000;

/** What the mirror around it must know or do. Called inside the turn. */
export interface LegSessionHost {
  readonly self: string;
  readonly others: readonly string[];
  now(): number;
  lastSeq(): number;
  /** See `WritePath.holdStill`. */
  holdStill(range: CopyRange, ready: (release: () => void) => void): void;
  /** Runs `work` in a turn of its own, soon, unless the mirror has ended. */
  soon(work: () => void): void;
  /** Wraps the continuation of foreign work: a no-op after the mirror's death, a crash of the mirror when it throws. */
  guard<A extends unknown[]>(work: (...args: A) => void): (...args: A) => void;
  judged(node: string, verdict: RejoinVerdict): void;
  /** From here on completions wait for this leg (unless it is async). */
  joining(node: string): void;
  upToDate(node: string): void;
  /** The acks moved on. */
  progressed(node: string): void;
  /** The last call. `lasting`: trying again by itself would end the same way. */
  ended(node: string, end: { cause: string; remedy: string | null; lasting: boolean }): void;
  diskFailed(failure: DiskFailure): void;
}

export type LegPhase = "opening" | "marks" | "window" | "closing" | "replicating" | "ended";

export class LegSession {
  readonly node: string;
  readonly #store: ReplicaStore;
  readonly #channel: FrameChannel;
  readonly #host: LegSessionHost;
  readonly #view: ReplicaView;
  readonly #founding: boolean;
  readonly #full: boolean;
  readonly #marks: DirtyBitmap[];
  readonly #progress = new LegProgress(0);
  #phase: LegPhase = "opening";
  #heardAt: number;
  #targetView: ReplicaView | null = null;
  #verdict: RejoinVerdict | null = null;
  #cursor: ResyncCursor | null = null;
  #startedAt: number;
  #pumpPosted = false;
  #windowEndSeq = 0;
  #last: LastResync | null = null;
  #wallNow: () => number;

  constructor(options: {
    node: string;
    store: ReplicaStore;
    channel: FrameChannel;
    host: LegSessionHost;
    /** This replica as the source opened its gate, at its position of now. */
    view: ReplicaView;
    /** The source's marks towards this target name everything since the group's birth on a disk of zeros. */
    founding: boolean;
    /** A person asked for everything to be copied. */
    full: boolean;
    wallNow: () => number;
  }) {
    this.node = options.node;
    this.#store = options.store;
    this.#channel = options.channel;
    this.#host = options.host;
    this.#view = options.view;
    this.#founding = options.founding;
    this.#full = options.full;
    this.#wallNow = options.wallNow;
    this.#marks = options.store.volumes.map(({ size, intentLog }) =>
      new DirtyBitmap({ size, regionBytes: intentLog.regionBytes })
    );
    this.#heardAt = options.host.now();
    this.#startedAt = this.#heardAt;
  }

  get phase(): LegPhase {
    return this.#phase;
  }
  get progress(): LegProgress {
    return this.#progress;
  }
  get resync(): ResyncProgress | null {
    return this.#phase === "window" ? this.#cursor?.progress(this.#host.now()) ?? null : null;
  }
  get lastResync(): LastResync | null {
    return this.#last;
  }
  get targetView(): ReplicaView | null {
    return this.#targetView;
  }
  /** Live operations are shipped. */
  get attached(): boolean {
    return this.#phase === "window" || this.#phase === "closing" || this.#phase === "replicating";
  }

  /** Takes the channel over and says the first word. */
  start(group: string): void {
    const sink: FrameSink = {
      frame: (frame) => {
        if (frame.kind !== "ack") {
          this.#end(`${this.node} sent a ${frame.kind} frame, only acks are its to send`);
        } else this.#acked({ applied: frame.seq, stable: frame.offset });
      },
      message: (value) => {
        const message = legFromTarget.check(value, "");
        if (isShapeFailure(message)) this.#end(`${this.node} sent a message in which ${message.detail}`);
        else this.#message(message);
      },
      drained: () => this.#pump(),
      ended: (end) => this.#end(end.detail),
    };
    this.#channel.receive(ownedSink(this.#channel, { guard: (work) => this.#host.guard(work), sink }));
    this.#channel.resume();
    this.#send({
      kind: "leg_open",
      group,
      view: this.#view,
      founding: this.#founding,
      full: this.#full,
      volumes: this.#store.volumes.map(({ name, size, intentLog }) => ({
        name,
        size,
        regionBytes: intentLog.regionBytes,
      })),
    });
  }

  /** Ends the session from this side. */
  close(cause: string): void {
    this.#end(cause);
  }

  /** Looks for silence, and reports to the target who is stable up to where. */
  tick(stable: readonly (readonly [node: string, seq: number])[]): void {
    const now = this.#host.now();
    if (this.#phase === "replicating") this.#send({ kind: "report", stable });
    if (this.#phase === "ended") return;
    const unheardMs = now - this.#heardAt;
    if (unheardMs > SILENCE_MS_MAX && this.#owesAnswerFor(now) > SILENCE_MS_MAX) {
      return this.#end(`${this.node} has not answered for ${Math.round(unheardMs / 1000)} s`);
    }
    const unstableSince = this.attached ? this.#progress.unstableSince : null;
    if (unstableSince !== null && now - unstableSince > UNSTABLE_MS_MAX) {
      this.#end(`${this.node} has made nothing stable for ${Math.round((now - unstableSince) / 1000)} s`);
    }
  }

  /** How long the target has owed us a word or an ack, in ms; 0: it owes nothing. */
  #owesAnswerFor(now: number): number {
    // Outside of the stream it is always the target's turn, up to the word that it is up to date.
    const turn = this.#phase !== "window" && this.#phase !== "replicating";
    return now - (this.#progress.waitingSince ?? (turn ? this.#heardAt : now));
  }

  // ---- the stream ---------------------------------------------------------------------------------------------

  /** Sends an operation, or leaves it to the copy that will bring it. */
  ship(operation: Operation): void {
    const { kind, volume, offset, length, seq } = operation;
    if (kind === "read" || kind === "copy") return;
    if (
      this.#phase === "window" && kind !== "barrier" &&
      this.#cursor?.willBring({ volume, offset, length }) === true
    ) {
      this.#log(volume).markOwed(this.node, { offset, length });
      return;
    }
    const payload = kind === "write" ? operation.payload : null;
    const flags = kind === "barrier"
      ? 0
      : (operation.durable ? FLAG_FUA : 0) | (kind === "write_zeroes" && operation.noHole ? FLAG_NO_HOLE : 0);
    const frame = this.#channel.sendFrame(
      { kind, flags, volume, span: length, seq, offset },
      payload ?? undefined,
      payload === null ? undefined : operation.request?.slab ?? undefined,
    );
    if (frame === 0) return;
    this.#progress.shipped({
      frame,
      seq,
      bytes: HEADER_BYTES + (payload?.byteLength ?? 0),
      at: this.#host.now(),
    });
  }

  #acked(ack: { applied: number; stable: number }): void {
    this.#heardAt = this.#host.now();
    const wrong = this.#progress.acked({ ...ack, sent: this.#channel.lastFrameSent }, (run) => {
      this.#log(run.volume).clearResynced(this.node, {
        offset: run.offset,
        length: run.length,
        version: run.asOfSeq,
        rewritesShipped: true,
      });
    });
    if (wrong !== null) return this.#end(`${this.node} ${wrong}`);
    if (this.#phase === "replicating") {
      for (const { intentLog } of this.#store.volumes) {
        intentLog.stableUpTo(this.node, this.#progress.stableSeq);
      }
      this.#host.progressed(this.node);
    }
    this.#pump();
  }

  // ---- the conversation ---------------------------------------------------------------------------------------

  #message(message: LegFromTarget): void {
    this.#heardAt = this.#host.now();
    switch (message.kind) {
      case "leg_refused":
        this.#end(`${this.node} refused: ${message.detail}`, { remedy: null, lasting: false });
        return;
      case "leg_state":
        this.#judge(message.view);
        return;
      case "marks":
        this.#takeMarks(message);
        return;
      case "marks_end":
        this.#prepare();
        return;
      case "up_to_date":
        this.#caughtUp(message.seq);
        return;
      default:
        assertNever(message);
    }
  }

  #judge(target: ReplicaView): void {
    if (this.#phase !== "opening") return this.#end(`${this.node} told its state twice`);
    this.#targetView = target;
    const verdict = judgeRejoin({ source: this.#view, target, founding: this.#founding });
    this.#verdict = verdict;
    this.#host.judged(this.node, verdict);
    if (verdict.action === "refuse") {
      this.#send({ kind: "leg_plan", rule: verdict.rule });
      this.#end(`${verdict.rule}: ${verdict.explanation}`, {
        remedy:
          `compare both disks; to give up the data on ${this.node}, move its disk and metadata aside and restart it`,
        lasting: true,
      });
      return;
    }
    this.#phase = "marks";
    this.#send({ kind: "leg_plan", rule: verdict.rule });
  }

  #takeMarks(message: Extract<LegFromTarget, { kind: "marks" }>): void {
    const marks = this.#marks[message.volume];
    if (this.#phase !== "marks" || marks === undefined) {
      return this.#end(`${this.node} sent marks out of turn`);
    }
    const wrong = applyRuns(marks, message.runs);
    if (wrong !== null) this.#end(`${this.node} sent marks of which ${wrong}`);
  }

  /** The union of both sides' marks, made stable here before the target may change a block for it. */
  #prepare(): void {
    if (this.#phase !== "marks" || this.#verdict === null) {
      return this.#end(`${this.node} ended its marks twice`);
    }
    const everything = this.#full || this.#verdict.action === "full";
    const persisting: Promise<DiskOutcome>[] = [];
    for (const { index, intentLog } of this.#store.volumes) {
      if (everything) intentLog.markAll(this.node);
      else {
        const marks = this.#marks[index];
        invariant(marks !== undefined, "there are marks for every volume");
        intentLog.mergeInto(this.node, marks);
      }
      persisting.push(intentLog.persist());
    }
    void Promise.all(persisting).then(this.#host.guard((outcomes) => {
      const failure = outcomes.find((outcome) => outcome !== null) ?? null;
      if (failure !== null) this.#host.diskFailed(failure);
      else if (this.#phase === "marks") this.#attach(everything);
    }));
  }

  /** From this turn on the leg sees every operation. */
  #attach(everything: boolean): void {
    this.#startedAt = this.#host.now();
    for (const { intentLog } of this.#store.volumes) intentLog.setShipping(this.node, true);
    this.#cursor = new ResyncCursor({
      kind: everything ? "full" : "partial",
      marks: this.#store.volumes.map(({ intentLog }) => intentLog.bitmap(this.node)),
      now: this.#startedAt,
    });
    this.#phase = "window";
    // Nothing to copy, nothing to open: closed in this very turn, since a target takes no frame outside of a window.
    if (this.#cursor.leftBytes === 0) return this.#closeWindow(this.#cursor);
    this.#send({ kind: "resync_begin", resync: this.#cursor.kind, totalBytes: this.#cursor.leftBytes });
    this.#pump();
  }

  // ---- the window ---------------------------------------------------------------------------------------------

  #pump(): void {
    if (this.#phase !== "window" || this.#pumpPosted) return;
    this.#pumpPosted = true;
    this.#host.soon(() => {
      this.#pumpPosted = false;
      this.#copySome();
    });
  }

  #copySome(): void {
    const cursor = this.#cursor;
    if (this.#phase !== "window" || cursor === null) return;
    let bytes = 0;
    while (bytes < COPIES_PER_TURN_BYTES && this.#progress.copyBytesInFlight + bytes < COPY_WINDOW_BYTES) {
      const range = cursor.next();
      if (range === null) break;
      bytes += range.length;
      this.#host.holdStill(range, (release) => this.#copy(range, release));
    }
    if (cursor.finished) this.#closeWindow(cursor);
    else if (bytes >= COPIES_PER_TURN_BYTES) this.#pump();
  }

  #copy(range: CopyRange, release: () => void): void {
    const volume = this.#store.volumes[range.volume];
    invariant(volume !== undefined, "a copy names a volume of its group");
    const bytes = new Uint8Array(range.length);
    const read = this.#host.guard((outcome: DiskOutcome): void => {
      if (outcome !== null) this.#host.diskFailed(outcome);
      else if (this.#phase === "window") this.#shipCopy(range, bytes);
      // Only now: a write that waited for the range must go out behind the copy (I7).
      release();
    });
    const outcome = volume.device.read(range.offset, bytes);
    if (outcome instanceof Promise) void outcome.then(read);
    else read(outcome);
  }

  #shipCopy(range: CopyRange, bytes: Uint8Array): void {
    const { volume, offset, length } = range;
    const asOfSeq = this.#host.lastSeq();
    const hole = isZero(bytes);
    const frame = hole
      ? this.#channel.sendFrame({ kind: "copy_zeroes", volume, span: length, seq: asOfSeq, offset })
      : this.#channel.sendFrame({ kind: "copy", volume, span: length, seq: asOfSeq, offset }, bytes);
    if (frame === 0) return;
    this.#progress.shipped({
      frame,
      seq: 0,
      bytes: HEADER_BYTES + (hole ? 0 : length),
      at: this.#host.now(),
      copy: { ...range, asOfSeq },
    });
    this.#cursor?.copied(range);
    this.#pump();
  }

  /** All is copied: from here on the leg has every write, and completions wait for it. */
  #closeWindow(cursor: ResyncCursor): void {
    for (const { index, intentLog } of this.#store.volumes) {
      for (const peer of this.#host.others) {
        if (peer === this.node) continue;
        this.#sendMarks({ volume: index, peer, marks: intentLog.bitmap(peer) });
      }
    }
    this.#windowEndSeq = this.#host.lastSeq();
    this.#send({ kind: "resync_end", seq: this.#windowEndSeq });
    this.#phase = "closing";
    invariant(this.#verdict !== null, "a window has a verdict");
    this.#last = {
      kind: cursor.kind,
      verdict: this.#verdict.rule,
      copiedBytes: cursor.copiedBytes,
      seconds: (this.#host.now() - this.#startedAt) / 1000,
      at: this.#wallNow(),
    };
    this.#host.joining(this.node);
  }

  #sendMarks({ volume, peer, marks }: { volume: number; peer: string; marks: DirtyBitmap }): void {
    for (let from: number | null = marks.count === 0 ? null : 0; from !== null;) {
      const chunk = encodeRuns(marks, { from });
      this.#send({ kind: "marks", volume, peer, runs: chunk.bytes });
      from = chunk.next;
    }
  }

  #caughtUp(seq: number): void {
    if (this.#phase !== "closing" || seq !== this.#windowEndSeq) {
      return this.#end(`${this.node} says it is up to date at ${seq}, which is not where its window ended`);
    }
    this.#phase = "replicating";
    this.#progress.stands(seq);
    for (const { intentLog } of this.#store.volumes) intentLog.clearAllUpTo(this.node, seq);
    this.#host.upToDate(this.node);
  }

  // ---- the end ------------------------------------------------------------------------------------------------

  #end(
    cause: string,
    more: { remedy: string | null; lasting: boolean } = { remedy: null, lasting: false },
  ): void {
    if (this.#phase === "ended") return;
    this.#phase = "ended";
    for (const { intentLog } of this.#store.volumes) intentLog.setShipping(this.node, false);
    if (more.lasting) this.#channel.end();
    else this.#channel.destroy(cause);
    this.#host.ended(this.node, { cause, ...more });
  }

  #send(message: LegToTarget): void {
    if (this.#phase !== "ended") this.#channel.sendMessage(message);
  }

  #log(volume: number): VolumeStore["intentLog"] {
    const store = this.#store.volumes[volume];
    invariant(store !== undefined, "an operation names a volume of its group");
    return store.intentLog;
  }
}

const ZEROS = new Uint8Array(1024 * 1024);

function isZero(bytes: Uint8Array): boolean {
  return bytes.byteLength <= ZEROS.byteLength &&
    Buffer.compare(bytes, ZEROS.subarray(0, bytes.byteLength)) === 0;
}

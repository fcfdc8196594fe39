/**
 * One session with one source, as the target holds it: judge, tell the marks, apply in order, say how far.
 *
 * ```text
 *  opening ──leg_open──▶ judged ──leg_plan agrees──▶ listening ──resync_begin──▶ window ──resync_end──▶ replicating
 *                                                        └──────────resync_end (nothing was marked)──────────▲
 * ```
 *
 * Frames and words form one queue and are taken strictly in order (I5). Whatever needs the disk first (a cold region, a
 * barrier, a superblock) *stalls* the queue: nothing behind it is touched until its outcome is there. A barrier makes
 * all before it stable before anything after it is applied, so that a power loss leaves a prefix.
 *
 * The session ends by itself on anything that it cannot explain, and says why; the source then starts a new one.
 */
import { assertNever, invariant } from "../../runtime/invariant.ts";
import { FLAG_FUA } from "../../protocol/frame_header.ts";
import type { FrameChannel, FrameSink } from "../../protocol/frame_channel.ts";
import type { IncomingFrame } from "../../protocol/frame_decoder.ts";
import {
  type LegFromTarget,
  type LegRefusal,
  type LegToTarget,
  legToTarget,
} from "../../protocol/leg_messages.ts";
import type { Position } from "../../protocol/position.ts";
import { judgeRejoin, type RejoinVerdict, type ReplicaView } from "../../protocol/rejoin_table.ts";
import { ownedSink } from "../../protocol/owned_sink.ts";
import { isShapeFailure } from "../../protocol/shape.ts";
import type { DiskFailure, DiskOutcome } from "../../volume/block_device.ts";
import type { VolumeStore } from "../../volume/group_store.ts";
import { encodeRuns } from "../../volume/bitmap_runs.ts";
import type { ReplicaStore } from "../intent_log/messages.ts";
import { AckPacer } from "./ack_pacer.ts";
import { applyFrame, refusalOf } from "./apply_frame.ts";
import type { LegOpen } from "./first_word.ts";
import { ForeignMarks } from "./foreign_marks.ts";
import type { TargetSessionHost } from "./target_session_host.ts";
import { differenceOf } from "./same_volumes.ts";
import { closeWindow, openWindow } from "./window_record.ts";
import { ApplyQueue, hotRegionsOf, type Waiting, type WaitingFrame } from "./apply_queue.ts";

/** Applied and not yet stable: beyond this the session flushes without being told to, so that marks and memory clear. */
const UNSTABLE_BYTES_MAX = 64 * 1024 * 1024;

export type TargetPhase = "opening" | "judged" | "listening" | "window" | "replicating" | "ended";

const HEARS_FRAMES: ReadonlySet<TargetPhase> = new Set(["listening", "window", "replicating"]);

export class TargetSession {
  readonly from: string;
  readonly #channel: FrameChannel;
  readonly #store: ReplicaStore;
  readonly #host: TargetSessionHost;
  readonly #queue = new ApplyQueue();
  #phase: TargetPhase = "opening";
  #sourceView: ReplicaView | null = null;
  #verdict: RejoinVerdict | null = null;
  #generation = 0;
  #lastSeq = 0;
  /** Where the stream was when this session caught up: what was written before it has no seq of its own any more. */
  #caughtUpSeq = 0;
  /** Hot regions that the waiting frames have pinned or asked for. */
  #pins = 0;
  readonly #pinsMax: number;
  /** The head of the queue waits for the disk. */
  #stalled = false;
  #paused = false;
  readonly #acks: AckPacer;
  #unstableBytes = 0;
  #flushing = false;
  /** Disk work under way: the position is not final before it is over. */
  #underWay = 0;
  #whenQuiet: (() => void)[] = [];
  readonly #foreignMarks: ForeignMarks;

  constructor(
    options: { from: string; channel: FrameChannel; store: ReplicaStore; host: TargetSessionHost },
  ) {
    this.from = options.from;
    this.#channel = options.channel;
    this.#store = options.store;
    this.#foreignMarks = new ForeignMarks(options.store.volumes);
    this.#host = options.host;
    this.#acks = new AckPacer(options.channel, (work) => this.#host.atTurnEnd(work));
    this.#pinsMax = Math.min(
      ...options.store.volumes.map(({ intentLog }) => Math.floor(intentLog.figures().hotCapacity / 2)),
    );
  }

  get phase(): TargetPhase {
    return this.#phase;
  }
  /** The number of the source's generation; 0 before it said so. */
  get generation(): number {
    return this.#generation;
  }

  /** @param first the source's first word, if it was read already */
  start(first?: LegOpen): void {
    const sink: FrameSink = {
      frame: (frame) => this.#frame(frame),
      message: (value) => this.#message(value),
      drained: () => this.#acks.post(),
      ended: (end) => this.#end(end.detail),
    };
    this.#channel.receive(ownedSink(this.#channel, { guard: (work) => this.#host.guard(work), sink }));
    if (first !== undefined) this.#queue.pushMessage(this.#channel.lastFrameReceived, first);
    this.#work();
    if (this.#phase !== "ended") this.#channel.resume();
  }

  close(cause: string): void {
    this.#end(cause);
  }

  /** Calls `done` once no disk work of this session is under way any more: at once, or soon after `close`. */
  whenQuiet(done: () => void): void {
    if (this.#underWay === 0) done();
    else this.#whenQuiet.push(done);
  }

  /** Makes stable what was applied, if something was. */
  flushApplied(): void {
    if (this.#acks.applied > this.#acks.stable) this.#flushBehind();
  }

  // ---- what arrives -------------------------------------------------------------------------------------------

  #frame(frame: IncomingFrame): void {
    if (this.#phase === "ended") return;
    if (frame.kind === "ack") return this.#end("the source sent an ack, which is the target's to send");
    if (!HEARS_FRAMES.has(this.#phase)) {
      return this.#end(`a ${frame.kind} frame came before the plan was agreed`);
    }
    this.#queue.pushFrame(frame);
    this.#askPins();
    this.#pauseIfFull();
    this.#work();
  }

  #message(value: unknown): void {
    if (this.#phase === "ended") return;
    const message = legToTarget.check(value, "");
    if (isShapeFailure(message)) return this.#end(`the source sent a message in which ${message.detail}`);
    this.#queue.pushMessage(this.#channel.lastFrameReceived, message);
    this.#pauseIfFull();
    this.#work();
  }

  #pauseIfFull(): void {
    if (this.#paused || !this.#queue.full) return;
    this.#paused = true;
    this.#channel.pause();
  }

  /**
   * Cold ranges are heated as soon as they arrive, so that those of one read share a commit; yet never more than half of
   * what can be hot. Else the frames that wait could pin every slot, and the first of them find none for itself.
   */
  #askPins(): void {
    for (let frame = this.#queue.unasked; frame !== undefined; frame = this.#queue.unasked) {
      const log = this.#volume(frame.volume)?.intentLog;
      const pins = log === undefined ? 0 : hotRegionsOf(frame, log.hotRegionBytes);
      if (this.#pins > 0 && this.#pins + pins > this.#pinsMax) return;
      this.#queue.asked();
      if (log !== undefined) this.#askPin(frame, { log, pins });
    }
  }

  #askPin(frame: WaitingFrame, { log, pins }: { log: VolumeStore["intentLog"]; pins: number }): void {
    // What `#check` will refuse is not asked for: the log would take it for a bug of ours.
    if (frame.offset + frame.span > log.size || frame.span > log.heatBytesMax) return;
    frame.pins = pins;
    this.#pins += pins;
    if (log.tryPin(frame.offset, frame.span)) {
      frame.pinned = true;
      return;
    }
    frame.heating = true;
    this.#begin();
    log.heat(
      [{ offset: frame.offset, length: frame.span }],
      this.#host.guard((outcome) => {
        frame.heating = false;
        if (outcome !== null) {
          this.#host.diskFailed(outcome);
          this.#end(`cannot keep the intent of seq ${frame.seq}: ${outcome.detail}`);
        } else if (this.#phase === "ended") log.unpin(frame.offset, frame.span);
        else frame.pinned = true;
        this.#finish();
        this.#work();
      }),
    );
  }

  // ---- one after the other ------------------------------------------------------------------------------------

  #work(): void {
    while (!this.#stalled && this.#phase !== "ended") {
      const head = this.#queue.head;
      if (head === undefined) break;
      if (head.kind !== "message" && head.span > 0 && !head.pinned && head.heating) break;
      this.#take(head);
    }
    if (this.#paused && this.#queue.hasRoom && this.#phase !== "ended") {
      this.#paused = false;
      // Not inside this loop: resuming hands on what has arrived meanwhile.
      this.#host.atTurnEnd(() => {
        if (!this.#paused && this.#phase !== "ended") this.#channel.resume();
      });
    }
  }

  #take(head: Waiting): void {
    if (head.kind === "message") {
      this.#queue.shift();
      this.#acks.applied = Math.max(this.#acks.applied, head.frame);
      this.#obey(head.message);
      return;
    }
    const volume = this.#volume(head.volume);
    const phase = this.#phase;
    invariant(
      phase === "window" || phase === "replicating" || phase === "listening",
      "frames come after the plan",
    );
    const wrong = refusalOf(head, { place: { phase, lastSeq: this.#lastSeq }, volume });
    if (wrong !== null) return this.#end(wrong);
    if (head.kind === "barrier") {
      this.#applied(head);
      this.#barrier();
      return;
    }
    const outcome = applyFrame(head, volume);
    if (outcome instanceof Promise) {
      this.#stall(outcome, (later) => this.#written(head, later));
    } else this.#written(head, outcome);
  }

  #written(frame: WaitingFrame, outcome: DiskOutcome): void {
    this.#unpin(frame);
    if (outcome !== null) {
      // A target that could not keep a write cannot go on: no space ends the session, an error ends the disk.
      if (outcome.kind !== "no_space") this.#host.diskFailed(outcome);
      this.#end(`cannot apply seq ${frame.seq}: ${outcome.detail}`);
      return;
    }
    this.#applied(frame);
    if ((frame.flags & FLAG_FUA) !== 0) this.#barrier();
    else if (this.#unstableBytes >= UNSTABLE_BYTES_MAX) this.#flushBehind();
  }

  #applied(frame: WaitingFrame): void {
    this.#acks.applied = frame.frame;
    this.#unstableBytes += frame.span;
    if (frame.kind !== "copy" && frame.kind !== "copy_zeroes") {
      this.#lastSeq = frame.seq;
      if (this.#phase === "replicating") this.#store.advance(frame.seq);
    }
    this.#queue.shift();
    this.#askPins();
    this.#acks.post();
  }

  // ---- stability ----------------------------------------------------------------------------------------------

  /** Nothing behind it is applied before all up to here is stable. */
  #barrier(): void {
    const frame = this.#acks.applied;
    const seq = this.#lastSeq;
    this.#unstableBytes = 0;
    this.#stall(this.#store.flush(), (outcome) => this.#flushed({ frame, seq, outcome }));
  }

  /** Flushes what was applied so far, while applying goes on. */
  #flushBehind(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    const frame = this.#acks.applied;
    const seq = this.#lastSeq;
    this.#unstableBytes = 0;
    this.#begin();
    void this.#store.flush().then(this.#host.guard((outcome) => {
      this.#flushing = false;
      this.#flushed({ frame, seq, outcome });
      this.#finish();
    }));
  }

  #flushed(done: { frame: number; seq: number; outcome: DiskOutcome }): void {
    if (done.outcome !== null) {
      this.#host.diskFailed(done.outcome);
      this.#end(`cannot make seq ${done.seq} stable: ${done.outcome.detail}`);
      return;
    }
    this.#acks.stable = Math.max(this.#acks.stable, done.frame);
    for (const { intentLog } of this.#store.volumes) intentLog.localStableUpTo(done.seq);
    this.#acks.post();
  }

  // ---- the conversation ---------------------------------------------------------------------------------------

  #obey(message: LegToTarget): void {
    switch (message.kind) {
      case "leg_open":
        return this.#open(message);
      case "leg_plan":
        return this.#agree(message.rule);
      case "resync_begin":
        return this.#beginWindow(message.resync);
      case "marks":
        return this.#keepMarks(message);
      case "resync_end":
        return this.#endWindow(message.seq);
      case "report":
        return this.#report(message.stable);
      default:
        assertNever(message);
    }
  }

  #open(message: Extract<LegToTarget, { kind: "leg_open" }>): void {
    if (this.#phase !== "opening") return this.#end("the source opened the leg twice");
    const generation = message.view.history.at(-1)?.generation.number ?? 0;
    if (generation < this.#host.sealed() || generation === 0) {
      return this.#refuse(
        "lower_generation",
        `generation ${generation} is below ${this.#host.sealed()}, which was promised`,
      );
    }
    const different = message.group !== this.#host.group ? `this is group ${this.#host.group}` : differenceOf(
      message.volumes,
      this.#store.volumes.map(({ name, size, intentLog }) => ({
        name,
        size,
        regionBytes: intentLog.regionBytes,
      })),
    );
    if (different !== null) return this.#refuse("other_volumes", different);
    this.#generation = generation;
    this.#sourceView = message.view;
    const view = this.#host.view();
    this.#verdict = judgeRejoin({ source: message.view, target: view, founding: message.founding });
    this.#phase = "judged";
    this.#host.judged(this.from, this.#verdict);
    this.#host.changed();
    this.#send({ kind: "leg_state", view });
  }

  #agree(rule: string): void {
    if (this.#phase !== "judged" || this.#verdict === null) {
      return this.#end("a plan came before the states were told");
    }
    if (rule !== this.#verdict.rule) {
      return this.#end(`I14: the source judges ${rule}, here it is ${this.#verdict.rule}`);
    }
    if (this.#verdict.action === "refuse") return this.#end(`${rule}: ${this.#verdict.explanation}`);
    this.#phase = "listening";
    for (const { index, intentLog } of this.#store.volumes) {
      // Seqs of the stream that begins may lie below those of a tail that is rolled back.
      intentLog.forgetSeqs();
      if (!intentLog.peers.includes(this.from)) continue;
      const marks = intentLog.bitmap(this.from);
      for (let from: number | null = marks.count === 0 ? null : 0; from !== null;) {
        const chunk = encodeRuns(marks, { from });
        this.#send({ kind: "marks", volume: index, runs: chunk.bytes });
        from = chunk.next;
      }
    }
    this.#send({ kind: "marks_end" });
    this.#host.changed();
  }

  #beginWindow(kind: "partial" | "full" | "hash"): void {
    const source = this.#sourceView;
    if (this.#phase !== "listening" || source === null) return this.#end("a window was opened out of turn");
    this.#phase = "window";
    this.#host.changed();
    const stored = openWindow(this.#store, { source, resync: { source: this.from, kind } });
    this.#stall(stored, (outcome) => {
      if (outcome !== null) this.#notStored(outcome);
    });
  }

  #keepMarks(message: Extract<LegToTarget, { kind: "marks" }>): void {
    if (this.#phase !== "window" && this.#phase !== "listening") {
      return this.#end("marks came outside a window");
    }
    const wrong = this.#foreignMarks.keep(message);
    if (wrong !== null) this.#end(wrong);
  }

  #endWindow(seq: number): void {
    const source = this.#sourceView;
    if (source === null || (this.#phase !== "window" && this.#phase !== "listening")) {
      return this.#end("a window was closed out of turn");
    }
    if (this.#phase === "window" && seq < this.#lastSeq) {
      return this.#end("a window was closed before its last write");
    }
    const wrong = this.#foreignMarks.merge();
    if (wrong !== null) return this.#end(wrong);
    const stable: Position = { generation: this.#generation, seq };
    this.#stall(closeWindow(this.#store, { source, stable }), (outcome) => {
      if (outcome !== null) {
        this.#notStored(outcome);
        return;
      }
      this.#phase = "replicating";
      this.#lastSeq = seq;
      this.#caughtUpSeq = seq;
      this.#acks.stable = this.#acks.applied;
      this.#send({ kind: "up_to_date", seq });
      this.#acks.post();
      this.#host.changed();
    });
  }

  #notStored(outcome: DiskFailure): void {
    this.#host.diskFailed(outcome);
    this.#end(`cannot record the state of the disk: ${outcome.detail}`);
  }

  /** These replicas, the source among them, hold the whole stream stable up to here: marks towards them are settled. */
  #report(stable: readonly (readonly [string, number])[]): void {
    if (this.#phase !== "replicating") return;
    for (const [node, seq] of stable) {
      if (node === this.#host.self || seq < this.#caughtUpSeq) continue;
      for (const { intentLog } of this.#store.volumes) {
        if (intentLog.peers.includes(node)) intentLog.clearAllUpTo(node, Math.min(seq, this.#lastSeq));
      }
    }
  }

  #refuse(reason: LegRefusal, detail: string): void {
    this.#send({ kind: "leg_refused", reason, detail });
    this.#channel.end();
    this.#end(`refused: ${detail}`, { channelEnds: true });
  }

  // ---- stalling and ending ------------------------------------------------------------------------------------

  #stall(work: Promise<DiskOutcome>, done: (outcome: DiskOutcome) => void): void {
    this.#stalled = true;
    this.#begin();
    void work.then(this.#host.guard((outcome) => {
      this.#stalled = false;
      if (this.#phase !== "ended") done(outcome);
      this.#finish();
      this.#work();
    }));
  }

  #begin(): void {
    this.#underWay += 1;
  }

  #finish(): void {
    this.#underWay -= 1;
    if (this.#underWay > 0) return;
    for (const quiet of this.#whenQuiet.splice(0)) quiet();
  }

  /** @param options.channelEnds the channel is closing by itself, after what was said */
  #end(cause: string, options: { channelEnds: boolean } = { channelEnds: false }): void {
    if (this.#phase === "ended") return;
    this.#phase = "ended";
    for (const frame of this.#queue.clear()) this.#unpin(frame);
    this.#foreignMarks.forget();
    if (!options.channelEnds) this.#channel.destroy(cause);
    this.#host.ended(cause);
  }

  #unpin(frame: WaitingFrame): void {
    if (!frame.pinned) return;
    frame.pinned = false;
    this.#pins -= frame.pins;
    this.#volume(frame.volume)?.intentLog.unpin(frame.offset, frame.span);
  }

  #send(message: LegFromTarget): void {
    if (this.#phase !== "ended") this.#channel.sendMessage(message);
  }

  #volume(index: number): VolumeStore | undefined {
    return this.#store.volumes[index];
  }
}

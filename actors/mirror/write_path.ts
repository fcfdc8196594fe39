/**
 * The way of a request through the mirror (design §4.2), as calls inside one turn and without a promise per block.
 *
 * ```text
 *   submit ─▶ overlap? ──waits──▶ ready ─▶ cold? ──heat──▶ hot ─▶ local write ─▶ window ─▶ ship ─▶ … ─▶ reply
 * ```
 *
 * The order is the safety. The intent is stable before the data goes anywhere (I3). The local write comes before the
 * shipping: both happen in the same turn, and a write that the disk refused at once never reaches a leg. The reply is
 * given only by the window, and only under a lease that is looked at last of all (I1): a process that slept through
 * its lease finds out between the work and the reply.
 *
 * A write that fails leaves a range that may be anything. It keeps its marks, and the range is shipped again as it now
 * stands, under the seq that the failed write would have had: so the replicas stay equal, whatever the disk did.
 *
 * No decision about legs is made here; `Shipper` is whoever ships, the floors are set from outside.
 */
import { assertNever, invariant } from "../../runtime/invariant.ts";
import type { DiskFailure, DiskOutcome, Extent, MaybeLater } from "../../volume/block_device.ts";
import type { VolumeStore } from "../../volume/group_store.ts";
import type { VolumeErrorKind, VolumePort, VolumeRequest } from "../../volume/volume_request.ts";
import type { ReplicaStore } from "../intent_log/messages.ts";
import { Operation } from "./operation.ts";
import { PART_BYTES_MAX, splitRequest } from "./split_request.ts";
import { RangeQueue } from "./range_queue.ts";
import type { Floors } from "./write_window.ts";
import { WriteWindow } from "./write_window.ts";

/** Requests taken and not yet answered, over all doors (I8). At the bound the port says it is not writable. */
export const REQUESTS_IN_FLIGHT_MAX = 4_096;
export const BYTES_IN_FLIGHT_MAX = 256 * 1024 * 1024;

/** What the write path asks of the mirror around it. Called inside the turn; none of it throws. */
export interface WritePathHost {
  /** True while requests may be answered; looks at the clock itself. */
  leaseRuns(): boolean;
  /** Sends an operation, which has its seq, to every leg that is attached. Keeps the payload's slab as long as needed. */
  ship(operation: Operation): void;
  /** Wraps the continuation of disk work: nothing after the mirror's death, the mirror's crash when it throws. */
  guard<A extends unknown[]>(work: (...args: A) => void): (...args: A) => void;
  /** `endTurn` is wanted once when this turn is over. */
  atTurnEnd(): void;
  /** A data disk or the log failed for good: the gate must close. */
  diskFailed(failure: DiskFailure): void;
  /** Everything up to `seq` is stable on the local disks. */
  localStable(seq: number): void;
  /** Legs whose backlog is full stop the reading of requests (policy `throttle`). */
  backlogFull(): boolean;
}

export class WritePath implements VolumePort {
  readonly #store: ReplicaStore;
  readonly #host: WritePathHost;
  readonly #window: WriteWindow<Operation>;
  readonly #ranges = new RangeQueue<Operation>();
  #cold: Operation[] = [];
  readonly #runnable: Operation[] = [];
  #running = false;
  /** Answers that are ready and wait for a lease. Bounded by what is in flight. */
  #suspended: (() => void)[] = [];
  /** Requests that came while draining. Bounded like what is in flight. */
  #held: VolumeRequest[] = [];
  #state: "open" | "draining" | "closed" = "open";
  #requests = 0;
  #bytes = 0;
  #flushIssuedThrough: number;
  #writableListeners: (() => void)[] = [];
  #onIdle: (() => void) | null = null;

  constructor(options: { store: ReplicaStore; host: WritePathHost; baseSeq: number }) {
    this.#store = options.store;
    this.#host = options.host;
    this.#flushIssuedThrough = options.baseSeq;
    this.#window = new WriteWindow(options.baseSeq, (operation) => this.#completed(operation));
  }

  get lastSeq(): number {
    return this.#window.lastSeq;
  }
  get localStable(): number {
    return this.#window.localStable;
  }
  get requestsInFlight(): number {
    return this.#requests;
  }
  get suspendedAnswers(): number {
    return this.#suspended.length;
  }

  // ---- the port -----------------------------------------------------------------------------------------------

  get writable(): boolean {
    return this.#state === "open" && this.#requests < REQUESTS_IN_FLIGHT_MAX &&
      this.#bytes < BYTES_IN_FLIGHT_MAX &&
      !this.#host.backlogFull();
  }

  /** Calls `listener` once when the port is writable again; at once never. */
  onWritable(listener: () => void): void {
    this.#writableListeners.push(listener);
  }

  submit(batch: readonly VolumeRequest[]): void {
    for (const whole of batch) {
      if (whole.length <= PART_BYTES_MAX) this.#accept(whole);
      else for (const part of this.#parts(whole)) this.#accept(part);
    }
    this.endTurn();
  }

  /** Only what changes blocks must be short; a question about a long range is one operation. */
  #parts(whole: VolumeRequest): readonly VolumeRequest[] {
    return whole.kind === "trim" || whole.kind === "write_zeroes" ? splitRequest(whole) : [whole];
  }

  #accept(request: VolumeRequest): void {
    this.#requests += 1;
    this.#bytes += request.length;
    if (this.#state === "draining") {
      // The payload must outlive this call: the slab is released when the request is taken up again.
      request.slab?.retain();
      this.#held.push(request);
    } else this.#take(request);
  }

  #take(request: VolumeRequest): void {
    if (this.#state === "closed") {
      this.#answer(request, "shutting_down");
      return;
    }
    const { kind, volume, offset, length } = request;
    switch (kind) {
      case "flush":
        this.#enterStream(
          new Operation({ kind: "barrier", volume, offset: 0, length: 0, durable: true, request }),
        );
        return;
      case "cache":
        this.#answer(request, null);
        return;
      case "read":
      case "block_status":
        this.#enter(new Operation({ kind: "read", volume, offset, length, durable: false, request }));
        return;
      case "write":
      case "trim":
      case "write_zeroes":
        request.slab?.retain();
        this.#enter(
          new Operation({
            kind,
            volume,
            offset,
            length,
            durable: request.fua,
            noHole: request.noHole,
            request,
            payload: request.payload,
          }),
        );
        return;
    }
  }

  /** Cold ranges of one batch share one commit; flushes of one batch share one fdatasync. Called after every batch. */
  endTurn(): void {
    if (this.#cold.length > 0) this.#heatCold();
    this.#pumpFlush();
  }

  // ---- overlap ------------------------------------------------------------------------------------------------

  #enter(operation: Operation): void {
    operation.ticket = this.#ranges.enter(operation, {
      kind: operation.kind === "read" || operation.kind === "copy" ? operation.kind : "write",
      volume: operation.volume,
      offset: operation.offset,
      length: operation.length,
    });
    if (operation.ticket.blockedBy === 0) this.#ready(operation);
  }

  #leave(operation: Operation): void {
    const ticket = operation.ticket;
    if (ticket === null) return;
    operation.ticket = null;
    for (const ready of this.#ranges.leave(ticket)) this.#ready(ready);
  }

  /** The write is on the local disk and in the stream: overlapping writes and copies may follow. */
  #settle(operation: Operation): void {
    if (operation.ticket === null) return;
    for (const ready of this.#ranges.settle(operation.ticket)) this.#ready(ready);
  }

  /** A loop and not a recursion: a queue of writes to one block may be thousands long. */
  #ready(operation: Operation): void {
    this.#runnable.push(operation);
    if (this.#running) return;
    this.#running = true;
    for (let next = this.#runnable.shift(); next !== undefined; next = this.#runnable.shift()) {
      this.#run(next);
    }
    this.#running = false;
  }

  #run(operation: Operation): void {
    if (this.#state === "closed") return;
    if (operation.kind === "read") {
      this.#read(operation);
      return;
    }
    if (operation.kind === "copy") {
      operation.onComplete?.();
      return;
    }
    const log = this.#volume(operation.volume).intentLog;
    if (log.tryPin(operation.offset, operation.length)) {
      operation.pinned = true;
      this.#write(operation);
    } else this.#cold.push(operation);
  }

  #heatCold(): void {
    const cold = this.#cold;
    this.#cold = [];
    // One call each: what one turn asks for shares a commit anyway, and one call may span only so many regions.
    for (const operation of cold) {
      const { offset, length } = operation;
      const log = this.#volume(operation.volume).intentLog;
      log.heat([{ offset, length }], this.#host.guard((outcome) => this.#heated(operation, outcome)));
    }
  }

  #heated(operation: Operation, outcome: DiskOutcome): void {
    if (this.#state === "closed") return;
    if (outcome !== null) {
      this.#host.diskFailed(outcome);
      return;
    }
    operation.pinned = true;
    this.#write(operation);
    this.#host.atTurnEnd();
  }

  // ---- reading ------------------------------------------------------------------------------------------------

  #read(operation: Operation): void {
    const { device } = this.#volume(operation.volume);
    const request = operation.request;
    invariant(request !== null, "a read has somebody who asked");
    if (request.kind === "block_status") {
      this.#extents(operation, device.extents(operation.offset, operation.length));
      return;
    }
    const into = request.replySpace?.() ?? new Uint8Array(operation.length);
    const outcome = device.read(operation.offset, into);
    if (outcome instanceof Promise) {
      void outcome.then(this.#host.guard((later) => this.#readDone(operation, into, later)));
    } else this.#readDone(operation, into, outcome);
  }

  #readDone(operation: Operation, into: Uint8Array, outcome: DiskOutcome): void {
    if (this.#state === "closed") return;
    this.#leave(operation);
    const request = operation.request;
    invariant(request !== null, "a read has somebody who asked");
    if (outcome === null) {
      this.#answer(request, null, into);
      return;
    }
    if (outcome.kind === "io_error") this.#host.diskFailed(outcome);
    else this.#answer(request, errorOf(outcome));
  }

  #extents(operation: Operation, found: MaybeLater<readonly Extent[]>): void {
    const done = (extents: readonly Extent[]): void => {
      if (this.#state === "closed") return;
      this.#leave(operation);
      const request = operation.request;
      invariant(request !== null, "a question has somebody who asked");
      this.#answer(request, null, undefined, extents);
    };
    if (found instanceof Promise) void found.then(this.#host.guard(done));
    else done(found);
  }

  // ---- writing ------------------------------------------------------------------------------------------------

  #write(operation: Operation): void {
    const { device, intentLog } = this.#volume(operation.volume);
    const seq = this.#window.nextSeq;
    intentLog.mark(operation.offset, operation.length, seq);
    let outcome: MaybeLater<DiskOutcome>;
    if (operation.kind === "write") {
      invariant(operation.payload !== null, "a write has bytes");
      outcome = device.write(operation.offset, operation.payload);
    } else {
      outcome = device.writeZeroes(operation.offset, operation.length, { punch: !operation.noHole });
    }
    if (outcome instanceof Promise) {
      this.#stream(operation);
      void outcome.then(this.#host.guard((later) => this.#writtenLater(operation, later)));
    } else if (outcome === null) {
      operation.localDone = true;
      this.#unpin(operation);
      this.#stream(operation);
      this.#settle(operation);
    } else {
      this.#unpin(operation);
      this.#refused(operation, outcome);
    }
  }

  #writtenLater(operation: Operation, outcome: DiskOutcome): void {
    if (this.#state === "closed") return;
    this.#unpin(operation);
    if (outcome === null) {
      this.#settle(operation);
      this.#window.localDone(operation);
      this.endTurn();
    } else if (outcome.kind === "no_space") {
      // It was shipped and not kept: what stands here now is shipped behind it, and the client hears of the failure.
      operation.error = errorOf(outcome);
      this.#repair(operation);
      this.#window.localDone(operation);
    } else this.#host.diskFailed(outcome);
  }

  /** The disk refused within the call: nobody else has the write, and its seq is still free. */
  #refused(operation: Operation, outcome: DiskFailure): void {
    if (outcome.kind === "io_error" || outcome.kind === "closed") {
      this.#host.diskFailed(outcome);
      return;
    }
    this.#repair(operation);
    const request = operation.request;
    if (request === null) return;
    this.#answer(request, errorOf(outcome));
    request.slab?.release();
  }

  /**
   * Ships the range of a failed write as it now stands, under the next seq. The repair takes over the place in the
   * queue, so that no overlapping write comes between the reading back and the shipping.
   */
  #repair(failed: Operation): void {
    const { device, intentLog } = this.#volume(failed.volume);
    const { volume, offset, length } = failed;
    const payload = new Uint8Array(length);
    const repair = new Operation({ kind: "write", volume, offset, length, durable: false, payload });
    repair.ticket = failed.ticket;
    failed.ticket = null;
    const heatedAgain = (heated: DiskOutcome): void => {
      if (this.#state === "closed") return;
      if (heated !== null) {
        this.#host.diskFailed(heated);
        return;
      }
      intentLog.mark(offset, length, this.#window.nextSeq);
      intentLog.unpin(offset, length);
      repair.localDone = true;
      this.#stream(repair);
      this.#settle(repair);
      this.#host.atTurnEnd();
    };
    const readBack = (outcome: DiskOutcome): void => {
      if (this.#state === "closed") return;
      if (outcome !== null) {
        this.#host.diskFailed(outcome);
        return;
      }
      intentLog.heat([{ offset, length }], this.#host.guard(heatedAgain));
    };
    const outcome = device.read(offset, payload);
    if (outcome instanceof Promise) void outcome.then(this.#host.guard(readBack));
    else readBack(outcome);
  }

  #unpin(operation: Operation): void {
    if (!operation.pinned) return;
    operation.pinned = false;
    this.#volume(operation.volume).intentLog.unpin(operation.offset, operation.length);
  }

  /** Takes the next seq and goes out. The window may complete it within this call. */
  #stream(operation: Operation): void {
    operation.seq = this.#window.nextSeq;
    this.#host.ship(operation);
    this.#window.add(operation);
    this.#store.advance(operation.seq);
  }

  #enterStream(operation: Operation): void {
    operation.localDone = true;
    this.#stream(operation);
  }

  /** A barrier of the mirror's own: `done` when everything so far is stable on every leg that counts. */
  barrier(done: () => void): void {
    this.#enterStream(
      new Operation({ kind: "barrier", volume: 0, offset: 0, length: 0, durable: true, onComplete: done }),
    );
    this.endTurn();
  }

  // ---- stability ----------------------------------------------------------------------------------------------

  /** Flushes when something waits for it and no running flush covers it. */
  #pumpFlush(): void {
    if (this.#state === "closed") return;
    const through = this.#window.localDoneThrough;
    if (this.#window.awaitsStability({ after: this.#flushIssuedThrough, through })) this.flush();
  }

  /** Makes stable what is on the local disks. The tick calls it too, so that marks clear without a client's flush. */
  flush(): void {
    const through = this.#window.localDoneThrough;
    this.#flushIssuedThrough = Math.max(this.#flushIssuedThrough, through);
    const flushed = (outcome: DiskOutcome): void => {
      if (this.#state === "closed") return;
      if (outcome !== null) {
        this.#host.diskFailed(outcome);
        return;
      }
      this.#host.localStable(through);
      this.#window.setLocalStable(through);
      this.endTurn();
    };
    void this.#store.flush().then(this.#host.guard(flushed));
  }

  // ---- completion ---------------------------------------------------------------------------------------------

  setFloors(floors: Floors): void {
    this.#window.setFloors(floors);
    this.endTurn();
  }

  /** The answer goes first: whoever waited for the range may be answered within `#leave`, and has seen this write. */
  #completed(operation: Operation): void {
    const request = operation.request;
    if (request !== null) {
      this.#answer(request, operation.error);
      request.slab?.release();
    }
    operation.payload = null;
    this.#leave(operation);
    operation.onComplete?.();
    if (this.#onIdle !== null) this.#checkIdle();
  }

  #answer(
    request: VolumeRequest,
    error: VolumeErrorKind | null,
    data?: Uint8Array,
    extents?: readonly Extent[],
  ): void {
    if (this.#state !== "closed" && !this.#host.leaseRuns()) {
      this.#suspended.push(() => this.#answer(request, error, data, extents));
      return;
    }
    const wasFull = this.#requests >= REQUESTS_IN_FLIGHT_MAX || this.#bytes >= BYTES_IN_FLIGHT_MAX;
    this.#requests -= 1;
    this.#bytes -= request.length;
    request.complete(error, data, extents);
    if (wasFull) this.announceWritable();
    if (this.#onIdle !== null) this.#checkIdle();
  }

  /** The lease runs again: what was ready goes out. */
  leaseRenewed(): void {
    if (this.#suspended.length === 0 || !this.#host.leaseRuns()) return;
    const ready = this.#suspended;
    this.#suspended = [];
    for (const answer of ready) answer();
  }

  /** A leg's backlog has room again, or a drain is over. */
  announceWritable(): void {
    if (this.#writableListeners.length === 0 || !this.writable) return;
    const listeners = this.#writableListeners;
    this.#writableListeners = [];
    for (const listener of listeners) listener();
  }

  // ---- the gate -----------------------------------------------------------------------------------------------

  /** Holds what comes; `done` once everything before is complete and answered. */
  drain(done: () => void): void {
    invariant(this.#state === "open", "only an open gate is drained");
    this.#state = "draining";
    this.#onIdle = done;
    this.#checkIdle();
  }

  #checkIdle(): void {
    if (this.#onIdle === null || this.#requests > this.#held.length) return;
    const done = this.#onIdle;
    this.#onIdle = null;
    done();
  }

  /** The drain is off: what was held is taken up, in order. */
  resume(): void {
    if (this.#state !== "draining") return;
    this.#state = "open";
    this.#onIdle = null;
    const held = this.#held;
    this.#held = [];
    for (const request of held) {
      this.#take(request);
      request.slab?.release();
    }
    this.endTurn();
    this.announceWritable();
  }

  /**
   * For good. Nothing that is not answered by now ever is: the doors end their sessions and never report it as done.
   */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    for (const operation of this.#window.abandon()) operation.request?.slab?.release();
    for (const request of this.#held) request.slab?.release();
    this.#held = [];
    this.#suspended = [];
    this.#cold = [];
    this.#onIdle = null;
    this.#writableListeners = [];
  }

  // ---- for a resync -------------------------------------------------------------------------------------------

  /**
   * Calls `ready` once no write overlaps the range; new ones wait until `ready`'s argument was called (I7).
   */
  holdStill(
    range: { volume: number; offset: number; length: number },
    ready: (release: () => void) => void,
  ): void {
    const operation: Operation = new Operation({
      kind: "copy",
      durable: false,
      ...range,
      onComplete: () => ready(() => this.#leave(operation)),
    });
    this.#enter(operation);
  }

  #volume(index: number): VolumeStore {
    const volume = this.#store.volumes[index];
    invariant(volume !== undefined, "a request names a volume of its group");
    return volume;
  }
}

/** What the client is told. A full disk has its own error number; everything else that gets here is an I/O error. */
function errorOf(failure: DiskFailure): VolumeErrorKind {
  switch (failure.kind) {
    case "no_space":
    case "out_of_range":
    case "not_supported":
      return failure.kind;
    case "io_error":
    case "closed":
      return "io_error";
    default:
      return assertNever(failure.kind);
  }
}

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
 * No decision about legs is made here: the host ships, and the floors are set from outside.
 */
import { invariant } from "../../runtime/invariant.ts";
import type { DiskFailure, DiskOutcome, MaybeLater } from "../../volume/block_device.ts";
import type { VolumeStore } from "../../volume/group_store.ts";
import type { VolumePort, VolumeRequest } from "../../volume/volume_request.ts";
import type { ReplicaStore } from "../intent_log/messages.ts";
import { clientErrorOf } from "./client_error.ts";
import { Operation } from "./operation.ts";
import { LocalFlush } from "./local_flush.ts";
import { OpenRequests } from "./open_requests.ts";
import { PART_BYTES_MAX, splitRequest } from "./split_request.ts";
import { readFrom } from "./reading.ts";
import { RangeQueue } from "./range_queue.ts";
import type { WritePathHost } from "./write_path_host.ts";
import type { Floors } from "./write_window.ts";
import { WriteWindow } from "./write_window.ts";

export class WritePath implements VolumePort {
  readonly #store: ReplicaStore;
  readonly #host: WritePathHost;
  readonly #window: WriteWindow<Operation>;
  readonly #ranges = new RangeQueue<Operation>();
  #cold: Operation[] = [];
  readonly #runnable: Operation[] = [];
  #running = false;
  readonly #open: OpenRequests;
  /** Requests that came while draining. Bounded like what is in flight. */
  #held: VolumeRequest[] = [];
  #state: "open" | "draining" | "closed" = "open";
  readonly #flush: LocalFlush;
  /** A door asked while there was no room: it is to be told when there is. */
  #owesWritable = false;
  #onIdle: (() => void) | null = null;

  constructor(options: { store: ReplicaStore; host: WritePathHost; baseSeq: number }) {
    this.#store = options.store;
    this.#host = options.host;
    this.#open = new OpenRequests({
      leaseRuns: () => this.#host.leaseRuns(),
      answered: () => {
        if (this.#owesWritable) this.announceWritable();
        if (this.#onIdle !== null) this.#checkIdle();
      },
    });
    this.#window = new WriteWindow(options.baseSeq, (operation) => this.#completed(operation));
    this.#flush = new LocalFlush(this.#window, {
      baseSeq: options.baseSeq,
      host: {
        flushDisks: () => this.#store.flush(),
        guard: (work) => this.#host.guard(work),
        failed: (failure) => this.#host.diskFailed(failure),
        stable: (through) => {
          this.#host.localStable(through);
          this.#window.setLocalStable(through);
          this.endTurn();
        },
      },
    });
  }

  get lastSeq(): number {
    return this.#window.lastSeq;
  }
  get localStable(): number {
    return this.#window.localStable;
  }
  get requestsInFlight(): number {
    return this.#open.count;
  }
  get suspendedAnswers(): number {
    return this.#open.suspended;
  }

  // ---- the port -----------------------------------------------------------------------------------------------

  get writable(): boolean {
    const room = this.#state === "open" && !this.#open.full && !this.#host.backlogFull();
    this.#owesWritable ||= !room;
    return room;
  }

  submit(batch: readonly VolumeRequest[]): void {
    for (const whole of batch) {
      if (whole.length <= PART_BYTES_MAX) this.#accept(whole);
      else for (const part of splitRequest(whole)) this.#accept(part);
    }
    this.endTurn();
  }

  #accept(request: VolumeRequest): void {
    this.#open.take(request);
    if (this.#state === "draining") {
      // The payload must outlive this call: the slab is released when the request is taken up again.
      request.slab?.retain();
      this.#held.push(request);
    } else this.#take(request);
  }

  #take(request: VolumeRequest): void {
    if (this.#state === "closed") {
      this.#open.answer(request, "shutting_down");
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
        return this.#open.answer(request, null);
      case "read":
      case "block_status":
        this.#enter(new Operation({ kind: "read", volume, offset, length, durable: false, request }));
        return;
      case "write":
      case "trim":
      case "write_zeroes":
        // Zeroes that must take space are written: no faster than a write (NBD_CMD_FLAG_FAST_ZERO).
        if (request.fastZero === true && request.noHole) return this.#open.answer(request, "not_supported");
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
    this.#flush.pump();
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
    if (operation.kind === "read" && operation.answered) {
      this.#leave(operation);
      return;
    }
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
    operation.reading = true;
    readFrom(device, {
      operation,
      guard: (work) => this.#host.guard(work),
      done: ({ failure, found }) => {
        if (this.#state === "closed") return;
        this.#leave(operation);
        const request = operation.request;
        invariant(request !== null, "a read has somebody who asked");
        if (failure === null) this.#open.answer(request, null, found);
        else if (failure.kind === "io_error") this.#host.diskFailed(failure);
        else this.#open.answer(request, clientErrorOf(failure));
      },
    });
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
      operation.error = clientErrorOf(outcome);
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
    if (!operation.answered) this.#open.answer(request, clientErrorOf(outcome));
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
    // Before the window: the client may ask again from within an answer, and the position never goes back.
    this.#store.advance(operation.seq);
    this.#window.add(operation);
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

  /** Makes stable what is on the local disks. The tick calls it too, so that marks clear without a client's flush. */
  flush(): void {
    this.#flush.flush();
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
      if (!operation.answered) this.#open.answer(request, operation.error);
      request.slab?.release();
    }
    operation.payload = null;
    this.#leave(operation);
    operation.onComplete?.();
  }

  /** The lease runs again: what was ready goes out. */
  leaseRenewed(): void {
    this.#open.leaseRenewed();
  }

  /**
   * The group has been blocked for too long (policy `onBlocked: error`): everybody who waits is told an error. What was
   * asked for may still be done later, as after any I/O error; nobody is told that it was.
   */
  failWaiting(): void {
    this.#open.failSuspended();
    for (const operation of [...this.#ranges.owners(), ...this.#window.waiting]) {
      const { request } = operation;
      if (request === null || operation.answered || operation.reading) continue;
      operation.answered = true;
      this.#open.fail(request);
    }
  }

  /** Tells the doors that there is room again, if one of them asked while there was none. */
  announceWritable(): void {
    if (!this.#owesWritable || !this.writable) return;
    this.#owesWritable = false;
    this.#host.writable();
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
    if (this.#onIdle === null || this.#open.count > this.#held.length) return;
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
    this.#open.drop();
    this.#flush.stop();
    this.#cold = [];
    this.#onIdle = null;
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

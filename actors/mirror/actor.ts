/**
 * The mirror: the actor that is source of a group's volumes. It performs what its parts decide.
 *
 * - `gate.ts` may the gate open, and what must be durable first
 * - `legs.ts` with `machine.ts` and `membership.ts`: legs, and the member set
 * - `write_path.ts` with `range_queue.ts` and `write_window.ts`: one request from the door to its reply
 * - `leg_session.ts` with `leg_progress.ts` and `resync_cursor.ts`: one leg's conversation
 *
 * Control comes as messages. Requests come through `WritePath` and acks through the channels, as calls inside the turn
 * of the socket that brought them, guarded: a throw in any of them is this actor's crash. Nothing is remembered that a
 * restart would need: a new incarnation finds its generation used, stays closed, and failover mints another.
 */
import type { ActorContext, ActorSpec, Behavior, StopReason } from "../../runtime/mod.ts";
import { assertNever, invariant } from "../../runtime/mod.ts";
import type { Position } from "../../protocol/position.ts";
import type { DiskFailure } from "../../volume/block_device.ts";
import type { FailoverToMirror, ReplicaFacts } from "../failover/messages.ts";
import type { ReplicaStore, StoreAnswer } from "../intent_log/messages.ts";
import type { MirrorEnvironment, MirrorOptions } from "./environment.ts";
import { isFounding, openingChange, refusal } from "./gate.ts";
import { Legs } from "./legs.ts";
import type { MirrorEvent } from "./machine.ts";
import type { CommandOutcome, GateName, LegChannelOutcome, MirrorMessage, MirrorStatus } from "./messages.ts";
import { WritePath } from "./write_path.ts";

const TICK_MS = 250;
/** Local writes are made stable and the position recorded at least this often, so that marks clear without a client's flush. */
const FLUSH_EVERY_MS = 1_000;
const RECORD_POSITION_EVERY_MS = 5_000;
const STORE_DEADLINE_MS = 60_000;

export function mirrorActor(options: MirrorOptions): ActorSpec<MirrorMessage> {
  return {
    name: "mirror",
    start: (context) => new MirrorActor(context, options),
  };
}

class MirrorActor implements Behavior<MirrorMessage> {
  readonly #context: ActorContext<MirrorMessage>;
  readonly #environment: MirrorEnvironment;
  readonly #options: MirrorOptions;
  #gate: GateName = "opening";
  #store: ReplicaStore | null = null;
  #path: WritePath | null = null;
  #legs: Legs | null = null;
  #founding = false;
  #leaseUntilMs: number;
  #leaseUntilWallMs: number;
  #exportWaits = false;
  /** Since when completions have been waiting for a lease or a leg; Infinity while they flow. */
  #heldSinceMs = Infinity;
  #flushedAtMs = 0;
  #recordedPositionAtMs = 0;
  #recordedSeq = -1;
  #recordingPosition = false;
  #toldFacts = "";

  constructor(context: ActorContext<MirrorMessage>, options: MirrorOptions) {
    this.#context = context;
    this.#options = options;
    this.#environment = options.environment;
    this.#leaseUntilMs = options.opening.leaseUntilMs;
    this.#leaseUntilWallMs = options.opening.leaseUntilWallMs;
    context.system.registry.register(`mirror:${this.#environment.group}`, context.self);
    context.ask<unknown, StoreAnswer>(
      this.#environment.intentLog as never,
      (reply) => ({ kind: "store_requested", reply }),
      STORE_DEADLINE_MS,
      (outcome) => {
        if (!outcome.ok) {
          return { kind: "store_refused", cause: `the intent log did not answer: ${outcome.error}` };
        }
        return outcome.value.ok
          ? { kind: "store_lent", store: outcome.value.store }
          : { kind: "store_refused", cause: outcome.value.cause };
      },
    );
    context.every(TICK_MS, { kind: "tick" });
  }

  receive(message: MirrorMessage): void {
    switch (message.kind) {
      case "lease":
      case "record_in_force":
      case "higher_generation":
      case "drain":
      case "drain_cancelled":
        return this.#fromFailover(message);
      case "store_lent":
        return this.#openWith(message.store);
      case "store_refused":
        return this.#close(message.cause);
      case "gate_persisted":
        return this.#gatePersisted(message.failure);
      case "position_persisted":
        return this.#positionPersisted(message);
      case "record_outcome":
        // A record in force and a lost generation both come as messages of their own; this one only ends the question.
        return;
      case "peer_up":
        return this.#legs?.step({ kind: "peer_up", node: message.node });
      case "peer_down":
        return this.#legs?.step({ kind: "peer_down", node: message.node, cause: message.cause });
      case "leg_channel":
        return this.#legChannel(message.node, message.opened);
      case "export_started":
        this.#exportWaits = true;
        return this.#tellExport();
      case "leg_pause_requested":
        return message.reply.reply(
          this.#command(message.node, (node) => ({ kind: "pause_requested", node })),
        );
      case "leg_resume_requested":
        return message.reply.reply(
          this.#command(message.node, (node) => ({ kind: "resume_requested", node })),
        );
      case "leg_resync_requested": {
        const full = message.full;
        return message.reply.reply(
          this.#command(message.node, (node) => ({ kind: "resync_requested", node, full })),
        );
      }
      case "status_requested":
        return message.reply.reply(this.#status());
      case "tick":
        return this.#tick();
      default:
        assertNever(message);
    }
  }

  stopping(reason: StopReason): void {
    this.#close(`the mirror stops (${reason.kind})`);
  }

  inspect(): unknown {
    return {
      ...this.#status(),
      leaseLeftMs: Math.round(this.#leaseUntilMs - this.#context.now()),
      suspendedAnswers: this.#path?.suspendedAnswers ?? 0,
    };
  }

  // ---- the gate -----------------------------------------------------------------------------------------------

  #openWith(store: ReplicaStore): void {
    if (this.#gate !== "opening") return;
    this.#store = store;
    const { opening } = this.#options;
    const view = store.view();
    const refused = refusal({ view, position: store.position, opening });
    if (refused !== null) return this.#close(refused);
    this.#founding = isFounding(view);
    this.#context.pipe(
      this.#persistOpening(store),
      (failure) => ({ kind: "gate_persisted", failure }),
      (error) => ({ kind: "gate_persisted", failure: error.message }),
    );
  }

  /** The data is flushed first: what the superblock then calls stable must be it. */
  async #persistOpening(store: ReplicaStore): Promise<string | null> {
    const { opening } = this.#options;
    const view = store.view();
    const flushed = await store.flush();
    if (flushed !== null) return flushed.detail;
    if (view.groupId === null) {
      for (const { intentLog } of store.volumes) {
        for (const peer of intentLog.peers) if (!this.#founding) intentLog.markAll(peer);
        const persisted = await intentLog.persist();
        if (persisted !== null) return persisted.detail;
      }
    }
    return (await store.update(openingChange({ view, opening })))?.detail ?? null;
  }

  #gatePersisted(failure: string | null): void {
    if (this.#gate !== "opening") return;
    if (failure !== null) return this.#close(`the generation could not be recorded: ${failure}`);
    const { opening } = this.#options;
    const store = this.#store;
    invariant(store !== null, "a gate opens on a store");
    const now = this.#context.now();
    const baseSeq = opening.entry.baseSeq;
    store.stands({ generation: opening.generation.number, seq: baseSeq });
    for (const { intentLog } of store.volumes) intentLog.localStableUpTo(baseSeq);
    this.#path = new WritePath({ store, baseSeq, host: this.#pathHost() });
    this.#legs = new Legs({
      context: this.#context,
      environment: this.#environment,
      store,
      path: this.#path,
      record: opening.record,
      baseSeq,
      founding: this.#founding,
      diskFailed: (failure) => this.#diskFailed(failure),
    });
    this.#gate = "open";
    this.#flushedAtMs = now;
    this.#recordedPositionAtMs = now;
    this.#recordedSeq = baseSeq;
    this.#environment.event("gate_opened", {
      group: this.#environment.group,
      generation: opening.generation.number,
      members: opening.record.members.map((member) => member.node),
    });
    this.#environment.failover.tell({
      kind: "gate_opened",
      group: this.#environment.group,
      generation: opening.generation,
    });
    this.#tellExport();
    this.#tellFacts();
    this.#legs.open();
  }

  /** For good, in this order: nothing completes any more, then everybody hears of it. */
  #close(cause: string): void {
    if (this.#gate === "closed") return;
    const wasOpen = this.#gate !== "opening";
    this.#gate = "closed";
    this.#path?.close();
    this.#legs?.close(cause);
    const { group } = this.#environment;
    this.#environment.gateClosed(cause);
    if (wasOpen) this.#environment.event("gate_closed", { group, cause });
    this.#environment.failover.tell({
      kind: "gate_closed",
      group,
      generation: this.#options.opening.generation,
      cause,
    });
  }

  #tellExport(): void {
    const store = this.#store;
    if (!this.#exportWaits || this.#gate !== "open" || this.#path === null || store === null) return;
    const path = this.#path;
    const submit = this.#context.guard((batch: Parameters<WritePath["submit"]>[0]) => path.submit(batch));
    this.#environment.gateOpened({
      port: {
        submit,
        get writable() {
          return path.writable;
        },
      },
      volumes: store.volumes.map(({ name, size }) => ({ name, size })),
    });
  }

  #fromFailover(message: FailoverToMirror): void {
    switch (message.kind) {
      case "lease":
        if (message.generation.id !== this.#options.opening.generation.id) return;
        this.#leaseUntilMs = message.untilMs;
        this.#leaseUntilWallMs = message.untilWallMs;
        this.#path?.leaseRenewed();
        return;
      case "record_in_force":
        if (message.record.generation.id !== this.#options.opening.generation.id) return;
        this.#legs?.step({ kind: "record_in_force", version: message.record.version });
        return;
      case "higher_generation":
        return this.#close(`generation ${message.number} was promised to somebody else`);
      case "drain":
        return this.#drain(message.to);
      case "drain_cancelled":
        if (this.#gate !== "draining") return;
        this.#gate = "open";
        this.#path?.resume();
        return;
      default:
        assertNever(message);
    }
  }

  // ---- a planned move -----------------------------------------------------------------------------------------

  #drain(to: string | null): void {
    const { group, failover } = this.#environment;
    const path = this.#path;
    if (this.#gate !== "open" || path === null) {
      failover.tell({ kind: "drain_refused", group, reason: `the gate is ${this.#gate}` });
      return;
    }
    if (to !== null && this.#legs?.isInSync(to) !== true) {
      failover.tell({ kind: "drain_refused", group, reason: `${to} is not in sync` });
      return;
    }
    this.#gate = "draining";
    path.drain(() => path.barrier(() => this.#drained()));
  }

  /** Every leg that counts is stable at one position, and so is this disk: it is recorded, so that it returns exact. */
  #drained(): void {
    if (this.#gate === "draining") this.#recordPosition({ drained: true });
  }

  #recordPosition({ drained }: { drained: boolean }): void {
    const store = this.#store;
    const path = this.#path;
    invariant(store !== null && path !== null, "a position is recorded on an open store");
    this.#recordingPosition = true;
    this.#recordedPositionAtMs = this.#context.now();
    this.#recordedSeq = path.localStable;
    const stable: Position = { generation: this.#options.opening.generation.number, seq: path.localStable };
    this.#context.pipe(
      store.recordStable(stable),
      (outcome) => ({ kind: "position_persisted", drained, failure: outcome?.detail ?? null }),
      (error) => ({ kind: "position_persisted", drained, failure: error.message }),
    );
  }

  #positionPersisted({ drained, failure }: { drained: boolean; failure: string | null }): void {
    this.#recordingPosition = false;
    if (failure !== null) return this.#close(`the position could not be recorded: ${failure}`);
    if (!drained || this.#gate !== "draining" || this.#store === null) return;
    this.#environment.failover.tell({
      kind: "drained",
      group: this.#environment.group,
      position: this.#store.position,
    });
  }

  // ---- the write path's host ----------------------------------------------------------------------------------

  #pathHost(): ConstructorParameters<typeof WritePath>[0]["host"] {
    let endPosted = false;
    return {
      leaseRuns: () => this.#leaseRuns(),
      ship: (operation) => this.#legs?.ship(operation),
      guard: (work) => this.#context.guard(work),
      atTurnEnd: () => {
        if (endPosted) return;
        endPosted = true;
        this.#context.system.scheduler.atTurnEnd(this.#context.guard(() => {
          endPosted = false;
          this.#path?.endTurn();
        }));
      },
      diskFailed: (failure) => this.#diskFailed(failure),
      localStable: (seq) => {
        for (const { intentLog } of this.#store?.volumes ?? []) intentLog.localStableUpTo(seq);
      },
      writable: () => this.#environment.writable(),
      backlogFull: () => this.#legs?.backlogFull() === true,
    };
  }

  /** Both clocks: the wall clock goes on while the host is suspended (design §4.8). */
  #leaseRuns(): boolean {
    return this.#gate !== "closed" && this.#context.now() < this.#leaseUntilMs &&
      this.#context.clock.wall() < this.#leaseUntilWallMs;
  }

  #diskFailed(failure: DiskFailure): void {
    this.#store?.fail(failure);
    this.#close(`the disk failed: ${failure.detail}`);
  }

  // ---- legs ---------------------------------------------------------------------------------------------------

  #command(node: string | null, event: (node: string) => MirrorEvent): CommandOutcome {
    if (this.#gate === "open" && this.#legs !== null) return this.#legs.command(node, event);
    const message = `the gate of group ${this.#environment.group} is ${this.#gate}`;
    return { ok: false, kind: "failed", message };
  }

  // ---- now and then -------------------------------------------------------------------------------------------

  #tick(): void {
    const path = this.#path;
    const store = this.#store;
    if (this.#gate === "closed" || this.#gate === "opening" || path === null || store === null) return;
    const now = this.#context.now();
    this.#legs?.tick();
    this.#failIfBlocked(path, now);
    if (path.localStable < path.lastSeq && now - this.#flushedAtMs >= FLUSH_EVERY_MS) {
      this.#flushedAtMs = now;
      path.flush();
    }
    const due = now - this.#recordedPositionAtMs >= RECORD_POSITION_EVERY_MS;
    if (due && !this.#recordingPosition && path.localStable > this.#recordedSeq) {
      this.#recordPosition({ drained: false });
    }
    this.#tellFacts();
    path.announceWritable();
  }

  #failIfBlocked(path: WritePath, now: number): void {
    const { errorsAfterMs } = this.#environment;
    const flows = errorsAfterMs === null || this.#legs?.heldBecause(this.#leaseRuns()) === null;
    this.#heldSinceMs = flows ? Infinity : Math.min(this.#heldSinceMs, now);
    if (errorsAfterMs !== null && now - this.#heldSinceMs >= errorsAfterMs) path.failWaiting();
  }

  #tellFacts(): void {
    const store = this.#store;
    if (store === null) return;
    const view = store.view();
    const facts: ReplicaFacts = {
      groupId: view.groupId,
      history: view.history,
      position: store.position,
      disk: view.disk,
      zero: view.zero,
      role: "source",
    };
    const said = `${facts.position.generation}.${facts.position.seq}.${facts.disk}`;
    if (said === this.#toldFacts) return;
    this.#toldFacts = said;
    this.#environment.failover.tell({ kind: "replica_facts", group: this.#environment.group, facts });
  }

  #status(): MirrorStatus {
    const legs = this.#legs;
    return {
      gate: this.#gate,
      generation: this.#options.opening.generation.number,
      position: this.#store?.position ?? { generation: 0, seq: 0 },
      members: legs?.membership.recorded ?? [],
      requestedMembers: legs?.membership.requested ?? null,
      heldBecause: legs?.heldBecause(this.#leaseRuns()) ?? null,
      requestsInFlight: this.#path?.requestsInFlight ?? 0,
      legs: legs?.statuses() ?? [],
    };
  }

  #legChannel(node: string, opened: LegChannelOutcome): void {
    if (this.#legs !== null && this.#gate !== "closed") this.#legs.channel(node, opened);
    else if (opened.ok) opened.channel.destroy("the gate is closed");
  }
}

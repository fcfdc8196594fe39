/**
 * The mirror: the actor that is source of a group's volumes. It performs what its parts decide.
 *
 * - `gate.ts` may the gate open, and what must be durable first
 * - `machine.ts` with `membership.ts`: legs, and the member set
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
import type { RejoinVerdict, ReplicaView } from "../../protocol/rejoin_table.ts";
import type { DiskFailure } from "../../volume/block_device.ts";
import type { FailoverToMirror, ReplicaFacts } from "../failover/messages.ts";
import type { ReplicaStore, StoreAnswer } from "../intent_log/messages.ts";
import type { MirrorEnvironment, MirrorOptions } from "./environment.ts";
import { isFounding, openingChange, refusal } from "./gate.ts";
import { LegSession } from "./leg_session.ts";
import { type Leg, type MirrorEffect, type MirrorEvent, MirrorMachine } from "./machine.ts";
import { heldBecause, legStatus } from "./mirror_status.ts";
import type {
  CommandOutcome,
  GateName,
  LastResync,
  LegChannelOutcome,
  MirrorMessage,
  MirrorStatus,
} from "./messages.ts";
import type { Operation } from "./operation.ts";
import { WritePath } from "./write_path.ts";

const TICK_MS = 250;
/** Local writes are made stable and the position recorded at least this often, so that marks clear without a client's flush. */
const FLUSH_EVERY_MS = 1_000;
const RECORD_POSITION_EVERY_MS = 5_000;
const STORE_DEADLINE_MS = 60_000;

/** How far a leg counts: frozen where it was when its session ended, moved by acks only while it replicates. */
interface LegStanding {
  applied: number;
  stable: number;
  session: LegSession | null;
  lastResync: LastResync | null;
}

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
  readonly #standing = new Map<string, LegStanding>();
  #gate: GateName = "opening";
  #store: ReplicaStore | null = null;
  #path: WritePath | null = null;
  #machine: MirrorMachine | null = null;
  #founding = false;
  #leaseUntilMs: number;
  #leaseUntilWallMs: number;
  #exportWaits = false;
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
    for (const { node } of this.#environment.others) {
      const base = options.opening.entry.baseSeq;
      this.#standing.set(node, { applied: base, stable: base, session: null, lastResync: null });
    }
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
        return this.#step({ kind: "peer_up", node: message.node });
      case "peer_down":
        return this.#step({ kind: "peer_down", node: message.node, cause: message.cause });
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
    this.#machine = new MirrorMachine({
      self: this.#environment.node,
      record: opening.record,
      legs: this.#environment.others,
      nowMs: now,
      memberGraceMs: this.#environment.memberGraceMs,
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
    for (const node of this.#environment.reachable()) {
      if (this.#standing.has(node)) this.#step({ kind: "peer_up", node });
    }
    this.#step({ kind: "gate_opened" });
  }

  /** For good, in this order: nothing completes any more, then everybody hears of it. */
  #close(cause: string): void {
    if (this.#gate === "closed") return;
    const wasOpen = this.#gate !== "opening";
    this.#gate = "closed";
    this.#path?.close();
    for (const standing of this.#standing.values()) standing.session?.close(cause);
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
        this.#step({ kind: "record_in_force", version: message.record.version });
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
    const leg = to === null ? undefined : this.#machine?.legs.get(to);
    const isMember = to === null ||
      this.#machine?.membership.recorded.some((member) => member.node === to) === true;
    if (this.#gate !== "open" || path === null) {
      failover.tell({ kind: "drain_refused", group, reason: `the gate is ${this.#gate}` });
      return;
    }
    if (to !== null && (leg?.state.kind !== "replicating" || !isMember)) {
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
      store.update({ stable }),
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
      ship: (operation) => this.#ship(operation),
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
      backlogFull: () => this.#backlogFull(),
    };
  }

  /** Both clocks: the wall clock goes on while the host is suspended (design §4.8). */
  #leaseRuns(): boolean {
    return this.#gate !== "closed" && this.#context.now() < this.#leaseUntilMs &&
      this.#context.clock.wall() < this.#leaseUntilWallMs;
  }

  #ship(operation: Operation): void {
    for (const { session } of this.#standing.values()) {
      if (session !== null && session.attached) session.ship(operation);
    }
  }

  #backlogFull(): boolean {
    for (const { node, backlogBytesMax } of this.#environment.others) {
      const session = this.#standing.get(node)?.session;
      if (session?.attached === true && session.progress.unappliedBytes >= backlogBytesMax) return true;
    }
    return false;
  }

  #diskFailed(failure: DiskFailure): void {
    this.#store?.fail(failure);
    this.#close(`the disk failed: ${failure.detail}`);
  }

  // ---- legs ---------------------------------------------------------------------------------------------------

  #step(event: MirrorEvent): void {
    if (this.#machine === null || this.#gate === "closed") return;
    for (const effect of this.#machine.step(event, this.#context.now())) this.#perform(effect);
  }

  #perform(effect: MirrorEffect): void {
    const { node, group } = this.#environment;
    switch (effect.kind) {
      case "open_channel":
        this.#context.pipe(
          this.#environment.openLeg(effect.node),
          (opened) => ({ kind: "leg_channel", node: effect.node, opened }),
          (error) => ({
            kind: "leg_channel",
            node: effect.node,
            opened: { ok: false, cause: error.message },
          }),
        );
        return;
      case "close_session": {
        const standing = this.#standing.get(effect.node);
        standing?.session?.close(effect.cause);
        return;
      }
      case "request_record":
        this.#environment.event("member_set_requested", {
          group,
          members: effect.members.map((m) => m.node),
        });
        this.#environment.failover.tell({
          kind: "record_change",
          group,
          members: effect.members,
          reply: { reply: (outcome) => void this.#context.self.tell({ kind: "record_outcome", outcome }) },
        });
        return;
      case "set_floors":
        return this.#setFloors();
      case "leg_changed":
        this.#environment.event("leg_changed", {
          group,
          source: node,
          target: effect.node,
          state: effect.state,
          cause: effect.cause,
        });
        return;
      default:
        assertNever(effect);
    }
  }

  /** What completions wait for: every leg that counts, each as far as it is known to be. */
  #setFloors(): void {
    if (this.#machine === null || this.#path === null) return;
    let applied = Infinity;
    let stable = Infinity;
    for (const { node, mode } of this.#machine.membership.required) {
      const standing = this.#standing.get(node);
      if (mode === "sync") applied = Math.min(applied, standing?.applied ?? 0);
      stable = Math.min(stable, standing?.stable ?? 0);
    }
    this.#path.setFloors({ applied, stable });
  }

  #legChannel(node: string, opened: LegChannelOutcome): void {
    const leg = this.#machine?.legs.get(node);
    const standing = this.#standing.get(node);
    const wanted = this.#gate !== "closed" && leg?.state.kind === "connecting";
    if (!opened.ok) {
      if (wanted) this.#step({ kind: "channel_failed", node, cause: opened.cause });
      return;
    }
    if (!wanted || standing === undefined || leg === undefined) {
      opened.channel.destroy("the leg is not wanted any more");
      return;
    }
    this.#step({ kind: "channel_opened", node });
    const session = this.#newSession(node, leg, opened.channel);
    standing.session = session;
    session.start(this.#environment.group);
  }

  #newSession(
    node: string,
    leg: Leg,
    channel: Extract<LegChannelOutcome, { ok: true }>["channel"],
  ): LegSession {
    const store = this.#store;
    const path = this.#path;
    invariant(store !== null && path !== null, "legs belong to an open gate");
    const session: LegSession = new LegSession({
      node,
      store,
      channel,
      view: this.#view(store),
      founding: this.#founding && !leg.hasAttached,
      full: leg.fullRequested,
      wallNow: () => this.#context.clock.wall(),
      host: {
        self: this.#environment.node,
        others: this.#environment.others.map((other) => other.node),
        now: () => this.#context.now(),
        lastSeq: () => path.lastSeq,
        holdStill: (range, ready) => path.holdStill(range, ready),
        soon: (work) => this.#context.system.scheduler.post(this.#context.guard(work)),
        guard: (work) => this.#context.guard(work),
        judged: (from, verdict) => this.#judged(from, verdict),
        joining: (joined) => this.#step({ kind: "leg_joining", node: joined }),
        upToDate: (joined) => {
          this.#progressed(joined, session);
          this.#step({ kind: "leg_up_to_date", node: joined });
        },
        progressed: (moved) => {
          this.#progressed(moved, session);
          this.#setFloors();
          if (path.writable) this.#environment.writable();
        },
        ended: (ended, end) => this.#legEnded(ended, session, end),
        diskFailed: (failure) => this.#diskFailed(failure),
      },
    });
    return session;
  }

  #view(store: ReplicaStore): ReplicaView {
    const view = store.view();
    return {
      groupId: view.groupId,
      history: view.history,
      position: store.position,
      positionExact: true,
      disk: "up_to_date",
      zero: false,
    };
  }

  #judged(node: string, verdict: RejoinVerdict): void {
    this.#environment.event("rejoin_judged", {
      group: this.#environment.group,
      target: node,
      rule: verdict.rule,
      action: verdict.action,
      explanation: verdict.explanation,
      tailWrites: verdict.tailWrites,
    });
    if (verdict.action !== "refuse") this.#step({ kind: "leg_judged", node });
  }

  #progressed(node: string, session: LegSession): void {
    const standing = this.#standing.get(node);
    if (standing === undefined || standing.session !== session || session.phase !== "replicating") return;
    standing.applied = session.progress.appliedSeq;
    standing.stable = session.progress.stableSeq;
    standing.lastResync = session.lastResync ?? standing.lastResync;
  }

  #legEnded(
    node: string,
    session: LegSession,
    end: { cause: string; remedy: string | null; lasting: boolean },
  ): void {
    const standing = this.#standing.get(node);
    if (standing?.session !== session) return;
    standing.session = null;
    this.#step({ kind: "leg_ended", node, ...end });
    if (this.#path?.writable === true) this.#environment.writable();
  }

  #command(node: string | null, event: (node: string) => MirrorEvent): CommandOutcome {
    if (this.#gate !== "open" || this.#machine === null) {
      return {
        ok: false,
        kind: "failed",
        message: `the gate of group ${this.#environment.group} is ${this.#gate}`,
      };
    }
    if (node !== null && !this.#machine.legs.has(node)) {
      const known = [...this.#machine.legs.keys()].join(", ");
      return { ok: false, kind: "failed", message: `${node} is no leg of the group; its legs are ${known}` };
    }
    for (const leg of node === null ? [...this.#machine.legs.keys()] : [node]) this.#step(event(leg));
    return { ok: true };
  }

  // ---- now and then -------------------------------------------------------------------------------------------

  #tick(): void {
    const path = this.#path;
    const store = this.#store;
    if (this.#gate === "closed" || this.#gate === "opening" || path === null || store === null) return;
    const now = this.#context.now();
    this.#step({ kind: "tick" });
    const stable: [string, number][] = [[this.#environment.node, path.localStable]];
    for (const [node, standing] of this.#standing) {
      if (standing.session?.phase === "replicating") stable.push([node, standing.stable]);
    }
    for (const { session } of this.#standing.values()) session?.tick(stable);
    if (path.localStable < path.lastSeq && now - this.#flushedAtMs >= FLUSH_EVERY_MS) {
      this.#flushedAtMs = now;
      path.flush();
    }
    const due = now - this.#recordedPositionAtMs >= RECORD_POSITION_EVERY_MS;
    if (due && !this.#recordingPosition && path.localStable > this.#recordedSeq) {
      this.#recordPosition({ drained: false });
    }
    this.#tellFacts();
    if (path.writable) this.#environment.writable();
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
    const machine = this.#machine;
    const position = this.#store?.position ?? { generation: 0, seq: 0 };
    return {
      gate: this.#gate,
      generation: this.#options.opening.generation.number,
      position,
      members: machine?.membership.recorded ?? [],
      requestedMembers: machine?.membership.requested ?? null,
      heldBecause: machine === null ? null : heldBecause(machine, { leaseRuns: this.#leaseRuns() }),
      requestsInFlight: this.#path?.requestsInFlight ?? 0,
      legs: machine === null ? [] : [...machine.legs.values()].map((leg) => {
        const standing = this.#standing.get(leg.node);
        return legStatus({
          leg,
          isMember: machine.membership.recorded.some((member) => member.node === leg.node),
          position,
          appliedSeq: standing?.applied ?? 0,
          session: standing?.session ?? null,
          lastResync: standing?.lastResync ?? null,
          dirtyBytes: this.#dirtyBytes(leg.node),
          nowMs: this.#context.now(),
        });
      }),
    };
  }

  #dirtyBytes(node: string): number {
    let bytes = 0;
    for (const { intentLog } of this.#store?.volumes ?? []) {
      if (intentLog.peers.includes(node)) bytes += intentLog.dirtyBytes(node);
    }
    return bytes;
  }
}

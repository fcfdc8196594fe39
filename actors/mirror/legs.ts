/**
 * The legs of an open gate: performs what `machine.ts` decides about them, and holds one session and one standing each.
 *
 * A leg's *standing* is how far it counts for completions. It moves with the acks of a replicating session only, and
 * stays where it was when the session ends: a member that is gone goes on holding completions back until the set
 * without it is recorded.
 */
import { type ActorContext, assertNever } from "../../runtime/mod.ts";
import type { RejoinVerdict, ReplicaView } from "../../protocol/rejoin_table.ts";
import type { DiskFailure } from "../../volume/block_device.ts";
import type { GroupRecord } from "../../protocol/member_set.ts";
import type { ReplicaStore } from "../intent_log/messages.ts";
import type { MirrorEnvironment } from "./environment.ts";
import { LegSession } from "./leg_session.ts";
import { type Leg, type MirrorEffect, type MirrorEvent, MirrorMachine } from "./machine.ts";
import type { CommandOutcome, LastResync, LegChannelOutcome, LegStatus, MirrorMessage } from "./messages.ts";
import { heldBecause, legStatus } from "./mirror_status.ts";
import type { Operation } from "./operation.ts";
import type { WritePath } from "./write_path.ts";

interface Standing {
  applied: number;
  stable: number;
  session: LegSession | null;
  lastResync: LastResync | null;
}

export interface LegsOptions {
  readonly context: ActorContext<MirrorMessage>;
  readonly environment: MirrorEnvironment;
  readonly store: ReplicaStore;
  readonly path: WritePath;
  readonly record: GroupRecord;
  readonly baseSeq: number;
  /** See `judgeRejoin`. */
  readonly founding: boolean;
  readonly diskFailed: (failure: DiskFailure) => void;
}

export class Legs {
  readonly #options: LegsOptions;
  readonly #machine: MirrorMachine;
  readonly #standing = new Map<string, Standing>();
  #closed = false;

  constructor(options: LegsOptions) {
    const { environment, context, baseSeq } = options;
    this.#options = options;
    this.#machine = new MirrorMachine({
      self: environment.node,
      record: options.record,
      legs: environment.others,
      nowMs: context.now(),
      memberGraceMs: environment.memberGraceMs,
    });
    for (const { node } of environment.others) {
      this.#standing.set(node, { applied: baseSeq, stable: baseSeq, session: null, lastResync: null });
    }
  }

  get membership(): MirrorMachine["membership"] {
    return this.#machine.membership;
  }

  /** The gate has opened: what is reachable is tried, what is recorded is waited for. */
  open(): void {
    for (const node of this.#options.environment.reachable()) {
      if (this.#standing.has(node)) this.step({ kind: "peer_up", node });
    }
    this.step({ kind: "gate_opened" });
  }

  close(cause: string): void {
    this.#closed = true;
    for (const { session } of this.#standing.values()) session?.close(cause);
  }

  step(event: MirrorEvent): void {
    if (this.#closed) return;
    if ("node" in event && !this.#standing.has(event.node)) return;
    for (const effect of this.#machine.step(event, this.#options.context.now())) this.#perform(effect);
  }

  isInSync(node: string): boolean {
    return this.#machine.legs.get(node)?.state.kind === "replicating" &&
      this.membership.recorded.some((member) => member.node === node);
  }

  // ---- the stream ---------------------------------------------------------------------------------------------

  ship(operation: Operation): void {
    for (const { session } of this.#standing.values()) {
      if (session !== null && session.attached) session.ship(operation);
    }
  }

  /** Policy `throttle`: one leg that has too much before it holds new requests back. */
  backlogFull(): boolean {
    for (const { node, backlogBytesMax } of this.#options.environment.others) {
      const session = this.#standing.get(node)?.session;
      if (session?.attached === true && session.progress.unappliedBytes >= backlogBytesMax) return true;
    }
    return false;
  }

  /** Tells every replicating leg who is stable up to where, and looks for those that have fallen silent. */
  tick(): void {
    this.step({ kind: "tick" });
    const { environment, path } = this.#options;
    const stable: [string, number][] = [[environment.node, path.localStable]];
    for (const [node, standing] of this.#standing) {
      if (standing.session?.phase === "replicating") stable.push([node, standing.stable]);
    }
    for (const { session } of this.#standing.values()) session?.tick(stable);
  }

  // ---- what the machine wants ---------------------------------------------------------------------------------

  #perform(effect: MirrorEffect): void {
    const { environment, context } = this.#options;
    const { group } = environment;
    switch (effect.kind) {
      case "open_channel": {
        const { node } = effect;
        context.pipe(
          environment.openLeg(node),
          (opened) => ({ kind: "leg_channel", node, opened }),
          (error) => ({ kind: "leg_channel", node, opened: { ok: false, cause: error.message } }),
        );
        return;
      }
      case "close_session": {
        const standing = this.#standing.get(effect.node);
        const session = standing?.session ?? null;
        if (standing === undefined || session === null) return;
        // The machine has moved on already: this end must not be told to it as one of what comes next.
        standing.session = null;
        session.close(effect.cause);
        this.#options.path.announceWritable();
        return;
      }
      case "request_record":
        environment.event("member_set_requested", {
          group,
          members: effect.members.map((member) => member.node),
        });
        environment.failover.tell({
          kind: "record_change",
          group,
          members: effect.members,
          reply: { reply: (outcome) => void context.self.tell({ kind: "record_outcome", outcome }) },
        });
        return;
      case "set_floors":
        return this.#setFloors();
      case "leg_changed": {
        const { node, state, cause } = effect;
        environment.event("leg_changed", { group, source: environment.node, target: node, state, cause });
        return;
      }
      default:
        assertNever(effect);
    }
  }

  /** What completions wait for: every leg that counts, each as far as it is known to be. */
  #setFloors(): void {
    let applied = Infinity;
    let stable = Infinity;
    for (const { node, mode } of this.membership.required) {
      const standing = this.#standing.get(node);
      if (mode === "sync") applied = Math.min(applied, standing?.applied ?? 0);
      stable = Math.min(stable, standing?.stable ?? 0);
    }
    this.#options.path.setFloors({ applied, stable });
  }

  // ---- sessions -----------------------------------------------------------------------------------------------

  channel(node: string, opened: LegChannelOutcome): void {
    const leg = this.#machine.legs.get(node);
    const standing = this.#standing.get(node);
    const wanted = !this.#closed && leg?.state.kind === "connecting";
    if (!opened.ok) {
      if (wanted) this.step({ kind: "channel_failed", node, cause: opened.cause });
      return;
    }
    if (!wanted || standing === undefined || leg === undefined) {
      opened.channel.destroy("the leg is not wanted any more");
      return;
    }
    this.step({ kind: "channel_opened", node });
    const session = this.#newSession(leg, opened.channel);
    standing.session = session;
    session.start(this.#options.environment.group);
  }

  #newSession(leg: Leg, channel: Extract<LegChannelOutcome, { ok: true }>["channel"]): LegSession {
    const { context, environment, store, path } = this.#options;
    const session: LegSession = new LegSession({
      node: leg.node,
      store,
      channel,
      view: this.#view(),
      founding: this.#options.founding && !leg.hasAttached,
      full: leg.fullRequested,
      wallNow: () => context.clock.wall(),
      host: {
        self: environment.node,
        others: environment.others.map((other) => other.node),
        now: () => context.now(),
        lastSeq: () => path.lastSeq,
        holdStill: (range, ready) => path.holdStill(range, ready),
        soon: (work) => context.system.scheduler.post(context.guard(work)),
        guard: (work) => context.guard(work),
        judged: (node, verdict) => this.#judged(node, verdict),
        joining: (node) => this.step({ kind: "leg_joining", node }),
        upToDate: (node) => {
          this.#progressed(node, session);
          this.step({ kind: "leg_up_to_date", node });
        },
        progressed: (node) => {
          this.#progressed(node, session);
          this.#setFloors();
          path.announceWritable();
        },
        ended: (node, end) => this.#ended(node, session, end),
        diskFailed: this.#options.diskFailed,
      },
    });
    return session;
  }

  #view(): ReplicaView {
    const { store } = this.#options;
    const { groupId, history } = store.view();
    return {
      groupId,
      history,
      position: store.position,
      positionExact: true,
      disk: "up_to_date",
      zero: false,
    };
  }

  #judged(node: string, verdict: RejoinVerdict): void {
    const { event, group } = this.#options.environment;
    event("rejoin_judged", { group, target: node, ...verdict });
    if (verdict.action !== "refuse") this.step({ kind: "leg_judged", node });
  }

  #progressed(node: string, session: LegSession): void {
    const standing = this.#standing.get(node);
    if (standing === undefined || standing.session !== session || session.phase !== "replicating") return;
    standing.applied = session.progress.appliedSeq;
    standing.stable = session.progress.stableSeq;
    standing.lastResync = session.lastResync ?? standing.lastResync;
  }

  #ended(
    node: string,
    session: LegSession,
    end: { cause: string; remedy: string | null; lasting: boolean },
  ): void {
    const standing = this.#standing.get(node);
    if (standing?.session !== session) return;
    standing.session = null;
    this.step({ kind: "leg_ended", node, ...end });
    this.#options.path.announceWritable();
  }

  // ---- what people ask ----------------------------------------------------------------------------------------

  /** One leg, or all of them when `node` is null. */
  command(node: string | null, event: (node: string) => MirrorEvent): CommandOutcome {
    if (node !== null && !this.#standing.has(node)) {
      const known = [...this.#standing.keys()].join(", ");
      return { ok: false, kind: "failed", message: `${node} is no leg of the group; its legs are ${known}` };
    }
    for (const leg of node === null ? [...this.#standing.keys()] : [node]) this.step(event(leg));
    return { ok: true };
  }

  heldBecause(leaseRuns: boolean): string | null {
    return heldBecause(this.#machine, { leaseRuns });
  }

  statuses(): readonly LegStatus[] {
    const { store, context } = this.#options;
    return [...this.#machine.legs.values()].map((leg) => {
      const standing = this.#standing.get(leg.node);
      return legStatus({
        leg,
        isMember: this.membership.recorded.some((member) => member.node === leg.node),
        position: store.position,
        appliedSeq: standing?.applied ?? 0,
        session: standing?.session ?? null,
        lastResync: standing?.lastResync ?? null,
        dirtyBytes: this.#dirtyBytes(leg.node),
        nowMs: context.now(),
      });
    });
  }

  #dirtyBytes(node: string): number {
    let bytes = 0;
    for (const { intentLog } of this.#options.store.volumes) {
      if (intentLog.peers.includes(node)) bytes += intentLog.dirtyBytes(node);
    }
    return bytes;
  }
}

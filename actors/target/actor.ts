/**
 * The target: the actor that applies a source's stream to this node's disks.
 *
 * It trusts nobody's word about who is source: a stream is judged by its generation alone. Until failover has told it
 * the number that was promised (`seal_requested`) it accepts no stream at all, since a restarted target does not know
 * what its node has promised. A seal ends every stream below it, and is answered only when no disk work of that stream
 * is under way any more: the position that is answered is final (I1).
 */
import type { ActorContext, ActorSpec, Behavior, ReplyTo, StopReason } from "../../runtime/mod.ts";
import { assertNever } from "../../runtime/mod.ts";
import type { FrameChannel } from "../../protocol/frame_channel.ts";
import type { ReplicaView } from "../../protocol/rejoin_table.ts";
import type { DiskFailure } from "../../volume/block_device.ts";
import type { ReplicaFacts, SealAnswer } from "../failover/messages.ts";
import type { ReplicaStore, StoreAnswer } from "../intent_log/messages.ts";
import { type LegOpen, readFirstWord } from "./first_word.ts";
import type { TargetEnvironment } from "./environment.ts";
import type { TargetMessage, TargetStatus } from "./messages.ts";
import { TargetSession } from "./target_session.ts";

const TICK_MS = 250;
/** What was applied is made stable at least this often, so that marks clear at every replica without a client's flush. */
const FLUSH_EVERY_MS = 1_000;
/** The stable position is recorded at least this often while it moves. */
const RECORD_POSITION_EVERY_MS = 5_000;
const STORE_DEADLINE_MS = 60_000;

export function targetActor(options: { environment: TargetEnvironment }): ActorSpec<TargetMessage> {
  return {
    name: "target",
    start: (context) => new TargetActor(context, options.environment),
  };
}

/** A connection whose first word was read. */
interface Newcomer {
  readonly channel: FrameChannel;
  readonly from: string;
  readonly store: ReplicaStore;
  readonly word: LegOpen;
}

interface Seal {
  readonly number: number;
  readonly reply: ReplyTo<SealAnswer>;
}

class TargetActor implements Behavior<TargetMessage> {
  readonly #context: ActorContext<TargetMessage>;
  readonly #environment: TargetEnvironment;
  #store: ReplicaStore | null = null;
  #refused: { readonly cause: string; readonly remedy: string } | null = null;
  /** `null`: not told yet, no stream is accepted. */
  #sealed: number | null = null;
  /** Seals that wait for the store. */
  #seals: Seal[] = [];
  #session: TargetSession | null = null;
  #lastEnd: string | null = null;
  #toldFacts = "";
  #flushedAtMs = 0;
  #recordedAtMs = 0;
  #recordedSeq = -1;
  #ending: Promise<void> = Promise.resolve();

  constructor(context: ActorContext<TargetMessage>, environment: TargetEnvironment) {
    this.#context = context;
    this.#environment = environment;
    context.system.registry.register(`target:${environment.group}`, context.self);
    context.ask<unknown, StoreAnswer>(
      environment.intentLog as never,
      (reply) => ({ kind: "store_requested", reply }),
      STORE_DEADLINE_MS,
      (outcome) => {
        if (!outcome.ok) {
          const cause = `the intent log did not answer: ${outcome.error}`;
          return { kind: "store_refused", cause, remedy: "see `holdfast events`" };
        }
        const { value } = outcome;
        return value.ok ? { kind: "store_lent", store: value.store } : { ...value, kind: "store_refused" };
      },
    );
    context.every(TICK_MS, { kind: "tick" });
    environment.failover.tell({ kind: "target_started", group: environment.group });
  }

  receive(message: TargetMessage): void {
    switch (message.kind) {
      case "seal_requested":
        return this.#seal(message);
      case "leg_offered":
        return this.#offered(message);
      case "status_requested":
        return message.reply.reply(this.#status());
      case "store_lent":
        this.#store = message.store;
        for (const seal of this.#seals.splice(0)) this.#seal(seal);
        return this.#tellFacts();
      case "store_refused":
        this.#refused = { cause: message.cause, remedy: message.remedy };
        this.#environment.failover.tell({
          kind: "replica_refused",
          group: this.#environment.group,
          cause: message.cause,
          remedy: message.remedy,
        });
        for (const { reply } of this.#seals.splice(0)) reply.reply({ ok: false, reason: message.cause });
        return;
      case "tick":
        return this.#tick();
      default:
        assertNever(message);
    }
  }

  async stopping(reason: StopReason): Promise<void> {
    const session = this.#session;
    if (session === null) return;
    session.close(`the target stops (${reason.kind})`);
    // Whoever takes the store next must find it at rest.
    await new Promise<void>((resolve) => session.whenQuiet(resolve));
    await this.#ending;
  }

  inspect(): unknown {
    return { ...this.#status(), sealed: this.#sealed, lastEnd: this.#lastEnd };
  }

  // ---- sealing ------------------------------------------------------------------------------------------------

  #seal(seal: Seal): void {
    if (this.#refused !== null) return seal.reply.reply({ ok: false, reason: this.#refused.cause });
    const store = this.#store;
    if (store === null) {
      this.#seals.push(seal);
      return;
    }
    this.#sealed = Math.max(this.#sealed ?? 0, seal.number);
    const session = this.#session;
    const answer = (): void => {
      const failure = store.failure;
      if (failure !== null) seal.reply.reply({ ok: false, reason: `the disk failed: ${failure.detail}` });
      else seal.reply.reply({ ok: true, facts: this.#facts(store) });
    };
    if (session === null || session.generation >= this.#sealed) return answer();
    session.close(`generation ${this.#sealed} was promised`);
    session.whenQuiet(this.#context.guard(answer));
  }

  // ---- sessions -----------------------------------------------------------------------------------------------

  #offered({ channel, from }: Extract<TargetMessage, { kind: "leg_offered" }>): void {
    const store = this.#store;
    const failure = store?.failure ?? null;
    const reason = this.#refused?.cause ??
      (failure !== null
        ? `the disk failed: ${failure.detail}`
        : store === null || this.#sealed === null
        ? "the target is starting"
        : null);
    if (reason !== null || store === null) {
      channel.sendMessage({
        kind: "leg_refused",
        reason: "not_ready",
        detail: reason ?? "the target is starting",
      });
      channel.end();
      return;
    }
    readFirstWord(channel, {
      guard: (work) => this.#context.guard(work),
      opened: (word) => this.#opened({ channel, from, store, word }),
      failed: (cause) =>
        this.#environment.event("target_session_ended", {
          group: this.#environment.group,
          source: from,
          cause,
        }),
    });
  }

  /** The newcomer takes over unless what it offers is older than what runs here, or than what was promised. */
  #opened(newcomer: Newcomer): void {
    const { channel, from, store, word } = newcomer;
    const before = this.#session;
    const generation = word.view.history.at(-1)?.generation.number ?? 0;
    const running = before !== null && before.phase !== "ended" ? before.generation : 0;
    const lowest = Math.max(running, this.#refusedBelow(store));
    if (generation < lowest) {
      const detail = `generation ${generation} is below ${lowest}, which is in force here or was promised`;
      channel.sendMessage({ kind: "leg_refused", reason: "lower_generation", detail });
      channel.end();
      return;
    }
    before?.close(`${from} opened a new connection`);
    // The old session's disk work must be over before the new one judges where the replica stands.
    if (before === null) this.#begin(newcomer);
    else before.whenQuiet(this.#context.guard(() => this.#begin(newcomer)));
  }

  #begin({ channel, from, store, word }: Newcomer): void {
    if (this.#session !== null && this.#session.phase !== "ended") {
      channel.destroy("another connection came first");
      return;
    }
    const { group } = this.#environment;
    const session = new TargetSession({
      from,
      channel,
      store,
      host: {
        self: this.#environment.node,
        group,
        sealed: () => this.#refusedBelow(store),
        view: () => this.#view(store),
        atTurnEnd: (work) => this.#context.system.scheduler.atTurnEnd(this.#context.guard(work)),
        guard: (work) => this.#context.guard(work),
        judged: (source, verdict) =>
          this.#environment.event("rejoin_judged_here", {
            group,
            source,
            rule: verdict.rule,
            action: verdict.action,
            explanation: verdict.explanation,
          }),
        changed: () => this.#changed(),
        diskFailed: (failure) => this.#diskFailed(store, failure),
        ended: (cause) => this.#ended(cause),
      },
    });
    this.#session = session;
    session.start(word);
  }

  /** Also below what the disk itself has followed: a vote that was lost must not open it to an older source. */
  #refusedBelow(store: ReplicaStore): number {
    return Math.max(this.#sealed ?? Infinity, store.view().history.at(-1)?.generation.number ?? 0);
  }

  #changed(): void {
    const session = this.#session;
    if (session === null) return;
    this.#environment.event("target_changed", {
      group: this.#environment.group,
      source: session.from,
      state: session.phase,
    });
    this.#tellFacts();
  }

  #ended(cause: string): void {
    this.#lastEnd = cause;
    const session = this.#session;
    this.#environment.event("target_session_ended", {
      group: this.#environment.group,
      source: session?.from ?? null,
      cause,
    });
    const store = this.#store;
    if (store === null || session === null) return;
    // What was applied becomes stable now, and the position with it: the next start then knows how far it was.
    session.whenQuiet(this.#context.guard(() => {
      this.#ending = this.#recordPosition(store);
      this.#tellFacts();
    }));
  }

  #diskFailed(store: ReplicaStore, failure: DiskFailure): void {
    store.fail(failure);
    this.#tellFacts();
  }

  // ---- now and then -------------------------------------------------------------------------------------------

  #tick(): void {
    const session = this.#session;
    const now = this.#context.now();
    if (session !== null && session.phase !== "ended" && now - this.#flushedAtMs >= FLUSH_EVERY_MS) {
      this.#flushedAtMs = now;
      session.flushApplied();
    }
    this.#tellFacts();
    const store = this.#store;
    if (store === null || session?.phase !== "replicating") return;
    if (now - this.#recordedAtMs < RECORD_POSITION_EVERY_MS) return;
    this.#recordedAtMs = now;
    this.#ending = this.#recordPosition(store);
  }

  /** Only a position at which the disk is a prefix of the stream is worth recording: not one inside a window. */
  async #recordPosition(store: ReplicaStore): Promise<void> {
    const view = store.view();
    const stable = store.position;
    if (store.closed || store.failure !== null || view.groupId === null || view.disk === "inconsistent") {
      return;
    }
    if (stable.seq === this.#recordedSeq) return;
    const session = this.#session;
    if ((await store.flush()) !== null) return;
    // A session that began meanwhile may be rolling this position back: what it records must come last.
    if (session !== this.#session) return;
    if ((await store.recordStable(stable)) === null) this.#recordedSeq = stable.seq;
  }

  #tellFacts(): void {
    const store = this.#store;
    if (store === null) return;
    const facts = this.#facts(store);
    const said = JSON.stringify([facts.position, facts.disk, facts.role, facts.history.length]);
    if (said === this.#toldFacts) return;
    this.#toldFacts = said;
    this.#environment.failover.tell({ kind: "replica_facts", group: this.#environment.group, facts });
  }

  #facts(store: ReplicaStore): ReplicaFacts {
    const view = store.view();
    const inWindow = this.#session?.phase === "window";
    return {
      groupId: view.groupId,
      history: view.history,
      position: store.position,
      disk: inWindow ? "inconsistent" : view.disk,
      zero: view.zero,
      role: this.#session?.phase === "replicating" ? "target" : "none",
    };
  }

  #view(store: ReplicaStore): ReplicaView {
    const view = store.view();
    return {
      groupId: view.groupId,
      history: view.history,
      position: store.position,
      positionExact: store.positionExact,
      disk: view.disk,
      zero: view.zero,
    };
  }

  #status(): TargetStatus {
    const store = this.#store;
    const session = this.#session;
    const failure = store?.failure ?? null;
    const position = store?.position ?? { generation: 0, seq: 0 };
    const disk = failure !== null ? "failed" : store === null ? "attaching" : store.view().disk;
    if (this.#refused !== null) {
      return { state: "failed", source: null, disk: "failed", position, ...this.#refused };
    }
    const fine = { source: session?.from ?? null, disk, position, cause: null, remedy: null };
    if (failure !== null) {
      return {
        ...fine,
        state: "failed",
        cause: failure.detail,
        remedy: "replace the disk, then restart the node",
      };
    }
    if (store === null) return { ...fine, state: "opening" };
    if (this.#sealed === null) return { ...fine, state: "unsealed" };
    switch (session?.phase) {
      case "replicating":
        return { ...fine, state: "replicating" };
      case "window":
        return {
          ...fine,
          state: "window",
          cause: `is being resynchronised from ${session.from}`,
          remedy: null,
        };
      case "opening":
      case "judged":
      case "listening":
        return { ...fine, state: "handshaking" };
      default:
        return { ...fine, source: null, state: "waiting", cause: this.#lastEnd, remedy: null };
    }
  }
}

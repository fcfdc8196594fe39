/**
 * The intent_log actor: owner of a replica's disks on this node. It opens them, lends them, and closes them cleanly.
 *
 * It is first in its group's supervisor (rest_for_one): when it dies, whoever borrowed the store dies too and starts
 * again from what is durable. A disk that must not be opened (another group's, another program's) is no crash: nothing
 * would be better the second time, so the actor stays and says what a person has to do.
 */
import type { ActorContext, ActorSpec, Behavior, ReplyTo, StopReason } from "../../runtime/mod.ts";
import { assertNever } from "../../runtime/mod.ts";
import type { GroupStore } from "../../volume/group_store.ts";
import { LentStore } from "./replica_store.ts";
import { heatStrip } from "../../volume/heat_strip.ts";
import type { IntentLogMessage, IntentLogStatus, StoreAnswer, VolumeHeat } from "./messages.ts";

/** What the node gives to the actor. */
export interface IntentLogEnvironment {
  /** The store, or why not; a remedy for a person comes along. Never rejects. */
  open(): Promise<
    { readonly ok: true; readonly store: GroupStore } | {
      readonly ok: false;
      readonly cause: string;
      readonly remedy: string;
    }
  >;
  event(kind: string, fields: Readonly<Record<string, unknown>>): void;
}

type State =
  | { readonly kind: "opening" }
  | { readonly kind: "open"; readonly store: GroupStore; readonly lent: LentStore }
  | { readonly kind: "refused"; readonly cause: string; readonly remedy: string };

/** Who waits for the store: the mirror or target of the group, and a status now and then. */
const WAITING_MAX = 64;

export function intentLogActor(
  options: { group: string; environment: IntentLogEnvironment },
): ActorSpec<IntentLogMessage> {
  // Over all incarnations: files that are opened again are taken away from whoever opened them before, and the opening of
  // an incarnation that was killed goes on without it.
  let before: Promise<unknown> = Promise.resolve();
  const open: IntentLogEnvironment["open"] = () => {
    const next = () => options.environment.open();
    const opened = before.then(next, next);
    before = opened;
    return opened;
  };
  return {
    name: "intent_log",
    start: (context) =>
      new IntentLogActor(context, { ...options, environment: { ...options.environment, open } }),
  };
}

const BUSY: StoreAnswer = {
  ok: false,
  cause: "the disks are still at work for whoever had them before",
  remedy: "wait a moment and ask again",
};

class IntentLogActor implements Behavior<IntentLogMessage> {
  readonly #context: ActorContext<IntentLogMessage>;
  readonly #group: string;
  readonly #environment: IntentLogEnvironment;
  readonly #waiting: ReplyTo<StoreAnswer>[] = [];
  #state: State = { kind: "opening" };

  constructor(
    context: ActorContext<IntentLogMessage>,
    options: { group: string; environment: IntentLogEnvironment },
  ) {
    this.#context = context;
    this.#group = options.group;
    this.#environment = options.environment;
    context.system.registry.register(`intent_log:${options.group}`, context.self);
    context.pipe(
      this.#environment.open(),
      (opened) => opened.ok ? { kind: "opened", store: opened.store } : { ...opened, kind: "refused" },
      (error) => ({ kind: "refused", cause: error.message, remedy: "see the node's log" }),
    );
  }

  receive(message: IntentLogMessage): void {
    switch (message.kind) {
      case "store_requested":
        return this.#storeRequested(message.reply);
      case "settled":
        return this.#tellWaiting();
      case "status_requested":
        message.reply.reply(this.#status());
        return;
      case "heat_requested":
        message.reply.reply(this.#state.kind === "open" ? heatOf(this.#state.store, message.cells) : null);
        return;
      case "opened":
        this.#opened(message.store);
        return;
      case "refused":
        this.#state = { kind: "refused", cause: message.cause, remedy: message.remedy };
        this.#environment.event("disk_refused", {
          group: this.#group,
          cause: message.cause,
          remedy: message.remedy,
        });
        this.#tellWaiting();
        return;
      default:
        assertNever(message);
    }
  }

  /** The store is lent when it is open and at rest: nothing of a former borrower may land behind the next one's back. */
  #storeRequested(reply: ReplyTo<StoreAnswer>): void {
    const state = this.#state;
    const rests = state.kind === "refused" || (state.kind === "open" && !state.lent.busy);
    if (rests || this.#waiting.length >= WAITING_MAX) {
      reply.reply(this.#answer());
      return;
    }
    this.#waiting.push(reply);
    if (state.kind !== "open" || this.#waiting.length > 1) return;
    this.#context.pipe(state.lent.settled(), () => ({ kind: "settled" }), () => ({ kind: "settled" }));
  }

  async stopping(_reason: StopReason): Promise<void> {
    if (this.#state.kind !== "open") return;
    const { store, lent } = this.#state;
    lent.close();
    await lent.settled();
    // What stands in memory only is certain now that nobody writes any more: recorded, the next start is exact.
    const flushed = lent.failure === null ? await store.flush() : lent.failure;
    if (flushed === null && store.view().disk !== "inconsistent" && store.view().groupId !== null) {
      await store.update({ stable: lent.position });
    }
    const closed = flushed === null ? await store.closeClean() : flushed;
    if (closed !== null) {
      await store.abandon();
      this.#environment.event("disk_not_closed", { group: this.#group, cause: closed.detail });
    }
  }

  inspect(): unknown {
    return { ...this.#status(), waiting: this.#waiting.length };
  }

  #opened(store: GroupStore): void {
    const lent = new LentStore({
      store,
      now: () => this.#context.now(),
      onFailure: (failure) =>
        this.#environment.event("disk_failed", { group: this.#group, cause: failure.detail }),
    });
    this.#state = { kind: "open", store, lent };
    for (const note of store.notes) this.#environment.event("disk_note", { group: this.#group, note });
    this.#tellWaiting();
  }

  #tellWaiting(): void {
    const answer = this.#answer();
    for (const reply of this.#waiting.splice(0)) reply.reply(answer);
  }

  #answer(): StoreAnswer {
    switch (this.#state.kind) {
      case "open":
        if (this.#state.lent.busy) return BUSY;
        // Lent to one at a time: whoever had it before is dead, and may have been killed in the middle of a write.
        for (const { intentLog } of this.#state.store.volumes) intentLog.takeOver();
        return { ok: true, store: this.#state.lent };
      case "refused":
        return { ok: false, cause: this.#state.cause, remedy: this.#state.remedy };
      case "opening":
        return {
          ok: false,
          cause: "the disks are still being opened",
          remedy: "wait a moment and ask again",
        };
      default:
        return assertNever(this.#state);
    }
  }

  #status(): IntentLogStatus {
    const state = this.#state;
    switch (state.kind) {
      case "opening":
        return { state: "opening", cause: null, remedy: null, notes: [] };
      case "refused":
        return { state: "refused", cause: state.cause, remedy: state.remedy, notes: [] };
      case "open": {
        const failure = state.lent.failure;
        return {
          state: failure === null ? "open" : "failed",
          cause: failure?.detail ?? null,
          remedy: failure === null ? null : "replace the disk, then restart the node",
          notes: state.store.notes,
        };
      }
      default:
        return assertNever(state);
    }
  }
}

function heatOf(store: GroupStore, cells: number): VolumeHeat[] {
  return store.volumes.map(({ name, intentLog }) => ({
    volume: name,
    size: intentLog.size,
    towards: Object.fromEntries(
      intentLog.peers.map((peer) => [peer, heatStrip(intentLog.bitmap(peer), { cells })]),
    ),
  }));
}

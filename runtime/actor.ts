/**
 * What an actor is, as its author sees it: a name, a `start` that returns a behaviour, and a context to act with.
 *
 * An actor owns its state alone and takes one message at a time; a throw is a crash and its supervisor acts. A
 * `Ref` outlives crashes: a restart makes a new *incarnation* behind the same ref, with the mail that was waiting.
 * So what must die with an incarnation (timers, watches, questions, guarded callbacks) hangs on the context, of
 * which every incarnation gets a new one, and every function of a dead context is a no-op.
 *
 * Rejected: `async receive` (a second message could run between two halves of the first, and state would change
 * under an `await`); classes to inherit from (a behaviour is three functions, and composing beats overriding).
 */
import type { ActorSystem } from "./system.ts";
import type { ChildSpec } from "./child_spec.ts";
import type { Clock, TimerHandle } from "./clock.ts";
import type { Log } from "./log.ts";
import type { Random } from "./random.ts";

/** An address to tell messages to. It stays good across restarts of the actor behind it. */
export interface Ref<M> {
  /** Names from the root down, joined by `/`, e.g. `node/sessions/session:7`; a remote one is `node!name`. */
  readonly path: string;
  /**
   * Puts the message into the actor's mailbox. Never throws. False when it was not accepted: the actor is gone
   * for good, its data lane is full under the policy `refuse`, or the link to its node is down. True promises no more
   * than acceptance; who needs an answer asks. Messages of one sender in one lane arrive in order.
   */
  tell(message: M): boolean;
}

/** Control is served strictly before data. The runtime's own system lane comes before both. */
export type Lane = "control" | "data";

export interface MailboxOptions<M> {
  /** Which lane a message takes; without it all take `control`. A throw is a crash of the receiving actor. */
  readonly lane?: (message: M) => Lane;
  /** Messages waiting in the control lane, default 65 536. At the bound the actor is crashed: it has a bug. */
  readonly controlMax?: number;
  /** Messages waiting in the data lane, default 1 024. */
  readonly dataMax?: number;
  /** What a full data lane does with one more: refuse it (default), forget the oldest, or crash the actor. */
  readonly atDataMax?: "refuse" | "drop_oldest" | "crash";
}

/** Why an incarnation of an actor ended. */
export type StopReason =
  | { readonly kind: "normal" }
  | { readonly kind: "shutdown" }
  /** Like kill -9: `stopping` was not called. Also when `stopping` took longer than its `shutdownMs`. */
  | { readonly kind: "killed" }
  | { readonly kind: "crashed"; readonly error: string; readonly stack?: string }
  | { readonly kind: "intensity_exceeded"; readonly child: string }
  /** The target of a watch, link or question was already gone. */
  | { readonly kind: "not_running" }
  /** A remote actor's node is gone: its link was lost, or a new incarnation of the node appeared. */
  | { readonly kind: "node_down"; readonly node: string };

export interface Behavior<M> {
  /** One message, to its end. A throw is a crash: the message is gone, the rest of the mail waits for the restart. */
  receive(message: M): void;
  /**
   * An orderly stop (never after a crash or a kill), after this actor's children have stopped. No message is received any
   * more, guarded callbacks still run. Bounded by `shutdownMs`; a throw or rejection counts as a crash.
   */
  stopping?(reason: StopReason): void | Promise<void>;
  /** Plain data: the state as a person wants to see it. */
  inspect?(): unknown;
}

export interface ActorSpec<M> {
  /** One path segment: not empty, without `/`. */
  readonly name: string;
  /** For `inspect`, e.g. `supervisor`; default `actor`. */
  readonly kind?: string;
  readonly mailbox?: MailboxOptions<M>;
  /** Makes a new incarnation. A throw is a failed start, which counts as a crash. */
  start(context: ActorContext<M>): Behavior<M>;
}

/** The end of one incarnation of a watched actor. */
export interface Down {
  readonly path: string;
  readonly reason: StopReason;
}

/** What `watch` answers; hand it to `unwatch`. */
export interface WatchHandle {
  readonly path: string;
}

/** Where to answer a question. At most one answer counts; later ones are ignored, so are those past the deadline. */
export interface ReplyTo<A> {
  reply(answer: A): void;
}

/**
 * `deadline`: no answer in time (the target may have crashed on the question, or still work on it).
 * `not_running`: the target was gone. `refused`: its data lane was full.
 */
export type AskOutcome<A> =
  | { readonly ok: true; readonly value: A }
  | { readonly ok: false; readonly error: "deadline" | "not_running" | "refused" };

/** What one incarnation acts with. After its death every function here is a no-op. */
export interface ActorContext<M> {
  readonly self: Ref<M>;
  readonly system: ActorSystem;
  readonly clock: Clock;
  readonly random: Random;
  /** Carries the actor's path. */
  readonly log: Log;
  /** 1 for the first start, one more for each restart. */
  readonly incarnation: number;
  /** Monotonic milliseconds, = `clock.now()`. */
  now(): number;
  /** Tells this actor `message` once, in `delayMs`, on its control lane. */
  after(delayMs: number, message: M): TimerHandle;
  /** Tells this actor `message` each `periodMs` > 0, without drift; periods that were missed are skipped. */
  every(periodMs: number, message: M): TimerHandle;
  /** Callable twice, and for a timer that has fired. */
  cancel(timer: TimerHandle): void;
  /**
   * Starts a child of this actor, which is stopped when this incarnation ends. Its `start` runs at once; one that throws is
   * treated like any crash. Without a supervisor's say a child may restart three times in five seconds (or by its own
   * `intensity`), then this actor crashes with `intensity_exceeded`. Throws if a child of that name exists. While this actor stops
   * nothing is started: the ref is that of a dead actor.
   */
  spawn<C>(child: ChildSpec<C>): Ref<C>;
  /**
   * Exactly one `down` when the present incarnation of the target ends, whatever the reason; at once (`not_running`) when
   * the target is gone. To see the next incarnation's end, watch again. While a target waits for its restart, the watch is for the
   * incarnation to come.
   */
  watch(target: Ref<never> | string, onDown: (down: Down) => M): WatchHandle;
  /** After this no `down` is delivered for that watch. */
  unwatch(handle: WatchHandle): void;
  /** Both fall together: when one ends with any reason but `normal`, so does the other. Local actors only. */
  link(target: Ref<never>): void;
  /** The outcome of foreign work as a message. */
  pipe<T>(promise: Promise<T>, onValue: (value: T) => M, onError: (error: Error) => M): void;
  /** A question that never hangs: exactly one outcome within `deadlineMs`, as a message. */
  ask<Q, A>(
    target: Ref<Q>,
    request: (reply: ReplyTo<A>) => Q,
    deadlineMs: number,
    onReply: (outcome: AskOutcome<A>) => M,
  ): void;
  /** Runs foreign callbacks (sockets, files) inside this actor's crash boundary: their throw is this actor's crash. */
  guard<A extends unknown[]>(work: (...args: A) => void): (...args: A) => void;
  /** Ends this incarnation when the present message is done; default `normal`. `stopping` is called. */
  stopSelf(reason?: StopReason): void;
}

/** One line for people and logs. */
export function describeReason(reason: StopReason): string {
  switch (reason.kind) {
    case "crashed":
      return `crashed: ${reason.error}`;
    case "intensity_exceeded":
      return `restart intensity exceeded by ${reason.child}`;
    case "node_down":
      return `node ${reason.node} is down`;
    default:
      return reason.kind;
  }
}

/**
 * What every state of the failover machine sees, and how it says where to go next. Pure.
 *
 *                    source lost            my turn            majority promised, nobody better
 *     watching ──────────────▶ suspecting ────────▶ electing ────────────────────▶ (fencing) ─▶ promoting
 *        ▲  ▲ ◀── source heard ──┘  ▲   ▲              │                                          │ gate open
 *        │  │                       │   └ try again ───┤ cannot now                               ▼
 *        │  └── source heard ─── blocked ◀─────────────┘                                     in_service
 *        │                                                                                        │
 *        └───────────────────────── demoting ◀── higher generation, mirror gone, switchover ──────┘
 *
 * A state is a class whose fields live and die with it. It answers an event with the state to go to, or null to
 * stay. `machine.ts` alone makes states. Fencing is passed through: none can be configured yet.
 */
import type { ReplyTo } from "../../../runtime/mod.ts";
import type { Generation } from "../../../protocol/position.ts";
import type { Verdict } from "../candidate.ts";
import type { Effect, FreshIds, GroupEvent, Moment } from "../effects.ts";
import type { Knowledge } from "../knowledge.ts";
import type { Explanation, FailoverState, SwitchoverOutcome } from "../messages.ts";
import type { RemoteFailover } from "../remote_messages.ts";
import type { Term } from "../term.ts";
import type { VoterMachine } from "../voter_machine.ts";

export interface Scene extends Moment {
  readonly known: Knowledge;
  readonly voter: VoterMachine;
  readonly emit: (effect: Effect) => void;
  /** To a failover actor, this node's own included. */
  readonly send: (node: string, body: RemoteFailover) => void;
}

export type Promotion = Extract<Verdict, { kind: "promote" }>;

export type Transition =
  | { readonly to: "watching"; readonly holdBackUntilMs: number }
  /** `before`: what to show while the attempt is only repeated. */
  | {
    readonly to: "suspecting";
    readonly cause: string;
    readonly standAtMs: number;
    readonly before: Explanation | null;
  }
  | { readonly to: "electing"; readonly ids: FreshIds; readonly before: Explanation | null }
  | { readonly to: "promoting"; readonly generation: Generation; readonly promotion: Promotion }
  | { readonly to: "in_service"; readonly term: Term }
  | { readonly to: "blocked"; readonly cause: string; readonly remedy: string }
  | { readonly to: "demoting"; readonly demotion: Demotion };

export interface Demotion {
  readonly generation: Generation;
  readonly cause: string;
  /** Set: the gate is closed already, nothing is waited for. */
  readonly gateClosed: boolean;
  /** Who should follow; others hold back. */
  readonly successor: string | null;
  readonly reply: ReplyTo<SwitchoverOutcome> | null;
}

export interface GroupState {
  readonly kind: FailoverState;
  /** Once, right after the state was made. */
  enter(scene: Scene): Transition | null;
  on(event: GroupEvent, scene: Scene): Transition | null;
  /** When it wants to be woken, at the latest. */
  wakeAtMs(scene: Scene): number;
  explain(scene: Scene): Explanation;
}

/** A gate of this node is open or may be. */
export function isServing(state: GroupState): boolean {
  return state.kind === "in_service" || state.kind === "demoting" ||
    (state.kind === "promoting" && "opening" in state && state.opening === true);
}

/** Stand when it is this node's turn, at once when the candidacy was offered to it. */
export function suspect(
  scene: Scene,
  cause: string,
  options: { readonly before?: Explanation | null } = {},
): Transition {
  const standAtMs = scene.nowMs + scene.known.staggerMs(scene.voter);
  return { to: "suspecting", cause, standAtMs, before: options.before ?? null };
}

export function suspectAt(cause: string, standAtMs: number, before: Explanation | null): Transition {
  return { to: "suspecting", cause, standAtMs, before };
}

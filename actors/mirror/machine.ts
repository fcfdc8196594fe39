/**
 * What the mirror decides about its legs and its member set. Pure: `step(event) → effects`.
 *
 * ```text
 *            connect              channel             state judged        copied            up to date
 *  offline ─────────▶ connecting ─────────▶ handshaking ─────────▶ resyncing ─────▶ joining ─────▶ replicating
 *     ▲  ▲─────────────────┴─────────────────────┴────────────────────┴───────────────┴──────────────┘ ended
 *     │ resume                                   └─ verdict «refuse» ──▶ diverged ──(person)──▶ offline
 *  paused ◀── pause, from anywhere
 * ```
 *
 * The rule that all of this serves: a member that is not replicating any more leaves the recorded set *before* any
 * completion goes on without it, whatever the reason (design §4.5). So every path that leads out of `replicating` or
 * `joining` ends in the same function, which asks `Membership` what has to be recorded.
 */
import { assertNever, invariant } from "../../runtime/invariant.ts";
import type { GroupRecord, LegMode, Member, MemberMode } from "../../protocol/member_set.ts";
import type { LegStateName } from "./messages.ts";
import { Membership } from "./membership.ts";

/** Between two attempts to reach a leg that answered badly or not at all. A peer that comes up is tried at once. */
export const RETRY_MS = 500;

export type LegState =
  | { readonly kind: "offline"; readonly cause: string; readonly retryAtMs: number }
  | { readonly kind: "connecting" }
  | { readonly kind: "handshaking" }
  | { readonly kind: "resyncing" }
  | { readonly kind: "joining" }
  | { readonly kind: "replicating" }
  | { readonly kind: "paused" }
  | { readonly kind: "diverged"; readonly cause: string; readonly remedy: string };

export interface Leg {
  readonly node: string;
  readonly mode: LegMode;
  state: LegState;
  /** The peer's control connection is up. */
  reachable: boolean;
  /** It was replicating and was lost, or its time to appear is over: it cannot be waited for any more. */
  lost: boolean;
  /** The next session copies everything, as a person asked. */
  fullRequested: boolean;
  /** A window was opened to it in this generation: marks towards it may have been cleared since. */
  hasAttached: boolean;
}

export type MirrorEvent =
  | { readonly kind: "gate_opened" }
  | { readonly kind: "peer_up"; readonly node: string }
  | { readonly kind: "peer_down"; readonly node: string; readonly cause: string }
  | { readonly kind: "channel_opened"; readonly node: string }
  | { readonly kind: "channel_failed"; readonly node: string; readonly cause: string }
  | { readonly kind: "leg_judged"; readonly node: string }
  | { readonly kind: "leg_joining"; readonly node: string }
  | { readonly kind: "leg_up_to_date"; readonly node: string }
  | {
    readonly kind: "leg_ended";
    readonly node: string;
    readonly cause: string;
    readonly remedy: string | null;
    readonly lasting: boolean;
  }
  | { readonly kind: "record_in_force"; readonly version: number }
  | { readonly kind: "pause_requested"; readonly node: string }
  | { readonly kind: "resume_requested"; readonly node: string }
  | { readonly kind: "resync_requested"; readonly node: string; readonly full: boolean }
  | { readonly kind: "tick" };

export type MirrorEffect =
  | { readonly kind: "open_channel"; readonly node: string }
  | { readonly kind: "close_session"; readonly node: string; readonly cause: string }
  | { readonly kind: "request_record"; readonly members: readonly Member[] }
  /** The legs that completions wait for may have changed. */
  | { readonly kind: "set_floors" }
  | {
    readonly kind: "leg_changed";
    readonly node: string;
    readonly state: LegStateName;
    readonly cause: string | null;
  };

export class MirrorMachine {
  readonly membership: Membership;
  readonly legs: ReadonlyMap<string, Leg>;
  readonly #openedAtMs: number;
  readonly #memberGraceMs: number;

  /** @param memberGraceMs how long a recorded member may take to appear after the gate opened */
  constructor(options: {
    self: string;
    record: GroupRecord;
    legs: readonly { readonly node: string; readonly mode: LegMode }[];
    nowMs: number;
    memberGraceMs: number;
  }) {
    const modes = new Map<string, MemberMode>();
    for (const { node, mode } of options.legs) if (mode !== "async") modes.set(node, mode);
    this.membership = new Membership({ self: options.self, record: options.record, modes });
    this.legs = new Map(options.legs.map(({ node, mode }) => [node, {
      node,
      mode,
      state: { kind: "offline", cause: "not connected yet", retryAtMs: options.nowMs },
      reachable: false,
      lost: false,
      fullRequested: false,
      hasAttached: false,
    }]));
    this.#openedAtMs = options.nowMs;
    this.#memberGraceMs = options.memberGraceMs;
  }

  step(event: MirrorEvent, nowMs: number): readonly MirrorEffect[] {
    const effects: MirrorEffect[] = [];
    switch (event.kind) {
      case "gate_opened":
      case "tick":
        this.#reconnect(nowMs, effects);
        break;
      case "record_in_force":
        if (event.version > this.membership.version && this.membership.requested !== null) {
          this.membership.changeRecorded(event.version);
        }
        break;
      default:
        this.#stepLeg(this.#leg(event.node), event, { nowMs, effects });
    }
    this.#settleMembers(nowMs, effects);
    return effects;
  }

  #stepLeg(
    leg: Leg,
    event: Exclude<MirrorEvent, { kind: "gate_opened" | "tick" | "record_in_force" }>,
    { nowMs, effects }: { nowMs: number; effects: MirrorEffect[] },
  ): void {
    switch (event.kind) {
      case "peer_up":
        // It was away: a person may have replaced its disk, as the remedy says. A second refusal touches nothing either.
        if (leg.state.kind === "diverged" && !leg.reachable) {
          this.#enter(leg, { kind: "offline", cause: "its node came back", retryAtMs: nowMs }, effects);
        }
        leg.reachable = true;
        if (leg.state.kind === "offline") this.#connect(leg, effects);
        return;
      case "peer_down":
        leg.reachable = false;
        this.#end(leg, {
          effects,
          state: { kind: "offline", cause: event.cause, retryAtMs: nowMs + RETRY_MS },
        });
        return;
      case "channel_opened":
        if (leg.state.kind === "connecting") this.#enter(leg, { kind: "handshaking" }, effects);
        return;
      case "channel_failed":
        if (leg.state.kind === "connecting") {
          this.#enter(leg, { kind: "offline", cause: event.cause, retryAtMs: nowMs + RETRY_MS }, effects);
        }
        return;
      case "leg_judged":
        if (leg.state.kind !== "handshaking") return;
        leg.hasAttached = true;
        this.#enter(leg, { kind: "resyncing" }, effects);
        return;
      case "leg_joining":
        invariant(leg.state.kind === "resyncing", "a leg joins out of its resync window");
        this.#enter(leg, { kind: "joining" }, effects);
        return;
      case "leg_up_to_date":
        invariant(leg.state.kind === "joining", "I12: a leg is up to date after it joined");
        leg.lost = false;
        leg.fullRequested = false;
        this.#enter(leg, { kind: "replicating" }, effects);
        return;
      case "leg_ended":
        this.#ended(leg, event, { nowMs, effects });
        return;
      case "pause_requested":
        this.#end(leg, { effects, state: { kind: "paused" } });
        return;
      case "resume_requested":
        if (leg.state.kind !== "paused") return;
        this.#enter(leg, { kind: "offline", cause: "resuming", retryAtMs: nowMs }, effects);
        this.#connect(leg, effects);
        return;
      case "resync_requested":
        leg.fullRequested = leg.fullRequested || event.full;
        this.#end(leg, {
          effects,
          state: { kind: "offline", cause: "resync was asked for", retryAtMs: nowMs },
        });
        this.#connect(leg, effects);
        return;
      default:
        assertNever(event);
    }
  }

  #ended(
    leg: Leg,
    event: Extract<MirrorEvent, { kind: "leg_ended" }>,
    { nowMs, effects }: { nowMs: number; effects: MirrorEffect[] },
  ): void {
    // A session that the machine itself closed has nothing more to say.
    if (!hasSession(leg.state)) return;
    this.#lose(leg);
    const state: LegState = event.lasting
      ? { kind: "diverged", cause: event.cause, remedy: event.remedy ?? "see `holdfast events`" }
      : { kind: "offline", cause: event.cause, retryAtMs: nowMs + RETRY_MS };
    this.#enter(leg, state, effects);
  }

  /** Ends what the leg is doing and goes to `state`. */
  #end(leg: Leg, { effects, state }: { effects: MirrorEffect[]; state: LegState }): void {
    if (state.kind === "offline" && (leg.state.kind === "paused" || leg.state.kind === "diverged")) {
      if (leg.state.kind === "diverged" && state.cause === "resync was asked for") {
        this.#enter(leg, state, effects);
      }
      return;
    }
    if (hasSession(leg.state)) {
      const cause = state.kind === "offline" ? state.cause : "paused by an operator";
      effects.push({ kind: "close_session", node: leg.node, cause });
    }
    this.#lose(leg);
    this.#enter(leg, state, effects);
  }

  #lose(leg: Leg): void {
    if (leg.state.kind === "replicating" || leg.state.kind === "joining") leg.lost = true;
  }

  #enter(leg: Leg, state: LegState, effects: MirrorEffect[]): void {
    leg.state = state;
    effects.push({ kind: "leg_changed", node: leg.node, state: legStateName(state), cause: causeOf(state) });
  }

  #connect(leg: Leg, effects: MirrorEffect[]): void {
    if (leg.state.kind !== "offline" || !leg.reachable) return;
    leg.state = { kind: "connecting" };
    effects.push({ kind: "open_channel", node: leg.node });
  }

  #reconnect(nowMs: number, effects: MirrorEffect[]): void {
    for (const leg of this.legs.values()) {
      if (leg.state.kind === "offline" && leg.state.retryAtMs <= nowMs) this.#connect(leg, effects);
    }
  }

  /** Tells the membership how each leg stands and asks what has to be recorded. */
  #settleMembers(nowMs: number, effects: MirrorEffect[]): void {
    const graceOver = nowMs >= this.#openedAtMs + this.#memberGraceMs;
    for (const leg of this.legs.values()) {
      if (leg.mode === "async") continue;
      if (leg.state.kind === "replicating") this.membership.setFitness(leg.node, "up_to_date");
      else if (leg.state.kind === "joining") this.membership.setFitness(leg.node, "joining");
      else if (leg.lost || graceOver || leg.state.kind === "paused" || leg.state.kind === "diverged") {
        this.membership.setFitness(leg.node, "lost");
      }
    }
    const members = this.membership.nextChange();
    if (members !== null) effects.push({ kind: "request_record", members });
    effects.push({ kind: "set_floors" });
  }

  #leg(node: string): Leg {
    const leg = this.legs.get(node);
    invariant(leg !== undefined, "an event names a replica of the group");
    return leg;
  }
}

/** The word that status, events and metrics use. */
export function legStateName(state: LegState): LegStateName {
  switch (state.kind) {
    case "connecting":
      return "handshaking";
    case "joining":
      return "resyncing";
    default:
      return state.kind;
  }
}

function causeOf(state: LegState): string | null {
  switch (state.kind) {
    case "offline":
    case "diverged":
      return state.cause;
    case "paused":
      return "paused by an operator";
    default:
      return null;
  }
}

function hasSession(state: LegState): boolean {
  return state.kind === "handshaking" || state.kind === "resyncing" || state.kind === "joining" ||
    state.kind === "replicating" || state.kind === "connecting";
}

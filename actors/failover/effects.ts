/**
 * What goes into the machine of a group and what comes out: events are facts, effects are orders. Pure.
 *
 * The actor performs effects in order and brings each outcome back as an event. `wake` is the only event that carries
 * fresh random ids, because elections begin there and nowhere else: a machine rolls no dice.
 */
import type { ReplyTo } from "../../runtime/mod.ts";
import type { Member } from "../../protocol/member_set.ts";
import type { Generation, Position } from "../../protocol/position.ts";
import type {
  FailoverToMirror,
  GroupSummary,
  Opening,
  RecordChangeOutcome,
  ReplicaFacts,
  SealAnswer,
  SwitchoverOutcome,
} from "./messages.ts";
import type { RemoteFailover } from "./remote_messages.ts";
import type { Vote } from "./vote_format.ts";

export interface FreshIds {
  /** 32 hexadecimal digits each. */
  readonly generationId: string;
  readonly groupId: string;
}

export type VoteReady =
  | { readonly ok: true; readonly vote: Vote }
  | { readonly ok: false; readonly cause: string; readonly remedy: string };

export type GroupEvent =
  | { readonly kind: "wake"; readonly ids: FreshIds; readonly healthy: boolean }
  | { readonly kind: "vote_ready"; readonly opened: VoteReady }
  | { readonly kind: "vote_stored"; readonly failure: string | null }
  | { readonly kind: "sealed"; readonly number: number; readonly answer: SealAnswer }
  | { readonly kind: "became_target" }
  | { readonly kind: "gate_opened"; readonly generation: Generation }
  | { readonly kind: "gate_closed"; readonly generation: Generation; readonly cause: string }
  | { readonly kind: "mirror_down"; readonly cause: string }
  | {
    readonly kind: "record_change";
    readonly members: readonly Member[];
    readonly reply: ReplyTo<RecordChangeOutcome>;
  }
  | { readonly kind: "drained"; readonly position: Position }
  | { readonly kind: "drain_refused"; readonly reason: string }
  | { readonly kind: "target_started" }
  | { readonly kind: "replica_facts"; readonly facts: ReplicaFacts }
  | { readonly kind: "replica_refused"; readonly cause: string; readonly remedy: string }
  | { readonly kind: "peer_up"; readonly node: string; readonly incarnation: string }
  | { readonly kind: "peer_suspected"; readonly node: string }
  | { readonly kind: "peer_down"; readonly node: string; readonly cause: string }
  | { readonly kind: "summary"; readonly from: string; readonly summary: GroupSummary }
  | {
    readonly kind: "remote";
    readonly from: string;
    readonly incarnation: string;
    readonly body: RemoteFailover;
  }
  | { readonly kind: "switchover"; readonly to: string; readonly reply: ReplyTo<SwitchoverOutcome> }
  | { readonly kind: "stop_gracefully" };

export type Effect =
  | { readonly kind: "send"; readonly to: string; readonly body: RemoteFailover }
  | { readonly kind: "store"; readonly vote: Vote }
  | { readonly kind: "seal"; readonly number: number }
  | { readonly kind: "become_source"; readonly opening: Opening }
  | { readonly kind: "become_target"; readonly cause: string }
  | { readonly kind: "tell_mirror"; readonly message: FailoverToMirror }
  | { readonly kind: "publish"; readonly summary: GroupSummary }
  | { readonly kind: "note"; readonly event: string; readonly fields: Readonly<Record<string, unknown>> }
  | {
    readonly kind: "answer_change";
    readonly reply: ReplyTo<RecordChangeOutcome>;
    readonly outcome: RecordChangeOutcome;
  }
  | {
    readonly kind: "answer_switchover";
    readonly reply: ReplyTo<SwitchoverOutcome>;
    readonly outcome: SwitchoverOutcome;
  }
  /** This group needs this node no more. `resigned` false: its lease merely runs out. */
  | { readonly kind: "stopped"; readonly resigned: boolean };

/** Both clocks at one instant. */
export interface Moment {
  readonly nowMs: number;
  readonly wallMs: number;
}

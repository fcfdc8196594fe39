/** What the mirror of a group is told and asked. The data path is no message: see `VolumePort`. */
import type { ReplyTo } from "../../runtime/mod.ts";
import type { LegMode, Member } from "../../protocol/member_set.ts";
import type { Position } from "../../protocol/position.ts";
import type { RejoinRule } from "../../protocol/rejoin_table.ts";
import type { FailoverToMirror, RecordChangeOutcome } from "../failover/messages.ts";
import type { FrameChannel } from "../../protocol/frame_channel.ts";
import type { ReplicaStore } from "../intent_log/messages.ts";
import type { VolumePort } from "../../volume/volume_request.ts";

export type LegStateName =
  | "offline"
  | "handshaking"
  | "resyncing"
  | "replicating"
  | "lagging"
  | "paused"
  | "diverged";

export type ResyncKind = "partial" | "full" | "hash";

export interface ResyncProgress {
  readonly kind: ResyncKind;
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
  /** `null` while the rate is not known yet. */
  readonly etaSeconds: number | null;
}

export interface LastResync {
  readonly kind: ResyncKind;
  readonly verdict: RejoinRule;
  readonly copiedBytes: number;
  readonly seconds: number;
  /** Unix ms. */
  readonly at: number;
}

export interface LegStatus {
  readonly node: string;
  readonly mode: LegMode;
  readonly leg: LegStateName;
  readonly isMember: boolean;
  /** Why the leg is not replicating, and what would mend it. */
  readonly cause: string | null;
  readonly remedy: string | null;
  readonly disk: string;
  readonly position: Position;
  readonly lag: { readonly writes: number; readonly bytes: number; readonly seconds: number };
  readonly dirtyBytes: number;
  readonly resync: ResyncProgress | null;
  readonly lastResync: LastResync | null;
}

export type GateName = "closed" | "opening" | "open" | "draining";

export interface MirrorStatus {
  readonly gate: GateName;
  readonly generation: number;
  readonly position: Position;
  readonly members: readonly Member[];
  /** The set that waits for a majority of voters. */
  readonly requestedMembers: readonly Member[] | null;
  /** Why completions are held (lease, a leg that is leaving, a change not recorded); `null` when they flow. */
  readonly heldBecause: string | null;
  readonly requestsInFlight: number;
  readonly legs: readonly LegStatus[];
}

export type CommandOutcome = { readonly ok: true } | {
  readonly ok: false;
  /** `refused`: for safety. */
  readonly kind: "refused" | "failed";
  readonly message: string;
};

export type MirrorMessage =
  | FailoverToMirror
  | { readonly kind: "peer_up"; readonly node: string }
  | { readonly kind: "peer_down"; readonly node: string; readonly cause: string }
  /** From the group's export when it (re)starts. */
  | { readonly kind: "export_started" }
  /** `node` null: all legs. */
  | {
    readonly kind: "leg_pause_requested";
    readonly node: string | null;
    readonly reply: ReplyTo<CommandOutcome>;
  }
  | {
    readonly kind: "leg_resume_requested";
    readonly node: string | null;
    readonly reply: ReplyTo<CommandOutcome>;
  }
  | {
    readonly kind: "leg_resync_requested";
    readonly node: string | null;
    readonly full: boolean;
    readonly reply: ReplyTo<CommandOutcome>;
  }
  | { readonly kind: "status_requested"; readonly reply: ReplyTo<MirrorStatus> }
  | MirrorInternalMessage;

/** The mirror's own timers and outcomes of work it started. */
export type MirrorInternalMessage =
  | { readonly kind: "store_lent"; readonly store: ReplicaStore }
  | { readonly kind: "store_refused"; readonly cause: string }
  | { readonly kind: "gate_persisted"; readonly failure: string | null }
  | { readonly kind: "position_persisted"; readonly drained: boolean; readonly failure: string | null }
  | { readonly kind: "leg_channel"; readonly node: string; readonly opened: LegChannelOutcome }
  | { readonly kind: "record_outcome"; readonly outcome: RecordChangeOutcome }
  | { readonly kind: "tick" };

/** The data connection of a leg, or why there is none. */
export type LegChannelOutcome =
  | { readonly ok: true; readonly channel: FrameChannel }
  | { readonly ok: false; readonly cause: string };

/** What the export of the group is told by the mirror. */
export interface GateOpenForExport {
  readonly port: VolumePort;
  readonly volumes: readonly { readonly name: string; readonly size: number }[];
}

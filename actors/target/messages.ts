/** What the target of a group is told and asked. The stream itself is no message: frames come from the leg's channel. */
import type { FrameChannel } from "../../protocol/frame_channel.ts";
import type { ReplyTo } from "../../runtime/mod.ts";
import type { Position } from "../../protocol/position.ts";
import type { ReplicaStore } from "../intent_log/messages.ts";
import type { SealAnswer } from "../failover/messages.ts";

export interface TargetStatus {
  /** `waiting`: no source has offered a leg; `window`: being resynchronised, not promotable. */
  readonly state: "opening" | "failed" | "unsealed" | "waiting" | "handshaking" | "window" | "replicating";
  readonly source: string | null;
  readonly disk: string;
  readonly position: Position;
  readonly cause: string | null;
  readonly remedy: string | null;
}

export type TargetMessage =
  /**
   * From failover, when the target starts and before every promise: streams of a generation below `number` are refused
   * from now on. The facts answered are final for every lower generation.
   */
  | { readonly kind: "seal_requested"; readonly number: number; readonly reply: ReplyTo<SealAnswer> }
  /** A source has connected for this group; the target owns the channel from here on. */
  | { readonly kind: "leg_offered"; readonly channel: FrameChannel; readonly from: string }
  | { readonly kind: "status_requested"; readonly reply: ReplyTo<TargetStatus> }
  | TargetInternalMessage;

export type TargetInternalMessage =
  | { readonly kind: "store_lent"; readonly store: ReplicaStore }
  | { readonly kind: "store_refused"; readonly cause: string; readonly remedy: string }
  | { readonly kind: "tick" };

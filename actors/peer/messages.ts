/** What the actor of a peer is told. There is one per other node: `peer:<node>`. */
import type { FrameChannel } from "../../protocol/frame_channel.ts";
import type { DialOutcome } from "./dial.ts";

export type PeerMessage =
  /** The peer dialled and was admitted; the channel is paused and belongs to this actor from here on. */
  | { readonly kind: "connection_accepted"; readonly channel: FrameChannel; readonly incarnation: string }
  /** For a registered actor of the peer. May be lost: who needs an answer asks again. */
  | { readonly kind: "tell_requested"; readonly to: string; readonly from: string; readonly body: unknown }
  /** Its own timers and outcomes. */
  | { readonly kind: "tick" }
  | { readonly kind: "retry_due" }
  | { readonly kind: "dial_ended"; readonly outcome: DialOutcome };

/** What the actor of a peer needs from its node. Nothing here waits or throws. */
import type { Gauge } from "../../runtime/mod.ts";
import type { RemoteNode } from "../../runtime/mod.ts";
import type { GroupSummary } from "../../protocol/messages.ts";
import type { ReportEvent } from "../events/messages.ts";
import type { DialOutcome } from "./dial.ts";
import type { PeerOptions } from "./machine.ts";
import type { PeerBoard } from "./peer_board.ts";

export interface PeerEnvironment extends PeerOptions {
  readonly board: PeerBoard;
  /** Calls one address of the peer for a control connection. */
  dial(address: string): Promise<DialOutcome>;
  /** What this node's heartbeats say of each group. */
  summaries(): readonly GroupSummary[];
  /** The runtime's remote watches on that node. */
  readonly remote: RemoteNode;
  /** Mail of the peer for an actor here. False: there is none of that name that the peer may tell. */
  deliver(mail: RemoteMail): boolean;
  up(incarnation: string): void;
  suspected(cause: string): void;
  down(cause: string): void;
  heard(groups: readonly GroupSummary[]): void;
  /** `heartbeat_rtt_seconds`, labels `peer`. */
  readonly rtt: Gauge;
  readonly event: ReportEvent;
}

export interface RemoteMail {
  readonly to: string;
  readonly node: string;
  readonly incarnation: string;
  readonly from: string;
  readonly body: unknown;
}

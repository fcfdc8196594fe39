/** What the mirror of a group needs from the rest of its node: the only way it touches anything. */
import type { Ref } from "../../runtime/mod.ts";
import type { LegMode } from "../../protocol/member_set.ts";
import type { FailoverMessage, Opening } from "../failover/messages.ts";
import type { IntentLogMessage } from "../intent_log/messages.ts";
import type { GateOpenForExport, LegChannelOutcome } from "./messages.ts";

export interface MirrorReplica {
  readonly node: string;
  readonly mode: LegMode;
  /** Bytes shipped to it and not yet applied at which requests wait (policy `throttle`). */
  readonly backlogBytesMax: number;
}

export interface MirrorEnvironment {
  readonly node: string;
  readonly group: string;
  /** All other replicas, in the order of priority. */
  readonly others: readonly MirrorReplica[];
  /** How long a recorded member may take to appear after the gate opened before it leaves the set. */
  readonly memberGraceMs: number;
  /** `onBlocked: error`: after waiting so long for a lease or a leg, requests end with errors. Null: they wait. */
  readonly errorsAfterMs: number | null;
  readonly intentLog: Ref<IntentLogMessage>;
  readonly failover: Ref<FailoverMessage>;
  /** The nodes whose control connection is up now; changes come as `peer_up` and `peer_down`. */
  reachable(): readonly string[];
  /** A data connection to the target of this group on that node, handshake done, nothing read from it yet. Never rejects. */
  openLeg(node: string): Promise<LegChannelOutcome>;
  /** To the group's export. */
  gateOpened(gate: GateOpenForExport): void;
  gateClosed(cause: string): void;
  writable(): void;
  event(kind: string, fields: Readonly<Record<string, unknown>>): void;
}

export interface MirrorOptions {
  readonly opening: Opening;
  readonly environment: MirrorEnvironment;
}

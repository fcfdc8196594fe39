/** What the admin actor and its doors need from their node. */
import type { ActorsReport, AdminCommand } from "../../protocol/admin_messages.ts";
import type { RegionsReport } from "../../protocol/admin_questions.ts";
import type { ClusterConfig } from "../../config/cluster_config.ts";
import type { EventAnswer, EventFollower, EventQuery } from "../events/messages.ts";
import type { FailoverStatus, GroupSummary, SwitchoverOutcome } from "../failover/messages.ts";
import type { CommandOutcome } from "../mirror/messages.ts";
import type { OpenDoor } from "./messages.ts";
import type { NodeOpinion, ReplicaAnswer, StatusFacts } from "./status_facts.ts";
import type { TraceTable } from "./trace_table.ts";

/** Questions to the other actors; each is answered within its deadline, by `null` if by nothing else. */
export interface AdminEnvironment {
  readonly config: ClusterConfig;
  readonly node: string;
  readonly incarnation: string;
  readonly version: string;
  readonly runtime: string;
  uptimeSeconds(): number;
  /** Unix ms. */
  wallMs(): number;
  health(): StatusFacts["health"];
  nodes(): readonly NodeOpinion[];
  heard(group: string): ReadonlyMap<string, GroupSummary>;
  nbdUris(node: string, volume: string): readonly string[];
  failoverStatus(): Promise<readonly FailoverStatus[] | null>;
  replicaStatus(group: string): Promise<ReplicaAnswer>;
  events(query: EventQuery): Promise<EventAnswer | null>;
  /** False: too many follow already. */
  follow(follower: EventFollower): Promise<boolean>;
  unfollow(follower: EventFollower): void;
  /** Resolves after `delayMs`, or when `cancelled` does. */
  wait(delayMs: number, cancelled: Promise<void>): Promise<void>;
  actors(): ActorsReport;
  /** At once, as a bug of its own would end it. False: nobody runs at that path. */
  killActor(path: string): boolean;
  metricsText(): Promise<string>;
  /** Monotonic ms. */
  nowMs(): number;
  /** Where the HTTP door of a node is, as the configuration says; null: it has none. */
  httpOf(node: string): string | null;
  /** What the actor at that path shows of itself, as bounded plain data. */
  stateOf(path: string): unknown;
  readonly traces: TraceTable;
  /** The marks of a group's disks here; null: none is open. */
  regions(group: string, cells: number): Promise<RegionsReport["volumes"] | null>;
  /** Who is source of the group, as far as this node knows. */
  source(group: string): string | null;
  commandMirror(command: MirrorCommand): Promise<CommandOutcome | null>;
  switchover(command: {
    readonly group: string;
    readonly to: string;
    readonly deadlineMs: number;
  }): Promise<SwitchoverOutcome | null>;
  /** To the admin actor of another node. False: there is no connection to it. */
  send(node: string, body: unknown): boolean;
  /** Opens the HTTP doors; what an earlier incarnation left open is closed first. */
  openDoors(): Promise<
    { readonly ok: true; readonly door: OpenDoor } | { readonly ok: false; readonly detail: string }
  >;
}

export interface MirrorCommand {
  readonly command: Exclude<AdminCommand, { readonly kind: "switchover" }>;
  readonly leg: string | null;
  readonly deadlineMs: number;
}

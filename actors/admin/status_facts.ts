/** Pure: everything a status is composed of, as the other actors tell it. */
import type { FailoverStatus, GroupSummary } from "../failover/messages.ts";
import type { MirrorStatus } from "../mirror/messages.ts";
import type { TargetStatus } from "../target/messages.ts";
import type { GroupConfig } from "../../config/cluster_config.ts";

/** What this node thinks of another. */
export interface NodeOpinion {
  readonly node: string;
  readonly opinion: "unknown" | "up" | "suspected" | "down";
  readonly cause: string | null;
  readonly paths: readonly {
    readonly address: string;
    readonly state: "up" | "suspected" | "down";
    readonly rttMs: number | null;
  }[];
}

/** What the replica of a group on this node says of itself. */
export type ReplicaAnswer =
  | { readonly kind: "mirror"; readonly status: MirrorStatus }
  | { readonly kind: "target"; readonly status: TargetStatus }
  /** This node holds no replica of the group. */
  | { readonly kind: "none" }
  /** It holds one, and nobody answered. */
  | { readonly kind: "silent"; readonly cause: string };

export interface GroupFacts {
  readonly config: GroupConfig;
  /** `null`: failover did not answer. */
  readonly failover: FailoverStatus | null;
  readonly replica: ReplicaAnswer;
  /** Who is source, as far as this node knows: by its own failover, or by what others said. */
  readonly source: string | null;
  /** Nodes with a replica that are not up. */
  readonly absent: readonly string[];
  /** What the other nodes said last in their heartbeats. */
  readonly heard: ReadonlyMap<string, GroupSummary>;
}

export interface StatusFacts {
  readonly cluster: string;
  readonly node: string;
  readonly incarnation: string;
  /** Unix ms. */
  readonly wallMs: number;
  readonly uptimeSeconds: number;
  readonly version: string;
  readonly runtime: string;
  /** The configuration as people call it in commands: its file. */
  readonly configFile: string;
  readonly listen: readonly string[];
  readonly health: {
    readonly healthy: boolean;
    readonly cause: string | null;
    readonly remedy: string | null;
  };
  readonly nodes: readonly NodeOpinion[];
  readonly groups: readonly GroupFacts[];
  /** Where the volumes of a source are served. */
  nbdUris(node: string, volume: string): readonly string[];
}

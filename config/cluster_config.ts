/**
 * The configuration as the program uses it: every default filled in, every path absolute, every number with its
 * unit in its name. Made by `load_config.ts` alone; who holds one knows that it was checked as a whole.
 *
 * Lists where the file has maps, because the order of replicas is their priority and must not hang on how a runtime
 * orders the keys of an object.
 */
import type { LegMode } from "../protocol/member_set.ts";

export interface ClusterConfig {
  readonly cluster: string;
  /** Absolute path of the file it was read from. */
  readonly file: string;
  /** Undefined: all nodes are on one machine, and none proves its name. */
  readonly security?: SecurityConfig | undefined;
  readonly nodes: readonly NodeConfig[];
  readonly heartbeat: HeartbeatConfig;
  readonly groups: readonly GroupConfig[];
}

export interface NodeConfig {
  readonly name: string;
  /** Where peers connect, in the order in which they try. At least one. */
  readonly listen: readonly PeerAddress[];
  /** Where clients of volumes connect; may be empty. */
  readonly nbd: readonly Address[];
  /** Admin door and metrics; undefined: on the unix socket `<state>/admin.sock` alone. */
  readonly http: TcpAddress | undefined;
}

/** Absolute paths in which `{node}` stands for a node's name. */
export interface SecurityConfig {
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
}

export interface TcpAddress {
  readonly scheme: "tcp";
  /** An IPv4 address, an IPv6 address without brackets, or a name. */
  readonly host: string;
  /** 0–65535; 0 only in tests: the system picks one. */
  readonly port: number;
  /** `tcp://127.0.0.1:7401`, `tcp://[::1]:7401`. */
  readonly text: string;
}

export interface UnixAddress {
  readonly scheme: "unix";
  /** Absolute. */
  readonly path: string;
  /** `unix:/run/holdfast/nbd.sock`. */
  readonly text: string;
}

export type Address = TcpAddress | UnixAddress;

/** TCP with a certificate shown by each side: between nodes, with `security`. */
export interface TlsAddress {
  readonly scheme: "tls";
  readonly host: string;
  readonly port: number;
  /** `tls://10.0.0.3:7401`. */
  readonly text: string;
}

export type PeerAddress = Address | TlsAddress;

export interface HeartbeatConfig {
  readonly intervalMs: number;
  readonly leaseMs: number;
}

export interface GroupConfig {
  readonly name: string;
  readonly volumes: readonly VolumeConfig[];
  /** The first has the highest priority. Their nodes are the group's voters. */
  readonly replicas: readonly ReplicaConfig[];
  readonly failover: "auto";
  readonly quorum: "majority";
  /** What a client sees while the group is blocked: waiting, or errors. */
  readonly onBlocked: "suspend" | "error";
}

export interface VolumeConfig {
  readonly name: string;
  /** A multiple of 512. */
  readonly sizeBytes: number;
}

export interface ReplicaConfig {
  readonly node: string;
  /** How its leg completes writes while another node is source. */
  readonly mode: LegMode;
  /** One for each volume of the group, in the group's order. */
  readonly disks: readonly DiskConfig[];
  readonly backlog: BacklogConfig;
}

export interface DiskConfig {
  readonly volume: string;
  /** Absolute path of a file (created sparse when it does not exist) or a block device. */
  readonly path: string;
  /** Absolute folder of the superblock and the intent log; by default `<path>.holdfast`. */
  readonly metadata: string;
}

export interface BacklogConfig {
  /** What may wait on the leg before its policy applies. */
  readonly bytes: number;
  readonly onFull: "throttle";
}

export function nodeNamed(config: ClusterConfig, name: string): NodeConfig | undefined {
  return config.nodes.find((node) => node.name === name);
}

/** Where `node` has its certificate and key, and the authority's certificate. */
export function tlsFilesOf(security: SecurityConfig, node: string): SecurityConfig["tls"] {
  const { ca, cert, key } = security.tls;
  const of = (path: string) => path.replaceAll("{node}", node);
  return { ca: of(ca), cert: of(cert), key: of(key) };
}

export function groupNamed(config: ClusterConfig, name: string): GroupConfig | undefined {
  return config.groups.find((group) => group.name === name);
}

/** The groups of which `node` holds a replica, each with that replica. */
export function replicasOn(
  config: ClusterConfig,
  node: string,
): { group: GroupConfig; replica: ReplicaConfig }[] {
  return config.groups.flatMap((group) => {
    const replica = group.replicas.find((each) => each.node === node);
    return replica === undefined ? [] : [{ group, replica }];
  });
}

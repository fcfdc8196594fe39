/**
 * What the actors of one node have in common: boards to look at, tables, doors and meters. Made once per process, it
 * outlives every incarnation of every actor; nothing in it is durable and nothing waits.
 */
import { invariant, type Random, SlabPool } from "../../runtime/mod.ts";
import {
  type ClusterConfig,
  type GroupConfig,
  type NodeConfig,
  nodeNamed,
  replicasOn,
} from "../../config/cluster_config.ts";
import type { FrameChannel } from "../../protocol/frame_channel.ts";
import type { Introduction } from "../../protocol/handshake.ts";
import { OUR_PROTOCOL } from "../../protocol/version.ts";
import { metered, WireMeter } from "../../transports/filters/meter.ts";
import type { TransportTable } from "../../transports/schemes.ts";
import { NBD_SLAB_BYTES } from "../../volume/nbd/limits.ts";
import type { EventFields } from "../events/messages.ts";
import { ExportTable } from "../export/export_table.ts";
import { IoMeter } from "../export/io_meter.ts";
import { Vitals } from "../health/environment.ts";
import { WatchedOpener } from "../health/watched_opener.ts";
import type { Caller } from "../peer/dial.ts";
import { PeerBoard } from "../peer/peer_board.ts";
import { ActorNames } from "./actor_names.ts";
import { Door } from "./door.ts";
import { GroupBoard } from "./group_board.ts";
import { nbdUris } from "./nbd_uris.ts";
import { createNodeMetrics, type NodeMetrics } from "./node_metrics.ts";
import { RoleTable } from "./role_table.ts";
import type { NodeWorld } from "./world.ts";

export interface NodeIdentity {
  readonly config: ClusterConfig;
  readonly node: string;
  /** Of this process; minted by `mintIncarnation`. */
  readonly incarnation: string;
  readonly version: string;
  readonly runtime: string;
}

export interface NodeParts extends NodeIdentity {
  readonly world: NodeWorld;
  readonly own: NodeConfig;
  readonly others: readonly NodeConfig[];
  /** Groups of which this node holds a replica. */
  readonly groups: readonly GroupConfig[];
  readonly names: ActorNames;
  readonly peers: PeerBoard;
  readonly board: GroupBoard;
  readonly roles: RoleTable;
  readonly exports: ExportTable;
  readonly meter: IoMeter;
  readonly metrics: NodeMetrics;
  readonly vitals: Vitals;
  readonly opener: WatchedOpener;
  /** By group: the data connection that its target was handed last. It must not outlive a target that is killed. */
  readonly legs: Map<string, FrameChannel>;
  readonly slabs: SlabPool;
  readonly caller: Caller;
  readonly peerDoor: Door;
  readonly nbdDoor: Door;
  readonly startedAtMs: number;
  event(kind: string, fields: EventFields): void;
  nbdUris(node: string, volume: string): readonly string[];
}

/** Free slabs kept for connections that come and go. */
const IDLE_SLABS_MAX = 16;

/** 16 hexadecimal digits: no two lives of a node have the same. */
export function mintIncarnation(random: Random): string {
  return random.hex(16);
}

export function createParts(world: NodeWorld, identity: NodeIdentity): NodeParts {
  const { config, node, incarnation } = identity;
  const { system } = world;
  const own = nodeNamed(config, node);
  invariant(own !== undefined, "only a node of the configuration is started");
  const others = config.nodes.filter(({ name }) => name !== node);
  const groups = replicasOn(config, node).map(({ group }) => group);
  const names = new ActorNames(system.registry);
  const metrics = createNodeMetrics(system, identity);
  const { meter, transports } = meters(world, metrics);
  const slabs = new SlabPool({ slabBytes: NBD_SLAB_BYTES, idleMax: IDLE_SLABS_MAX });
  const self: Introduction = { cluster: config.cluster, node, incarnation, offer: OUR_PROTOCOL };
  const board = new GroupBoard();
  const event = (kind: string, fields: EventFields) => {
    names.events()?.tell({ kind: "event_happened", name: kind, fields });
  };
  const onTrouble = (detail: string) => system.log.warn("accepting_failed", { cause: detail });
  const nbdDoor = new Door({
    addresses: own.nbd.map(({ text }) => text),
    transports: world.transports,
    onTrouble,
  });
  const uris = (of: string, volume: string) => {
    const inForce = of === node ? nbdDoor.addresses : [];
    const configured = nodeNamed(config, of)?.nbd.map(({ text }) => text) ?? [];
    return nbdUris(inForce.length > 0 ? inForce : configured, volume);
  };
  return {
    ...identity,
    world,
    own,
    others,
    groups,
    names,
    peers: new PeerBoard(),
    board,
    roles: new RoleTable(groups.map(({ name }) => name)),
    exports: exportTable(node, { groups, board, uris }),
    meter,
    metrics,
    vitals: new Vitals(),
    legs: new Map(),
    opener: new WatchedOpener(world.opener, () => system.clock.now()),
    slabs,
    caller: {
      self,
      transports,
      slabs,
      clock: system.clock,
      timeoutMs: Math.max(1_000, config.heartbeat.leaseMs),
    },
    peerDoor: new Door({ addresses: own.listen.map(({ text }) => text), transports, onTrouble }),
    nbdDoor,
    startedAtMs: system.clock.now(),
    event,
    nbdUris: uris,
  };
}

/** What is counted in plain numbers is handed on when somebody reads the metrics. */
function meters(world: NodeWorld, metrics: NodeMetrics): { meter: IoMeter; transports: TransportTable } {
  const { clock, metrics: registry } = world.system;
  const meter = new IoMeter(
    { requests: metrics.ioRequests, bytes: metrics.ioBytes, durations: metrics.ioDurations },
    () => clock.now(),
  );
  const wire = new WireMeter();
  registry.beforeText(() => {
    meter.collect();
    wire.collect((bytes, labels) => metrics.wireBytes.add(bytes, labels));
  });
  return { meter, transports: metered(world.transports, wire) };
}

function exportTable(
  node: string,
  known: {
    readonly groups: readonly GroupConfig[];
    readonly board: GroupBoard;
    readonly uris: (node: string, volume: string) => readonly string[];
  },
): ExportTable {
  return new ExportTable({
    node,
    volumes: known.groups.flatMap((group) => group.volumes.map(({ name }) => ({ group: group.name, name }))),
    servedElsewhere: ({ group, name }) => {
      const source = known.board.source(group);
      return source === null || source === node ? null : { node: source, uris: known.uris(source, name) };
    },
  });
}

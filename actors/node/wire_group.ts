/**
 * The tree of one group: the disks, then whoever works on them, then the door to it (`rest_for_one`).
 *
 * Both actors of the replica slot are known to the supervisor, so that each keeps its name, its mailbox and its place
 * in the order; the one whose role it is not rests, ended, until `roles.ts` swaps them. A supervisor that is started
 * anew begins as target, whatever it was.
 */
import {
  type ActorSpec,
  type ChildSpec,
  invariant,
  supervisor,
  type SupervisorMessage,
} from "../../runtime/mod.ts";
import type { GroupConfig, ReplicaConfig } from "../../config/cluster_config.ts";
import { openGroupStore } from "../../volume/open_group_store.ts";
import { OpenFailure } from "../../volume/open_failure.ts";
import { exportActor } from "../export/actor.ts";
import type { ExportMessage } from "../export/messages.ts";
import { intentLogActor, type IntentLogEnvironment } from "../intent_log/actor.ts";
import { mirrorActor } from "../mirror/actor.ts";
import type { MirrorEnvironment } from "../mirror/environment.ts";
import type { LegChannelOutcome, MirrorMessage } from "../mirror/messages.ts";
import { dialInOrder } from "../peer/dial.ts";
import { targetActor } from "../target/actor.ts";
import type { TargetMessage } from "../target/messages.ts";
import { named } from "./actor_names.ts";
import type { NodeParts } from "./parts.ts";

/** Local recovery: more restarts than this in the period, and it has failed (design §3). */
const GROUP_INTENSITY = { restarts: 5, periodMs: 30_000 };
/** Closing the disks flushes them. */
const CLOSE_DISKS_MS = 20_000;
/** How long recorded members may take to appear after the gate has opened before they leave the set. */
const MEMBER_GRACE_LEASES = 2;

export function groupSpec(parts: NodeParts, group: GroupConfig): ActorSpec<SupervisorMessage> {
  const children: readonly ChildSpec<never>[] = [
    {
      spec: intentLogActor({ group: group.name, environment: intentLogEnvironment(parts, group) }),
      restart: "permanent",
      shutdownMs: CLOSE_DISKS_MS,
    } as ChildSpec<never>,
    { spec: targetSpec(parts, group), restart: "transient" } as ChildSpec<never>,
    { spec: mirrorSpec(parts, group), restart: "transient" } as ChildSpec<never>,
    { spec: exportSpec(parts, group), restart: "permanent" } as ChildSpec<never>,
  ];
  const tree = supervisor({
    name: `group:${group.name}`,
    strategy: "rest_for_one",
    intensity: GROUP_INTENSITY,
    children,
  });
  return named(`group:${group.name}`, {
    ...tree,
    start(context) {
      parts.roles.reset(group.name);
      return tree.start(context);
    },
  });
}

function targetSpec(parts: NodeParts, group: GroupConfig): ActorSpec<TargetMessage> {
  return {
    name: "target",
    start(context) {
      // One that was killed closed nothing: its source would wait for acks of frames that nobody reads.
      parts.legs.get(group.name)?.destroy("the target that held it has ended");
      parts.legs.delete(group.name);
      if (parts.roles.role(group.name).kind !== "target") return resting(context);
      const { intentLog, failover } = neighbours(parts, group);
      const environment = { node: parts.node, group: group.name, intentLog, failover, event: parts.event };
      return named(`target:${group.name}`, targetActor({ environment })).start(context);
    },
  };
}

function mirrorSpec(parts: NodeParts, group: GroupConfig): ActorSpec<MirrorMessage> {
  return {
    name: "mirror",
    start(context) {
      const role = parts.roles.role(group.name);
      if (role.kind !== "mirror") return resting(context);
      const environment = mirrorEnvironment(parts, group);
      return named(`mirror:${group.name}`, mirrorActor({ opening: role.opening, environment })).start(
        context,
      );
    },
  };
}

function exportSpec(parts: NodeParts, group: GroupConfig): ActorSpec<ExportMessage> {
  return named(
    `export:${group.name}`,
    exportActor({
      group: group.name,
      table: parts.exports,
      meter: parts.meter,
      exportStarted: () => void parts.names.mirror(group.name)?.tell({ kind: "export_started" }),
    }),
  );
}

/** Ends at once and stays known: the other of the two has the role. */
function resting(context: { stopSelf(): void }): { receive(): void; inspect(): unknown } {
  context.stopSelf();
  return { receive: () => {}, inspect: () => ({ state: "resting" }) };
}

function intentLogEnvironment(parts: NodeParts, group: GroupConfig): IntentLogEnvironment {
  return {
    open: async () => {
      const store = await openGroupStore({
        group: group.name,
        node: parts.node,
        peers: group.replicas.map(({ node }) => node).filter((node) => node !== parts.node),
        opener: parts.opener,
        ...parts.world.storeGeometry,
        volumes: ownReplica(parts, group).disks.map(({ volume, path, metadata }) => ({
          name: volume,
          size: group.volumes.find(({ name }) => name === volume)?.sizeBytes ?? 0,
          disk: path,
          metadata,
        })),
      });
      if (!(store instanceof OpenFailure)) {
        parts.world.storeOpened?.(group.name, store);
        return { ok: true, store };
      }
      return { ok: false, cause: `${store.file}: ${store.detail}`, remedy: store.remedy };
    },
    event: parts.event,
  };
}

function mirrorEnvironment(parts: NodeParts, group: GroupConfig): MirrorEnvironment {
  const { node, config, names } = parts;
  const tellExport = (message: ExportMessage) => void names.export(group.name)?.tell(message);
  return {
    node,
    group: group.name,
    others: group.replicas.filter((replica) => replica.node !== node).map(({ node: of, mode, backlog }) => ({
      node: of,
      mode,
      backlogBytesMax: backlog.bytes,
    })),
    memberGraceMs: config.heartbeat.leaseMs * MEMBER_GRACE_LEASES,
    errorsAfterMs: group.onBlocked === "error" ? config.heartbeat.leaseMs : null,
    ...neighbours(parts, group),
    reachable: () => parts.peers.rows().filter(({ opinion }) => opinion === "up").map((row) => row.node),
    openLeg: (to) => openLeg(parts, { group: group.name, to }),
    gateOpened: (gate) => tellExport({ kind: "gate_opened", gate }),
    gateClosed: (cause) => tellExport({ kind: "gate_closed", cause }),
    writable: () => tellExport({ kind: "writable" }),
    event: parts.event,
  };
}

async function openLeg(
  parts: NodeParts,
  leg: { readonly group: string; readonly to: string },
): Promise<LegChannelOutcome> {
  const addresses = parts.others.find(({ name }) => name === leg.to)?.listen.map(({ text }) => text) ?? [];
  const purpose = { kind: "data", group: leg.group } as const;
  const outcome = await dialInOrder(parts.caller, { node: leg.to, addresses, purpose });
  return outcome.ok ? { ok: true, channel: outcome.channel } : { ok: false, cause: outcome.cause };
}

function ownReplica(parts: NodeParts, group: GroupConfig): ReplicaConfig {
  const replica = group.replicas.find(({ node }) => node === parts.node);
  invariant(replica !== undefined, "a group's tree is built where it has a replica");
  return replica;
}

/** Whom the actor in the replica slot talks to; both started before it. */
function neighbours(parts: NodeParts, group: GroupConfig): Pick<MirrorEnvironment, "intentLog" | "failover"> {
  const intentLog = parts.names.intentLog(group.name);
  const failover = parts.names.failover();
  invariant(intentLog !== undefined, "the intent log starts before whoever borrows from it");
  invariant(failover !== undefined, "failover starts before the groups");
  return { intentLog, failover };
}

/** Hangs the peers and the listener into the node: who hears of a peer, and which mail and legs are let in. */
import { type ActorSpec, RemoteNode } from "../../runtime/mod.ts";
import type { NodeConfig } from "../../config/cluster_config.ts";
import type { FrameChannel } from "../../protocol/frame_channel.ts";
import type { Acquaintance, AnswererPolicy } from "../../protocol/handshake.ts";
import { peerActor } from "../peer/actor.ts";
import { dial } from "../peer/dial.ts";
import type { RemoteMail } from "../peer/environment.ts";
import { dials } from "../peer/machine.ts";
import type { PeerMessage } from "../peer/messages.ts";
import { named } from "./actor_names.ts";
import { listenerActor, type ListenerMessage } from "./listener.ts";
import type { NodeParts } from "./parts.ts";

/** What the actors of other nodes may watch here. Mail goes by `deliver`, which knows whose shape is checked. */
const WATCHABLE = /^(failover|admin|(mirror|target|export):.*)$/;

export function peerSpec(parts: NodeParts, peer: NodeConfig): ActorSpec<PeerMessage> {
  const { world, node, config, names, board } = parts;
  const mirrors = () => parts.groups.flatMap(({ name }) => names.mirror(name) ?? []);
  return named(
    `peer:${peer.name}`,
    peerActor({
      self: node,
      peer: peer.name,
      addresses: peer.listen.map(({ text }) => text),
      heartbeatIntervalMs: config.heartbeat.intervalMs,
      leaseMs: config.heartbeat.leaseMs,
      board: parts.peers,
      dial: (address) => dial(parts.caller, { node: peer.name, address, purpose: { kind: "control" } }),
      summaries: () => board.summaries(),
      remote: new RemoteNode({
        system: world.system,
        node: peer.name,
        exposes: (name) => WATCHABLE.test(name),
      }),
      deliver: (mail) => deliver(parts, mail),
      up: (incarnation) => {
        names.failover()?.tell({ kind: "peer_up", node: peer.name, incarnation });
        for (const mirror of mirrors()) mirror.tell({ kind: "peer_up", node: peer.name });
      },
      suspected: () => void names.failover()?.tell({ kind: "peer_suspected", node: peer.name }),
      down: (cause) => {
        board.silent(peer.name);
        names.failover()?.tell({ kind: "peer_down", node: peer.name, cause });
        for (const mirror of mirrors()) mirror.tell({ kind: "peer_down", node: peer.name, cause });
      },
      heard: (groups) => {
        board.heard(peer.name, groups);
        names.failover()?.tell({ kind: "heartbeat_summary", from: peer.name, groups });
      },
      rtt: parts.metrics.heartbeatRtt,
      event: parts.event,
    }),
  );
}

/** Only actors that check what they get are told anything by another node. */
function deliver(parts: NodeParts, { to, node, incarnation, body }: RemoteMail): boolean {
  switch (to) {
    case "failover":
      return parts.names.failover()?.tell({ kind: "remote", from: node, incarnation, body }) ?? false;
    case "admin":
      return parts.names.admin()?.tell({ kind: "remote", from: node, body }) ?? false;
    default:
      return false;
  }
}

export function listenerSpec(parts: NodeParts): ActorSpec<ListenerMessage> {
  return named(
    "listener",
    listenerActor({
      open: (take) => parts.peerDoor.open(take),
      policy: policy(parts),
      proofRequired: parts.config.security !== undefined,
      slabs: parts.slabs,
      handOver: (channel, caller) => handOver(parts, channel, caller),
    }),
  );
}

function policy(parts: NodeParts): AnswererPolicy {
  const { node, roles, names } = parts;
  return {
    self: parts.caller.self,
    knownNodes: new Set(parts.config.nodes.map(({ name }) => name)),
    knownGroups: new Set(parts.groups.map(({ name }) => name)),
    admit: ({ node: caller, purpose }) => {
      if (purpose.kind === "control") {
        if (dials(caller, node)) return null;
        return { reason: "not_now", detail: `of the two nodes "${node}" is the one that dials` };
      }
      if (roles.role(purpose.group).kind === "mirror") {
        return { reason: "not_now", detail: `node "${node}" is source of group "${purpose.group}" itself` };
      }
      if (names.target(purpose.group) !== undefined) return null;
      return { reason: "not_now", detail: `the replica of "${purpose.group}" on "${node}" is being started` };
    },
  };
}

function handOver(parts: NodeParts, channel: FrameChannel, caller: Acquaintance): boolean {
  const { purpose, node, incarnation } = caller;
  if (purpose.kind === "control") {
    return parts.names.peer(node)?.tell({ kind: "connection_accepted", channel, incarnation }) ?? false;
  }
  const taken = parts.names.target(purpose.group)?.tell({ kind: "leg_offered", channel, from: node }) ??
    false;
  if (taken) parts.legs.set(purpose.group, channel);
  return taken;
}

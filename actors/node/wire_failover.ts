/** Hangs failover and the change of roles into the node: every effect of failover ends at a ref of this file. */
import type { ActorSpec } from "../../runtime/mod.ts";
import { replicasOn } from "../../config/cluster_config.ts";
import { failover } from "../failover/actor.ts";
import type { FailoverEnvironment, PeerState } from "../failover/environment.ts";
import type { FailoverMessage } from "../failover/messages.ts";
import { named } from "./actor_names.ts";
import type { NodeParts } from "./parts.ts";
import { rolesActor, type RolesMessage } from "./roles.ts";
import { openVote } from "./vote_files.ts";

export function failoverSpec(parts: NodeParts): ActorSpec<FailoverMessage> {
  const { config, node, incarnation } = parts;
  return named(
    "failover",
    failover({
      node,
      incarnation,
      groups: parts.groups.map((group) => ({
        group: group.name,
        replicas: group.replicas.map(({ node: of, mode }) => ({ node: of, mode })),
      })),
      intervalMs: config.heartbeat.intervalMs,
      leaseMs: config.heartbeat.leaseMs,
      environment: failoverEnvironment(parts),
    }),
  );
}

export function rolesSpec(parts: NodeParts): ActorSpec<RolesMessage> {
  return named(
    "roles",
    rolesActor({
      groups: parts.groups.map(({ name }) => name),
      table: parts.roles,
      names: parts.names,
      groupPath: (group) => `node/groups/group:${group}`,
      tellFailover: (message) => void parts.names.failover()?.tell(message),
      event: parts.event,
    }),
  );
}

function failoverEnvironment(parts: NodeParts): FailoverEnvironment {
  const { names, roles, config, node, world } = parts;
  return {
    send: (to, body) => {
      const connected = parts.peers.row(to)?.paths.some(({ state }) => state !== "down") ?? false;
      if (!connected) return false;
      return names.peer(to)?.tell({ kind: "tell_requested", to: "failover", from: "failover", body }) ??
        false;
    },
    peers: () => peerStates(parts),
    openVote: (group) =>
      openVote({ opener: parts.opener, stateDir: world.stateDir, cluster: config.cluster, node }, group),
    seal: (group, number, reply) => {
      const isTarget = roles.role(group).kind === "target";
      const told = isTarget &&
        (names.target(group)?.tell({ kind: "seal_requested", number, reply }) ?? false);
      if (told) return;
      const reason = isTarget ? "the replica has not started yet" : "this node is still source";
      reply.reply({ ok: false, reason });
    },
    becomeSource: (group, opening) => {
      const before = parts.board.source(group) ?? opening.record.replicas.find((replica) => replica !== node);
      if (opening.generation.number > 1 && before !== node) parts.metrics.failovers.add(1, { group });
      names.roles()?.tell({ kind: "become_source", group, opening });
    },
    becomeTarget: (group, cause, reply) => {
      // Without anybody to order it from there is no mirror either: the roles start before failover does.
      const told = names.roles()?.tell({ kind: "become_target", group, cause, reply }) ?? false;
      if (!told && roles.role(group).kind === "target") reply.reply();
    },
    tellMirror: (group, message) => void names.mirror(group)?.tell(message),
    summaryChanged: (summary) => parts.board.publish(summary),
    healthy: () => parts.vitals.verdict(world.system.clock.now()).healthy,
    event: parts.event,
  };
}

/** All other nodes that share a group with this one. */
function peerStates(parts: NodeParts): readonly PeerState[] {
  const sharing = new Set(
    replicasOn(parts.config, parts.node).flatMap(({ group }) => group.replicas.map(({ node }) => node)),
  );
  return parts.others.filter(({ name }) => sharing.has(name)).map(({ name }) => {
    const row = parts.peers.row(name);
    const opinion = row?.opinion ?? "unknown";
    return {
      node: name,
      state: opinion === "unknown" ? "down" : opinion,
      incarnation: row?.incarnation ?? null,
    };
  });
}

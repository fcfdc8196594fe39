/**
 * The supervision tree of a node (design §3), in order of start; it stops in reverse, doors first, disks late.
 *
 * ```text
 * node             one_for_one
 * ├─ events        the history comes first and goes last: everybody reports to it
 * ├─ health
 * ├─ failover_group one_for_all   roles, failover: an order that was lost between the two is forgotten by both
 * ├─ groups        one_for_one
 * │  └─ group:<g>  rest_for_one   intent_log, target | mirror, export
 * ├─ peers         one_for_one    peer:<node> …
 * ├─ listener      of other nodes
 * ├─ nbd_listener  of clients
 * └─ admin
 * ```
 * Peers start after the groups, so that the first heartbeat already says what this node holds.
 */
import {
  type ActorSpec,
  type ChildSpec,
  type Intensity,
  supervisor,
  type SupervisorChild,
  type SupervisorMessage,
} from "../../runtime/mod.ts";
import { eventsActor } from "../events/actor.ts";
import { nbdListenerActor } from "../export/nbd_listener.ts";
import { healthActor } from "../health/actor.ts";
import { healthLimitsFor } from "../health/machine.ts";
import { stateProbe } from "../health/state_probe.ts";
import { named } from "./actor_names.ts";
import type { NodeParts } from "./parts.ts";
import { adminSpec } from "./wire_admin.ts";
import { failoverSpec, rolesSpec } from "./wire_failover.ts";
import { groupSpec } from "./wire_group.ts";
import { listenerSpec, peerSpec } from "./wire_peers.ts";

/** Of the node's own children: more, and something is wrong that a new process may mend. */
const NODE_INTENSITY: Intensity = { restarts: 10, periodMs: 60_000 };
/** A group that fails is started again and again, slower and slower: others may need it as a voter at any time. */
const GROUP_BACKOFF = { firstMs: 1_000, maxMs: 30_000 };
/** Groups restart no faster than their backoff, so this is never reached. */
const GROUPS_INTENSITY: Intensity = { restarts: 10_000, periodMs: 1_000 };
const GROUP_SHUTDOWN_MS = 40_000;

export function nodeTree(parts: NodeParts): ActorSpec<SupervisorMessage> {
  return supervisor({
    name: "node",
    strategy: "one_for_one",
    intensity: NODE_INTENSITY,
    children: [
      child(named("events", eventsActor({ node: parts.node, files: parts.world.eventFiles }))),
      child(healthSpec(parts)),
      nested(supervisor({
        name: "failover_group",
        strategy: "one_for_all",
        intensity: NODE_INTENSITY,
        children: [child(rolesSpec(parts)), child(failoverSpec(parts))],
      })),
      nested(
        supervisor({
          name: "groups",
          strategy: "one_for_one",
          intensity: GROUPS_INTENSITY,
          children: parts.groups.map((group) => ({
            spec: groupSpec(parts, group),
            restart: "permanent",
            backoff: GROUP_BACKOFF,
            shutdownMs: GROUP_SHUTDOWN_MS,
          })),
        }),
        GROUP_SHUTDOWN_MS,
      ),
      nested(supervisor({
        name: "peers",
        strategy: "one_for_one",
        intensity: NODE_INTENSITY,
        children: parts.others.map((peer) => child(peerSpec(parts, peer))),
      })),
      child(listenerSpec(parts)),
      child(nbdListenerSpec(parts)),
      child(adminSpec(parts)),
    ],
  });
}

function child<M>(spec: ActorSpec<M>): ChildSpec<never> {
  return { spec, restart: "permanent" } as ChildSpec<never>;
}

function nested(spec: ActorSpec<SupervisorMessage>, shutdownMs?: number): SupervisorChild {
  return { spec, restart: "permanent", ...(shutdownMs === undefined ? {} : { shutdownMs }) };
}

function healthSpec(parts: NodeParts) {
  const { world, config, vitals, opener, event } = parts;
  return named(
    "health",
    healthActor({
      limits: healthLimitsFor(config.heartbeat.leaseMs),
      waitingDisks: () => opener.waitingDisks(),
      probe: stateProbe({ opener: world.opener, file: `${world.stateDir}/probe` }),
      vitals,
      event,
    }),
  );
}

function nbdListenerSpec(parts: NodeParts) {
  return named(
    "nbd_listener",
    nbdListenerActor({
      table: parts.exports,
      meter: parts.meter,
      slabs: parts.slabs,
      listen: (take) => parts.nbdDoor.open(take),
      event: parts.event,
    }),
  );
}

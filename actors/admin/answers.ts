/**
 * The questions of the doors, answered: status, actors, events, metrics. Plain asynchronous functions and no actor,
 * because a door waits and an actor must not; each wait has its deadline below, in the environment.
 */
import {
  EVENTS_WAIT_SECONDS_MAX,
  type EventsReport,
  type NodeReport,
} from "../../protocol/admin_messages.ts";
import { nodeNamed } from "../../config/cluster_config.ts";
import type { EventQuery } from "../events/messages.ts";
import type { AdminEnvironment } from "./environment.ts";
import { composeStatus } from "./status_report.ts";
import type { StatusFacts } from "./status_facts.ts";

/** Everything that status is composed of, asked concurrently. */
export async function gatherStatus(environment: AdminEnvironment): Promise<StatusFacts> {
  const { config, node } = environment;
  const [failover, ...replicas] = await Promise.all([
    environment.failoverStatus(),
    ...config.groups.map(({ name }) => environment.replicaStatus(name)),
  ]);
  const nodes = environment.nodes();
  const absent = new Set(nodes.filter(({ opinion }) => opinion !== "up").map((each) => each.node));
  return {
    cluster: config.cluster,
    node,
    incarnation: environment.incarnation,
    wallMs: environment.wallMs(),
    uptimeSeconds: environment.uptimeSeconds(),
    version: environment.version,
    runtime: environment.runtime,
    configFile: config.file,
    listen: nodeNamed(config, node)?.listen.map(({ text }) => text) ?? [],
    health: environment.health(),
    nodes,
    groups: config.groups.map((group, index) => {
      const own = failover?.find((status) => status.group === group.name) ?? null;
      const replica = replicas[index] ?? { kind: "none" };
      return {
        config: group,
        failover: own,
        replica,
        source: replica.kind === "none" ? environment.source(group.name) : own?.source ?? null,
        absent: group.replicas.map((each) => each.node).filter((each) => absent.has(each)),
        heard: environment.heard(group.name),
      };
    }),
    nbdUris: (of, volume) => environment.nbdUris(of, volume),
  };
}

export async function answerStatus(environment: AdminEnvironment): Promise<NodeReport> {
  return composeStatus(await gatherStatus(environment));
}

/** Long poll: with nothing new the answer waits for the next event, at most `waitSeconds`. `null`: nobody answers. */
export async function answerEvents(
  environment: AdminEnvironment,
  options: { readonly query: EventQuery; readonly waitSeconds: number },
): Promise<EventsReport | null> {
  const waitMs = Math.min(Math.max(0, options.waitSeconds), EVENTS_WAIT_SECONDS_MAX) * 1_000;
  let wake = () => {};
  const woken = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const follower = () => {
    wake();
    return false;
  };
  // Following begins before the first look, so that no event falls between the two.
  if (waitMs > 0) await environment.follow(follower);
  let answer = await environment.events(options.query);
  if (answer !== null && answer.events.length === 0 && waitMs > 0) {
    await environment.wait(waitMs, woken);
    answer = await environment.events(options.query);
  }
  if (waitMs > 0) environment.unfollow(follower);
  return answer === null ? null : { node: environment.node, ...answer };
}

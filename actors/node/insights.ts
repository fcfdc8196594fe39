/**
 * What doors see of a node beyond its status: the state of an actor, its mail while it is traced, the marks on the
 * disks. All of it is for people's eyes: nothing is decided by it, and all of it is bounded.
 */
import { plainOf } from "../../runtime/mod.ts";
import { hostAndPort } from "../../config/address.ts";
import { nodeNamed } from "../../config/cluster_config.ts";
import type { RegionsReport } from "../../protocol/admin_questions.ts";
import type { AdminEnvironment } from "../admin/environment.ts";
import { TraceTable } from "../admin/trace_table.ts";
import type { IntentLogMessage, VolumeHeat } from "../intent_log/messages.ts";
import type { NodeParts } from "./parts.ts";

/** Collecting the marks of a large disk takes milliseconds. */
const REGIONS_MS = 2_000;

export function insights(
  parts: NodeParts,
): Pick<AdminEnvironment, "nowMs" | "httpOf" | "stateOf" | "traces" | "regions"> {
  const { config, node, world } = parts;
  const { system } = world;
  return {
    nowMs: () => system.clock.now(),
    httpOf: (of) => {
      const http = nodeNamed(config, of)?.http;
      return http === undefined ? null : `http://${hostAndPort(http)}`;
    },
    stateOf: (path) => plainOf(system.peek(path)),
    traces: new TraceTable({
      node,
      now: () => system.clock.now(),
      mint: () => system.random.hex(16),
      arm: (path, caps, sink) => system.inspect(path).length === 0 ? null : system.trace(path, caps, sink),
    }),
    regions: (group, cells) => regions(parts, group, cells),
  };
}

async function regions(
  { names, world }: NodeParts,
  group: string,
  cells: number,
): Promise<RegionsReport["volumes"] | null> {
  const intentLog = names.intentLog(group);
  if (intentLog === undefined) return null;
  const outcome = await world.system.ask<IntentLogMessage, readonly VolumeHeat[] | null>(
    intentLog,
    (reply) => ({ kind: "heat_requested", cells, reply }),
    REGIONS_MS,
  );
  return outcome.ok ? outcome.value : null;
}

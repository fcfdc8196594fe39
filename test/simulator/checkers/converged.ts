/**
 * I10: when faults stop, somebody is in service, all legs replicate, all members are in the set, all replicas are
 * byte-identical, and all marks are clear.
 */
import { Buffer } from "node:buffer";
import type { ClusterPlan } from "../world/cluster_plan.ts";
import type { Host } from "../world/host.ts";
import type { Simulation } from "../world/simulation.ts";

/** The one that serves, with every leg in place; null while there is none. */
export function servingHost(hosts: readonly Host[], plan: ClusterPlan): Host | null {
  for (const host of hosts) {
    const mirror = host.mirror;
    if (mirror?.gate !== "open" || host.failover?.state !== "in_service") continue;
    const members = plan.modes.filter(({ node, mode }) => mode !== "async" || node === host.name).length;
    if (mirror.members.length !== members || mirror.requestedMembers !== null) continue;
    if (mirror.legs.every(({ leg }) => leg === "replicating")) return host;
  }
  return null;
}

/** Bytes that any replica has marked towards any other. */
export function markedBytes(hosts: readonly Host[]): number {
  let bytes = 0;
  for (const host of hosts) {
    const log = host.process?.store?.volumes[0]?.intentLog;
    for (const peer of log?.peers ?? []) bytes += log?.dirtyBytes(peer) ?? 0;
  }
  return bytes;
}

export function describeWaiting(hosts: readonly Host[]): string {
  return hosts.map((host) => {
    const { mirror, failover, process } = host;
    if (process === null) return `${host.name}: no process`;
    const legs = mirror?.gate === undefined
      ? ""
      : ` gate ${mirror.gate} g${mirror.generation} members ${
        mirror.members.map(({ node }) => node).join("+")
      } held ${mirror.heldBecause} legs ${
        mirror.legs.map((leg) => `${leg.node} ${leg.leg} (${leg.cause})`).join(", ")
      }`;
    const store = process.store;
    const marks = store?.volumes[0]?.intentLog.peers.map((peer) =>
      `${peer}:${store.volumes[0]?.intentLog.dirtyBytes(peer)}`
    );
    return `${host.name}: ${failover?.state} (${failover?.cause}) source ${failover?.source}${legs} marks ${marks}`;
  }).join(" | ");
}

export function checkIdentical(simulation: Simulation, hosts: readonly Host[], bytes: number): void {
  const [first, ...others] = hosts;
  const expected = first?.disk?.peek(0, bytes) ?? new Uint8Array();
  for (const host of others) {
    const found = host.disk?.peek(0, bytes) ?? new Uint8Array();
    if (Buffer.compare(expected, found) === 0) continue;
    const at = expected.findIndex((byte, index) => byte !== found[index]);
    simulation.fail(
      "I10: all replicas are byte-identical",
      `${first?.name} and ${host.name} differ at ${at}`,
    );
    return;
  }
}

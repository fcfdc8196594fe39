/**
 * What the fields of a configuration mean to each other. Pure.
 *
 * Each check is a small function from the document to findings, so that a new rule is a new function and its row in
 * the test's table.
 */
import { suggestion } from "../runtime/did_you_mean.ts";
import { isLocal } from "./address.ts";
import type { ClusterConfig, NodeConfig, PeerAddress } from "./cluster_config.ts";
import { fieldName, type Finding, type PathSegment } from "./problem.ts";
import type { ClusterDocument } from "./schema.ts";
import { formatBytes } from "./units.ts";

export interface Relations {
  readonly problems: readonly Finding[];
  /** Fine to start with, and worth knowing before the day it matters. */
  readonly warnings: readonly Finding[];
}

export const NODES_MAX = 32;
export const REPLICAS_MAX = 9;
export const VOLUMES_PER_GROUP_MAX = 64;
export const GROUPS_MAX = 256;
const SECTOR_BYTES = 512;
const VOLUME_BYTES_MIN = 4_096;
const VOLUME_BYTES_MAX = 2 ** 50;
const BACKLOG_BYTES_MIN = 2 ** 20;
const BACKLOG_BYTES_MAX = 2 ** 36;
const INTERVAL_MS = { min: 10, max: 10_000 } as const;
const LEASE_MS_MAX = 120_000;
/** Fewer heartbeats in a lease, and one lost packet is a failover. */
const HEARTBEATS_PER_LEASE_MIN = 3;

/** Checks the document by names and the built configuration by places. */
export function checkRelations(document: ClusterDocument, config: ClusterConfig): Relations {
  return {
    problems: [
      ...checkCounts(document),
      ...checkHeartbeat(document),
      ...checkSizes(document),
      ...checkReplicas(document),
      ...checkVolumeNames(document),
      ...checkAddresses(config),
      ...checkSecurity(config),
      ...checkDisks(config),
    ],
    warnings: warnAboutVoters(document),
  };
}

function checkCounts(document: ClusterDocument): Finding[] {
  const counts: readonly [PathSegment[], number, number, number][] = [
    [["nodes"], Object.keys(document.nodes).length, 1, NODES_MAX],
    [["groups"], Object.keys(document.groups).length, 0, GROUPS_MAX],
    ...Object.entries(document.groups).flatMap((
      [group, { volumes, replicas }],
    ): [PathSegment[], number, number, number][] => [
      [["groups", group, "volumes"], Object.keys(volumes).length, 1, VOLUMES_PER_GROUP_MAX],
      [["groups", group, "replicas"], Object.keys(replicas).length, 1, REPLICAS_MAX],
    ]),
  ];
  return counts.filter(([, count, min, max]) => count < min || count > max).map((
    [path, count, min, max],
  ) => ({
    path,
    message: `has ${count} entries`,
    remedy: `between ${min} and ${max}`,
  }));
}

function checkHeartbeat({ heartbeat: { interval, lease } }: ClusterDocument): Finding[] {
  const findings: Finding[] = [];
  if (interval < INTERVAL_MS.min || interval > INTERVAL_MS.max) {
    const remedy = `between ${INTERVAL_MS.min}ms and ${INTERVAL_MS.max}ms`;
    findings.push({ path: ["heartbeat", "interval"], message: `is ${interval}ms`, remedy });
  }
  if (lease < HEARTBEATS_PER_LEASE_MIN * interval || lease > LEASE_MS_MAX) {
    const remedy = `between ${HEARTBEATS_PER_LEASE_MIN} intervals (${
      HEARTBEATS_PER_LEASE_MIN * interval
    }ms) and ${LEASE_MS_MAX}ms`;
    findings.push({ path: ["heartbeat", "lease"], message: `is ${lease}ms`, remedy });
  }
  return findings;
}

function checkSizes(document: ClusterDocument): Finding[] {
  const findings: Finding[] = [];
  for (const [group, { volumes, replicas }] of Object.entries(document.groups)) {
    for (const [volume, { size }] of Object.entries(volumes)) {
      const path = ["groups", group, "volumes", volume, "size"];
      if (size % SECTOR_BYTES !== 0) {
        const remedy = `${Math.max(1, Math.round(size / SECTOR_BYTES)) * SECTOR_BYTES}B`;
        findings.push({ path, message: `is ${size} bytes, no multiple of ${SECTOR_BYTES}`, remedy });
      } else if (size < VOLUME_BYTES_MIN || size > VOLUME_BYTES_MAX) {
        const remedy = `between ${formatBytes(VOLUME_BYTES_MIN)} and ${formatBytes(VOLUME_BYTES_MAX)}`;
        findings.push({ path, message: `is ${formatBytes(size)}`, remedy });
      }
    }
    for (const [node, { backlog }] of Object.entries(replicas)) {
      if (backlog.bytes >= BACKLOG_BYTES_MIN && backlog.bytes <= BACKLOG_BYTES_MAX) continue;
      findings.push({
        path: ["groups", group, "replicas", node, "backlog", "bytes"],
        message: `is ${formatBytes(backlog.bytes)}`,
        remedy: `between ${formatBytes(BACKLOG_BYTES_MIN)} and ${formatBytes(BACKLOG_BYTES_MAX)}`,
      });
    }
  }
  return findings;
}

function checkReplicas(document: ClusterDocument): Finding[] {
  const findings: Finding[] = [];
  const nodes = Object.keys(document.nodes);
  for (const [group, { volumes, replicas }] of Object.entries(document.groups)) {
    const names = Object.keys(volumes);
    for (const [node, replica] of Object.entries(replicas)) {
      const path = ["groups", group, "replicas", node];
      if (!nodes.includes(node)) {
        findings.push({
          path,
          at: "key",
          message: "is on no node that nodes names",
          remedy: suggestion(node, nodes),
        });
      }
      for (const volume of names) {
        if (replica.disk[volume] !== undefined) continue;
        const remedy = `disk: { ${volume}: ${node}/${volume}.img }`;
        findings.push({ path: [...path, "disk", volume], message: "is missing", remedy });
      }
      for (const field of ["disk", "metadata"] as const) {
        for (const volume of Object.keys(replica[field]).filter((each) => !names.includes(each))) {
          const remedy = suggestion(volume, names);
          findings.push({
            path: [...path, field, volume],
            at: "key",
            message: "is for no volume of the group",
            remedy,
          });
        }
      }
    }
  }
  return findings;
}

/** A volume's name is its export name on every node that may serve it. */
function checkVolumeNames(document: ClusterDocument): Finding[] {
  const homes = new Map<string, string>();
  return Object.entries(document.groups).flatMap(([group, { volumes }]) =>
    Object.keys(volumes).flatMap((volume): Finding[] => {
      const home = homes.get(volume) ?? group;
      homes.set(volume, home);
      if (home === group) return [];
      const message = `has the name of a volume of the group ${home}, and clients ask by that name alone`;
      return [{
        path: ["groups", group, "volumes", volume],
        at: "key",
        message,
        remedy: `${group}-${volume}`,
      }];
    })
  );
}

function checkAddresses(config: ClusterConfig): Finding[] {
  const taken = new Map<string, string>();
  const findings: Finding[] = [];
  let machine = "";
  const take = (path: PathSegment[], address: PeerAddress) => {
    if (address.scheme !== "unix" && address.port === 0) return;
    // Two machines may have the same loopback address and socket path.
    const place = `${isLocal(address) ? machine : ""} ${address.text.replace(/^tls:/, "tcp:")}`;
    const other = taken.get(place);
    taken.set(place, fieldName(path));
    if (other === undefined) return;
    const remedy = address.scheme === "unix" ? "a path of its own" : "a port of its own";
    findings.push({ path, message: `is ${address.text}, which ${other} has too`, remedy });
  };
  for (const node of config.nodes) {
    machine = machineOf(node);
    node.listen.forEach((address, index) => take(["nodes", node.name, "listen", index], address));
    node.nbd.forEach((address, index) => take(["nodes", node.name, "nbd", index], address));
    if (node.http !== undefined) take(["nodes", node.name, "http"], node.http);
  }
  return findings;
}

const EVERY_ADDRESS = ["0.0.0.0", "::"];

/** Without certificates nodes talk on one machine only; with them they talk in no other way. */
function checkSecurity({ nodes, security }: ClusterConfig): Finding[] {
  const remedy = 'security: { tls: { ca: ca.pem, cert: "{node}.pem", key: "{node}-key.pem" } }; ' +
    "holdfast cert makes the files";
  return nodes.flatMap((node) =>
    node.listen.flatMap((address, index): Finding[] => {
      const path = ["nodes", node.name, "listen", index];
      if (address.scheme !== "unix" && EVERY_ADDRESS.includes(address.host)) {
        const message = `is ${address.text}, which is every address of a machine: nobody can connect to it`;
        return [{ path, message, remedy: "the address by which the other nodes reach this one" }];
      }
      if (security !== undefined) {
        if (address.scheme === "tls") return [];
        const message = `is ${address.text}, over which no node can show its certificate`;
        return [{ path, message, remedy: "tls://host:port, or leave security out" }];
      }
      if (address.scheme === "tls") {
        return [{ path, message: `is ${address.text}, and there are no certificates`, remedy }];
      }
      if (isLocal(address)) return [];
      const message =
        `is ${address.text}, open to other machines, and without security anybody could connect`;
      return [{ path, message, remedy: `${remedy}; or a loopback address` }];
    })
  );
}

/** Nodes that listen on loopback addresses are on one machine; the others are where they can be reached. */
function machineOf({ listen }: NodeConfig): string {
  const reachable = listen.find((address) => !isLocal(address));
  return reachable === undefined || reachable.scheme === "unix" ? "" : reachable.host;
}

/** A path is taken once on a machine. */
function checkDisks(config: ClusterConfig): Finding[] {
  const machineByNode = new Map(config.nodes.map((node) => [node.name, machineOf(node)]));
  const taken = new Map<string, string>();
  const findings: Finding[] = [];
  for (const group of config.groups) {
    for (const replica of group.replicas) {
      for (const disk of replica.disks) {
        const path = ["groups", group.name, "replicas", replica.node];
        // Metadata at its default place meets another's only where the disks meet.
        const places: [string, string][] = [["disk", disk.path]];
        if (disk.metadata !== `${disk.path}.holdfast`) places.push(["metadata", disk.metadata]);
        for (const [field, place] of places) {
          const onMachine = `${machineByNode.get(replica.node) ?? ""} ${place}`;
          const other = taken.get(onMachine);
          taken.set(onMachine, [...path, field, disk.volume].join("."));
          if (other === undefined) continue;
          const message = `is ${place}, which ${other} has too`;
          findings.push({ path: [...path, field, disk.volume], message, remedy: "a path of its own" });
        }
        if (disk.metadata.startsWith("/dev/")) {
          const message = "is a device, and its superblock and intent log cannot lie beside it under /dev";
          const remedy = `metadata: { ${disk.volume}: /var/lib/holdfast/${group.name}/${disk.volume} }`;
          findings.push({ path: [...path, "disk", disk.volume], message, remedy });
        }
      }
    }
  }
  return findings;
}

function warnAboutVoters(document: ClusterDocument): Finding[] {
  const findings: Finding[] = [];
  for (const [group, { replicas }] of Object.entries(document.groups)) {
    const path = ["groups", group, "replicas"];
    const modes = Object.values(replicas).map((replica) => replica.mode);
    if (modes.length === 2) {
      const message = "has two voters: a majority of two is both, so either loss blocks the group";
      findings.push({ path, message, remedy: "a third replica, which may be async" });
    }
    if (modes.length > 2 && modes.filter((mode) => mode !== "async").length < 2) {
      const message = "has one replica that is not async: when it is lost, no other is promoted by itself";
      findings.push({ path, message, remedy: "mode: sync or commit on a second replica" });
    }
  }
  return findings;
}

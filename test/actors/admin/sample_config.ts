/** A configuration of two nodes: one group with two volumes, one with a single volume. */
import type { ClusterConfig, GroupConfig } from "../../../config/cluster_config.ts";

function address(port: number) {
  return { scheme: "tcp", host: "127.0.0.1", port, text: `tcp://127.0.0.1:${port}` } as const;
}

function group(name: string, volumes: readonly string[]): GroupConfig {
  return {
    name,
    volumes: volumes.map((volume) => ({ name: volume, sizeBytes: 1024 * 1024 })),
    replicas: ["alpha", "beta"].map((node) => ({
      node,
      mode: "sync",
      disks: volumes.map((volume) => ({
        volume,
        path: `/disks/${node}/${volume}`,
        metadata: `/disks/${node}/${volume}.holdfast`,
      })),
      backlog: { bytes: 1024, onFull: "throttle" },
    })),
    failover: "auto",
    quorum: "majority",
    onBlocked: "suspend",
  };
}

export const twoVolumes: ClusterConfig = {
  cluster: "demo",
  file: "cluster.yaml",
  nodes: ["alpha", "beta"].map((name, index) => ({
    name,
    listen: [address(7401 + index)],
    nbd: [address(10801 + index)],
    http: address(7481 + index),
  })),
  heartbeat: { intervalMs: 250, leaseMs: 2_000 },
  groups: [group("db", ["data", "log"]), group("web", ["www"])],
};

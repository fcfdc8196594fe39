/** The demo's cluster: a folder with a configuration that a person can read, keep and change, and three nodes. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { NodeProcess } from "./node_process.ts";

export const DEMO_NODES = ["alpha", "beta", "gamma"] as const;
export type DemoNode = typeof DEMO_NODES[number];
export const DEMO_GROUP = "db";
export const DEMO_VOLUME = "data";

const READY_MS = 60_000;

export interface DemoCluster {
  readonly folder: string;
  readonly config: string;
  /** TCP port of each node's NBD door. */
  readonly nbdPorts: ReadonlyMap<DemoNode, number>;
  readonly httpPorts: ReadonlyMap<DemoNode, number>;
  disk(node: DemoNode): string;
  start(node: DemoNode): Promise<NodeProcess>;
}

/** Writes the configuration; the folder must be new or empty of a demo, since its disks would not be. */
export async function makeDemoCluster(folder: string, { size }: { size: string }): Promise<DemoCluster> {
  mkdirSync(folder, { recursive: true });
  const config = join(folder, "cluster.yaml");
  if (existsSync(config)) {
    throw new Error(
      `Cannot run the demo in ${folder}: a cluster lives there (try: another --dir, or remove the folder)`,
    );
  }
  const ports = await freePorts(DEMO_NODES.length * 3);
  const portOf = (index: number, kind: number): number => ports[index * 3 + kind] ?? 0;
  const nodes = DEMO_NODES.map((node, index) =>
    `  ${node.padEnd(6)}: { listen: [tcp://127.0.0.1:${portOf(index, 0)}], ` +
    `nbd: [127.0.0.1:${portOf(index, 1)}], http: 127.0.0.1:${portOf(index, 2)} }`
  );
  const text = [
    "# Three nodes on this machine. On three machines only the addresses differ.",
    "cluster: demo",
    "nodes:",
    ...nodes,
    "groups:",
    `  ${DEMO_GROUP}:`,
    `    volumes: { ${DEMO_VOLUME}: { size: ${size} } }`,
    "    replicas:                     # the order is the priority",
    `      alpha: { disk: { ${DEMO_VOLUME}: alpha/data.img } }`,
    `      beta:  { disk: { ${DEMO_VOLUME}: beta/data.img }, mode: sync }`,
    `      gamma: { disk: { ${DEMO_VOLUME}: gamma/data.img }, mode: async }`,
    "",
  ].join("\n");
  writeFileSync(config, text);
  return {
    folder,
    config,
    nbdPorts: new Map(DEMO_NODES.map((node, index) => [node, portOf(index, 1)])),
    httpPorts: new Map(DEMO_NODES.map((node, index) => [node, portOf(index, 2)])),
    disk: (node) => join(folder, node, "data.img"),
    start: (node) => NodeProcess.start(node, { config, log: join(folder, `${node}.log`), readyMs: READY_MS }),
  };
}

/** Ports that were free a moment ago, all different: they are held together and let go together. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () =>
      new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
        const server = createServer();
        server.once("error", reject);
        server.listen(0, "127.0.0.1", () => resolve(server));
      })),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
  return ports;
}

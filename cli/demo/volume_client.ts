/**
 * A client of the volume that outlives its source: it looks for whoever serves the volume now, the way a client with
 * three addresses does, and says which node that is.
 */
import { connectNbd, type NbdClient } from "../../volume/nbd/client.ts";
import { tcpTransport } from "../../transports/tcp.ts";
import { isStreamEnd } from "../../transports/transport.ts";
import { DEMO_NODES, DEMO_VOLUME, type DemoCluster, type DemoNode } from "./demo_cluster.ts";

const LOOK_AGAIN_MS = 25;
const CONNECT_MS = 2_000;

export interface ServedVolume {
  readonly node: DemoNode;
  readonly client: NbdClient;
}

export interface LookOptions {
  /** Gives up after this. */
  readonly withinMs: number;
  /** Nodes that are not asked. */
  readonly except?: readonly DemoNode[];
}

/** The volume at the node that serves it, as soon as one does. */
export async function findVolume(cluster: DemoCluster, options: LookOptions): Promise<ServedVolume> {
  const deadline = performance.now() + options.withinMs;
  const asked = DEMO_NODES.filter((node) => options.except?.includes(node) !== true);
  let last = "nobody was asked";
  while (performance.now() < deadline) {
    for (const node of asked) {
      const outcome = await tryNode(cluster, node);
      if (typeof outcome !== "string") return { node, client: outcome };
      last = `${node}: ${outcome}`;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
  throw new Error(`Cannot find the volume within ${options.withinMs} ms (last answer: ${last})`);
}

async function tryNode(cluster: DemoCluster, node: DemoNode): Promise<NbdClient | string> {
  const port = cluster.nbdPorts.get(node) ?? 0;
  const stream = await tcpTransport.connect(
    { scheme: "tcp", host: "127.0.0.1", port },
    { timeoutMs: CONNECT_MS },
  );
  if (isStreamEnd(stream)) return stream.detail;
  const outcome = await connectNbd(stream, {
    exportName: DEMO_VOLUME,
    handshakeMs: CONNECT_MS,
    startTimer: (ms, callback) => {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
  });
  return outcome.ok ? outcome.client : outcome.failure.detail;
}

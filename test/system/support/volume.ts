/** A client of a cluster's volume in the test's own process, at one node or at whoever serves it. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { tcpTransport } from "../../../transports/tcp.ts";
import { isStreamEnd } from "../../../transports/transport.ts";
import { connectNbd, type NbdClient } from "../../../volume/nbd/client.ts";
import { type TestCluster, VOLUME } from "./cluster.ts";

const CONNECT_MS = 3_000;
const LOOK_EVERY_MS = 25;

export interface Served {
  readonly node: string;
  readonly client: NbdClient;
}

/** A client at this node, or the refusal in its words. */
export async function connectTo(cluster: TestCluster, node: string): Promise<NbdClient | string> {
  const address = { scheme: "tcp", host: "127.0.0.1", port: cluster.nbdPort(node) } as const;
  const stream = await tcpTransport.connect(address, { timeoutMs: CONNECT_MS });
  if (isStreamEnd(stream)) return stream.detail;
  const outcome = await connectNbd(stream, {
    exportName: VOLUME,
    handshakeMs: CONNECT_MS,
    startTimer: (ms, callback) => {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
  });
  return outcome.ok ? outcome.client : outcome.failure.detail;
}

/** A client at the node that serves the volume, as soon as one does. */
export async function connectToSource(
  cluster: TestCluster,
  options: { readonly except?: readonly string[]; readonly withinMs?: number } = {},
): Promise<Served> {
  const { except = [], withinMs = 40_000 } = options;
  const deadline = performance.now() + withinMs;
  let last = "";
  while (performance.now() < deadline) {
    for (const node of cluster.nodes.filter((each) => !except.includes(each))) {
      const client = await connectTo(cluster, node);
      if (typeof client !== "string") return { node, client };
      last = `${node}: ${client}`;
    }
    await delay(LOOK_EVERY_MS);
  }
  assert.fail(
    `nobody served the volume within ${withinMs} ms (${last}): ${JSON.stringify(await cluster.group())}`,
  );
}

/** Two hosts of a simulated network with one connection between them, in virtual time. */
import assert from "node:assert/strict";
import type { ByteStream } from "../../../runtime/byte_stream.ts";
import { SimulatedWorld } from "../../../runtime/simulated/world.ts";
import { SlabPool } from "../../../runtime/slab.ts";
import { SimulatedNetwork } from "../../../transports/memory.ts";
import { isStreamEnd } from "../../../transports/transport.ts";

export interface TwoHosts {
  readonly world: SimulatedWorld;
  readonly network: SimulatedNetwork;
  readonly pool: SlabPool;
  /** alpha's end of the connection that alpha made. */
  readonly near: ByteStream;
  /** beta's end of it. */
  readonly far: ByteStream;
}

export async function twoHosts(seed = 1): Promise<TwoHosts> {
  const world = new SimulatedWorld({ seed });
  const network = new SimulatedNetwork({ ...world });
  let far: ByteStream | undefined;
  await network.transport("beta").listen({ scheme: "memory", name: "beta" }, (stream) => far = stream);
  const connecting = network.transport("alpha").connect({ scheme: "memory", name: "beta" }, {
    timeoutMs: 1_000,
  });
  await world.advanceAwaiting(10);
  const near = await connecting;
  assert.ok(!isStreamEnd(near) && far !== undefined, "the simulated network connects");
  return { world, network, pool: new SlabPool({ slabBytes: 64 * 1024, idleMax: 4 }), near, far };
}

/** Strangers at the doors of a node: what they are told, and that they keep nobody else out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { dial, type DialOutcome } from "../../../actors/peer/dial.ts";
import { HANDSHAKES_MAX } from "../../../actors/node/listener.ts";
import type { Purpose } from "../../../protocol/handshake.ts";
import { OUR_PROTOCOL } from "../../../protocol/version.ts";
import { type ByteStream, SlabPool } from "../../../runtime/mod.ts";
import { isStreamEnd } from "../../../transports/transport.ts";
import { SimulatedCluster } from "./simulated_cluster.ts";

const LEG: Purpose = { kind: "data", group: "db" };

async function call(
  cluster: SimulatedCluster,
  caller: {
    readonly node?: string;
    readonly cluster?: string;
    readonly purpose?: Purpose;
    readonly to?: string;
  },
): Promise<DialOutcome> {
  const { node = "gamma", cluster: name = "demo", purpose = { kind: "control" }, to = "beta" } = caller;
  return await cluster.during(dial({
    self: { cluster: name, node, incarnation: "x1", offer: OUR_PROTOCOL },
    transports: new Map([["memory", cluster.network.transport("stranger")]]),
    slabs: new SlabPool({ slabBytes: 64 * 1024, idleMax: 1 }),
    clock: cluster.world.clock,
    timeoutMs: 1_000,
  }, { node: to, address: `memory://${to}`, purpose }));
}

function refusal(outcome: DialOutcome): string {
  assert.equal(outcome.ok, false);
  return outcome.ok ? "" : outcome.cause;
}

async function started(): Promise<SimulatedCluster> {
  const cluster = new SimulatedCluster({ alpha: "sync", beta: "sync", gamma: "async" });
  cluster.start("beta");
  await cluster.advance(500);
  return cluster;
}

/** A connection that says nothing; `ended` once it was closed. */
async function silent(
  cluster: SimulatedCluster,
  address: string,
): Promise<{ stream: ByteStream; ended: boolean }> {
  const opening = cluster.network.transport("stranger").connect({ scheme: "memory", name: address }, {
    timeoutMs: 1_000,
  });
  const stream = await cluster.during(opening);
  assert.ok(!isStreamEnd(stream));
  const watched = { stream, ended: false };
  stream.start({
    space: () => new Uint8Array(1024),
    received: () => {},
    drained: () => {},
    ended: () => watched.ended = true,
  });
  return watched;
}

test("listener: who does not belong is told so, with the reason", async () => {
  const cluster = await started();
  assert.match(refusal(await call(cluster, { cluster: "other" })), /this is cluster "demo", not "other"/);
  assert.match(
    refusal(await call(cluster, { node: "delta" })),
    /"delta" is not in the configuration of "beta"/,
  );
  assert.match(refusal(await call(cluster, { node: "beta" })), /both ends are node "beta"/);
  const unknown: Purpose = { kind: "data", group: "web" };
  assert.match(refusal(await call(cluster, { purpose: unknown })), /"beta" has no replica of group "web"/);
});

test("listener: of two nodes only the one with the lower name is let in to dial", async () => {
  const cluster = await started();
  assert.match(refusal(await call(cluster, { node: "gamma" })), /"beta" is the one that dials/);
  assert.equal((await call(cluster, { node: "alpha" })).ok, true);
});

test("listener: a source refuses a leg for its own group (I1)", async () => {
  const cluster = new SimulatedCluster({ alpha: "sync", beta: "sync" });
  cluster.startAll();
  await cluster.until("alpha", (report) => report.groups["db"]?.state === "in_service");
  assert.match(
    refusal(await call(cluster, { node: "beta", to: "alpha", purpose: LEG })),
    /"alpha" is source of group "db"/,
  );
});

test("listener: half-open connections end by themselves and keep a peer out for no longer", async () => {
  const cluster = await started();
  const strangers = [];
  for (let index = 0; index < HANDSHAKES_MAX; index++) strangers.push(await silent(cluster, "beta"));
  assert.equal((await call(cluster, { node: "alpha" })).ok, false);
  await cluster.advance(6_000);
  assert.equal(strangers.every(({ ended }) => ended), true);
  assert.equal((await call(cluster, { node: "alpha" })).ok, true);
});

test("nbd listener: a client that says nothing is dropped, and the next one is served", async () => {
  const cluster = new SimulatedCluster({ alpha: "sync" });
  cluster.start("alpha");
  await cluster.until("alpha", (report) => report.groups["db"]?.state === "in_service");
  const stranger = await silent(cluster, "alpha/nbd");
  await cluster.advance(11_000);
  assert.equal(stranger.ended, true);
  await cluster.client("alpha");
});

test("nbd listener: a client whose session is killed costs that client and nobody else", async () => {
  const cluster = new SimulatedCluster({ alpha: "sync" });
  const { system } = cluster.start("alpha").parts.world;
  await cluster.until("alpha", (report) => report.groups["db"]?.state === "in_service");
  const one = await cluster.client("alpha");
  const other = await cluster.client("alpha");
  assert.equal(system.kill("node/nbd_listener/session:1"), true);
  assert.equal((await cluster.during(one.write(0, new Uint8Array(512)))).ok, false);
  assert.equal((await cluster.during(other.write(0, new Uint8Array(512)))).ok, true);
  assert.equal(cluster.node("alpha").parts.exports.sessions.length, 1);
});

/** Two peers, one simulated network: what each makes of the other when the network or the other end misbehaves. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { peerActor } from "../../../actors/peer/actor.ts";
import { type Caller, dial } from "../../../actors/peer/dial.ts";
import type { RemoteMail } from "../../../actors/peer/environment.ts";
import { PeerBoard } from "../../../actors/peer/peer_board.ts";
import type { PeerMessage } from "../../../actors/peer/messages.ts";
import { listenerActor } from "../../../actors/node/listener.ts";
import { Door } from "../../../actors/node/door.ts";
import { OUR_PROTOCOL } from "../../../protocol/version.ts";
import type { GroupSummary } from "../../../protocol/messages.ts";
import { type ActorSystem, type Ref, RemoteNode, SimulatedWorld, SlabPool } from "../../../runtime/mod.ts";
import { SimulatedNetwork } from "../../../transports/memory.ts";
import type { TransportTable } from "../../../transports/schemes.ts";

const TIMES = { heartbeatIntervalMs: 250, leaseMs: 2_000 };
const SUMMARY: GroupSummary = {
  group: "db",
  role: "source",
  generation: 3,
  position: { generation: 3, seq: 7 },
  source: "alpha",
};

/** One end: a system with a listener and the actor of the other node. */
class End {
  readonly seen: string[] = [];
  readonly mail: RemoteMail[] = [];
  readonly heard: (readonly GroupSummary[])[] = [];
  readonly board = new PeerBoard();
  readonly system: ActorSystem;
  readonly peer: Ref<PeerMessage>;

  constructor(
    world: SimulatedWorld,
    network: SimulatedNetwork,
    names: { readonly self: string; readonly peer: string; readonly incarnation: string },
  ) {
    const { self, peer, incarnation } = names;
    this.system = world.createSystem();
    const transports: TransportTable = new Map([["memory", network.transport(self)]]);
    const slabs = new SlabPool({ slabBytes: 64 * 1024, idleMax: 2 });
    const introduction = { cluster: "demo", node: self, incarnation, offer: OUR_PROTOCOL };
    const caller: Caller = { self: introduction, transports, slabs, clock: world.clock, timeoutMs: 1_000 };
    this.peer = this.system.start({
      spec: peerActor({
        self,
        peer,
        addresses: [`memory://${peer}`],
        ...TIMES,
        board: this.board,
        dial: (address) => dial(caller, { node: peer, address, purpose: { kind: "control" } }),
        summaries: () => [SUMMARY],
        remote: new RemoteNode({ system: this.system, node: peer, exposes: () => true }),
        deliver: (mail) => this.mail.push(mail) > 0,
        up: (by) => this.seen.push(`up ${by}`),
        suspected: () => this.seen.push("suspected"),
        down: () => this.seen.push("down"),
        heard: (groups) => this.heard.push(groups),
        rtt: this.system.metrics.gauge("heartbeat_rtt_seconds", "x", ["peer"]),
        event: () => {},
      }),
      restart: "permanent",
    });
    const door = new Door({ addresses: [`memory://${self}`], transports, onTrouble: () => {} });
    this.system.start({
      spec: listenerActor({
        open: (take) => door.open(take),
        policy: { self: introduction, knownNodes: new Set(["alpha", "beta"]), knownGroups: new Set(["db"]) },
        proofRequired: false,
        slabs,
        handOver: (channel, { incarnation: by }) =>
          this.peer.tell({ kind: "connection_accepted", channel, incarnation: by }),
      }),
      restart: "permanent",
    });
  }
}

class Pair {
  readonly world: SimulatedWorld;
  readonly network: SimulatedNetwork;
  readonly alpha: End;
  beta: End;

  constructor(seed = 1) {
    this.world = new SimulatedWorld({ seed });
    const { clock, scheduler, random } = this.world;
    this.network = new SimulatedNetwork({ clock, scheduler, random });
    this.alpha = new End(this.world, this.network, { self: "alpha", peer: "beta", incarnation: "a1" });
    this.beta = new End(this.world, this.network, { self: "beta", peer: "alpha", incarnation: "b1" });
  }

  advance(ms: number): Promise<void> {
    return this.world.advanceAwaiting(ms);
  }
}

test("peers: two nodes find each other, whichever of them dials, for any order of events", async () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const pair = new Pair(seed);
    await pair.advance(1_000);
    assert.deepEqual(pair.alpha.seen, ["up b1"], `seed ${seed}`);
    assert.deepEqual(pair.beta.seen, ["up a1"], `seed ${seed}`);
  }
});

test("peers: heartbeats bring the summaries of the groups and measure the round trip", async () => {
  const pair = new Pair();
  await pair.advance(2_000);
  assert.deepEqual(pair.beta.heard.at(-1), [SUMMARY]);
  const [path] = pair.alpha.board.row("beta")?.paths ?? [];
  assert.equal(path?.state, "up");
  assert.ok((path?.rttMs ?? 0) > 0);
});

test("peers: mail reaches the named actor of the other node, with who sent it", async () => {
  const pair = new Pair();
  await pair.advance(1_000);
  pair.alpha.peer.tell({ kind: "tell_requested", to: "failover", from: "failover", body: { kind: "hello" } });
  await pair.advance(100);
  assert.deepEqual(pair.beta.mail, [
    { to: "failover", from: "failover", node: "alpha", incarnation: "a1", body: { kind: "hello" } },
  ]);
});

test("peers: silence is suspected on both ends and forgiven when the network heals in time", async () => {
  const pair = new Pair();
  await pair.advance(1_000);
  pair.network.isolate("alpha", ["beta"]);
  await pair.advance(1_800);
  pair.network.heal();
  await pair.advance(500);
  assert.deepEqual(pair.alpha.seen, ["up b1", "suspected", "up b1"]);
  assert.deepEqual(pair.beta.seen, ["up a1", "suspected", "up a1"]);
});

test("peers: a lasting partition ends in «down», and its end in «up»", async () => {
  const pair = new Pair();
  await pair.advance(1_000);
  pair.network.isolate("alpha", ["beta"]);
  await pair.advance(10_000);
  assert.deepEqual(pair.alpha.seen, ["up b1", "suspected", "down"]);
  assert.deepEqual(pair.beta.seen, ["up a1", "suspected", "down"]);
  pair.network.heal();
  await pair.advance(5_000);
  assert.equal(pair.alpha.seen.at(-1), "up b1");
  assert.equal(pair.beta.seen.at(-1), "up a1");
});

test("peers: a reset connection is made again before anybody's opinion changes", async () => {
  const pair = new Pair();
  await pair.advance(1_000);
  pair.network.resetBetween("alpha", "beta");
  await pair.advance(2_000);
  assert.deepEqual(pair.alpha.seen, ["up b1"]);
  assert.deepEqual(pair.beta.seen, ["up a1"]);
  assert.equal(pair.alpha.board.row("beta")?.paths[0]?.state, "up");
});

test("peers: a killed actor leaves no connection that looks alive; its successor makes a new one", async () => {
  for (const side of ["alpha", "beta"] as const) {
    const pair = new Pair();
    await pair.advance(1_000);
    pair[side].system.kill(pair[side].peer.path);
    await pair.advance(2_000);
    pair.alpha.peer.tell({ kind: "tell_requested", to: "admin", from: "admin", body: 1 });
    pair.beta.peer.tell({ kind: "tell_requested", to: "admin", from: "admin", body: 2 });
    await pair.advance(100);
    assert.equal(pair.beta.mail.at(-1)?.body, 1, side);
    assert.equal(pair.alpha.mail.at(-1)?.body, 2, side);
  }
});

test("peers: a process that comes back quickly is another one: down, then up", async () => {
  const pair = new Pair();
  await pair.advance(1_000);
  pair.network.crash("beta", "killed");
  pair.beta = new End(pair.world, pair.network, { self: "beta", peer: "alpha", incarnation: "b2" });
  await pair.advance(1_200);
  assert.deepEqual(pair.alpha.seen, ["up b1", "down", "up b2"]);
});

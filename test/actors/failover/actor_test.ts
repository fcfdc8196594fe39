/** The actor performs what the machine orders, and turns every outcome into an event. Virtual time, no sockets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { failover } from "../../../actors/failover/actor.ts";
import type { FailoverEnvironment } from "../../../actors/failover/environment.ts";
import type {
  FailoverMessage,
  FailoverStatus,
  FailoverToMirror,
  Opening,
  RecordChangeOutcome,
  ReplicaFacts,
  StopOutcome,
  VoteFile,
} from "../../../actors/failover/messages.ts";
import { decodeVote } from "../../../actors/failover/vote_format.ts";
import { type ActorSystem, type Ref, type ReplyTo, SimulatedWorld } from "../../../runtime/mod.ts";
import { isShapeFailure } from "../../../protocol/shape.ts";

const EMPTY: ReplicaFacts = {
  groupId: null,
  history: [],
  position: { generation: 0, seq: 0 },
  disk: "empty",
  zero: true,
  role: "target",
};

/** One node with one group of its own, whose target and mirror answer at once. */
class Stage {
  readonly world = new SimulatedWorld({ seed: 1 });
  readonly system: ActorSystem = this.world.createSystem();
  readonly events: string[] = [];
  readonly openings: Opening[] = [];
  readonly told: FailoverToMirror[] = [];
  stored: Uint8Array | null = null;
  storeFailure: string | null = null;
  facts = EMPTY;
  /** The replica's disk must not be opened. */
  refused = false;
  ref: Ref<FailoverMessage>;

  constructor() {
    this.ref = this.system.start({
      restart: "permanent",
      spec: failover({
        node: "alpha",
        incarnation: "alpha-1",
        groups: [{ group: "db", replicas: [{ node: "alpha", mode: "sync" }] }],
        intervalMs: 250,
        leaseMs: 2_000,
        environment: this.environment(),
      }),
    });
  }

  environment(): FailoverEnvironment {
    const file = (): VoteFile => ({
      payload: this.stored,
      store: async (bytes) => {
        if (this.storeFailure !== null) return { detail: this.storeFailure };
        this.stored = bytes;
        return null;
      },
    });
    return {
      send: () => false,
      peers: () => [],
      openVote: async () => ({ ok: true, file: file() }),
      seal: (_group, _number, reply) =>
        reply.reply(this.refused ? { ok: false, reason: "no disk" } : { ok: true, facts: this.facts }),
      becomeSource: (group, opening) => {
        this.openings.push(opening);
        this.facts = {
          ...EMPTY,
          groupId: opening.record.groupId,
          history: [...this.facts.history, opening.entry],
          position: { generation: opening.generation.number, seq: 0 },
          disk: "up_to_date",
        };
        this.ref.tell({ kind: "gate_opened", group, generation: opening.generation });
      },
      becomeTarget: (group, cause, reply) => {
        this.events.push(`target: ${cause}`);
        this.ref?.tell({ kind: "replica_facts", group, facts: this.facts });
        reply.reply();
      },
      tellMirror: (group, message) => {
        this.told.push(message);
        if (message.kind === "drain") {
          this.ref.tell({ kind: "drained", group, position: this.facts.position });
        }
      },
      summaryChanged: (summary) => this.events.push(`${summary.role} ${summary.generation}`),
      healthy: () => true,
      event: (kind) => this.events.push(kind),
    };
  }

  async pass(ms: number): Promise<void> {
    await this.world.advanceAwaiting(ms);
  }

  async ask<A>(question: (reply: ReplyTo<A>) => FailoverMessage): Promise<A> {
    let answer: A | null = null;
    this.ref.tell(question({ reply: (given) => answer = given }));
    await this.pass(1_000);
    assert.ok(answer !== null, "an answer within a second");
    return answer;
  }

  async status(): Promise<FailoverStatus> {
    const all = await this.ask<readonly FailoverStatus[]>((reply) => ({ kind: "status_requested", reply }));
    assert.ok(all[0] !== undefined);
    return all[0];
  }
}

async function served(): Promise<Stage> {
  const stage = new Stage();
  await stage.pass(10);
  stage.ref.tell({ kind: "replica_facts", group: "db", facts: stage.facts });
  await stage.pass(1_000);
  return stage;
}

test("failover actor: a group of one replica is born, with the vote durable before the gate opens", async () => {
  const stage = await served();
  assert.equal(stage.openings.length, 1);
  assert.ok(stage.stored !== null);
  const vote = decodeVote(stage.stored);
  assert.ok(!isShapeFailure(vote));
  assert.deepEqual(vote.record, stage.openings[0]?.record);
  const { state, source, cause } = await stage.status();
  assert.deepEqual([state, source, cause], ["in_service", "alpha", null]);
});

test("failover actor: a replica whose disk was refused blocks the group with the disk's own cause and remedy", async () => {
  const stage = new Stage();
  stage.refused = true;
  await stage.pass(10);
  const refused = { cause: "alpha/data.img: it is a directory", remedy: "name a file inside it" };
  stage.ref.tell({ kind: "replica_refused", group: "db", ...refused });
  await stage.pass(1_000);
  const { state, cause, remedy } = await stage.status();
  assert.deepEqual({ state, cause, remedy }, { state: "blocked", ...refused });
  stage.refused = false;
  stage.ref.tell({ kind: "replica_facts", group: "db", facts: stage.facts });
  await stage.pass(5_000);
  assert.equal((await stage.status()).state, "in_service", "mended, it goes on");
});

test("failover actor: the lease is renewed each interval and told to the mirror with both clocks", async () => {
  const stage = await served();
  const leases = () => stage.told.flatMap((message) => message.kind === "lease" ? [message] : []);
  const before = leases().length;
  await stage.pass(1_000);
  assert.equal(leases().length - before, 4);
  const last = leases().at(-1);
  assert.ok(last !== undefined && last.untilMs > stage.world.clock.now() + 1_500);
  assert.ok(last.untilWallMs > stage.world.clock.wall() + 1_500);
});

test("failover actor: a change of the member set is answered when it is recorded", async () => {
  const stage = await served();
  const members = [{ node: "alpha", mode: "sync" }] as const;
  const outcome = await stage.ask<RecordChangeOutcome>((reply) => ({
    kind: "record_change",
    group: "db",
    members,
    reply,
  }));
  assert.equal(outcome.kind === "recorded" && outcome.record.version, 2);
  const unknown = await stage.ask<RecordChangeOutcome>((reply) => ({
    kind: "record_change",
    group: "x",
    members,
    reply,
  }));
  assert.equal(unknown.kind, "lost");
});

test("failover actor: a restarted incarnation becomes target and is source again in a higher generation", async () => {
  const stage = await served();
  stage.system.kill(stage.ref.path);
  await stage.pass(5_000);
  assert.equal(stage.openings.length, 2);
  assert.equal(stage.openings[1]?.generation.number, 2);
  assert.equal(stage.events.filter((event) => event === "target: the failover actor starts").length, 2);
});

test("failover actor: a vote that cannot be stored ends this node's part in elections, and status names it", async () => {
  const stage = new Stage();
  stage.storeFailure = "no space left";
  stage.ref.tell({ kind: "replica_facts", group: "db", facts: stage.facts });
  await stage.pass(2_000);
  assert.equal(stage.openings.length, 0);
  const { state, cause } = await stage.status();
  assert.equal(state, "blocked");
  assert.match(cause ?? "", /vote of group db could not be stored: no space left/);
});

test("failover actor: a graceful stop drains, resigns and answers", async () => {
  const stage = await served();
  const outcome = await stage.ask<StopOutcome>((reply) => ({ kind: "stop_gracefully", reply }));
  assert.deepEqual(outcome, { resigned: ["db"], abandoned: [] });
  await stage.pass(5_000);
  assert.equal(stage.openings.length, 1, "it stands no more");
});

test("failover actor: what is malformed or of another group is noted or ignored, never a crash", async () => {
  const stage = await served();
  for (
    const body of [null, 7, {}, { kind: "resigned" }, { kind: "candidacy_offered", group: "x", number: 1 }]
  ) {
    stage.ref.tell({ kind: "remote", from: "beta", incarnation: "beta-1", body });
  }
  await stage.pass(100);
  assert.equal(stage.events.filter((event) => event === "malformed_message").length, 4);
  assert.equal((await stage.status()).state, "in_service");
});

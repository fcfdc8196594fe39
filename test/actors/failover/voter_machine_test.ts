/** The order of a voter's durable steps: nothing is answered before it is durable, no lease while a promise is under way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Effect } from "../../../actors/failover/effects.ts";
import type { ReplicaFacts } from "../../../actors/failover/messages.ts";
import type { RemoteFailover } from "../../../actors/failover/remote_messages.ts";
import { BLANK_VOTE, type Vote } from "../../../actors/failover/vote_format.ts";
import { VoterMachine } from "../../../actors/failover/voter_machine.ts";
import type { GroupRecord } from "../../../protocol/member_set.ts";

const LEASE_MS = 1_000;
const GROUP_ID = "9".repeat(32);

const FACTS: ReplicaFacts = {
  groupId: GROUP_ID,
  history: [],
  position: { generation: 3, seq: 5 },
  disk: "up_to_date",
  zero: false,
  role: "target",
};

function generation(number: number, letter = "a") {
  return { number, id: letter.repeat(32) };
}

function record(number: number, version = 1, source = "alpha"): GroupRecord {
  const all = ["alpha", "beta", "gamma"];
  const members = all.map((node) => ({ node, mode: "sync" as const }));
  return {
    groupId: GROUP_ID,
    generation: generation(number),
    source,
    version,
    members,
    voters: all,
    replicas: all,
  };
}

/** A voter of gamma with a record of generation 3, and a transcript of what it orders. */
class Booth {
  readonly voter = new VoterMachine({ group: "db", node: "gamma", leaseMs: LEASE_MS });
  nowMs = 10_000;
  serving = false;
  #effects: Effect[] = [];

  constructor(vote: Vote = { ...BLANK_VOTE, record: record(3), leaseMs: LEASE_MS }) {
    this.voter.opened({ ok: true, vote }, this.around());
    this.nowMs += LEASE_MS;
  }

  around() {
    return {
      nowMs: this.nowMs,
      serving: this.serving,
      facts: FACTS,
      emit: (effect: Effect) => void this.#effects.push(effect),
    };
  }

  ask(node: string, question: Parameters<VoterMachine["ask"]>[1]): string {
    this.voter.ask({ node, incarnation: `${node}-1` }, question, this.around());
    return this.said();
  }

  promise(node: string, number: number, letter = "b"): string {
    return this.ask(node, {
      kind: "promise_requested",
      group: "db",
      generation: generation(number, letter),
      purpose: "promotion",
      groupId: null,
      probe: false,
    });
  }

  lease(round = 1): string {
    return this.ask("alpha", { kind: "lease_requested", group: "db", generation: generation(3), round });
  }

  sealed(number: number): string {
    this.voter.sealed(number, { ok: true, facts: FACTS }, this.around());
    return this.said();
  }

  stored(failure: string | null = null): string {
    this.voter.stored(failure, this.around());
    return this.said();
  }

  said(): string {
    return this.#effects.splice(0).map((effect) => {
      if (effect.kind === "send") return `${effect.to}: ${phrase(effect.body)}`;
      if (effect.kind === "store") return `store ${effect.vote.promised?.generation.number ?? 0}`;
      return effect.kind === "seal" ? `seal ${effect.number}` : effect.kind;
    }).join(", ");
  }
}

function phrase(body: RemoteFailover): string {
  return "reason" in body ? `${body.kind} ${body.reason}` : body.kind;
}

test("voter machine: a promise is sealed, then stored, then answered", () => {
  const booth = new Booth();
  const inForce = () => booth.voter.vote.promised?.generation.number ?? 0;
  assert.equal(booth.promise("beta", 4), "seal 4");
  assert.equal(inForce(), 0, "not in force before it is durable");
  assert.equal(booth.sealed(4), "store 4");
  assert.equal(inForce(), 0);
  assert.equal(booth.stored(), "beta: promised");
  assert.equal(inForce(), 4);
});

test("voter machine: from the judgement to the answer of a promise no lease is granted, and afterwards none below it", () => {
  const booth = new Booth();
  assert.equal(booth.lease(1), "alpha: lease_granted");
  booth.nowMs += LEASE_MS;
  booth.promise("beta", 4);
  assert.equal(booth.lease(2), "", "while sealing");
  booth.sealed(4);
  assert.equal(booth.lease(3), "", "while storing");
  booth.stored();
  assert.equal(booth.lease(4), "alpha: lease_refused higher_promised");
});

test("voter machine: while a lease runs a promise is refused; a lease given back is free at once", () => {
  const booth = new Booth();
  booth.lease();
  assert.equal(booth.promise("beta", 4), "beta: promise_refused lease_runs");
  booth.voter.resigned({ node: "alpha", incarnation: "alpha-1" }, generation(3).id);
  assert.equal(booth.lease(2), "alpha: lease_refused resigned", "a question that was still on its way");
  assert.equal(booth.promise("beta", 4), "seal 4");
});

test("voter machine: a lease ends with the process that held it", () => {
  const booth = new Booth();
  booth.lease();
  booth.voter.peerStarted({ node: "alpha", incarnation: "alpha-1" });
  assert.equal(booth.promise("beta", 4), "beta: promise_refused lease_runs", "the same process");
  booth.voter.peerStarted({ node: "alpha", incarnation: "alpha-2" });
  assert.equal(booth.promise("beta", 4), "seal 4");
});

test("voter machine: a new version of the record does not hold up the lease of its source", () => {
  const booth = new Booth();
  assert.equal(
    booth.ask("alpha", { kind: "record_requested", group: "db", record: record(3, 2) }),
    "store 3",
  );
  assert.equal(booth.lease(), "alpha: lease_granted");
  assert.equal(booth.stored(), "alpha: recorded");
  assert.equal(
    booth.ask("alpha", { kind: "record_requested", group: "db", record: record(3, 1) }),
    "alpha: recorded",
  );
});

test("voter machine: a record of a higher generation seals the replica, and only its source may send it", () => {
  const booth = new Booth();
  assert.equal(booth.ask("beta", { kind: "record_requested", group: "db", record: record(4) }), "note");
  assert.equal(booth.ask("alpha", { kind: "record_requested", group: "db", record: record(4) }), "store 4");
  assert.equal(booth.lease(), "", "a lease of the generation that ends");
  assert.equal(booth.stored(), "seal 4, alpha: recorded");
});

test("voter machine: what comes during a durable step waits, the newest of each asker, and is judged by what is durable then", () => {
  const booth = new Booth();
  booth.promise("beta", 5);
  assert.equal(booth.promise("alpha", 4, "c"), "");
  assert.equal(booth.promise("alpha", 6, "d"), "");
  booth.sealed(5);
  assert.equal(booth.stored(), "beta: promised, seal 6");
  booth.sealed(6);
  assert.equal(booth.stored(), "alpha: promised");
});

test("voter machine: after a store that failed nothing is answered any more but «unavailable»", () => {
  const booth = new Booth();
  booth.promise("beta", 4);
  booth.sealed(4);
  assert.equal(booth.stored("EIO"), "note");
  assert.match(booth.voter.failure?.cause ?? "", /could not be stored: EIO/);
  assert.equal(booth.lease(), "alpha: lease_refused unavailable");
  assert.equal(booth.promise("beta", 5), "beta: promise_refused unavailable");
});

test("voter machine: a replica that does not answer holds a promise up for a lease at most", () => {
  const booth = new Booth();
  booth.promise("beta", 4);
  assert.equal(booth.voter.wakeAtMs, booth.nowMs + LEASE_MS);
  booth.nowMs += LEASE_MS;
  booth.voter.woke(booth.around());
  assert.equal(booth.said(), "beta: promise_refused unavailable");
  assert.equal(booth.sealed(4), "", "its answer comes too late");
  assert.equal(booth.lease(), "alpha: lease_granted");
});

test("voter machine: a probe binds nobody", () => {
  const booth = new Booth();
  const answer = booth.ask("beta", {
    kind: "promise_requested",
    group: "db",
    generation: generation(9),
    purpose: "promotion",
    groupId: null,
    probe: true,
  });
  assert.equal(answer, "beta: promised");
  assert.equal(booth.voter.sealedBelow, 3);
  assert.equal(booth.lease(), "alpha: lease_granted");
});

test("voter machine: a longer lease is on record before it is granted", () => {
  const booth = new Booth({ ...BLANK_VOTE, record: record(3), leaseMs: LEASE_MS / 2 });
  assert.equal(booth.said(), "store 0");
  assert.equal(booth.lease(), "alpha: lease_refused unavailable");
  booth.stored();
  assert.equal(booth.voter.vote.leaseMs, LEASE_MS);
  assert.equal(booth.lease(), "alpha: lease_granted");
});

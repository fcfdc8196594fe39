/** The stories of issue 2, told by real machines over a simulated group: who is source, when, and what a person reads. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FailoverStatus, ReplicaPlan, SwitchoverOutcome } from "../../../actors/failover/messages.ts";
import { decodeVote, encodeVote } from "../../../actors/failover/vote_format.ts";
import { SimulatedGroup } from "./simulated_group.ts";
import { isShapeFailure } from "../../../protocol/shape.ts";

const LEASE_MS = 800;

function plan(names: readonly string[], modes: readonly ReplicaPlan["mode"][] = []): ReplicaPlan[] {
  return names.map((node, index) => ({ node, mode: modes[index] ?? "sync" }));
}

function started(replicas = plan(["alpha", "beta", "gamma"]), seed = 1): SimulatedGroup {
  const group = new SimulatedGroup({ seed, replicas, leaseMs: LEASE_MS });
  for (const { node } of replicas) group.start(node);
  return group;
}

/** Born, everybody a member, alpha the source. */
function born(replicas?: ReplicaPlan[], seed?: number): SimulatedGroup {
  const group = started(replicas, seed);
  group.until(() => group.holders().length === 1, 5_000, "the group is born");
  const first = replicas?.[0]?.node ?? "alpha";
  if (group.holders()[0] !== first) move(group, first);
  group.run(1_500);
  assert.deepEqual(group.holders(), [first]);
  return group;
}

function move(group: SimulatedGroup, to: string): SwitchoverOutcome {
  let outcome: SwitchoverOutcome | null = null;
  const [source] = group.holders();
  assert.ok(source !== undefined);
  group.run(1_500);
  group.give(source, { kind: "switchover", to, reply: { reply: (answer) => outcome = answer } });
  group.until(() => outcome !== null, 10 * LEASE_MS, "the switchover is answered");
  group.until(() => group.holders().length === 1, LEASE_MS, "a source");
  assert.ok(outcome !== null);
  return outcome;
}

function status(group: SimulatedGroup, node: string): FailoverStatus {
  const found = group.status(node);
  assert.ok(found !== null, `${node} runs`);
  return found;
}

function members(group: SimulatedGroup, node: string): string[] {
  return status(group, node).record?.members.map((member) => member.node).sort() ?? [];
}

test("birth: three empty replicas get one source without waiting for any lease", () => {
  const group = started();
  const tookMs = group.until(() => group.holders().length === 1, 5_000, "a source");
  assert.ok(tookMs < LEASE_MS / 2, `${tookMs} ms`);
  group.run(2_000);
  assert.deepEqual(group.holders(), ["alpha"], "the first in the configuration");
  assert.deepEqual(members(group, "alpha"), ["alpha", "beta", "gamma"]);
});

test("birth: with one replica missing the group waits and names it; nothing is promised meanwhile", () => {
  const group = new SimulatedGroup({ seed: 3, replicas: plan(["alpha", "beta", "gamma"]) });
  group.start("alpha");
  group.start("beta");
  group.run(10_000);
  assert.deepEqual(group.holders(), []);
  const { state, cause, remedy } = status(group, "alpha");
  assert.equal(state, "blocked");
  assert.match(cause ?? "", /born when all its replicas are present and empty; missing: gamma \(down\)/);
  assert.match(remedy ?? "", /start gamma/);
  assert.equal(group.node("alpha").vote, null, "a canvass binds nobody");
  group.start("gamma");
  assert.ok(group.until(() => group.holders().length === 1, 5_000, "a source") < LEASE_MS);
});

test("birth: a group with one replica serves at once, again after a restart, in a higher generation", () => {
  const group = started(plan(["alpha"]));
  assert.ok(group.until(() => group.holders().length === 1, 1_000, "a source") < 200);
  group.run(300);
  group.kill("alpha");
  group.start("alpha");
  assert.ok(group.until(() => group.holders().length === 1, 1_000, "a source again") < 200);
  assert.equal(status(group, "alpha").generation, 2);
});

test("the source dies: within about a lease a member is source and nobody lacks a completed write", () => {
  const group = born();
  group.kill("alpha");
  const tookMs = group.until(() => group.holders().length === 1, 3 * LEASE_MS, "a new source");
  assert.ok(tookMs >= LEASE_MS / 2 && tookMs <= 1.5 * LEASE_MS, `${tookMs} ms`);
  group.run(500);
  const [source] = group.holders();
  assert.equal(source, "beta", "priority decides among equals");
  assert.equal(status(group, "gamma").source, "beta");
});

test("the source dies and returns at once: the others see the new process and do not wait for the lease", () => {
  const group = born();
  group.kill("alpha");
  group.run(50);
  group.start("alpha");
  const tookMs = group.until(() => group.holders().length === 1, 3 * LEASE_MS, "a source");
  assert.ok(tookMs < LEASE_MS / 2, `${tookMs} ms`);
  assert.equal(status(group, group.holders()[0] ?? "").generation, 2);
});

test("two candidates at once: one wins, the other follows it, and neither number is used twice", () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const group = born(plan(["alpha", "beta", "gamma", "delta"]), seed);
    group.kill("alpha");
    group.run(LEASE_MS - 150);
    for (const node of ["beta", "gamma", "delta"]) {
      group.give(node, {
        kind: "remote",
        from: "alpha",
        incarnation: "alpha-1",
        body: { kind: "candidacy_offered", group: "db", number: 1 },
      });
    }
    group.until(() => group.holders().length === 1, 4 * LEASE_MS, "one source");
    group.run(1_000);
    const [source] = group.holders();
    for (const node of ["beta", "gamma", "delta"]) assert.equal(status(group, node).source, source);
  }
});

test("a voter that restarted promises nothing until a whole lease has passed", () => {
  const group = born();
  // Alpha is cut off and keeps its lease; beta, which granted it, restarts and has forgotten that.
  group.kill("gamma");
  group.run(300);
  group.cut("alpha", "beta");
  group.run(20);
  group.kill("beta");
  group.start("beta");
  group.start("gamma");
  group.cut("alpha", "gamma");
  const restartedMs = group.trueMs;
  group.until(
    () => group.holders().includes("beta") || group.holders().includes("gamma"),
    5 * LEASE_MS,
    "a new source",
  );
  assert.ok(group.trueMs - restartedMs >= LEASE_MS * 0.98, `${group.trueMs - restartedMs} ms`);
});

test("a source that is cut off loses its lease before the others choose, and becomes target when it returns", () => {
  const group = born();
  group.cut("alpha", "beta");
  group.cut("alpha", "gamma");
  group.until(() => group.holders().length === 0, 2 * LEASE_MS, "alpha holds nothing any more");
  const { state, cause } = status(group, "alpha");
  assert.equal(state, "blocked");
  assert.match(
    cause ?? "",
    /waits for a majority of voters to renew the lease: beta \(down\), gamma \(down\)/,
  );
  group.until(() => group.holders().length === 1, 2 * LEASE_MS, "a new source");
  group.heal();
  group.until(() => status(group, "alpha").state === "watching", LEASE_MS, "alpha follows");
  group.run(1_000);
  assert.deepEqual(members(group, "beta"), ["alpha", "beta", "gamma"]);
});

test("a source that is cut off from everybody and found again before anybody was chosen goes on in its generation", () => {
  const group = born(plan(["alpha", "beta"]));
  group.cut("alpha", "beta");
  group.until(() => group.holders().length === 0, 2 * LEASE_MS, "alpha holds nothing any more");
  group.run(5_000);
  assert.match(status(group, "beta").cause ?? "", /majority of voters \(2 of 2\); missing: alpha \(down\)/);
  group.heal();
  group.until(() => group.holders().length === 1, 2 * LEASE_MS, "service again");
});

test("a source that is stopped for longer than its lease completes nothing when it goes on", () => {
  const group = born();
  group.pause("alpha", 4 * LEASE_MS);
  group.until(() => group.holders().some((name) => name !== "alpha"), 3 * LEASE_MS, "a new source");
  group.until(() => group.node("alpha").stoppedUntil === 0, 5 * LEASE_MS, "alpha goes on");
  assert.ok(!group.holders().includes("alpha"));
  group.until(() => status(group, "alpha").state === "watching", LEASE_MS, "alpha steps down");
});

test("a suspend that stops the monotonic clock ends the lease all the same", () => {
  const group = born();
  group.suspend("alpha", 4 * LEASE_MS);
  group.until(() => group.holders().some((name) => name !== "alpha"), 3 * LEASE_MS, "a new source");
  const { gate } = group.node("alpha");
  assert.ok(
    gate !== null && group.node("alpha").now(group.trueMs) < gate.untilMs,
    "by its monotonic clock it would run",
  );
  group.until(() => group.node("alpha").stoppedUntil === 0, 5 * LEASE_MS, "alpha goes on");
  assert.ok(!group.holders().includes("alpha"));
});

test("a stop shorter than the lease drops the lease, renews it, and keeps the generation", () => {
  const group = born();
  const { generation } = status(group, "alpha");
  group.pause("alpha", 0.6 * LEASE_MS);
  group.run(LEASE_MS);
  assert.ok(group.log.some((line) => line.includes("alpha lease_dropped")));
  assert.deepEqual(group.holders(), ["alpha"]);
  assert.equal(status(group, "alpha").generation, generation);
});

test("a source whose disks or main loop stall does not renew, says so, and is replaced", () => {
  const group = born();
  group.node("alpha").healthy = false;
  group.run(2 * group.intervalMs);
  assert.match(status(group, "alpha").cause ?? "", /stalls/);
  group.until(() => group.holders().some((name) => name !== "alpha"), 3 * LEASE_MS, "a new source");
});

test("a record that only the dying source's own voter holds is the highest when that voter is asked", () => {
  const group = born();
  // Alpha removes gamma from the set and dies once it has recorded that alone.
  group.cut("alpha", "beta");
  group.cut("alpha", "gamma");
  group.until(
    () => durable(group, "alpha").version > durable(group, "beta").version,
    LEASE_MS,
    "half a record",
  );
  const half = durable(group, "alpha");
  group.kill("alpha");
  group.kill("beta");
  group.heal();
  group.start("alpha");
  group.until(() => group.holders().length === 1, 6 * LEASE_MS, "a source");
  assert.equal(durable(group, group.holders()[0] ?? "").generation > half.generation, true);
  assert.equal(half.members.includes(group.holders()[0] ?? ""), true, "a member of the half-recorded set");
});

function durable(
  group: SimulatedGroup,
  node: string,
): { generation: number; version: number; members: string[] } {
  const bytes = group.node(node).vote;
  assert.ok(bytes !== null);
  const vote = decodeVote(bytes);
  assert.ok(!isShapeFailure(vote) && vote.record !== null);
  const { generation, version, members: set } = vote.record;
  return { generation: generation.number, version, members: set.map((member) => member.node) };
}

test("switchover: the named target is the next source, in a fraction of a lease", () => {
  const group = born();
  const startMs = group.trueMs + 1_500;
  assert.deepEqual(move(group, "gamma"), { ok: true, source: "gamma", generation: 2 });
  assert.ok(group.trueMs - startMs < LEASE_MS, `${group.trueMs - startMs} ms`);
  group.run(1_500);
  assert.deepEqual(members(group, "gamma"), ["alpha", "beta", "gamma"]);
});

test("switchover: refused with the reason while it would not be safe, and the source goes on", () => {
  const group = born(plan(["alpha", "beta", "gamma"], ["sync", "sync", "async"]));
  for (
    const [to, reason] of [["alpha", /source already/], ["gamma", /not in the member set/], [
      "delta",
      /no replica/,
    ]] as const
  ) {
    const outcome = move(group, to);
    assert.equal(outcome.ok, false);
    assert.match(outcome.ok ? "" : outcome.reason, reason);
  }
  group.kill("beta");
  group.run(200);
  const outcome = move(group, "beta");
  assert.match(outcome.ok ? "" : outcome.reason, /beta is not up/);
  assert.deepEqual(group.holders(), ["alpha"]);
});

test("switchover: when the chosen node dies on the way, somebody is source again and the answer says so", () => {
  const group = born();
  let outcome: SwitchoverOutcome | null = null;
  group.give("alpha", { kind: "switchover", to: "gamma", reply: { reply: (answer) => outcome = answer } });
  group.run(15);
  group.kill("gamma");
  group.until(
    () => outcome !== null && group.holders().length === 1,
    10 * LEASE_MS,
    "an answer and a source",
  );
  assert.equal((outcome as SwitchoverOutcome | null)?.ok, false);
});

test("graceful stop: the source drains and resigns, and another takes over at once", () => {
  const group = born();
  group.give("alpha", { kind: "stop_gracefully" });
  const tookMs = group.until(
    () => group.holders().some((name) => name !== "alpha"),
    3 * LEASE_MS,
    "a new source",
  );
  assert.ok(tookMs < LEASE_MS / 2, `${tookMs} ms`);
  assert.ok(group.log.some((line) => line.endsWith("alpha stopped true")));
  group.run(5_000);
  assert.equal(status(group, "alpha").state, "watching", "it stands no more");
});

test("a mirror that takes long to stop: nobody is told that the lease is free, and nobody follows before it has run out", () => {
  for (let seed = 1; seed <= 10; seed += 1) {
    const group = born(undefined, seed);
    group.closeMaxMs = 4 * LEASE_MS;
    group.give("alpha", { kind: "stop_gracefully" });
    // The checker throws if two hold a lease at any instant.
    group.until(() => group.holders().some((name) => name !== "alpha"), 8 * LEASE_MS, "a new source");
  }
});

test("the mirror ends: its node resigns at once and the group is served again in a higher generation", () => {
  const group = born();
  const gate = group.node("alpha").gate;
  assert.ok(gate !== null);
  gate.open = false;
  group.give("alpha", { kind: "mirror_down", cause: "killed" });
  const tookMs = group.until(() => group.holders().length === 1, 3 * LEASE_MS, "a source");
  assert.ok(tookMs < LEASE_MS / 2, `${tookMs} ms`);
  assert.equal(status(group, group.holders()[0] ?? "").generation, 2);
});

test("total outage: in whatever order the nodes return, a member with everything is source once it can be known", () => {
  const orders = [["alpha", "beta", "gamma"], ["gamma", "beta", "alpha"], ["beta", "alpha", "gamma"], [
    "gamma",
    "alpha",
    "beta",
  ]];
  for (const [seed, order] of orders.entries()) {
    const group = born(undefined, seed + 1);
    // The last ones standing are alpha and beta: gamma has left the set.
    group.kill("gamma");
    group.run(1_000);
    for (const node of ["alpha", "beta"]) group.kill(node);
    const [first, second, third] = order;
    group.start(first ?? "");
    group.run(5_000);
    assert.deepEqual(group.holders(), [], "one of three voters is no majority");
    assert.match(status(group, first ?? "").cause ?? "", /majority of voters \(2 of 3\)/);
    group.start(second ?? "");
    group.until(() => group.holders().length === 1, 8 * LEASE_MS, `a source among ${first} and ${second}`);
    assert.notEqual(group.holders()[0], "gamma", "it left the set before completions went on without it");
    group.start(third ?? "");
    group.run(3_000);
    assert.deepEqual(members(group, group.holders()[0] ?? ""), ["alpha", "beta", "gamma"]);
  }
});

test("a replica outside the member set is never promoted, and says whom it waits for", () => {
  const group = born(
    plan(["alpha", "beta", "gamma", "delta", "epsilon"], ["sync", "async", "async", "async", "async"]),
  );
  group.kill("alpha");
  group.run(10_000);
  assert.deepEqual(group.holders(), []);
  const { state, cause, remedy } = status(group, "beta");
  assert.equal(state, "blocked");
  assert.match(cause ?? "", /members of the recorded set are alpha \(down\)/);
  assert.match(remedy ?? "", /start or reach one of: alpha/);
  group.start("alpha");
  group.until(() => group.holders()[0] === "alpha", 3 * LEASE_MS, "alpha serves again");
});

test("a commit member waits for the sync member that may hold more", () => {
  const group = born(
    plan(["alpha", "beta", "gamma", "delta", "epsilon"], ["sync", "sync", "commit", "async", "async"]),
  );
  group.kill("alpha");
  group.kill("beta");
  group.run(10_000);
  assert.deepEqual(group.holders(), []);
  assert.match(status(group, "gamma").cause ?? "", /commit member and may lack writes that beta/);
  group.start("beta");
  group.until(() => group.holders()[0] === "beta", 4 * LEASE_MS, "beta serves");
});

test("a node returns with an old generation: it follows, and its own candidacy goes nowhere", () => {
  const group = born();
  group.kill("alpha");
  group.until(() => group.holders().length === 1, 3 * LEASE_MS, "a new source");
  for (let round = 0; round < 3; round += 1) move(group, group.holders()[0] === "beta" ? "gamma" : "beta");
  const { generation } = status(group, group.holders()[0] ?? "");
  group.start("alpha");
  group.run(3_000);
  assert.equal(status(group, "alpha").state, "watching");
  assert.equal(status(group, group.holders()[0] ?? "").generation, generation, "nobody was disturbed");
});

test("a voter that lost its state directory does not count, neither for the source nor for a candidate", () => {
  const group = born();
  group.kill("gamma");
  group.node("gamma").vote = null;
  group.start("gamma");
  group.run(1_000);
  const seen = status(group, "alpha");
  assert.equal(seen.state, "in_service");
  assert.match(seen.cause ?? "", /voter of gamma lost its memory/);
  // With beta gone too, alpha has only itself.
  group.kill("beta");
  group.until(() => group.holders().length === 0, 2 * LEASE_MS, "no lease from a voter without memory");
  group.kill("alpha");
  group.start("beta");
  group.run(5_000);
  assert.deepEqual(group.holders(), [], "beta and a voter without memory are no majority");
  assert.match(status(group, "beta").cause ?? "", /majority of voters \(2 of 3\); missing: alpha/);
});

test("a vote file that cannot be read blocks this node's part and names the file; the others go on", () => {
  const group = born();
  group.give("gamma", {
    kind: "vote_ready",
    opened: { ok: false, cause: "votes/db: both copies are damaged", remedy: "restore it" },
  });
  group.run(1_000);
  const { state, cause } = status(group, "gamma");
  assert.deepEqual([state, cause], ["blocked", "votes/db: both copies are damaged"]);
  group.kill("beta");
  group.until(() => group.holders().length === 0, 2 * LEASE_MS, "alpha alone holds nothing");
});

test("an old vote whose lease was longer makes a restarted voter wait that long", () => {
  const group = born();
  const bytes = group.node("beta").vote;
  assert.ok(bytes !== null);
  const vote = decodeVote(bytes);
  assert.ok(!isShapeFailure(vote));
  group.kill("alpha");
  group.kill("beta");
  group.node("beta").vote = encodeVote({ ...vote, leaseMs: 5 * LEASE_MS });
  group.start("beta");
  group.run(4.5 * LEASE_MS);
  assert.deepEqual(group.holders(), []);
  group.until(() => group.holders().length === 1, 3 * LEASE_MS, "a source after the long lease");
});

test("a late answer to an earlier candidacy, of the same voter, counts for nothing", () => {
  const group = born();
  group.kill("alpha");
  group.kill("gamma");
  group.until(() => status(group, "beta").state === "blocked", 4 * LEASE_MS, "beta waits for a majority");
  const before = group.node("beta").vote;
  const { record } = status(group, "beta");
  assert.ok(record !== null);
  const history = group.node("gamma").history;
  const facts = {
    groupId: record.groupId,
    history,
    position: group.node("gamma").position,
    zero: false,
  } as const;
  // Taken for reachable, gamma is waited for: the answers arrive in the middle of a candidacy.
  group.give("beta", { kind: "peer_up", node: "gamma", incarnation: "gamma-1" });
  for (let round = 0; round < 400; round += 1) {
    for (const probe of [true, false]) {
      const generation = { number: 2, id: "e".repeat(32) };
      const body = { kind: "promised", group: "db", generation, probe, record, births: [] } as const;
      const sealed = { ...facts, disk: "up_to_date", role: "target" } as const;
      group.give("beta", {
        kind: "remote",
        from: "gamma",
        incarnation: "gamma-1",
        body: { ...body, facts: sealed },
      });
    }
    group.run(5);
  }
  assert.equal(group.node("beta").vote, before, "it never got beyond a canvass");
  assert.equal(status(group, "beta").state, "blocked");
});

test("a source whose lease runs is not unseated by a question for a promise", () => {
  const group = born();
  const { generation } = status(group, "alpha");
  const question = {
    kind: "promise_requested",
    group: "db",
    purpose: "promotion",
    groupId: null,
    probe: false,
  } as const;
  const body = { ...question, generation: { number: 99, id: "e".repeat(32) } };
  group.give("alpha", { kind: "remote", from: "beta", incarnation: "beta-1", body });
  group.run(2 * LEASE_MS);
  assert.deepEqual(group.holders(), ["alpha"]);
  assert.equal(status(group, "alpha").generation, generation);
});

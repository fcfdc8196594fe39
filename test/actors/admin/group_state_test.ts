/** The one word for a group: which truth wins, and that whatever is not fine says why and what to do. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeGroup } from "../../../actors/admin/group_state.ts";
import type { GroupFacts, ReplicaAnswer } from "../../../actors/admin/status_facts.ts";
import type { FailoverState, FailoverStatus } from "../../../actors/failover/messages.ts";
import type { LegStateName } from "../../../actors/mirror/messages.ts";
import type { TargetStatus } from "../../../actors/target/messages.ts";
import { twoVolumes } from "./sample_config.ts";

const config = twoVolumes.groups[0];
assert.ok(config !== undefined);
const POSITION = { generation: 1, seq: 0 };

function failover(state: FailoverState, source: string | null): FailoverStatus {
  return {
    state,
    cause: state === "blocked" ? "waits for a majority" : null,
    remedy: state === "blocked" ? "start beta" : null,
    group: "db",
    source,
    generation: 1,
    record: null,
    quorum: { held: true, votes: 2, of: 2, needed: 2 },
    leaseLeftMs: null,
  };
}

function mirror(leg: LegStateName, heldBecause: string | null = null): ReplicaAnswer {
  return {
    kind: "mirror",
    status: {
      gate: "open",
      generation: 1,
      position: POSITION,
      members: [],
      requestedMembers: null,
      heldBecause,
      requestsInFlight: 0,
      legs: [{
        node: "beta",
        mode: "sync",
        leg,
        isMember: true,
        cause: null,
        remedy: null,
        disk: "up_to_date",
        position: POSITION,
        lag: { writes: 0, bytes: 0, seconds: 0 },
        dirtyBytes: 0,
        resync: null,
        lastResync: null,
      }],
    },
  };
}

function target(state: TargetStatus["state"]): ReplicaAnswer {
  const cause = state === "replicating" ? null : "the leg is not there";
  return {
    kind: "target",
    status: { state, source: "alpha", disk: "up_to_date", position: POSITION, cause, remedy: cause },
  };
}

function facts(fields: Partial<GroupFacts>): GroupFacts {
  const base = failover("in_service", "alpha");
  const answered = fields.failover === undefined ? base : fields.failover;
  return {
    config: config as GroupFacts["config"],
    failover: answered,
    replica: mirror("replicating"),
    source: answered?.source ?? null,
    absent: [],
    heard: new Map(),
    ...fields,
  };
}

const ROWS: readonly [string, Partial<GroupFacts>, string, RegExp | null][] = [
  ["a source with all legs replicating", {}, "in_service", null],
  ["a source whose leg is offline", { replica: mirror("offline") }, "degraded", /leg beta: it is offline/],
  ["a source whose leg diverged", { replica: mirror("diverged") }, "diverged", /leg beta/],
  ["a source that holds completions", { replica: mirror("replicating", "no lease") }, "blocked", /no lease/],
  ["failover is blocked", { failover: failover("blocked", "alpha") }, "blocked", /waits for a majority/],
  ["nobody is source yet", { failover: failover("suspecting", null) }, "electing", /no source/],
  ["somebody is being promoted", { failover: failover("promoting", null) }, "promoting", /promoted/],
  ["failover does not answer", { failover: null, source: null }, "stopped", /failover actor/],
  ["a target that replicates", { replica: target("replicating") }, "in_service", null],
  ["a target without its leg", { replica: target("waiting") }, "degraded", /the leg is not there/],
  [
    "a target that sees a replica's node down",
    { replica: target("replicating"), absent: ["gamma"] },
    "degraded",
    /gamma/,
  ],
  [
    "a replica that does not answer",
    { replica: { kind: "silent", cause: "it hangs" } },
    "degraded",
    /it hangs/,
  ],
  [
    "a node without a replica, told of a source",
    { failover: null, replica: { kind: "none" }, source: "beta" },
    "in_service",
    null,
  ],
  [
    "a node without a replica, told of none",
    { failover: null, replica: { kind: "none" }, source: null },
    "electing",
    /no source/,
  ],
];

for (const [situation, fields, state, cause] of ROWS) {
  test(`group state: ${situation} is ${state}`, () => {
    const judged = judgeGroup(facts(fields));
    assert.equal(judged.state, state);
    if (cause === null) return assert.deepEqual([judged.cause, judged.remedy], [null, null]);
    assert.match(judged.cause ?? "", cause);
    assert.ok((judged.remedy ?? "") !== "");
  });
}

/** The promotion table, row by row, and what must hold of every promotion. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeCandidacy, type PromiseFound } from "../../../actors/failover/candidate.ts";
import type { ReplicaFacts, ReplicaPlan } from "../../../actors/failover/messages.ts";
import type { GroupRecord, MemberMode } from "../../../protocol/member_set.ts";
import type { History } from "../../../protocol/position.ts";

const GROUP = "9".repeat(32);
const OTHER = "8".repeat(32);
const SYNC: ReplicaPlan[] = ["alpha", "beta", "gamma"].map((node) => ({ node, mode: "sync" }));

function history(number: number, letter = "a"): History {
  return [{ generation: { number, id: letter.repeat(32) }, source: "alpha", baseSeq: 0, lossless: true }];
}

function facts(seq: number, changes: Partial<ReplicaFacts> = {}): ReplicaFacts {
  return {
    groupId: GROUP,
    history: history(3),
    position: { generation: 3, seq },
    disk: "up_to_date",
    zero: false,
    role: "target",
    ...changes,
  };
}

const EMPTY = facts(0, {
  groupId: null,
  history: [],
  position: { generation: 0, seq: 0 },
  disk: "empty",
  zero: true,
});

function record(members: Record<string, MemberMode>, changes: Partial<GroupRecord> = {}): GroupRecord {
  return {
    groupId: GROUP,
    generation: { number: 3, id: "a".repeat(32) },
    source: "alpha",
    version: 2,
    members: Object.entries(members).map(([node, mode]) => ({ node, mode })),
    voters: ["alpha", "beta", "gamma"],
    replicas: ["alpha", "beta", "gamma"],
    ...changes,
  };
}

const ALL = record({ alpha: "sync", beta: "sync", gamma: "sync" });

function promise(
  seq: number,
  held: GroupRecord | null = ALL,
  changes: Partial<ReplicaFacts> = {},
): PromiseFound {
  return { record: held, births: [], facts: facts(seq, changes) };
}

function judge(
  node: string,
  promises: Record<string, PromiseFound>,
  replicas = SYNC,
  passedOver = new Set<string>(),
) {
  return judgeCandidacy({
    node,
    replicas,
    promises: new Map(Object.entries(promises)),
    groupId: OTHER,
    passedOver,
    sealed: true,
  });
}

function blank(changes: Partial<PromiseFound> = {}): PromiseFound {
  return { record: null, births: [], facts: EMPTY, ...changes };
}

test("candidate: each row of the table", () => {
  const ac = record({ alpha: "sync", gamma: "commit" });
  const abc = record({ alpha: "sync", beta: "sync", gamma: "commit" });
  const rows: [string, string, Record<string, PromiseFound>, string, string | null][] = [
    [
      "two_groups",
      "beta",
      { beta: promise(5), gamma: promise(5, { ...ALL, groupId: OTHER, version: 1 }) },
      "two_groups",
      "gamma",
    ],
    [
      "data_without_record",
      "beta",
      { beta: promise(5, null), gamma: blank(), alpha: blank() },
      "data_without_record",
      "beta",
    ],
    ["birth_waits", "alpha", { alpha: blank(), beta: blank() }, "birth_waits", "gamma"],
    ["birth", "alpha", { alpha: blank(), beta: blank(), gamma: blank() }, "birth", null],
    [
      "birth_again",
      "beta",
      {
        alpha: blank({ record: { ...ALL, version: 1 } }),
        beta: blank({ births: [GROUP] }),
        gamma: blank({ births: [OTHER, GROUP] }),
      },
      "birth_again",
      null,
    ],
    [
      "a later version is no half birth",
      "beta",
      { alpha: blank({ record: ALL }), beta: blank({ births: [GROUP] }), gamma: blank({ births: [GROUP] }) },
      "disk_unfit",
      "alpha,gamma",
    ],
    [
      "a half birth with a voter that lost its memory",
      "alpha",
      { alpha: blank({ record: { ...ALL, version: 1 } }), beta: blank(), gamma: blank({ births: [GROUP] }) },
      "disk_unfit",
      "beta,gamma",
    ],
    ["no_majority", "beta", { beta: promise(5) }, "no_majority", "alpha,gamma"],
    [
      "a voter without memory does not count",
      "beta",
      { beta: promise(5), gamma: promise(5, null) },
      "no_majority",
      "alpha,gamma",
    ],
    [
      "an older record does not count",
      "gamma",
      { beta: promise(5, record({ alpha: "sync" }, { version: 1 })), gamma: promise(5) },
      "promote_sync",
      null,
    ],
    [
      "the highest record counts, even on one voter",
      "gamma",
      { beta: promise(5, record({ alpha: "sync", beta: "sync" }, { version: 3 })), gamma: promise(5) },
      "not_member",
      "alpha,beta",
    ],
    [
      "disk_unfit",
      "beta",
      { beta: promise(5, ALL, { disk: "inconsistent" }), gamma: promise(5) },
      "disk_unfit",
      "alpha,gamma",
    ],
    [
      "a disk of another group",
      "beta",
      { beta: promise(5, ALL, { groupId: OTHER }), gamma: promise(5) },
      "disk_unfit",
      "alpha,gamma",
    ],
    [
      "diverged",
      "beta",
      { beta: promise(5), gamma: promise(5, ALL, { history: history(3, "b") }) },
      "diverged",
      "gamma",
    ],
    ["yield to a position", "beta", { beta: promise(5), gamma: promise(6) }, "yield", "gamma"],
    [
      "a member with an unfit disk is not ahead",
      "beta",
      { beta: promise(5), gamma: promise(6, ALL, { disk: "inconsistent" }) },
      "promote_sync",
      null,
    ],
    [
      "yield to a generation",
      "beta",
      { beta: promise(5), gamma: promise(2, ALL, { position: { generation: 4, seq: 2 } }) },
      "yield",
      "gamma",
    ],
    [
      "a replica outside the set is not ahead",
      "beta",
      {
        beta: promise(5, record({ alpha: "sync", beta: "sync" })),
        gamma: promise(9, record({ alpha: "sync", beta: "sync" })),
      },
      "promote_sync",
      null,
    ],
    ["promote_sync", "beta", { beta: promise(5), gamma: promise(5) }, "promote_sync", null],
    ["promote_source", "alpha", { alpha: promise(5), gamma: promise(5) }, "promote_source", null],
    ["promote_commit", "gamma", { beta: promise(5, ac), gamma: promise(5, ac) }, "promote_commit", null],
    [
      "sync_member_missing",
      "gamma",
      { alpha: promise(4, abc, { disk: "empty" }), gamma: promise(9, abc) },
      "sync_member_missing",
      "beta",
    ],
    [
      "a commit member yields to a sync one behind it",
      "gamma",
      { beta: promise(4, abc), gamma: promise(9, abc) },
      "yield",
      "beta",
    ],
    [
      "a commit member yields to the returned source",
      "gamma",
      { alpha: promise(4, ac), gamma: promise(9, ac) },
      "yield",
      "alpha",
    ],
    [
      "a sync member does not yield to a commit one",
      "beta",
      { beta: promise(4, abc), gamma: promise(9, abc) },
      "promote_sync",
      null,
    ],
  ];
  for (const [label, node, promises, row, nodes] of rows) {
    const verdict = judge(node, promises);
    assert.equal(verdict.row, row, label);
    const named = verdict.kind === "wait"
      ? verdict.nodes.join()
      : verdict.kind === "yield"
      ? verdict.to
      : null;
    assert.equal(named, nodes, label);
  }
});

test("candidate: who was offered the candidacy and did not take it is passed over by a bound member, never by a commit one", () => {
  const abc = record({ alpha: "sync", beta: "sync", gamma: "commit" });
  const gone = new Set(["alpha"]);
  assert.equal(
    judge("beta", { alpha: promise(6, abc), beta: promise(5, abc) }, SYNC, gone).row,
    "promote_sync",
  );
  assert.equal(judge("gamma", { alpha: promise(6, abc), gamma: promise(5, abc) }, SYNC, gone).row, "yield");
});

test("candidate: in a canvass nobody yields to a position, which may be old, but a commit member does to a sync one", () => {
  const canvass = (node: string, promises: Record<string, PromiseFound>) =>
    judgeCandidacy({
      node,
      replicas: SYNC,
      promises: new Map(Object.entries(promises)),
      groupId: OTHER,
      passedOver: new Set(),
      sealed: false,
    });
  assert.equal(canvass("beta", { beta: promise(5), gamma: promise(6) }).row, "promote_sync");
  const abc = record({ alpha: "sync", beta: "sync", gamma: "commit" });
  assert.equal(canvass("gamma", { beta: promise(5, abc), gamma: promise(6, abc) }).row, "yield");
});

test("candidate: a new set is the new source and the bound replicas that are exactly where it is", () => {
  const verdict = judge("beta", { alpha: promise(5), beta: promise(5), gamma: promise(4) });
  assert.deepEqual(verdict.kind === "promote" && verdict.members, [{ node: "beta", mode: "sync" }, {
    node: "alpha",
    mode: "sync",
  }]);
  assert.equal(verdict.kind === "promote" && verdict.baseSeq, 5);
});

test("candidate: a replica at the same position that was not bound joins later, since a position may be a lower bound", () => {
  const held = record({ alpha: "sync", beta: "sync" });
  const verdict = judge("beta", { beta: promise(5, held), gamma: promise(5, held) });
  assert.deepEqual(verdict.kind === "promote" && verdict.members, [{ node: "beta", mode: "sync" }]);
});

test("candidate: at birth only replicas whose disks are known to be zero are members at once", () => {
  const blurred = blank({ facts: { ...EMPTY, zero: false } });
  const some = judge("alpha", { alpha: blank(), beta: blurred, gamma: blank() });
  assert.deepEqual(some.kind === "promote" && some.members.map((member) => member.node), ["alpha", "gamma"]);
  const alone = judge("alpha", { alpha: blurred, beta: blank(), gamma: blank() });
  assert.deepEqual(alone.kind === "promote" && alone.members.map((member) => member.node), ["alpha"]);
  assert.equal(alone.kind === "promote" && alone.groupId, OTHER, "a birth takes the fresh id");
});

test("candidate: a canvass before birth yields to whoever comes first in the configuration, once", () => {
  const promises = new Map([["alpha", blank()], ["beta", blank()], ["gamma", blank()]]);
  const canvass = (node: string, passedOver: string[]) =>
    judgeCandidacy({
      node,
      replicas: SYNC,
      promises,
      groupId: OTHER,
      passedOver: new Set(passedOver),
      sealed: false,
    });
  const beta = canvass("beta", []);
  assert.deepEqual([beta.kind, beta.kind === "yield" && beta.to], ["yield", "alpha"]);
  assert.equal(canvass("beta", ["alpha"]).row, "birth");
  assert.equal(canvass("alpha", []).row, "birth");
});

test("candidate: a loss that was recorded but never opened is not forgotten by the next attempt", () => {
  const half = record({ gamma: "sync" }, {
    source: "gamma",
    generation: { number: 4, id: "d".repeat(32) },
    lossless: false,
  });
  const again = judge("gamma", { beta: promise(5, half), gamma: promise(5, half) });
  assert.deepEqual([again.row, again.kind === "promote" && again.lossless], ["promote_source", false]);
  const opened = promise(5, half, { history: history(4, "d"), position: { generation: 4, seq: 5 } });
  const later = judge("gamma", { beta: promise(5, half), gamma: opened });
  assert.equal(later.kind === "promote" && later.lossless, true, "its own writes it holds");
});

test("candidate: a group with one replica is its own majority", () => {
  const replicas: ReplicaPlan[] = [{ node: "alpha", mode: "sync" }];
  assert.equal(judge("alpha", { alpha: blank() }, replicas).row, "birth");
  const held = record({ alpha: "sync" }, { voters: ["alpha"], replicas: ["alpha"] });
  assert.equal(judge("alpha", { alpha: promise(7, held) }, replicas).row, "promote_source");
});

test("candidate: I6 and I12 hold of every promotion, whatever the promises", () => {
  const disks = ["empty", "inconsistent", "consistent", "up_to_date"] as const;
  const sets = [
    null,
    ALL,
    record({ alpha: "sync", gamma: "commit" }, { version: 3 }),
    record({ alpha: "sync", beta: "sync", gamma: "commit" }, { version: 4 }),
  ];
  const options: (PromiseFound | null)[] = [null];
  for (const disk of disks) {
    for (const set of sets) for (const seq of [4, 5]) options.push(promise(seq, set, { disk }));
  }
  let promoted = 0;
  for (const alpha of options) {
    for (const beta of options) {
      for (const gamma of options) {
        const given = Object.entries({ alpha, beta, gamma }).filter(([, found]) => found !== null) as [
          string,
          PromiseFound,
        ][];
        if (gamma === null) continue;
        const verdict = judge("gamma", Object.fromEntries(given));
        if (verdict.kind !== "promote") continue;
        promoted += 1;
        assert.ok(gamma.facts.disk === "consistent" || gamma.facts.disk === "up_to_date", "I12");
        assert.ok(
          given.filter(([, found]) => found.record !== null).length >= 2,
          "I6: a majority that remembers",
        );
        const bound = verdict.row !== "promote_commit";
        assert.equal(verdict.lossless, bound);
        if (bound) continue;
        const sync = given.some(([, found]) => found.record === sets[3]);
        assert.ok(!sync, "a commit member never passes a sync member besides the source");
      }
    }
  }
  assert.ok(promoted > 20);
});

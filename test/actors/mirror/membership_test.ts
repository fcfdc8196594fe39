/** Who counts, and when the member set changes: the three rules, as tables and as one property. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type LegFitness, Membership } from "../../../actors/mirror/membership.ts";
import type { GroupRecord, Member, MemberMode } from "../../../protocol/member_set.ts";

function recordOf(members: Readonly<Record<string, MemberMode>>): GroupRecord {
  return {
    groupId: "a".repeat(32),
    generation: { number: 3, id: "b".repeat(32) },
    source: "alpha",
    version: 1,
    members: Object.entries(members).map(([node, mode]) => ({ node, mode })),
    voters: ["alpha", "beta", "gamma"],
    replicas: ["alpha", "beta", "gamma"],
  };
}

function membership(
  recorded: Readonly<Record<string, MemberMode>>,
  modes: Readonly<Record<string, MemberMode>> = { beta: "sync", gamma: "sync" },
): Membership {
  return new Membership({
    self: "alpha",
    record: recordOf(recorded),
    modes: new Map(Object.entries(modes)),
  });
}

const names = (members: readonly Member[] | null) =>
  members?.map((member) => member.node).sort().join(" ") ?? null;
const ALL = { alpha: "sync", beta: "sync", gamma: "sync" } as const;

test("membership: leaving: a lost member counts until the set without it is recorded (I11)", () => {
  const set = membership(ALL);
  set.setFitness("beta", "lost");
  assert.equal(names(set.required), "beta gamma");
  assert.equal(names(set.nextChange()), "alpha gamma");
  assert.equal(names(set.required), "beta gamma");
  set.changeRecorded(2);
  assert.equal(names(set.required), "gamma");
  assert.equal(names(set.recorded), "alpha gamma");
});

test("membership: joining: it counts at once, and is recorded only when it is up to date", () => {
  const set = membership({ alpha: "sync" });
  set.setFitness("beta", "joining");
  assert.equal(names(set.required), "beta");
  assert.equal(set.nextChange(), null);
  set.setFitness("beta", "up_to_date");
  assert.equal(names(set.nextChange()), "alpha beta");
});

test("membership: an addition whose outcome is unknown was made: it counts though it was lost meanwhile", () => {
  const set = membership({ alpha: "sync" });
  set.setFitness("beta", "up_to_date");
  set.nextChange();
  set.setFitness("beta", "lost");
  assert.equal(names(set.required), "beta");
  assert.equal(set.nextChange(), null, "one change at a time");
  set.changeRecorded(2);
  assert.equal(names(set.required), "beta", "it is recorded now, so it counts still");
  assert.equal(names(set.nextChange()), "alpha");
  set.changeRecorded(3);
  assert.equal(names(set.required), "");
});

test("membership: a recorded member that has not been seen yet keeps its place", () => {
  const set = membership(ALL);
  assert.equal(set.nextChange(), null);
  assert.equal(names(set.required), "beta gamma");
});

test("membership: a leg that was lost and joins again before the smaller set is recorded ends up in it", () => {
  const set = membership({ alpha: "sync", beta: "sync" });
  set.setFitness("beta", "lost");
  set.nextChange();
  set.setFitness("beta", "up_to_date");
  set.changeRecorded(2);
  assert.equal(names(set.required), "beta");
  assert.equal(names(set.nextChange()), "alpha beta");
});

test("membership: while a mode changes, completions wait in the stronger one (I2)", () => {
  for (const [recorded, configured] of [["sync", "commit"], ["commit", "sync"]] as const) {
    const set = membership({ alpha: "sync", beta: recorded }, { beta: configured });
    set.setFitness("beta", "up_to_date");
    assert.deepEqual(set.nextChange(), [{ node: "alpha", mode: "sync" }, { node: "beta", mode: configured }]);
    assert.deepEqual(set.required, [{ node: "beta", mode: "sync" }], `${recorded} → ${configured}`);
    set.changeRecorded(2);
    assert.deepEqual(set.required, [{ node: "beta", mode: configured }]);
  }
});

test("membership: a joining leg that is recorded with a weaker mode waits in its stronger one", () => {
  const set = membership({ alpha: "sync", beta: "commit" }, { beta: "sync" });
  set.setFitness("beta", "joining");
  assert.deepEqual(set.required, [{ node: "beta", mode: "commit" }]);
});

test("membership: who is in the record and not in the configuration any more counts until it is out", () => {
  const set = membership({ alpha: "sync", delta: "sync" }, { beta: "sync" });
  assert.equal(names(set.required), "delta");
  assert.equal(names(set.nextChange()), "alpha");
  assert.equal(names(set.required), "delta");
  set.changeRecorded(2);
  assert.equal(names(set.required), "");
});

test("membership: versions only grow, and the source is in its own set (bugs of ours else)", () => {
  const set = membership({ alpha: "sync" });
  set.setFitness("beta", "up_to_date");
  set.nextChange();
  assert.throws(() => set.changeRecorded(1), /I11/);
  assert.throws(() => membership({ beta: "sync" }), /I2/);
});

test("membership (property): whoever any recorded or possibly recorded set names in a mode is waited for in it (I2, I11)", () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant("fitness" as const),
      node: fc.constantFrom("beta", "gamma"),
      fitness: fc.constantFrom<LegFitness>("lost", "joining", "up_to_date"),
    }),
    fc.constant({ kind: "ask" as const }),
    fc.constant({ kind: "recorded" as const }),
  );
  const mode = fc.constantFrom<MemberMode>("sync", "commit");
  const start = fc.record({
    recorded: fc.dictionary(fc.constantFrom("beta", "gamma"), mode),
    beta: mode,
    gamma: mode,
  });
  fc.assert(fc.property(start, fc.array(step, { maxLength: 40 }), ({ recorded, ...modes }, steps) => {
    const set = membership({ ...recorded, alpha: "sync" }, modes);
    let possible: readonly (readonly Member[])[] = [set.recorded];
    let version = 1;
    for (const each of steps) {
      if (each.kind === "fitness") set.setFitness(each.node, each.fitness);
      else if (each.kind === "ask") {
        const change = set.nextChange();
        if (change !== null) possible = [...possible, change];
      } else if (set.requested !== null) {
        version += 1;
        set.changeRecorded(version);
        possible = [set.recorded];
      }
      assert.ok(possible.length <= 2, "one change at a time");
      for (const members of possible) {
        for (const member of members) {
          if (member.node === "alpha") continue;
          const counts = set.required.find((other) => other.node === member.node);
          assert.ok(counts !== undefined, `${member.node} is in a set that may be recorded`);
          assert.ok(
            counts.mode === "sync" || member.mode === "commit",
            `${member.node} counts as ${counts.mode}`,
          );
        }
      }
    }
  }));
});

/** The voter's three tables: every row met, and what must hold whatever the inputs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  judgeLease,
  judgePromise,
  judgeRecord,
  remembers,
  type VoterView,
} from "../../../actors/failover/voter.ts";
import { BLANK_VOTE, type Vote } from "../../../actors/failover/vote_format.ts";
import type { GroupRecord } from "../../../protocol/member_set.ts";
import type { Generation } from "../../../protocol/position.ts";

const LEASE_MS = 1_000;
const NOW_MS = 50_000;

function id(letter: string): string {
  return letter.repeat(32);
}

function generation(number: number, letter = "a"): Generation {
  return { number, id: id(letter) };
}

function record(number: number, changes: Partial<GroupRecord> = {}): GroupRecord {
  return {
    groupId: id("9"),
    generation: generation(number),
    source: "alpha",
    version: 1,
    members: [{ node: "alpha", mode: "sync" }],
    voters: ["alpha", "beta", "gamma"],
    replicas: ["alpha", "beta", "gamma"],
    ...changes,
  };
}

function view(changes: Partial<VoterView> = {}): VoterView {
  return {
    node: "gamma",
    vote: BLANK_VOTE,
    grant: null,
    quietUntilMs: 0,
    serving: false,
    resignedId: null,
    leaseMs: LEASE_MS,
    nowMs: NOW_MS,
    ...changes,
  };
}

function vote(changes: Partial<Vote> = {}): Vote {
  return { ...BLANK_VOTE, leaseMs: LEASE_MS, ...changes };
}

const BETA = { node: "beta", incarnation: "beta-1" };
const ALPHA = { node: "alpha", incarnation: "alpha-1" };
const GRANT = {
  holder: "alpha",
  incarnation: "alpha-1",
  generation: generation(3),
  expiresAtMs: NOW_MS + 400,
};

test("voter: each row of the promise table", () => {
  const promotion = { generation: generation(5, "b"), purpose: "promotion", groupId: null } as const;
  const birth = { generation: generation(5, "b"), purpose: "birth", groupId: id("9") } as const;
  const promised = (number: number, letter: string) => ({
    generation: generation(number, letter),
    candidate: "beta",
  });
  const rows: [string, VoterView, typeof promotion | typeof birth, string, number][] = [
    ["a blank voter promises", view(), promotion, "promise", 0],
    [
      "a birth of a group it remembers",
      view({ vote: vote({ record: record(3) }) }),
      birth,
      "already_born",
      0,
    ],
    [
      "a number the record has reached",
      view({ vote: vote({ record: record(5) }) }),
      promotion,
      "lower_than_record",
      0,
    ],
    [
      "the same candidacy again",
      view({ vote: vote({ promised: promised(5, "b") }) }),
      promotion,
      "promise",
      0,
    ],
    [
      "the same number, another candidacy",
      view({ vote: vote({ promised: promised(5, "c") }) }),
      promotion,
      "higher_promised",
      0,
    ],
    [
      "a higher promise",
      view({ vote: vote({ promised: promised(6, "c") }) }),
      promotion,
      "higher_promised",
      0,
    ],
    ["a running lease of another", view({ grant: GRANT }), promotion, "lease_runs", 400],
    [
      "a lease that has just ended",
      view({ grant: { ...GRANT, expiresAtMs: NOW_MS } }),
      promotion,
      "promise",
      0,
    ],
    ["a lease of the asker itself", view({ grant: { ...GRANT, holder: "beta" } }), promotion, "promise", 0],
    [
      "a restart that may have forgotten a lease",
      view({ vote: vote({ record: record(3) }), quietUntilMs: NOW_MS + 300 }),
      promotion,
      "restarted",
      300,
    ],
    [
      "a restart after which only the asker's own lease could be forgotten",
      view({ vote: vote({ record: record(3, { source: "beta" }) }), quietUntilMs: NOW_MS + 300 }),
      promotion,
      "promise",
      0,
    ],
    [
      "a restart after a promise that ended all leases",
      view({ vote: vote({ record: record(3), promised: promised(4, "d") }), quietUntilMs: NOW_MS + 300 }),
      promotion,
      "promise",
      0,
    ],
    ["an own gate that may be open", view({ serving: true }), promotion, "still_source", 0],
  ];
  for (const [label, seen, question, outcome, remainingMs] of rows) {
    const verdict = judgePromise(seen, BETA, question);
    assert.equal(verdict.kind === "promise" ? "promise" : verdict.reason, outcome, label);
    assert.equal(verdict.kind === "promise" ? 0 : verdict.remainingMs, remainingMs, label);
  }
});

test("voter: whatever it is asked in whatever state, a promise never lowers a number nor breaks a running lease", () => {
  let promises = 0;
  const choices = <T>(...values: T[]) => values;
  for (const asked of choices(2, 3, 4, 5)) {
    for (const promised of choices(null, generation(3), generation(4), generation(4, "e"))) {
      for (const recorded of choices(null, record(2), record(3), record(4))) {
        for (const grantedMs of choices(null, -1, 0, 1)) {
          for (const quietMs of choices(-1, 0, 1)) {
            for (const serving of choices(false, true)) {
              for (const purpose of choices("birth", "promotion") as ("birth" | "promotion")[]) {
                const grant = grantedMs === null ? null : { ...GRANT, expiresAtMs: NOW_MS + grantedMs };
                const before = vote({
                  record: recorded,
                  promised: promised && { generation: promised, candidate: "beta" },
                });
                const question = {
                  generation: generation(asked),
                  purpose,
                  groupId: purpose === "birth" ? id("9") : null,
                };
                const seen = view({ vote: before, grant, quietUntilMs: NOW_MS + quietMs, serving });
                const verdict = judgePromise(seen, BETA, question);
                if (verdict.kind === "refuse") continue;
                promises += 1;
                const after = verdict.vote.promised?.generation;
                assert.deepEqual(after, question.generation, "it promises what was asked");
                assert.ok(asked > (recorded?.generation.number ?? 0), "I1: above the record");
                const repeated = promised?.number === asked && promised.id === question.generation.id;
                assert.equal(verdict.changed, !repeated);
                if (repeated) continue;
                assert.ok(asked > (promised?.number ?? 0), "I1: above the promise");
                assert.ok(grant === null || grant.expiresAtMs <= NOW_MS, "I6: no lease runs");
                assert.ok(!serving, "I6: the own gate is closed");
                if (
                  recorded !== null && (promised === null || promised.number <= recorded.generation.number)
                ) {
                  assert.ok(quietMs <= 0, "I6: nothing forgotten runs");
                }
              }
            }
          }
        }
      }
    }
  }
  assert.ok(promises > 100);
});

test("voter: a voter that was not at the birth of a group does not count for it", () => {
  assert.equal(remembers(BLANK_VOTE, id("9")), false);
  assert.equal(remembers(vote({ births: [id("9")] }), id("9")), true);
  assert.equal(remembers(vote({ births: [id("8")] }), id("9")), false);
  assert.equal(remembers(vote({ record: record(1) }), id("9")), true);
  assert.equal(
    remembers(vote({ record: record(1, { groupId: id("8") }), births: [id("9")] }), id("9")),
    false,
  );
});

test("voter: each row of the record table", () => {
  const at = (number: number, letter = "a") => ({
    generation: generation(number, letter),
    candidate: "beta",
  });
  const rows: [string, Vote, GroupRecord, string][] = [
    ["a voter without memory", BLANK_VOTE, record(3), "forgotten"],
    ["a record of another group", vote({ record: record(3, { groupId: id("8") }) }), record(4), "forgotten"],
    ["the first record after a birth", vote({ births: [id("9")] }), record(1), "store"],
    [
      "a number below the promise",
      vote({ record: record(3), promised: at(5) }),
      record(4),
      "higher_promised",
    ],
    ["the number it promised", vote({ record: record(3), promised: at(4) }), record(4), "store"],
    [
      "the number it promised to the loser",
      vote({ record: record(3), promised: at(4, "b") }),
      record(4),
      "store",
    ],
    ["a number above its promise", vote({ record: record(3), promised: at(4) }), record(5), "store"],
    [
      "a generation below the record's",
      vote({ record: record(5) }),
      record(4, { version: 9 }),
      "higher_promised",
    ],
    [
      "a rival of the recorded generation",
      vote({ record: record(4, { generation: generation(4, "b") }) }),
      record(4),
      "rival",
    ],
    ["a newer version", vote({ record: record(4) }), record(4, { version: 2 }), "store"],
    [
      "the same version again",
      vote({ record: record(4, { version: 2 }) }),
      record(4, { version: 2 }),
      "held",
    ],
    ["an older version", vote({ record: record(4, { version: 3 }) }), record(4, { version: 2 }), "held"],
  ];
  for (const [label, held, asked, outcome] of rows) {
    const verdict = judgeRecord(view({ vote: held }), asked);
    assert.equal(verdict.kind === "refuse" ? verdict.reason : verdict.kind, outcome, label);
    if (verdict.kind !== "store") continue;
    assert.equal(
      verdict.vote.promised?.generation.number,
      asked.generation.number,
      "a record binds like a promise",
    );
    assert.deepEqual(verdict.vote.record, asked);
  }
});

test("voter: each row of the lease table", () => {
  const held = vote({ record: record(3) });
  const rows: [string, VoterView, typeof ALPHA, Generation, string][] = [
    ["the recorded source", view({ vote: held }), ALPHA, generation(3), "grant"],
    ["a renewal", view({ vote: held, grant: GRANT }), ALPHA, generation(3), "grant"],
    [
      "a higher promise",
      view({ vote: { ...held, promised: { generation: generation(4), candidate: "beta" } } }),
      ALPHA,
      generation(3),
      "higher_promised",
    ],
    ["a higher record", view({ vote: vote({ record: record(5) }) }), ALPHA, generation(3), "higher_promised"],
    ["no record", view({ vote: vote() }), ALPHA, generation(3), "record_missing"],
    ["an older record", view({ vote: held }), ALPHA, generation(4), "record_missing"],
    ["a rival of the recorded generation", view({ vote: held }), ALPHA, generation(3, "b"), "record_missing"],
    ["somebody else", view({ vote: held }), BETA, generation(3), "not_the_source"],
    ["after it resigned", view({ vote: held, resignedId: id("a") }), ALPHA, generation(3), "resigned"],
    [
      "a later process of the source",
      view({ vote: held, grant: GRANT }),
      { ...ALPHA, incarnation: "alpha-2" },
      generation(3),
      "lease_runs",
    ],
    [
      "while an older generation's lease runs",
      view({ vote: vote({ record: record(4) }), grant: GRANT }),
      ALPHA,
      generation(4),
      "lease_runs",
    ],
    [
      "a lease longer than the one on record",
      view({ vote: { ...held, leaseMs: 10 } }),
      ALPHA,
      generation(3),
      "unavailable",
    ],
  ];
  for (const [label, seen, asker, asked, outcome] of rows) {
    const verdict = judgeLease(seen, asker, asked);
    assert.equal(verdict.kind === "refuse" ? verdict.reason : verdict.kind, outcome, label);
    if (verdict.kind === "grant") assert.equal(verdict.grant.expiresAtMs, NOW_MS + LEASE_MS);
  }
});

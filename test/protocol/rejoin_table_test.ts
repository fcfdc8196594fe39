/** The rejoin table row by row: how each situation comes about in reality is in its name. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { HistoryEntry } from "../../protocol/position.ts";
import {
  judgeRejoin,
  REJOIN_RULES,
  type RejoinAction,
  type RejoinRule,
  type ReplicaView,
} from "../../protocol/rejoin_table.ts";

/** A generation by its number and one letter for its id. */
function opened(number: number, letter: string, baseSeq: number, lossless = true): HistoryEntry {
  return { generation: { number, id: letter.repeat(32) }, source: "alpha", baseSeq, lossless };
}

function view(history: readonly HistoryEntry[], seq: number, change: Partial<ReplicaView> = {}): ReplicaView {
  const generation = history.at(-1)?.generation.number ?? 0;
  const position = { generation, seq };
  return { groupId: "g", history, position, positionExact: true, disk: "up_to_date", zero: false, ...change };
}

const empty = view([], 0, { groupId: null, disk: "empty" });
const one = opened(1, "a", 0);
/** The source took over at 100 from generation 1, holding all that was completed, or perhaps not. */
const two = [one, opened(2, "b", 100)];
const lossyTwo = [one, opened(2, "b", 100, false)];

const rows: readonly [string, ReplicaView, ReplicaView, RejoinRule, RejoinAction][] = [
  [
    "a group born on zeros meets its replica of zeros",
    view([one], 7),
    { ...empty, zero: true },
    "founding_replica",
    "resync",
  ],
  ["a disk was replaced by an empty one", view([one], 7), empty, "target_empty", "full"],
  [
    "a disk of another group was plugged in",
    view([one], 7),
    view([one], 7, { groupId: "h" }),
    "unrelated_group",
    "refuse",
  ],
  [
    "a replica was away for longer than histories go back",
    view([opened(70, "c", 900)], 950),
    view([one], 9),
    "history_too_old",
    "full",
  ],
  [
    "a target died in mid-resync",
    view(two, 150),
    view(two, 120, { disk: "inconsistent" }),
    "target_inconsistent",
    "resync",
  ],
  ["a connection broke and nothing was written", view(two, 150), view(two, 150), "same_position", "resync"],
  ["a target was away while the source wrote", view(two, 150), view([one], 80), "target_behind", "resync"],
  [
    "an old source returns with writes that nobody acknowledged",
    view(two, 150),
    view([one], 103),
    "unacknowledged_tail",
    "resync",
  ],
  [
    "a candidate opened nothing before a better one won",
    view(lossyTwo, 150),
    view([one, opened(1, "r", 90)], 90),
    "rival_without_writes",
    "resync",
  ],
  [
    "a commit member took over and lacks completed writes",
    view(lossyTwo, 150),
    view([one], 103),
    "lost_acknowledged_tail",
    "refuse",
  ],
  [
    "a commit member took over from a generation that it never saw",
    view([one, opened(3, "c", 80, false)], 90),
    view([one, opened(2, "r", 90)], 97),
    "lost_acknowledged_tail",
    "refuse",
  ],
  ["two sources wrote", view(lossyTwo, 150), view([one, opened(2, "r", 90)], 97), "split_brain", "refuse"],
  [
    "a stale source meets one that has seen its successor",
    view([one], 90),
    view(two, 150),
    "source_behind",
    "refuse",
  ],
  [
    "a source lost power and what it had not flushed",
    view([one], 90),
    view([one], 95),
    "source_behind",
    "refuse",
  ],
];

for (const [name, source, target, rule, action] of rows) {
  test(`rejoin: ${name}: ${rule}, ${action}`, () => {
    const verdict = judgeRejoin({ source, target, founding: rule === "founding_replica" });
    assert.deepEqual([verdict.rule, verdict.action], [rule, action]);
    assert.notEqual(verdict.explanation, "");
  });
}

test("rejoin: every row of the table is met by one of these situations", () => {
  assert.deepEqual([...new Set(rows.map(([, , , rule]) => rule))].sort(), [...REJOIN_RULES].sort());
});

test("rejoin: a tail is counted in writes", () => {
  assert.equal(
    judgeRejoin({ source: view(lossyTwo, 150), target: view([one], 103), founding: false }).tailWrites,
    3,
  );
});

const histories = fc.array(
  fc.record({ letter: fc.constantFrom("a", "b", "c"), writes: fc.nat(5), lossless: fc.boolean() }),
  { minLength: 1, maxLength: 4 },
)
  .map((steps) => {
    let baseSeq = 0;
    return steps.map(({ letter, writes, lossless }, index) =>
      opened(index + 1, letter, baseSeq += writes, lossless)
    );
  });
const views = fc.record({
  history: histories,
  writes: fc.nat(5),
  disk: fc.constantFrom("inconsistent", "consistent", "up_to_date"),
  positionExact: fc.boolean(),
}).map(({ history, writes, disk, positionExact }) =>
  view(history, (history.at(-1)?.baseSeq ?? 0) + writes, { disk, positionExact })
);

test("rejoin: I14: two replicas never each call the other the newer one", () => {
  fc.assert(
    fc.property(views, views, (one, other) => {
      const there = judgeRejoin({ source: one, target: other, founding: false });
      const back = judgeRejoin({ source: other, target: one, founding: false });
      // Whoever is behind for the one is not behind for the other too: no pair of nodes could each wait for the other.
      assert.ok(!(there.rule === "source_behind" && back.rule === "source_behind"));
    }),
    { numRuns: 2_000, seed: 14 },
  );
});

test("rejoin: writes beyond the source are taken back only when every gate since held all that was completed", () => {
  fc.assert(
    fc.property(views, views, (source, target) => {
      const { rule, action } = judgeRejoin({ source, target, founding: false });
      if (rule !== "unacknowledged_tail") return;
      assert.equal(action, "resync");
      assert.ok(source.history.at(-1)?.lossless === true);
    }),
    { numRuns: 2_000, seed: 15 },
  );
});

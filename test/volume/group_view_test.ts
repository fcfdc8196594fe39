import assert from "node:assert/strict";
import { test } from "node:test";
import { commonHistory, conflictingGroupIds, viewOf, worstState } from "../../volume/group_view.ts";
import { fullSuperblock, ID_A, ID_B } from "./support/superblocks.ts";

test("group view: a group is believed only as far as all its disks agree", () => {
  const newer = fullSuperblock();
  assert.ok(newer.record !== null);
  const older = {
    ...newer,
    diskState: "up_to_date" as const,
    zero: true,
    history: newer.history.slice(0, 1),
    stable: { generation: 1, seq: 70 },
    record: { ...newer.record, version: 2 },
  };
  const view = viewOf([newer, older], true);
  assert.deepEqual(view, {
    groupId: ID_A,
    history: older.history,
    position: { generation: 1, seq: 70 },
    disk: "inconsistent",
    zero: false,
    record: newer.record,
    cleanBefore: true,
  });
  assert.deepEqual(viewOf([older, newer], true), view, "in any order");
});

test("group view: the worst state counts, and a mixture with an empty disk is inconsistent", () => {
  const cases: [Parameters<typeof worstState>[0], string][] = [
    [["empty", "empty"], "empty"],
    [["empty", "up_to_date"], "inconsistent"],
    [["up_to_date", "consistent"], "consistent"],
    [["consistent", "inconsistent"], "inconsistent"],
    [["up_to_date"], "up_to_date"],
  ];
  for (const [states, expected] of cases) assert.equal(worstState(states), expected, states.join());
});

test("group view: histories with different ids share what came before", () => {
  const { history } = fullSuperblock();
  const rival = history.map((entry, i) =>
    i === 0 ? entry : { ...entry, generation: { number: 4, id: ID_A } }
  );
  assert.deepEqual(commonHistory(history, rival), history.slice(0, 1));
  assert.deepEqual(commonHistory(history, history), history);
  assert.deepEqual(commonHistory([], history), []);
});

test("group view: two disks of two groups conflict, a new one and an old one do not", () => {
  const disk = (groupId: string | null) => ({ ...fullSuperblock(), groupId });
  assert.deepEqual(conflictingGroupIds([disk(ID_A), disk(null), disk(ID_B)]), [ID_A, ID_B]);
  assert.equal(conflictingGroupIds([disk(ID_A), disk(null), disk(ID_A)]), null);
  assert.equal(conflictingGroupIds([disk(null)]), null);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { widthOf } from "../../cli/paint.ts";
import { renderStatus, safetyOf, whatToDo } from "../../cli/status_view.ts";
import type { ClusterStatus, GroupStatus } from "../../protocol/admin_messages.ts";
import { group, replica, reportOf, up } from "./sample_status.ts";

const fine: ClusterStatus = reportOf("alpha");
const troubled: ClusterStatus = {
  ...fine,
  nodes: {
    ...fine.nodes,
    beta: { ...up, state: "down", cause: "nothing heard for 9 s", remedy: "holdfast node start --node beta" },
  },
  groups: {
    db: {
      ...group,
      state: "degraded",
      cause: "the leg to beta is offline",
      memberSet: ["alpha"],
      quorum: { held: true, votes: 2, of: 3, needed: 2 },
      replicas: {
        ...group.replicas,
        beta: {
          ...replica,
          disk: "outdated",
          leg: "offline",
          promotable: false,
          dirtyBytes: 64 * 2 ** 20,
          lag: { writes: 234, bytes: 958_464, seconds: 12.3 },
        },
        gamma: {
          ...replica,
          mode: "async",
          disk: "inconsistent",
          leg: "resyncing",
          promotable: false,
          resync: {
            kind: "partial",
            doneBytes: 2 ** 28,
            totalBytes: 2 ** 30,
            bytesPerSecond: 120 * 2 ** 20,
            etaSeconds: 6.4,
          },
        },
      },
    },
  },
};

test("status: what is fine is said in the order of the questions", () => {
  assert.deepEqual(renderStatus(fine, { columns: 100, colour: false }), [
    "demo  3 of 3 nodes up  2026-11-22T13:00:00.000Z",
    "",
    "db  in service on alpha  generation 3, quorum 3 of 3",
    "  Data safe: every completed write is on alpha and beta",
    "  data  1 GiB  nbd://127.0.0.1:10801/data",
    "",
    "  REPLICA  ROLE    DISK        LEG          MODE   LAG  DIRTY  POSITION  PROMOTABLE",
    "  alpha    source  up_to_date  -            sync     -      -    3:1234  -",
    "  beta     target  up_to_date  replicating  sync     -      -    3:1234  yes",
    "  gamma    target  up_to_date  replicating  async    -      -    3:1230  no",
    "",
    "NODE   STATE  RUNTIME     VERSION",
    "alpha  up     deno 2.9.5  0.1.0",
    "beta   up     deno 2.9.5  0.1.0",
    "gamma  up     deno 2.9.5  0.1.0",
    "",
    "Nothing to do.",
  ]);
});

test("status: trouble says its cause, what recovers, and what to do; a narrow terminal keeps what matters", () => {
  assert.deepEqual(renderStatus(troubled, { columns: 64, colour: false }), [
    "demo  2 of 3 nodes up  2026-11-22T13:00:00.000Z",
    "",
    "db  in service, degraded on alpha  generation 3, quorum 2 of 3",
    "  Data on one node: every completed write is on alpha alone",
    "  Because the leg to beta is offline",
    "  data  1 GiB  nbd://127.0.0.1:10801/data",
    "  Recovering gamma: 25 % of 1 GiB (partial resync), 120 MiB/s,",
    "    6.4 s left",
    "",
    "  REPLICA  ROLE    DISK          LEG                  LAG",
    "  alpha    source  up_to_date    -                      -",
    "  beta     target  outdated      offline    936 KiB, 12 s",
    "  gamma    target  inconsistent  resyncing              -",
    "",
    "NODE   STATE  RUNTIME     VERSION",
    "alpha  up     deno 2.9.5  0.1.0",
    "beta   down   deno 2.9.5  0.1.0",
    "gamma  up     deno 2.9.5  0.1.0",
    "",
    "To do:",
    "  beta is down: nothing heard for 9 s: holdfast node start",
    "    --node beta",
  ]);
});

test("status: no line is wider than the terminal, at any width, with colour and without", () => {
  for (const colour of [true, false]) {
    for (let columns = 30; columns <= 120; columns += 1) {
      for (const line of renderStatus(troubled, { columns, colour })) {
        assert.ok(widthOf(line) <= columns || !line.slice(4).includes(" "), `${columns}: ${line}`);
      }
    }
  }
});

const safety: readonly [string, Partial<GroupStatus>, string][] = [
  ["two members", {}, "Data safe: every completed write is on alpha and beta"],
  ["never served", { memberSet: [] }, "No write was ever completed"],
  [
    "one member of three",
    { memberSet: ["alpha"] },
    "Data on one node: every completed write is on alpha alone",
  ],
  [
    "the only replica",
    { memberSet: ["alpha"], replicas: { alpha: replica } },
    "Data on alpha, the only replica",
  ],
  [
    "a member with a failed disk",
    { replicas: { ...group.replicas, beta: { ...replica, disk: "failed" } } },
    "Data safe: every completed write is on alpha and beta, of which beta does not speak",
  ],
  [
    "no member in sight",
    { state: "blocked", source: null, replicas: { gamma: replica } },
    "Data not in sight: every completed write is on alpha and beta, and none of them speaks",
  ],
  [
    "split brain",
    { state: "diverged" },
    "Two sources completed writes: both sides are kept, nothing is overwritten by itself",
  ],
];
for (const [name, change, expected] of safety) {
  test(`status: ${name}: «${expected}»`, () =>
    assert.equal(safetyOf({ ...group, ...change }).text, expected));
}

test("status: every remedy is named once", () => {
  const remedy = "holdfast mirror resume db";
  const status = {
    ...fine,
    groups: {
      db: { ...group, remedy, replicas: { beta: { ...replica, cause: "a person paused it", remedy } } },
    },
  };
  assert.deepEqual(whatToDo(status), [`db: ${remedy}`, `db on beta: a person paused it: ${remedy}`]);
});

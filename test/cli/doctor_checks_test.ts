/** What the doctor says about what he sees: each trouble with what mends it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type DoctorFacts, examine, type NodeFacts } from "../../cli/doctor_checks.ts";
import { twoVolumes } from "../actors/admin/sample_config.ts";

const WELL: NodeFacts = {
  node: "alpha",
  silent: null,
  version: "1",
  runtime: "deno 2",
  clockMs: 3,
  loopDelayMs: 2,
  brokenPaths: [],
  health: { cause: null, remedy: null },
};
const FACTS: DoctorFacts = { config: twoVolumes, warnings: [], nodes: [WELL], disks: [], status: null };
const DISK = { node: "alpha", volume: "data", path: "a.img", sizeBytes: 1_000, allocatedBytes: 100 };

const ROWS: readonly [string, Partial<DoctorFacts>, string, RegExp][] = [
  ["a silent node", { nodes: [{ ...WELL, silent: "nobody listens" }] }, "failure", /alpha does not answer/],
  [
    "an unwell node",
    { nodes: [{ ...WELL, health: { cause: "slow disk", remedy: "x" } }] },
    "failure",
    /slow disk/,
  ],
  [
    "a broken path",
    { nodes: [{ ...WELL, brokenPaths: ["tcp://b"] }] },
    "failure",
    /the path tcp:\/\/b does not work/,
  ],
  ["a clock that is wrong", { nodes: [{ ...WELL, clockMs: -4_000 }] }, "warning", /differs by -4000 ms/],
  ["a busy event loop", { nodes: [{ ...WELL, loopDelayMs: 400 }] }, "warning", /400 ms late/],
  [
    "mixed versions",
    { nodes: [WELL, { ...WELL, node: "beta", version: "2" }] },
    "warning",
    /different versions: 1, 2/,
  ],
  ["a disk without room to grow", { disks: [{ ...DISK, freeBytes: 10 }] }, "warning", /no space/],
  [
    "a warning of the configuration",
    { warnings: [{ message: "two voters", remedy: "a third" }] },
    "warning",
    /two voters/,
  ],
];

for (const [what, changes, verdict, says] of ROWS) {
  test(`doctor: ${what} is a ${verdict}, and says what mends it`, () => {
    const found = examine({ ...FACTS, ...changes }).filter((finding) => says.test(finding.says));
    assert.deepEqual(found.map((finding) => finding.verdict), [verdict]);
    assert.ok(found[0]?.mend);
  });
}

test("doctor: where all is well every line is ok", () => {
  const findings = examine({ ...FACTS, disks: [{ ...DISK, freeBytes: 10_000 }] });
  assert.deepEqual([...new Set(findings.map(({ verdict }) => verdict))], ["ok"]);
});

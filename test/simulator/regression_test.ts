/**
 * Histories that failed once, and fresh ones that nobody has seen: one of those that fails is a bug, and its name says how
 * to play it again. Long campaigns are `npm run simulate`.
 */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { profileOf } from "./campaign/job.ts";
import { PROFILES } from "./faults/plan.ts";
import { runHistory } from "./history.ts";
import { REGRESSIONS } from "./regressions.ts";

/** About half a minute of one core that has others to serve too; both runtimes draw their own. */
const FRESH_SEEDS = 40;
const FRESH_FROM = 1_000_000 + randomInt(900_000_000);

for (const { seed, profile, found } of REGRESSIONS) {
  test(`simulator: seed ${seed} ${profile} is clean: ${found}`, async () => {
    const { violation } = await runHistory({ seed, profile });
    assert.equal(violation?.detail, undefined);
  });
}

test(`simulator: fresh seeds ${FRESH_FROM} to ${FRESH_FROM + FRESH_SEEDS - 1} are clean`, async () => {
  for (let seed = FRESH_FROM; seed < FRESH_FROM + FRESH_SEEDS; seed++) {
    const profile = profileOf(seed, PROFILES);
    const { violation } = await runHistory({ seed, profile });
    assert.equal(
      violation,
      null,
      `${violation?.detail}\nagain: npm run simulate -- --replay ${seed} --profile ${profile} --shrink`,
    );
  }
});

test("simulator: one seed is one history, twice", async () => {
  const first = await runHistory({ seed: 7, profile: "swarm" });
  const second = await runHistory({ seed: 7, profile: "swarm", trace: true });
  assert.equal(first.violation, null);
  assert.deepEqual([second.hash, second.events], [first.hash, first.events]);
});

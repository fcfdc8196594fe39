/**
 * Random histories of crashes, stops, suspends, broken links, lost, doubled, late and reordered messages, with clocks up to 1 %
 * off, over three to five voters. The checker (in `simulated_group.ts`) cites the invariant that broke.
 *
 * The second test breaks the world around the machines in one way each and demands that the checker sees it: a checker
 * that cannot fail proves nothing. More histories: HOLDFAST_HISTORIES=5000.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { comeToRest, runHistory } from "./random_histories.ts";
import type { Mutation } from "./simulated_group.ts";

const HISTORIES = Number(process.env["HOLDFAST_HISTORIES"] ?? 400);

test("failover: in every history I1, I2, I6, I11 and I12 hold, and when faults stop the group is served by one source", () => {
  let generations = 0;
  let writes = 0;
  for (let seed = 1; seed <= HISTORIES; seed += 1) {
    try {
      const group = runHistory({ seed });
      comeToRest(group);
      generations += group.opened.size;
      writes += group.completed.size;
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
  assert.ok(generations > HISTORIES, "histories in which nobody is ever source prove nothing");
  assert.ok(writes > 5 * HISTORIES, "nor do those in which nothing is written");
});

const MUTATIONS: readonly (readonly [Mutation, RegExp])[] = [
  ["vote_not_durable", /^I11/],
  ["promise_forgotten", /^I\d/],
  ["lease_overrun", /^I1: .* both hold a lease/],
  ["late_grant_counted_anew", /^I1: .* both hold a lease/],
  ["clocks_run_apart", /^I1: .* both hold a lease/],
  ["target_not_sealed", /^I2/],
  ["resigned_with_open_gate", /^I1/],
  ["removal_not_recorded", /^I2/],
];

for (const [mutation, claim] of MUTATIONS) {
  test(`failover: the checker sees a world with ${mutation.replaceAll("_", " ")}`, () => {
    for (let seed = 1; seed <= 2_000; seed += 1) {
      try {
        comeToRest(runHistory({ seed, mutation }));
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        if (claim.test(message)) return;
      }
    }
    assert.fail(`no history shows ${mutation}`);
  });
}

test("failover: one seed is one history", () => {
  const story = (seed: number) => runHistory({ seed, faultsMs: 3_000 }).log.join("\n");
  assert.equal(story(7), story(7));
  assert.notEqual(story(7), story(8));
});

/** Short random histories, one from each seed: see `support/random_run.ts` for what happens and what is checked. */
import { test } from "node:test";
import { randomRun } from "./support/random_run.ts";

const SEEDS_PER_TEST = 20;

for (const first of [1, 1_001, 2_001]) {
  test(`pair: I2, I4, I10, I13 after any faults (seeds ${first} to ${first + SEEDS_PER_TEST - 1})`, async (context) => {
    for (let seed = first; seed < first + SEEDS_PER_TEST; seed += 1) {
      const done: string[] = [];
      await randomRun({ seed, tell: (line) => void done.push(line) }).catch((error: Error) => {
        context.diagnostic(`seed ${seed}: ${done.join(" · ")}`);
        error.message = `seed ${seed}: ${error.message}`;
        throw error;
      });
    }
  });
}

/** The host's scheduler with a yield policy in the test's hand: turns, their ends, and that the host gets its turn. */
import assert from "node:assert/strict";
import test from "node:test";
import { systemScheduler } from "../../runtime/mod.ts";

function scheduler() {
  const yields: (() => void)[] = [];
  return { yields, ...pick(systemScheduler({ yield: (work) => void yields.push(work) })) };
}
function pick(one: ReturnType<typeof systemScheduler>) {
  return { post: (work: () => void) => one.post(work), atTurnEnd: (work: () => void) => one.atTurnEnd(work) };
}

test("scheduler: the first turn after silence is a microtask; what a turn posts waits for the host", async () => {
  const { yields, post } = scheduler();
  const ran: string[] = [];
  post(() => {
    ran.push("1");
    post(() => ran.push("2"));
  });
  await Promise.resolve();
  assert.deepEqual([ran, yields.length], [["1"], 1]);
  yields.pop()?.();
  assert.deepEqual(ran, ["1", "2"]);
});

test("scheduler: the end of a turn comes after all its work, once, also when asked for at the end", async () => {
  const { post, atTurnEnd } = scheduler();
  const ran: string[] = [];
  atTurnEnd(() => ran.push("end 1"));
  post(() => {
    ran.push("work 1");
    atTurnEnd(() => {
      ran.push("end 2");
      atTurnEnd(() => ran.push("end 3"));
    });
  });
  post(() => ran.push("work 2"));
  await Promise.resolve();
  assert.deepEqual(ran, ["work 1", "work 2", "end 1", "end 2", "end 3"]);
});

test("scheduler: a chain of microtasks that feeds it must let the host in after 64 turns", async () => {
  const { yields, post } = scheduler();
  let turns = 0;
  for (; yields.length === 0 && turns < 1_000; turns++) {
    post(() => {});
    await Promise.resolve();
  }
  assert.equal(turns, 65);
  yields.pop()?.();
  post(() => {});
  await Promise.resolve();
  assert.equal(yields.length, 0, "after the host's turn microtasks will do again");
});

test("scheduler: work that throws hands its error to the host and does not take the other work with it", async () => {
  const { yields, post, atTurnEnd } = scheduler();
  const ran: string[] = [];
  // A turn that the test itself starts, so that it can catch what the host would see.
  post(() => {
    post(() => {
      throw new Error("bug");
    });
    post(() => ran.push("after"));
    post(() => atTurnEnd(() => ran.push("end")));
  });
  await Promise.resolve();
  assert.throws(() => yields.pop()?.(), /bug/);
  yields.pop()?.();
  assert.deepEqual(ran, ["after", "end"]);
});

/** The run queue as it runs on a host: batches in order, slices by the clock, nobody forgotten. */
import assert from "node:assert/strict";
import test from "node:test";
import { type Clock, createSystem, memoryLog, SimulatedClock, systemScheduler } from "../../runtime/mod.ts";
import { kept } from "./stage.ts";

/** A system on the host's scheduler whose yields the test serves, and two actors that note whose message was served. */
function host(clock: Clock) {
  const yields: (() => void)[] = [];
  const scheduler = systemScheduler({ yield: (work) => void yields.push(work) });
  const system = createSystem({ clock, scheduler, log: memoryLog() });
  const served: string[] = [];
  const [a, b] = ["a", "b"].map((name) =>
    system.start<number>(
      kept({ name, start: () => ({ receive: (number) => void served.push(`${name}${number}`) }) }),
    )
  );
  assert.ok(a !== undefined && b !== undefined);
  return { yields, served, a, b };
}

test("run queue: actors take turns by batches of 64, each in order, until all is served", async () => {
  const { yields, served, a, b } = host(new SimulatedClock());
  for (let number = 0; number < 200; number++) {
    a.tell(number);
    b.tell(number);
  }
  await Promise.resolve();
  assert.equal(yields.length, 0, "in a clock that stands still one slice is enough");
  assert.deepEqual(
    served.filter((text) => text[0] === "a"),
    Array.from({ length: 200 }, (_, number) => `a${number}`),
  );
  assert.deepEqual(served.slice(63, 65), ["a63", "b0"]);
  assert.equal(served.length, 400);
});

test("run queue: when the slice's time is over the host gets its turn, and the rest comes after", async () => {
  const clock = new SimulatedClock();
  let nowMs = 0;
  const { yields, served, a, b } = host({
    now: () => nowMs += 0.15,
    wall: () => 0,
    after: (delayMs, callback) => clock.after(delayMs, callback),
    cancel: (handle) => clock.cancel(handle),
  });
  for (let number = 0; number < 200; number++) {
    a.tell(number);
    b.tell(number);
  }
  await Promise.resolve();
  assert.equal(yields.length, 1);
  assert.ok(served.length > 0 && served.length < 400);
  for (let left = 100; yields.length > 0 && left > 0; left--) yields.pop()?.();
  assert.equal(served.length, 400);
});

/** Lets a virtual clock run until a promise is settled: what waits for timers alone ends without real time. */
import type { SimulatedClock } from "../../runtime/simulated/clock.ts";

/** Fails when nothing is left that could settle it. */
export async function settled<T>(clock: SimulatedClock, promise: Promise<T>): Promise<T> {
  let done = false;
  const watched = promise.finally(() => done = true);
  while (!done) {
    await new Promise((resolve) => setImmediate(resolve));
    if (!done && !clock.fireNext(Infinity)) {
      await new Promise((resolve) => setImmediate(resolve));
      if (!done) throw new Error("nothing is left that could settle it");
    }
  }
  return watched;
}

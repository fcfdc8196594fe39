/**
 * How a busy loop of actors lets the host's event loop look at its sockets: one choice per runtime, measured.
 *
 * Node polls its sockets between two `setImmediate` callbacks: one immediate is enough.
 *
 * Deno's event loop is one task of its executor (Tokio), which looks at the sockets only once in 61 wake-ups of a task
 * that is always ready. So with one `setImmediate` per slice of work an echo waits for 61 slices. The first remedy
 * was a `setTimeout(0)` at every eighth yield: it makes the loop sleep, hence poll, but sleeps one to two milliseconds
 * each time, half of the processor. What is done instead: after each millisecond of work, 64 empty immediates in a row, which are
 * 61 wake-ups and a few to spare and take about 60 µs. Twice the messages at a lower latency (bench/README.md, "Actor
 * runtime"). `MessageChannel` starved sockets on both runtimes.
 */

/** Calls `work` once, after the host has had a chance to run its own callbacks. `turnMs` is how long the turn before took. */
export type Yield = (work: () => void, turnMs: number) => void;

/** Wake-ups of a ready task until Tokio polls the sockets (its `event_interval` of 61), and a few to spare. */
const WAKE_UPS = 64;
/** Work between two polls. At 0.5 the empty wake-ups would cost 12 % of the processor; at 4 an echo would wait for them. */
const BUSY_MS = 1;

/** Node's way: the event loop polls between immediates. */
export function yieldByImmediate(): Yield {
  return (work) => {
    setImmediate(work);
  };
}

/** Deno's way: one immediate, and `wakeUps` of them after each `busyMs` of work. */
export function yieldByWakeUps(options: { readonly wakeUps?: number; readonly busyMs?: number } = {}): Yield {
  const { wakeUps = WAKE_UPS, busyMs = BUSY_MS } = options;
  let sinceMs = 0;
  return (work, turnMs) => {
    sinceMs += turnMs;
    if (sinceMs < busyMs) {
      setImmediate(work);
      return;
    }
    sinceMs = 0;
    let left = wakeUps;
    const wakeUp = () => {
      left -= 1;
      setImmediate(left > 0 ? wakeUp : work);
    };
    wakeUp();
  };
}

/** The older way for Deno, kept for the comparison in bench/: `immediates` times `setImmediate`, then one `setTimeout(0)`. */
export function yieldByImmediatesAndTimeout(immediates = 7): Yield {
  let count = 0;
  return (work) => {
    count += 1;
    if (count <= immediates) {
      setImmediate(work);
    } else {
      count = 0;
      setTimeout(work, 0);
    }
  };
}

/** The policy of the runtime this program runs on. */
export function hostYield(): Yield {
  return "Deno" in globalThis ? yieldByWakeUps() : yieldByImmediate();
}

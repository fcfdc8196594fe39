/**
 * How a busy loop of actors lets the host's event loop look at its sockets: one choice per runtime, measured.
 *
 * Node runs one round of its event loop between two `setImmediate` callbacks: that is enough. Deno runs immediates
 * without polling sockets often enough, so sockets starve behind a saturated loop (25 ms for an echo); a `setTimeout(0)`
 * makes it poll but costs throughput, so one in eight yields is one. `MessageChannel` was worse on both
 * (bench/README.md, "Actor runtime").
 */

/** Calls `work` once, after the host has had a chance to run its own callbacks. */
export type Yield = (work: () => void) => void;

/** Yields by `setImmediate` between two by `setTimeout(0)` on Deno. */
const IMMEDIATES_IN_A_ROW = 7;

/** Node's way: the event loop polls between immediates. */
export function yieldByImmediate(): Yield {
  return (work) => {
    setImmediate(work);
  };
}

/** Deno's way: `immediates` times `setImmediate`, then once `setTimeout(0)`. */
export function yieldByImmediatesAndTimeout(immediates: number = IMMEDIATES_IN_A_ROW): Yield {
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
  return "Deno" in globalThis ? yieldByImmediatesAndTimeout() : yieldByImmediate();
}

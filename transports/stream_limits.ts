/**
 * Pure: the bounds of a stream, the same for real and simulated ones.
 *
 * The queue is high enough that two of the largest gathered writes are always ready and the kernel never waits for us,
 * low enough that a dozen stalled legs do not fill the memory.
 */

/** From here on `send` answers false. */
export const HIGH_WATER_BYTES = 8 * 1024 * 1024;
/** Below this `drained` is called. */
export const LOW_WATER_BYTES = 2 * 1024 * 1024;
/** How long an ended stream may take to write what is queued and to hear the other side's end. */
export const LINGER_MS = 2_000;

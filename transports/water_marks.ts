/**
 * Pure: how much a stream queues before it asks its user to stop, the same for real and simulated streams.
 *
 * High enough that two of the largest gathered writes are always ready and the kernel never waits for us; low enough
 * that a dozen stalled legs do not fill the memory.
 */

/** From here on `send` answers false. */
export const HIGH_WATER_BYTES = 8 * 1024 * 1024;
/** Below this `drained` is called. */
export const LOW_WATER_BYTES = 2 * 1024 * 1024;

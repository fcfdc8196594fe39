/** Gives bytes to a decoder as a stream would: through its own space, in reads of chosen sizes. */
import type { FrameDecoder } from "../../../protocol/frame_decoder.ts";

/** The sizes are used round and round. Stops when the decoder lends no space; answers how many bytes were given. */
export function feed(decoder: FrameDecoder, bytes: Uint8Array, readSizes: readonly number[]): number {
  let at = 0;
  for (let read = 0; at < bytes.byteLength; read += 1) {
    const space = decoder.space();
    if (space === null) return at;
    const length = Math.min(readSizes[read % readSizes.length] ?? 1, space.byteLength, bytes.byteLength - at);
    space.set(bytes.subarray(at, at + length));
    at += length;
    decoder.received(length);
  }
  return at;
}

/**
 * Pure: the CRC-32 of a frame header, over bytes in place.
 *
 * The same polynomial as `zlib.crc32`, which wants a view of its own for each call: making one and crossing into
 * native code costs twice as much as 52 table look-ups, and a view per header is garbage per frame. Payloads, where
 * the native code wins by far, use `zlib.crc32`.
 */
const TABLE = new Int32Array(256).map((_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit += 1) rest = (rest & 1) === 1 ? 0xedb88320 ^ (rest >>> 1) : rest >>> 1;
  return rest;
});

/** CRC-32 (IEEE 802.3) of `length` bytes from `at`; unsigned. */
export function headerChecksum(
  bytes: Uint8Array,
  range: { readonly at: number; readonly length: number },
): number {
  return checksumFrom(bytes, range.at, range.at + range.length);
}

function checksumFrom(bytes: Uint8Array, from: number, to: number): number {
  let rest = -1;
  for (let index = from; index < to; index += 1) {
    rest = (TABLE[(rest ^ (bytes[index] as number)) & 0xff] as number) ^ (rest >>> 8);
  }
  return (rest ^ -1) >>> 0;
}

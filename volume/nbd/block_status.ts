/**
 * Turns a volume's extents into the descriptors of one metadata context. Pure.
 *
 * The volume may answer more or less than it was asked; the client gets consecutive descriptors from exactly the
 * offset of its request, neighbours of equal flags joined, never beyond its length, and at least one
 * ("Request types", `NBD_CMD_BLOCK_STATUS`). Where nothing is known the flags are 0, which is always safe to say.
 */
import type { Extent } from "../block_device.ts";
import type { MetaContext } from "./meta_contexts.ts";

/** Pairs of length and flags, as they stand on the wire. */
export function describeExtents(
  extents: readonly Extent[],
  question: { offset: number; length: number; context: MetaContext; extentsMax: number },
): number[] {
  const pairs: number[] = [];
  const end = question.offset + question.length;
  let at = question.offset;
  for (const extent of extents) {
    const extentEnd = Math.min(extent.offset + extent.length, end);
    if (extentEnd <= at) continue;
    if (extent.offset > at || at >= end) break;
    const flags = question.context.flagsOf(extent);
    const last = pairs.length - 2;
    if (last >= 0 && pairs[last + 1] === flags) {
      pairs[last] = (pairs[last] ?? 0) + extentEnd - at;
    } else if (pairs.length / 2 === question.extentsMax) {
      break;
    } else {
      pairs.push(extentEnd - at, flags);
    }
    at = extentEnd;
  }
  return pairs.length > 0 ? pairs : [question.length, 0];
}

/** Do both ends of a leg mean the same blocks? Pure. */
import type { LegVolume } from "../../protocol/leg_messages.ts";

/** Null when the source's volumes are those of this node, in the same order; else what differs, for people. */
export function differenceOf(theirs: readonly LegVolume[], ours: readonly LegVolume[]): string | null {
  if (theirs.length !== ours.length) {
    return `the group has ${ours.length} volumes here, ${theirs.length} there`;
  }
  for (const [index, their] of theirs.entries()) {
    const our = ours[index];
    if (our?.name !== their.name) return `volume ${their.name} is ${our?.name} here`;
    if (our.size !== their.size) {
      return `volume ${their.name} has ${their.size} bytes there, ${our.size} here`;
    }
    if (our.regionBytes !== their.regionBytes) return `volume ${their.name} has other regions here`;
  }
  return null;
}

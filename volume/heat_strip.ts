/** Pure: a dirty bitmap as a strip of cells for a person's eye: the share of each cell that is marked. */
import type { DirtyBitmap } from "./dirty_bitmap.ts";

/** `cells` numbers from 0 (clean) to 1 (all marked); fewer when there are fewer regions. */
export function heatStrip(
  bitmap: Pick<DirtyBitmap, "nextRun" | "regionCount">,
  options: { readonly cells: number },
): number[] {
  const { regionCount } = bitmap;
  const cells = Math.max(1, Math.min(options.cells, regionCount));
  const regionsPerCell = regionCount / cells;
  const marked = new Array<number>(cells).fill(0);
  for (let run = bitmap.nextRun(0); run !== null; run = bitmap.nextRun(run.first + run.count)) {
    const end = run.first + run.count;
    for (let at = run.first; at < end;) {
      const cell = Math.min(cells - 1, Math.floor(at / regionsPerCell));
      // A cell ends where the next begins; rounding must not make a step of nothing.
      const until = Math.min(end, Math.max(at + 1, Math.ceil((cell + 1) * regionsPerCell)));
      marked[cell] = (marked[cell] ?? 0) + (until - at);
      at = until;
    }
  }
  return marked.map((count) => Math.min(1, Math.round((count / regionsPerCell) * 1_000) / 1_000));
}

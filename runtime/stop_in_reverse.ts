/**
 * Stops cells one after the other, the last started first. A loop, not a recursion, where stops are immediate: a family may
 * have a hundred thousand members.
 */
import type { Cell } from "./cell.ts";

/** `cells` in order of start; `retires` says which will not be started again. `done` comes once, perhaps inside this call. */
export function stopInReverse(
  cells: readonly Cell[],
  retires: (cell: Cell) => boolean,
  done: () => void,
): void {
  let left = cells.length;
  let inLoop = false;
  let stoppedInLoop = false;
  const next = () => {
    if (inLoop) {
      stoppedInLoop = true;
      return;
    }
    inLoop = true;
    do {
      stoppedInLoop = false;
      left -= 1;
      const cell = cells[left];
      if (cell === undefined) {
        inLoop = false;
        done();
        return;
      }
      cell.end({ reason: { kind: "shutdown" }, orderly: true, retire: retires(cell), stopped: next });
    } while (stoppedInLoop);
    inLoop = false;
  };
  next();
}

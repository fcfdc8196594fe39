/** The heap after a full collection, on both runtimes, without a command-line flag. */
import process from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

let collect: (() => void) | null = null;

export function collectGarbage(): void {
  if (collect === null) {
    const exposed = (globalThis as { gc?: () => void }).gc;
    if (exposed === undefined) setFlagsFromString("--expose-gc");
    collect = exposed ?? (runInNewContext("gc") as () => void);
  }
  collect();
  collect();
}

export function heapBytes(): number {
  return process.memoryUsage().heapUsed;
}

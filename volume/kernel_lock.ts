/**
 * A lock that the kernel takes back when its process dies: flock(2), where the runtime offers it.
 *
 * Deno does (`FsFile.tryLock`), and under narrow permissions it is the only way to learn whether another process is
 * alive: /proc and signals are closed to it. Node has no flock, but may read /proc. So this answers `null` on Node, and
 * `file_lock.ts` asks there instead.
 */

interface LockableFile {
  tryLockSync(exclusive: boolean): boolean;
  close(): void;
}

interface DenoLike {
  openSync(path: string, options: { read: boolean; write: boolean }): LockableFile;
}

/** Held until the process ends or `release` is called. */
export interface KernelLock {
  release(): void;
}

function deno(): DenoLike | null {
  const candidate = (globalThis as { readonly Deno?: DenoLike }).Deno;
  return candidate === undefined ? null : candidate;
}

/** Takes the lock of an existing file: `held` when somebody has it, null where the runtime has no such call. */
export function tryKernelLock(path: string): KernelLock | "held" | null {
  const runtime = deno();
  if (runtime === null) return null;
  const file = runtime.openSync(path, { read: true, write: true });
  if (!file.tryLockSync(true)) {
    file.close();
    return "held";
  }
  return { release: () => file.close() };
}

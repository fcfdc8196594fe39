/**
 * Keeps two processes from opening the same disk, with nothing but exclusive creation of files: node:fs has no
 * flock, and an advisory lock that only one of two runtimes can take is none. Decision record 0010 tells more.
 *
 * Locks are numbered files `lock.1`, `lock.2`, … in the disk's folder; the highest belongs to the owner. Each names
 * its process: pid, the pid's start time (pids are used again) and the boot (so are both). Whoever finds the highest
 * one dead creates the next number; creation is exclusive and atomic with its content (a link of a finished file), so
 * of two that find the same dead owner one wins, and a slow third that creates a number long passed sees a higher one
 * when it looks again, and yields. Replacing one fixed name has no such order: a slow taker would unlink the lock of
 * a quick one.
 *
 * A process that opens its own lock again takes it over from itself (see `device_opener.ts`).
 */
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { type KernelLock, tryKernelLock } from "./kernel_lock.ts";

interface Owner {
  readonly pid: number;
  /** Clock ticks after boot, from /proc/<pid>/stat; null where /proc cannot be read. */
  readonly startedTicks: string | null;
  readonly boot: string | null;
  /** The owner holds the kernel's lock on this file for as long as it lives. */
  readonly flock: boolean;
}

export interface FileLock {
  /** Callable twice; does nothing when the same process took the lock again meanwhile. */
  release(): void;
}

export interface FileLockRefusal {
  readonly pid: number;
  readonly lockFile: string;
}

interface Held {
  token: symbol;
  readonly kernel: KernelLock | null;
}

/** Lock folder → who holds it in this process. */
const heldHere = new Map<string, Held>();

/** Takes the lock, or tells which process has it. Throws the system's error when the folder cannot be written. */
export function takeFileLock(folder: string): FileLock | FileLockRefusal {
  fs.mkdirSync(folder, { recursive: true });
  const self: Owner = {
    pid: process.pid,
    startedTicks: startOf(process.pid),
    boot: currentBoot(),
    flock: false,
  };
  const key = fs.realpathSync(folder);
  // Each round another process won; there is a winner at last, so this ends, and its lock is then seen as alive.
  for (let round = 0; round < 16; round += 1) {
    const highest = highestLock(folder);
    if (highest > 0) {
      const lockFile = path.join(folder, `lock.${highest}`);
      const owner = readOwner(lockFile);
      if (owner === "vanished") continue;
      const before = heldHere.get(key);
      if (before !== undefined && owner?.pid === self.pid) return held(key, folder, before.kernel);
      if (isAlive({ owner, self, lockFile })) return { pid: owner?.pid ?? 0, lockFile };
    }
    const created = createLock(folder, { number: highest + 1, owner: self });
    if (created !== null && highestLock(folder) === highest + 1) {
      removeBelow(folder, highest + 1);
      return held(key, folder, created.kernel);
    }
    created?.kernel?.release();
  }
  return { pid: 0, lockFile: path.join(folder, `lock.${highestLock(folder)}`) };
}

function held(key: string, folder: string, kernel: KernelLock | null): FileLock {
  const token = Symbol(folder);
  heldHere.set(key, { token, kernel });
  return {
    release() {
      if (heldHere.get(key)?.token !== token) return;
      heldHere.delete(key);
      removeBelow(folder, Infinity);
      kernel?.release();
    },
  };
}

function highestLock(folder: string): number {
  return Math.max(0, ...lockNumbers(folder));
}

function lockNumbers(folder: string): number[] {
  return fs.readdirSync(folder).flatMap((name) => {
    const match = /^lock\.(\d{1,9})$/.exec(name);
    return match === null ? [] : [Number(match[1])];
  });
}

/** Only our own and dead ones are below: the highest was ours. */
function removeBelow(folder: string, number: number): void {
  for (const lock of lockNumbers(folder)) {
    if (lock < number) fs.rmSync(path.join(folder, `lock.${lock}`), { force: true });
  }
}

/** Null when somebody else created this number first. The kernel's lock is held before the file has its name. */
function createLock(
  folder: string,
  options: { number: number; owner: Owner },
): { readonly kernel: KernelLock | null } | null {
  const draft = path.join(folder, `lock-draft.${options.owner.pid}`);
  fs.writeFileSync(draft, "");
  const kernel = tryKernelLock(draft);
  if (kernel === "held") return null;
  fs.writeFileSync(draft, JSON.stringify({ ...options.owner, flock: kernel !== null }) + "\n");
  try {
    fs.linkSync(draft, path.join(folder, `lock.${options.number}`));
    return { kernel };
  } catch (error) {
    kernel?.release();
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return null;
    throw error;
  } finally {
    fs.rmSync(draft, { force: true });
  }
}

/** Null: there is something in the file that is not an owner; nobody alive writes that. */
function readOwner(lockFile: string): Owner | null | "vanished" {
  let text: string;
  try {
    text = fs.readFileSync(lockFile, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "vanished";
    throw error;
  }
  try {
    const value = JSON.parse(text) as Partial<Owner>;
    if (typeof value.pid !== "number" || !Number.isSafeInteger(value.pid) || value.pid < 1) return null;
    const { startedTicks = null, boot = null, flock = false } = value;
    return { pid: value.pid, startedTicks, boot, flock };
  } catch {
    // Not JSON: cut short by a crash before it was stable.
    return null;
  }
}

/** When in doubt, alive: a person can remove a file, but nobody can mend a disk that two processes wrote. */
function isAlive({ owner, self, lockFile }: { owner: Owner | null; self: Owner; lockFile: string }): boolean {
  if (owner === null) return false;
  if (owner.flock) {
    const kernel = tryKernelLock(lockFile);
    if (kernel === "held") return true;
    if (kernel !== null) {
      kernel.release();
      return false;
    }
  }
  if (owner.boot !== null && self.boot !== null && owner.boot !== self.boot) return false;
  // The same pid started at another time, and we are it: the former one is gone.
  if (owner.pid === self.pid) return false;
  const startedTicks = startOf(owner.pid);
  if (startedTicks === "gone") return false;
  if (startedTicks !== null) return owner.startedTicks === null || owner.startedTicks === startedTicks;
  try {
    process.kill(owner.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

function currentBoot(): string | null {
  try {
    return fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    // No /proc, or no permission to read it: then only pids tell.
    return null;
  }
}

/**
 * Field 22 of /proc/<pid>/stat; the name in field 2 may hold blanks and brackets, so it is counted from its end. `gone`:
 * there is certainly no such process; null: /proc does not tell.
 */
function startOf(pid: number): string | "gone" | null {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch (error) {
    // Absent only counts where /proc shows processes at all: our own is there.
    const absent = (error as NodeJS.ErrnoException).code === "ENOENT";
    if (absent && fs.existsSync(`/proc/${process.pid}/stat`)) return "gone";
    // No /proc, or no permission: `isAlive` asks the kernel another way.
    return null;
  }
}

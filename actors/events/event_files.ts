/**
 * The folder in which the history lies, as a contract with a sibling in memory for the simulator and tests.
 *
 * Appending happens inside the turn, into the page cache: an event survives `kill -9` of the process at once, and a
 * power failure after the next `sync`, which is lazy. Nothing is decided by an event, so nothing waits for one.
 * All failures are values; a full disk costs events on disk, never the node.
 */
import fs from "node:fs";
import path from "node:path";

export interface EventFiles {
  /** For people: the folder. */
  readonly name: string;
  /** File names in the folder, which is made if it is not there. */
  list(): readonly string[] | EventFilesFailure;
  /** The whole text, or `null` when it cannot be read. */
  read(file: string): string | null;
  append(file: string, text: string): EventFilesFailure | null;
  remove(file: string): EventFilesFailure | null;
  /** Makes the file that was appended to last stable. */
  sync(): Promise<EventFilesFailure | null>;
  close(): void;
}

export interface EventFilesFailure {
  readonly kind: "event_files_failure";
  readonly detail: string;
}

/** The contract over a real folder. */
export function systemEventFiles(folder: string): EventFiles {
  let open: { readonly file: string; readonly descriptor: number } | null = null;
  function close(): void {
    if (open !== null) fs.closeSync(open.descriptor);
    open = null;
  }
  return {
    name: folder,
    list: () =>
      attempt(() => {
        fs.mkdirSync(folder, { recursive: true });
        return fs.readdirSync(folder);
      }),
    read: (file) => {
      const text = attempt(() => fs.readFileSync(path.join(folder, file), "utf8"));
      return typeof text === "string" ? text : null;
    },
    append: (file, text) =>
      attempt(() => {
        if (open === null || open.file !== file) {
          close();
          open = { file, descriptor: fs.openSync(path.join(folder, file), "a", 0o640) };
        }
        fs.writeSync(open.descriptor, text);
        return null;
      }),
    remove: (file) =>
      attempt(() => {
        fs.rmSync(path.join(folder, file), { force: true });
        return null;
      }),
    sync: () => {
      if (open === null) return Promise.resolve(null);
      const { descriptor } = open;
      return new Promise((resolve) => {
        fs.fdatasync(descriptor, (error) => {
          // A segment that was rotated away meanwhile was closed: its bytes are the kernel's to write.
          resolve(error === null || error.code === "EBADF" ? null : failure(error));
        });
      });
    },
    close: () => {
      attempt(() => {
        close();
        return null;
      });
    },
  };
}

/** The sibling in memory; `files` outlives the actor, as a disk would. */
export function memoryEventFiles(files: Map<string, string> = new Map()): EventFiles {
  return {
    name: "memory",
    list: () => [...files.keys()],
    read: (file) => files.get(file) ?? null,
    append: (file, text) => {
      files.set(file, (files.get(file) ?? "") + text);
      return null;
    },
    remove: (file) => {
      files.delete(file);
      return null;
    },
    sync: () => Promise.resolve(null),
    close: () => {},
  };
}

/** True when `list` gave no names. */
export function isEventFilesFailure(
  outcome: readonly string[] | EventFilesFailure | null,
): outcome is EventFilesFailure {
  return outcome !== null && "kind" in outcome;
}

function attempt<T>(work: () => T): T | EventFilesFailure {
  try {
    return work();
  } catch (error) {
    if (error instanceof Error) return failure(error);
    throw error;
  }
}

function failure(error: Error): EventFilesFailure {
  return { kind: "event_files_failure", detail: error.message };
}

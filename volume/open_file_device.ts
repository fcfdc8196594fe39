/**
 * Opens a regular file or a raw device as a block device, or says what is in the way so that a person can act.
 *
 * A file is created under another name, given its size, made stable, and only then renamed into place and its folder
 * made stable: a crash in between leaves no disk of the wrong size behind.
 */
import fs from "node:fs";
import path from "node:path";
import type { DeviceOpener, DeviceOpenOptions, OpenedDevice } from "./device_opener.ts";
import { FileDevice } from "./file_device.ts";
import { type FileLock, takeFileLock } from "./file_lock.ts";
import { loadHoleCalls } from "./hole_calls.ts";
import { OpenFailure } from "./open_failure.ts";
import { openRawDevice, rawDeviceBytes } from "./raw_device.ts";

/** What lies beside a disk, its lock too. */
export function metadataFolderOf(diskPath: string): string {
  return `${diskPath}.holdfast`;
}

/** Real path → the device that this process opened last; opening again takes over (see `device_opener.ts`). */
const openHere = new Map<string, FileDevice>();

export const fileDeviceOpener: DeviceOpener = { open: openFileDevice };

/** Opens `file` for reading and writing. Never throws: what a person or the system did wrong is an `OpenFailure`. */
export async function openFileDevice(
  file: string,
  options: DeviceOpenOptions,
): Promise<OpenedDevice | OpenFailure> {
  const holes = await loadHoleCalls();
  let lock: FileLock | null = null;
  let descriptor: number | null = null;
  try {
    const found = lookAt(file);
    if (found instanceof OpenFailure) return found;
    if (found === null && options.create === "never") {
      return new OpenFailure("not_found", {
        file,
        detail: "there is no such file",
        remedy: "check the path in the configuration, or restore the file",
      });
    }
    if (options.exclusive) {
      const taken = takeFileLock(metadataFolderOf(file));
      if ("pid" in taken) {
        return new OpenFailure("busy", {
          file,
          detail: `process ${taken.pid} has it open`,
          remedy:
            `stop that process, or remove ${taken.lockFile} if it is certainly not running on any machine`,
        });
      }
      lock = taken;
    }
    const created = found === null;
    if (created) createFile(file, options);
    const raw = found === "raw";
    // The kernel would refuse a raw device to us because we have it: the one before must have let it go.
    if (raw) await openHere.get(fs.realpathSync(file))?.close();
    descriptor = raw ? openRawDevice(file) : fs.openSync(file, fs.constants.O_RDWR);
    const bytes = raw ? rawDeviceBytes(descriptor) : fs.fstatSync(descriptor).size;
    if (bytes < options.size) {
      return new OpenFailure("too_small", {
        file,
        detail: `it has ${bytes} bytes, but ${options.size} are needed`,
        remedy: "configure a smaller size, or give it a larger disk",
      });
    }
    const realPath = fs.realpathSync(file);
    const heldLock = lock;
    const device = new FileDevice({
      descriptor,
      name: file,
      size: options.size,
      holes: raw ? null : holes,
      onClosed: () => {
        if (openHere.get(realPath) === device) openHere.delete(realPath);
        heldLock?.release();
      },
    });
    void openHere.get(realPath)?.close();
    openHere.set(realPath, device);
    descriptor = null;
    lock = null;
    return { device, created, raw };
  } catch (error) {
    return failureOf(file, error);
  } finally {
    if (descriptor !== null) fs.closeSync(descriptor);
    lock?.release();
  }
}

/** Null: nothing is there. */
function lookAt(file: string): "file" | "raw" | null | OpenFailure {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return null;
  if (stat.isFile()) return "file";
  if (stat.isBlockDevice()) return "raw";
  if (stat.isDirectory()) {
    return new OpenFailure("is_directory", {
      file,
      detail: "it is a directory",
      remedy: "name a file inside it",
    });
  }
  return new OpenFailure("wrong_kind", {
    file,
    detail: "it is neither a regular file nor a block device",
    remedy: "name a regular file or a block device",
  });
}

function createFile(file: string, options: DeviceOpenOptions): void {
  const folder = path.dirname(file);
  const firstMade = fs.mkdirSync(folder, { recursive: true });
  const draft = `${file}.creating`;
  const descriptor = fs.openSync(draft, "w", 0o600);
  try {
    fs.ftruncateSync(descriptor, options.size);
    if (options.create === "allocated") {
      const zeros = new Uint8Array(1024 * 1024);
      for (let at = 0; at < options.size;) {
        at += fs.writeSync(descriptor, zeros, 0, Math.min(zeros.length, options.size - at), at);
      }
    }
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
  fs.renameSync(draft, file);
  syncFolder(folder);
  // Folders that were made are entries of the one above the first of them, and of each other.
  if (firstMade !== undefined) {
    for (let above = folder; above !== path.dirname(firstMade);) syncFolder(above = path.dirname(above));
  }
}

function syncFolder(folder: string): void {
  const descriptor = fs.openSync(folder, "r");
  try {
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

function failureOf(file: string, error: unknown): OpenFailure {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code ?? "" : "";
  const detail = error instanceof Error ? error.message : String(error);
  switch (code) {
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new OpenFailure("no_permission", {
        file,
        detail: `this user may not write it (${code})`,
        remedy: "give the user that runs the node read and write permission",
      });
    case "EBUSY":
    case "ETXTBSY":
      return new OpenFailure("busy", {
        file,
        detail: `the system has claimed it (${code})`,
        remedy: "unmount it, or take it out of whatever uses it",
      });
    case "ENOTDIR":
    case "EEXIST":
      return new OpenFailure("wrong_kind", {
        file,
        detail: "a folder in its path is a file",
        remedy: "check the path in the configuration",
      });
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
      return new OpenFailure("no_space", {
        file,
        detail: `the file system has no room for it (${code})`,
        remedy: "free some space, or place it on another file system",
      });
    default:
      // Deno's permission errors carry no code of the system, but their name says it.
      if (error instanceof Error && error.name === "NotCapable") {
        return new OpenFailure("no_permission", {
          file,
          detail: `the runtime's permissions do not cover it (${detail})`,
          remedy: "start the node through bin/holdfast, with the configuration that names this file",
        });
      }
      return new OpenFailure("io_error", { file, detail, remedy: "check the disk and the system's log" });
  }
}

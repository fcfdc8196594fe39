/**
 * What a block device does not tell through stat: its size, and whether the system uses it already. Linux's sysfs knows.
 *
 * Opening with O_EXCL makes the kernel refuse a device that is mounted, swapped to or part of another (LVM, RAID).
 * Deno takes O_EXCL for "create it", so there the same question is asked of sysfs and of the list of mounts: weaker by
 * the moment between asking and opening, and blind to swap.
 */
import fs from "node:fs";
import path from "node:path";

/** Opens a block device for reading and writing. Throws an error with code EBUSY when the system has claimed it. */
export function openRawDevice(file: string): number {
  if (!("Deno" in globalThis)) return fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_EXCL);
  const claim = claimOn(fs.statSync(file).rdev);
  if (claim !== null) throw Object.assign(new Error(claim), { code: "EBUSY" });
  return fs.openSync(file, fs.constants.O_RDWR);
}

/** Bytes, from sysfs, which counts in units of 512. */
export function rawDeviceBytes(descriptor: number): number {
  const folder = sysfsFolder(numberOf(fs.fstatSync(descriptor).rdev));
  return Number(fs.readFileSync(path.join(folder, "size"), "utf8")) * 512;
}

function claimOn(rdev: number): string | null {
  const whole = numberOf(rdev);
  const folder = sysfsFolder(whole);
  const partitions = fs.readdirSync(folder).filter((entry) =>
    fs.existsSync(path.join(folder, entry, "partition"))
  );
  const mounted = new Set(
    fs.readFileSync("/proc/self/mountinfo", "utf8").split("\n").map((line) => line.split(" ")[2]),
  );
  const places = [folder, ...partitions.map((partition) => path.join(folder, partition))];
  for (const place of places) {
    const number = fs.readFileSync(path.join(place, "dev"), "utf8").trim();
    if (mounted.has(number)) return `device ${number} is mounted`;
    const holders = fs.readdirSync(path.join(place, "holders"));
    if (holders.length > 0) return `device ${number} is part of ${holders.join(", ")}`;
  }
  return null;
}

/** "8:16", as the kernel's lists have it; the number's bits are those of glibc's makedev. */
function numberOf(rdev: number): string {
  const major = Math.floor(rdev / 256) % 4096;
  const minor = (rdev % 256) + Math.floor(rdev / 2 ** 20) * 256;
  return `${major}:${minor}`;
}

function sysfsFolder(number: string): string {
  return `/sys/dev/block/${number}`;
}

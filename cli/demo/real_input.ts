/**
 * Real input for the demo: a file that a person names, or the files of this very project as one tar archive, which
 * anybody can unpack from the volume afterwards.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const PROJECT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const SKIPPED = new Set(["node_modules", ".git", ".holdfast", ".state"]);
const TAR_BLOCK_BYTES = 512;

export interface RealInput {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** @param bytesMax what fits on the volume beside the journal of the demo */
export function readInput(file: string | undefined, { bytesMax }: { bytesMax: number }): RealInput {
  if (file !== undefined) {
    const { size } = statSync(file);
    if (size > bytesMax) {
      throw new Error(
        `Cannot write ${file} to the volume: it has ${size} bytes, ${bytesMax} fit (try: a larger --size)`,
      );
    }
    return { name: file, bytes: readFileSync(file) };
  }
  return { name: "the files of this project, as a tar archive", bytes: tarOf(PROJECT, bytesMax) };
}

/** POSIX ustar (IEEE Std 1003.1, pax «ustar Interchange Format»): as many files as fit, in order of name. */
function tarOf(folder: string, bytesMax: number): Uint8Array {
  const parts: Uint8Array[] = [];
  let length = 2 * TAR_BLOCK_BYTES;
  for (const path of filesUnder(folder)) {
    const name = relative(folder, path);
    if (name.length > 100) continue;
    const content = readFileSync(path);
    const padding = (TAR_BLOCK_BYTES - content.byteLength % TAR_BLOCK_BYTES) % TAR_BLOCK_BYTES;
    const whole = TAR_BLOCK_BYTES + content.byteLength + padding;
    if (length + whole > bytesMax) break;
    length += whole;
    parts.push(tarHeader(name, content.byteLength), content, new Uint8Array(padding));
  }
  parts.push(new Uint8Array(2 * TAR_BLOCK_BYTES));
  const archive = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    archive.set(part, at);
    at += part.byteLength;
  }
  return archive;
}

function* filesUnder(folder: string): Generator<string> {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => a.name < b.name ? -1 : 1);
  for (const entry of entries) {
    if (SKIPPED.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesUnder(path);
    else if (entry.isFile()) yield path;
  }
}

function tarHeader(name: string, size: number): Uint8Array {
  const header = new Uint8Array(TAR_BLOCK_BYTES);
  const put = (text: string, at: number): void => header.set(new TextEncoder().encode(text), at);
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, "0")}\0`;
  put(name, 0);
  put(octal(0o644, 7), 100);
  put(octal(0, 7), 108);
  put(octal(0, 7), 116);
  put(octal(size, 11), 124);
  put(octal(0, 11), 136);
  put("        ", 148);
  put("0", 156);
  put("ustar\0", 257);
  put("00", 263);
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return header;
}

/**
 * Holes of a sparse file: where they are, and how to make them. `node:fs` has neither lseek(SEEK_HOLE) nor
 * fallocate, so the two C functions are called directly where the runtime can (Deno's FFI, `node:ffi` from Node 26).
 *
 * Everything works without them, only less sparsely: `file_device.ts` then writes real zeros and reports a file as
 * data from end to end. Rejected: scanning for zero blocks on each block-status request (a gigabyte read per answer,
 * and a zero block is not a hole); cutting and regrowing the file to punch its tail (a crash between the two leaves
 * a disk that is too small); `blocks` of stat as more than the all-or-nothing hint that it is.
 *
 * A call costs 0.6 µs under Deno and 2 µs under Node, so it is made inside the turn.
 */
import process from "node:process";

export interface HoleCalls {
  /** For people: what makes the calls. */
  readonly via: string;
  /** The first byte at or after `offset` that is data; null when there is none, or the file cannot tell. */
  nextData(descriptor: number, offset: number): number | null;
  /** The first byte at or after `offset` that is in a hole (the end of the file counts as one); null: cannot tell. */
  nextHole(descriptor: number, offset: number): number | null;
  /** Turns a range into a hole. False when it was not done: the caller writes zeros instead. */
  punch(descriptor: number, range: { offset: number; length: number }): boolean;
  /** Zeroes a range and keeps it allocated. False when it was not done. */
  zero(descriptor: number, range: { offset: number; length: number }): boolean;
}

/** The C library's functions as either runtime gives them: 64-bit results come as numbers or bigints. */
interface LibraryCalls {
  lseek(descriptor: number, offset: bigint, whence: number): number | bigint;
  fallocate(descriptor: number, mode: number, offset: bigint, length: bigint): number | bigint;
}

const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const KEEP_SIZE = 1;
const PUNCH_HOLE = 2;
const ZERO_RANGE = 16;

/** Debian and most others, then Alpine. */
const LIBRARY_NAMES = ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];

let loaded: Promise<HoleCalls | null> | null = null;

/** Loads once per process; null when the runtime, its permissions or the platform give no way. */
export function loadHoleCalls(): Promise<HoleCalls | null> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<HoleCalls | null> {
  if (process.platform !== "linux") return null;
  for (const name of LIBRARY_NAMES) {
    try {
      const deno = (globalThis as { Deno?: DenoForeignCalls }).Deno;
      if (deno === undefined) return holeCalls("node:ffi", await openWithNode(name));
      return holeCalls("Deno FFI", openWithDeno(deno, name));
    } catch {
      // This library, this runtime or its permissions do not allow it: the next one, or none.
      continue;
    }
  }
  return null;
}

interface DenoForeignCalls {
  dlopen(name: string, symbols: Record<string, unknown>): { readonly symbols: unknown };
}

function openWithDeno(deno: DenoForeignCalls, name: string): LibraryCalls {
  return deno.dlopen(name, {
    lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
    fallocate: { parameters: ["i32", "i32", "i64", "i64"], result: "i32" },
  }).symbols as LibraryCalls;
}

async function openWithNode(name: string): Promise<LibraryCalls> {
  const module = "node:ffi";
  const ffi = await import(module) as {
    dlopen(name: string, functions: Record<string, unknown>): { readonly functions: unknown };
  };
  return ffi.dlopen(name, {
    lseek: { arguments: ["int32", "int64", "int32"], return: "int64" },
    fallocate: { arguments: ["int32", "int32", "int64", "int64"], return: "int32" },
  }).functions as LibraryCalls;
}

function holeCalls(via: string, library: LibraryCalls): HoleCalls {
  const seek = (descriptor: number, offset: number, whence: number): number | null => {
    const found = Number(library.lseek(descriptor, BigInt(offset), whence));
    return found < 0 ? null : found;
  };
  const allocate = (descriptor: number, mode: number, range: { offset: number; length: number }): boolean =>
    Number(library.fallocate(descriptor, mode, BigInt(range.offset), BigInt(range.length))) === 0;
  return {
    via,
    nextData: (descriptor, offset) => seek(descriptor, offset, SEEK_DATA),
    nextHole: (descriptor, offset) => seek(descriptor, offset, SEEK_HOLE),
    punch: (descriptor, range) => allocate(descriptor, PUNCH_HOLE | KEEP_SIZE, range),
    zero: (descriptor, range) => allocate(descriptor, ZERO_RANGE | KEEP_SIZE, range),
  };
}

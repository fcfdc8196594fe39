/**
 * Randomness as a contract, so that a simulated run can be repeated from its seed (`simulated/random.ts`).
 */
import { randomBytes } from "node:crypto";

export interface Random {
  /** 0 … 2^32 − 1. */
  uint32(): number;
  bytes(length: number): Uint8Array;
  /** 0 ≤ x < 1. */
  float(): number;
  /** `length` hexadecimal digits. */
  hex(length: number): string;
}

/** Hexadecimal digits from any source of bytes; shared by both siblings. */
export function hexOf(bytes: Uint8Array, length: number): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text.slice(0, length);
}

/** Cryptographic randomness of the host, drawn in blocks because a call per number is slow. */
export function systemRandom(): Random {
  let pool = randomBytes(1024);
  let used = 0;
  const random: Random = {
    uint32: () => {
      if (used + 4 > pool.length) {
        pool = randomBytes(1024);
        used = 0;
      }
      const value = pool.readUInt32LE(used);
      used += 4;
      return value;
    },
    bytes: (length) => new Uint8Array(randomBytes(length)),
    float: () => random.uint32() / 2 ** 32,
    hex: (length) => hexOf(randomBytes(Math.ceil(length / 2)), length),
  };
  return random;
}

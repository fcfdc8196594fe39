/**
 * The demo's client: keeps several writes in flight, enters each in the ledger before it goes out and again when it
 * is acknowledged, and stops at the first that is not.
 */
import type { NbdClient } from "../../volume/nbd/client.ts";
import type { Ledger } from "./ledger.ts";

const IN_FLIGHT_MAX = 16;

export interface NextWrite {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface WriterOptions {
  readonly client: NbdClient;
  readonly ledger: Ledger;
  /** `null` when there is nothing more to write. */
  next(): NextWrite | null;
  acknowledged?(write: NextWrite): void;
}

/** Writes all there is. `false`: the connection ended first, and what was in flight has no answer. */
export async function writeAll(options: WriterOptions): Promise<boolean> {
  const { client, ledger } = options;
  let broken = false;
  const lane = async (): Promise<void> => {
    for (let write = options.next(); write !== null && !broken; write = options.next()) {
      const entry = ledger.issued(write.offset, write.bytes);
      const outcome = await client.write(write.offset, write.bytes);
      if (!outcome.ok) {
        broken = true;
        return;
      }
      ledger.acknowledged(entry);
      options.acknowledged?.(write);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT_MAX }, lane));
  return !broken;
}

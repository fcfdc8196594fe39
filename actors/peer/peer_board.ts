/**
 * What this node knows of the others, readable without asking: failover looks at it in the middle of a step, status
 * while it answers a person. Each peer actor writes its own row and nobody else's.
 */
import type { Opinion } from "./machine.ts";

export interface PeerRow {
  readonly node: string;
  readonly opinion: Opinion;
  /** Of the process that was heard last; `null`: never heard. */
  readonly incarnation: string | null;
  /** Why it is not up. */
  readonly cause: string | null;
  /** On the monotonic clock: when anything was heard last. */
  readonly lastHeardMs: number;
  readonly paths: readonly PathRow[];
}

/** One way to the peer. Only the control connection is one today. */
export interface PathRow {
  readonly address: string;
  readonly state: "up" | "suspected" | "down";
  /** Smoothed; `null` before the first answered heartbeat. */
  readonly rttMs: number | null;
}

export class PeerBoard {
  readonly #rows = new Map<string, PeerRow>();

  put(row: PeerRow): void {
    this.#rows.set(row.node, row);
  }

  row(node: string): PeerRow | null {
    return this.#rows.get(node) ?? null;
  }

  rows(): readonly PeerRow[] {
    return [...this.#rows.values()];
  }
}

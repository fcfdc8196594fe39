/**
 * A node of the simulated group: what survives its death, what does not, and its two clocks.
 */
import type { GroupMachine } from "../../../actors/failover/machine.ts";
import type { Opening, ReplicaDisk } from "../../../actors/failover/messages.ts";
import type { Member } from "../../../protocol/member_set.ts";
import type { History, Position } from "../../../protocol/position.ts";

/** The gate of a mirror, open or being opened. */
export interface Gate {
  readonly opening: Opening;
  open: boolean;
  untilMs: number;
  untilWallMs: number;
  /** Every set that may be in force: the recorded one and those asked for since. */
  sets: (readonly Member[])[];
  changing: boolean;
  draining: boolean;
  seq: number;
  pending: { readonly id: number; readonly seq: number }[];
}

export class SimulatedNode {
  readonly name: string;
  // durable
  vote: Uint8Array | null = null;
  applied = new Set<number>();
  stable: Position = { generation: 0, seq: 0 };
  history: History = [];
  groupId: string | null = null;
  disk: ReplicaDisk = "empty";
  // of the process
  machine: GroupMachine | null = null;
  process = 0;
  gate: Gate | null = null;
  position: Position = { generation: 0, seq: 0 };
  sealedBelow = 0;
  following: string | null = null;
  healthy = true;
  stoppedUntil = 0;
  readonly held: (() => void)[] = [];
  wakeAt = Infinity;
  // clocks
  rate = 1;
  offsetMs = 0;
  /** The monotonic clock stands still in a suspend; the wall clock does not. */
  suspendedMs = 0;
  suspendedSince: number | null = null;

  constructor(name: string) {
    this.name = name;
  }

  get alive(): boolean {
    return this.machine !== null;
  }

  now(trueMs: number): number {
    const standing = this.suspendedMs + (this.suspendedSince === null ? 0 : trueMs - this.suspendedSince);
    return this.offsetMs + (trueMs - standing) * this.rate;
  }

  wall(trueMs: number): number {
    return 1_700_000_000_000 + trueMs * this.rate;
  }

  holds(trueMs: number): boolean {
    const { gate } = this;
    return this.alive && gate !== null && gate.open && this.now(trueMs) < gate.untilMs &&
      this.wall(trueMs) < gate.untilWallMs;
  }
}

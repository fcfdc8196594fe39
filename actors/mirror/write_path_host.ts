import type { DiskFailure } from "../../volume/block_device.ts";
import type { Operation } from "./operation.ts";

/** What the write path asks of the mirror around it. Called inside the turn; none of it throws. */
export interface WritePathHost {
  /** True while requests may be answered; looks at the clock itself. */
  leaseRuns(): boolean;
  /** Sends an operation, which has its seq, to every leg that is attached. Keeps the payload's slab as long as needed. */
  ship(operation: Operation): void;
  /** Wraps the continuation of disk work: nothing after the mirror's death, the mirror's crash when it throws. */
  guard<A extends unknown[]>(work: (...args: A) => void): (...args: A) => void;
  /** `endTurn` is wanted once when this turn is over. */
  atTurnEnd(): void;
  /** A data disk or the log failed for good: the gate must close. */
  diskFailed(failure: DiskFailure): void;
  /** Everything up to `seq` is stable on the local disks. */
  localStable(seq: number): void;
  /** There is room again after a door was told that there is none. */
  writable(): void;
  /** Legs whose backlog is full stop the reading of requests (policy `throttle`). */
  backlogFull(): boolean;
}

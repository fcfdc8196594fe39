/** What a session needs of the target around it. Called inside the turn; none of it throws. */
import type { RejoinVerdict, ReplicaView } from "../../protocol/rejoin_table.ts";
import type { DiskFailure } from "../../volume/block_device.ts";

export interface TargetSessionHost {
  readonly self: string;
  readonly group: string;
  /** Streams of a lower generation are refused. */
  sealed(): number;
  view(): ReplicaView;
  atTurnEnd(work: () => void): void;
  guard<A extends unknown[]>(work: (...args: A) => void): (...args: A) => void;
  judged(from: string, verdict: RejoinVerdict): void;
  /** The phase or the durable state changed. */
  changed(): void;
  diskFailed(failure: DiskFailure): void;
  /** The last call. */
  ended(cause: string): void;
}

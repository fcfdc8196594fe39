/**
 * Is there no source any more? Pure; one row for each way to know.
 *
 * The sign of life is the source's question for its lease, which the failover actor asks only while its main loop and
 * disks answer. Heartbeats are no such sign: they come from a thread that goes on when everything else hangs. Being
 * wrong here costs an unneeded canvass and never two sources, because the voters' own leases decide.
 */

/** The last lease question heard. */
export interface SourceHeard {
  readonly node: string;
  readonly incarnation: string;
  /** The generation's id, for `resigned`. */
  readonly generationId: string;
  readonly generation: number;
  readonly atMs: number;
  /** Since then another process of that node has appeared: the one that was heard is dead. */
  readonly restarted: boolean;
}

export interface Outlook {
  readonly node: string;
  readonly heard: SourceHeard | null;
  readonly resignedId: string | null;
  /** The source of the own vote's record. */
  readonly recordedSource: string | null;
  /** No record, no data: a group that may be waiting for its birth. */
  readonly unborn: boolean;
  readonly startedAtMs: number;
  readonly leaseMs: number;
  readonly nowMs: number;
}

export type LostRow =
  | "alive"
  | "resigned"
  | "restarted"
  | "silent"
  | "unborn"
  | "was_source"
  | "unclaimed"
  | "just_started";

export interface SourceVerdict {
  readonly row: LostRow;
  readonly lost: boolean;
  /** When to look again, if nothing is heard until then. */
  readonly lookAgainAtMs: number;
}

export function judgeSource(outlook: Outlook): SourceVerdict {
  const { heard, nowMs, leaseMs } = outlook;
  const lost = (row: LostRow): SourceVerdict => ({ row, lost: true, lookAgainAtMs: nowMs });
  if (heard !== null) {
    if (outlook.resignedId === heard.generationId) return lost("resigned");
    if (heard.restarted) return lost("restarted");
    // Compared with the very number that is handed out for waking: a difference would be rounded another way.
    const silentAtMs = heard.atMs + leaseMs;
    if (nowMs >= silentAtMs) return lost("silent");
    return { row: "alive", lost: false, lookAgainAtMs: silentAtMs };
  }
  if (outlook.unborn) return lost("unborn");
  // This process was not the source, and the one before it is dead.
  if (outlook.recordedSource === outlook.node) return lost("was_source");
  const unclaimedAtMs = outlook.startedAtMs + leaseMs;
  if (nowMs >= unclaimedAtMs) return lost("unclaimed");
  return { row: "just_started", lost: false, lookAgainAtMs: unclaimedAtMs };
}

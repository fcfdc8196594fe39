/** What a person is told of a mirror: each leg, why it is not fine, and what would mend it. Pure. */
import type { Position } from "../../protocol/position.ts";
import type { LegSession } from "./leg_session.ts";
import { type Leg, legStateName, type MirrorMachine } from "./machine.ts";
import type { LastResync, LegStatus } from "./messages.ts";

export function legStatus(seen: {
  leg: Leg;
  isMember: boolean;
  position: Position;
  appliedSeq: number;
  session: LegSession | null;
  lastResync: LastResync | null;
  dirtyBytes: number;
  nowMs: number;
}): LegStatus {
  const { leg, session, position } = seen;
  const replicating = leg.state.kind === "replicating";
  const waitingSince = session?.progress.waitingSince ?? null;
  return {
    node: leg.node,
    mode: leg.mode,
    leg: legStateName(leg.state),
    isMember: seen.isMember,
    ...explain(leg),
    disk: replicating ? "up_to_date" : session?.targetView?.disk ?? "unknown",
    position: replicating
      ? { generation: position.generation, seq: seen.appliedSeq }
      : session?.targetView?.position ?? { generation: 0, seq: 0 },
    lag: {
      writes: Math.max(0, position.seq - seen.appliedSeq),
      bytes: session?.progress.unappliedBytes ?? 0,
      seconds: waitingSince === null ? 0 : Math.max(0, (seen.nowMs - waitingSince) / 1000),
    },
    dirtyBytes: seen.dirtyBytes,
    resync: session?.resync ?? null,
    lastResync: seen.lastResync,
  };
}

function explain(leg: Leg): { cause: string | null; remedy: string | null } {
  switch (leg.state.kind) {
    case "offline":
      return {
        cause: leg.state.cause,
        remedy: leg.reachable
          ? "it is tried again by itself; see `holdfast events`"
          : `start the node: holdfast node start --node ${leg.node}`,
      };
    case "diverged":
      return { cause: leg.state.cause, remedy: leg.state.remedy };
    case "paused":
      return { cause: "paused by an operator", remedy: "holdfast mirror resume" };
    case "connecting":
    case "handshaking":
      return { cause: "is being connected", remedy: null };
    case "resyncing":
    case "joining":
      return { cause: "is being resynchronised", remedy: null };
    case "replicating":
      return { cause: null, remedy: null };
  }
}

/** Why completions wait, for status; `null` when they flow. */
export function heldBecause(machine: MirrorMachine, { leaseRuns }: { leaseRuns: boolean }): string | null {
  if (!leaseRuns) return "the lease has run out: a majority of voters is not reached";
  const { requested, required } = machine.membership;
  if (requested !== null) {
    return `waits for a majority of voters to record the member set ${
      requested.map((m) => m.node).join(", ")
    }`;
  }
  for (const { node } of required) {
    const leg = machine.legs.get(node);
    if (leg?.state.kind === "replicating") continue;
    return `waits for ${node}, a member that is ${leg === undefined ? "unknown" : legStateName(leg.state)}`;
  }
  return null;
}

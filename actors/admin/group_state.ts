/**
 * Pure: the one word for a group, as a table: the first row that fits speaks, and its label is the state's reason.
 *
 * The order is from «nobody serves» to «all is well», so that the worst truth wins. Rows look at facts of this node
 * alone; a node that is not the source cannot see the legs and judges the group by its own.
 */
import type { GroupState } from "../../protocol/admin_messages.ts";
import { GROUP_DEFAULTS } from "./remedies.ts";
import type { GroupFacts } from "./status_facts.ts";

export interface GroupJudgement {
  readonly state: GroupState;
  readonly cause: string | null;
  readonly remedy: string | null;
}

interface Finding {
  readonly cause?: string | null;
  readonly remedy?: string | null;
}

interface Row {
  readonly state: GroupState;
  /** `null`: the row does not fit. */
  fits(facts: GroupFacts): Finding | null;
}

const SOURCELESS_BY_FAILOVER = {
  watching: "electing",
  suspecting: "electing",
  electing: "electing",
  fencing: "electing",
  demoting: "electing",
  promoting: "promoting",
  in_service: "promoting",
  blocked: "blocked",
} as const;

const ROWS: readonly Row[] = [
  {
    state: "stopped",
    fits: ({ failover, replica }) =>
      failover === null && replica.kind !== "none"
        ? { cause: "the failover actor of this node does not answer" }
        : null,
  },
  {
    // A source that may not go on, and a group that cannot get one.
    state: "blocked",
    fits: ({ failover }) => failover?.state === "blocked" ? failover : null,
  },
  { state: "electing", fits: (facts) => sourceless(facts, "electing") },
  { state: "promoting", fits: (facts) => sourceless(facts, "promoting") },
  {
    state: "blocked",
    fits: ({ replica }) =>
      replica.kind === "mirror" && replica.status.gate === "open" && replica.status.heldBecause !== null
        ? { cause: replica.status.heldBecause }
        : null,
  },
  {
    state: "diverged",
    fits: ({ replica }) =>
      replica.kind === "mirror" ? legThat(replica.status.legs, ({ leg }) => leg === "diverged") : null,
  },
  {
    state: "degraded",
    fits: ({ replica }) =>
      replica.kind === "mirror" ? legThat(replica.status.legs, ({ leg }) => leg !== "replicating") : null,
  },
  {
    state: "degraded",
    fits: ({ replica }) =>
      replica.kind === "target" && replica.status.state !== "replicating" ? replica.status : null,
  },
  {
    state: "degraded",
    fits: ({ replica }) =>
      replica.kind === "silent" ? { cause: replica.cause, remedy: "holdfast actors --tree" } : null,
  },
  {
    // Only a node that is not the source gets here with somebody absent: the source sees its legs.
    state: "degraded",
    fits: ({ replica, absent }) =>
      replica.kind !== "mirror" && absent.length > 0
        ? { cause: `not up: ${absent.join(", ")}`, remedy: "see the state of these nodes" }
        : null,
  },
];

/** Exactly one state; `cause` and `remedy` are there whenever it is not `in_service`. */
export function judgeGroup(facts: GroupFacts): GroupJudgement {
  for (const row of ROWS) {
    const finding = row.fits(facts);
    if (finding === null || row.state === "in_service") continue;
    const defaults = GROUP_DEFAULTS[row.state];
    return {
      state: row.state,
      cause: finding.cause ?? defaults.cause,
      remedy: finding.remedy ?? defaults.remedy,
    };
  }
  return { state: "in_service", cause: null, remedy: null };
}

function sourceless({ failover, source }: GroupFacts, state: GroupState): Finding | null {
  if (source !== null) return null;
  // A node without a replica has no failover of its own to tell more.
  if (failover === null) return state === "electing" ? {} : null;
  return SOURCELESS_BY_FAILOVER[failover.state] === state ? failover : null;
}

type Leg = { readonly node: string; readonly leg: string } & Finding;

function legThat(legs: readonly Leg[], fits: (leg: Leg) => boolean): Finding | null {
  const found = legs.find(fits);
  if (found === undefined) return null;
  const cause = found.cause ?? `it is ${found.leg}`;
  return { cause: `leg ${found.node}: ${cause}`, remedy: found.remedy };
}

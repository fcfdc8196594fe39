/**
 * Why a group waits, and what would mend it, in words (I14). Pure.
 */
import { majorityOf } from "../../protocol/member_set.ts";
import type { Verdict } from "./candidate.ts";
import type { Knowledge } from "./knowledge.ts";
import type { RemoteFailover } from "./remote_messages.ts";
import type { LostRow } from "./source_lost.ts";

export interface CauseAndRemedy {
  readonly cause: string;
  readonly remedy: string;
}

export function lostBecause(row: LostRow, source: string | null): string {
  switch (row) {
    case "resigned":
      return `${source} resigned`;
    case "restarted":
      return `the node of the source ${source} restarted`;
    case "silent":
      return `the source ${source} was not heard for a whole lease`;
    case "unborn":
      return "the group waits for its birth";
    case "was_source":
      return "this node was the last source and restarted";
    case "unclaimed":
      return "no source was heard since this node started";
    case "alive":
    case "just_started":
      return "no source is known";
  }
}

type Refusals = readonly (readonly [string, Extract<RemoteFailover, { kind: "promise_refused" }>])[];

/** `verdict` null: not even the own voter answered. */
export function waitsBecause(
  verdict: Verdict | null,
  around: { readonly known: Knowledge; readonly refusals: Refusals },
): CauseAndRemedy {
  const { known, refusals } = around;
  const refused = refusals.map(([node, { reason }]) => `${node}: ${reason.replaceAll("_", " ")}`).join(", ");
  if (verdict === null || verdict.kind !== "wait") {
    const own = refusals.find(([node]) => node === known.node);
    if (own?.[1].reason === "already_born" || known.born) {
      return {
        cause: `the group was born already and this node's replica is empty or without its vote (${refused})`,
        remedy:
          "start the other nodes of the group; this replica joins by a resync once one of them is source",
      };
    }
    return {
      cause: `the voter of ${known.node} did not promise (${refused || "no answer"})`,
      remedy: `look at the log of ${known.node}; its vote file or its disk does not answer`,
    };
  }
  const named = known.describe(verdict.nodes);
  const also = refused === "" ? "" : `; refused by ${refused}`;
  switch (verdict.row) {
    case "two_groups":
      return {
        cause: `${named} remembers another group than the rest: its state directory belongs to other data`,
        remedy: `move the state directory and the disk of ${
          verdict.nodes.join(", ")
        } aside and start it empty`,
      };
    case "data_without_record":
      return {
        cause: `no voter remembers the group, but the replica of ${named} holds data: the votes were lost`,
        remedy: "restore the votes under the state directories, or begin with empty disks",
      };
    case "birth_waits":
      return {
        cause: `a group is born when all its replicas are present and empty; missing: ${named}${also}`,
        remedy: `start ${verdict.nodes.join(", ")}`,
      };
    case "no_majority": {
      const of = verdict.record?.voters.length ?? known.plan.replicas.length;
      return {
        cause: `waits for a majority of voters (${majorityOf(of)} of ${of}); missing: ${named}${also}`,
        remedy: `start or reach one of: ${
          verdict.nodes.join(", ")
        }; a voter that lost its state directory does not count`,
      };
    }
    case "not_member":
      return {
        cause: `this replica may lack completed writes; the members of the recorded set are ${named}`,
        remedy: `start or reach one of: ${verdict.nodes.join(", ")}`,
      };
    case "disk_unfit":
      return {
        cause: `the disk of this replica is ${known.facts?.disk ?? "unknown"} and cannot be put online` +
          (named === "" ? "" : `; other members: ${named}`),
        remedy: verdict.nodes.length === 0
          ? "mend the disk of this replica and restart the node"
          : `start or reach one of: ${verdict.nodes.join(", ")}`,
      };
    case "diverged":
      return {
        cause: `${named} holds a rival generation: both sides completed writes`,
        remedy: "decide which side to keep; stop the other side's node until then",
      };
    case "sync_member_missing":
      return {
        cause: `this replica is a commit member and may lack writes that ${named} holds`,
        remedy: `start or reach ${verdict.nodes.join(", ")}`,
      };
  }
}

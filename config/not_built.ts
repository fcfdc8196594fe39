/**
 * What the configuration may one day say and this version cannot do: refused by name, never ignored. Pure.
 *
 * A field that is accepted and does nothing is worse than an error: someone relies on it. Whoever builds one of these
 * deletes its row and adds the field to `schema.ts`.
 */
import { isLocal, parseAddress } from "./address.ts";
import type { Finding, PathSegment } from "./problem.ts";

export interface NotBuilt {
  /** `*` stands for any name or index. */
  readonly path: string;
  /** Which values ask for it; the others mean «without it» and are fine. */
  readonly asksForIt: (value: unknown) => boolean;
  /** Whether `schema.ts` has the field: never, for the values that do not ask for it, or for all of them. */
  readonly inSchema: "never" | "other_values" | "always";
  readonly what: string;
  readonly remedy: string;
}

const isGiven = (value: unknown) => value !== undefined && value !== null;
const isNotEmpty = (value: unknown) => isGiven(value) && (!Array.isArray(value) || value.length > 0);
const isOneOf = (...values: string[]) => (value: unknown) =>
  typeof value === "string" && values.includes(value);
/** Names a machine other than this one; what is no address at all is for the schema to refuse. */
const isReachable = (value: unknown) => {
  if (typeof value !== "string") return false;
  const parsed = parseAddress(value, { folder: "/" });
  return parsed.ok && !isLocal(parsed.address);
};

const LOOPBACK_REMEDY = "a loopback address (127.0.0.1, ::1) or unix:PATH, with all nodes on one machine";

export const NOT_BUILT: readonly NotBuilt[] = [
  {
    path: "witnesses",
    inSchema: "never",
    asksForIt: isNotEmpty,
    what: "voting by external witnesses",
    remedy: "leave witnesses out; the replicas' own nodes vote",
  },
  {
    path: "nodes.*.witness",
    inSchema: "never",
    asksForIt: (value) => value !== false && isGiven(value),
    what: "a witness node without data",
    remedy: "leave it out; give the group a third replica",
  },
  {
    path: "nodes.*.nbd.*",
    inSchema: "always",
    asksForIt: isReachable,
    what: "serving volumes to other machines without authentication",
    remedy: LOOPBACK_REMEDY,
  },
  {
    path: "nodes.*.http",
    inSchema: "always",
    asksForIt: isReachable,
    what: "an admin door open to other machines without authentication",
    remedy: LOOPBACK_REMEDY,
  },
  {
    path: "groups.*.failover",
    inSchema: "other_values",
    asksForIt: isOneOf("confirm", "manual"),
    what: "failover by a person's confirmation",
    remedy: "failover: auto",
  },
  {
    path: "groups.*.quorum",
    inSchema: "other_values",
    asksForIt: isOneOf("off"),
    what: "serving without a majority of voters",
    remedy: "quorum: majority, with three replicas",
  },
  {
    path: "groups.*.maxLoss.seconds",
    inSchema: "other_values",
    asksForIt: (value) => isGiven(value) && value !== 0,
    what: "promoting an async target by itself",
    remedy: "maxLoss: { seconds: 0, bytes: 0 }",
  },
  {
    path: "groups.*.maxLoss.bytes",
    inSchema: "other_values",
    asksForIt: (value) => isGiven(value) && value !== 0,
    what: "promoting an async target by itself",
    remedy: "maxLoss: { seconds: 0, bytes: 0 }",
  },
  {
    path: "groups.*.application",
    inSchema: "never",
    asksForIt: isNotEmpty,
    what: "starting and stopping applications",
    remedy: "leave application out and start it on the source by other means",
  },
  {
    path: "groups.*.replicas.*.compression",
    inSchema: "never",
    asksForIt: (value) => isGiven(value) && value !== "none",
    what: "compression on a leg",
    remedy: "leave compression out",
  },
  {
    path: "groups.*.replicas.*.backlog.onFull",
    inSchema: "other_values",
    asksForIt: isOneOf("spill", "lag"),
    what: "any policy of a full backlog but throttle",
    remedy: "onFull: throttle",
  },
  {
    path: "fencing",
    inSchema: "never",
    asksForIt: isGiven,
    what: "fencing",
    remedy: "leave fencing out; leases and a majority keep two sources apart",
  },
  {
    path: "notify",
    inSchema: "never",
    asksForIt: isNotEmpty,
    what: "notification hooks",
    remedy: "leave notify out and follow `holdfast events --follow`",
  },
];

export interface Sifted {
  /** The document without what is refused here, for the schema to check. */
  readonly rest: unknown;
  readonly findings: readonly Finding[];
}

/** Takes what is not built out of a document and says so. The document itself is not changed. */
export function siftNotBuilt(document: unknown): Sifted {
  const findings: Finding[] = [];
  let rest = document;
  for (const row of NOT_BUILT) {
    const sifted = siftRow(rest, { row, pattern: row.path.split("."), path: [] });
    rest = sifted.rest;
    findings.push(...sifted.findings);
  }
  return { rest, findings };
}

interface Place {
  readonly row: NotBuilt;
  readonly pattern: readonly string[];
  readonly path: readonly PathSegment[];
}

const REMOVED = Symbol("removed");

function siftRow(value: unknown, place: Place): { readonly rest: unknown; readonly findings: Finding[] } {
  const [segment, ...pattern] = place.pattern;
  if (segment === undefined) {
    const { row } = place;
    const refused = row.asksForIt(value);
    const stays = row.inSchema === "always" || (row.inSchema === "other_values" && !refused);
    return { rest: stays ? value : REMOVED, findings: refused ? [refusal(place)] : [] };
  }
  const findings: Finding[] = [];
  const sift = (child: unknown, key: PathSegment): unknown => {
    if (segment !== "*" && segment !== String(key)) return child;
    const sifted = siftRow(child, { row: place.row, pattern, path: [...place.path, key] });
    findings.push(...sifted.findings);
    return sifted.rest;
  };
  if (Array.isArray(value)) return { rest: value.map(sift).filter((child) => child !== REMOVED), findings };
  if (typeof value !== "object" || value === null) return { rest: value, findings };
  const entries = Object.entries(value).map(([key, child]) => [key, sift(child, key)] as const);
  return { rest: Object.fromEntries(entries.filter(([, child]) => child !== REMOVED)), findings };
}

function refusal({ row, path }: Place): Finding {
  return { path, message: `asks for ${row.what}, which this version cannot do`, remedy: row.remedy };
}

/**
 * What a door asks a node and what it is answered: one set of messages for the command line, the REPL, the dashboard
 * and HTTP. Pure.
 *
 *   GET  /api/v1/status          NodeReport: the cluster as this node sees it
 *   GET  /api/v1/actors          ActorsReport
 *   GET  /api/v1/events?…        EventsReport; `since=<RFC 3339>`, `after=<seq>`, `limit=<n>`, and `wait=<seconds>`:
 *                                with nothing new the answer comes late, at most so much later (long poll)
 *   GET  /metrics                Prometheus text
 *   POST /api/v1/commands        an AdminCommand → AdminAnswer, always with status 200 when the node understood it
 *   POST /api/v1/actors          an ActorKill → AdminAnswer, for this very node and never passed on
 *
 * Field names are the stable ones of `status --json`. Long poll, because it passes every proxy and needs no second
 * protocol at either end; server-sent events would have been the other choice.
 */
import type { LegMode } from "./member_set.ts";
import type { Position } from "./position.ts";

export const ADMIN_PATHS = {
  status: "/api/v1/status",
  actors: "/api/v1/actors",
  events: "/api/v1/events",
  commands: "/api/v1/commands",
  metrics: "/metrics",
} as const;

/** The longest a node waits before it answers `wait=`. */
export const EVENTS_WAIT_SECONDS_MAX = 30;

// ---- status ----

export type NodeState = "up" | "suspected" | "fenced" | "down" | "unknown";

export interface PathStatus {
  readonly address: string;
  readonly state: "up" | "suspected" | "down";
  readonly rttMs: number | null;
}

export interface NodeStatus {
  readonly state: NodeState;
  readonly paths: readonly PathStatus[];
  /** "" where it is not known. */
  readonly version: string;
  /** `deno 2.9.5`, `node 26.10.0`; "" where it is not known. */
  readonly runtime: string;
  /** Why it is not up, and the command that would mend it. */
  readonly cause?: string | null;
  readonly remedy?: string | null;
}

export type GroupState =
  | "in_service"
  | "degraded"
  | "electing"
  | "promoting"
  | "blocked"
  | "diverged"
  | "stopped";
export type DiskState =
  | "diskless"
  | "attaching"
  | "empty"
  | "inconsistent"
  | "outdated"
  | "consistent"
  | "up_to_date"
  | "failed"
  | "unknown";
export type LegState =
  | "offline"
  | "handshaking"
  | "resyncing"
  | "replicating"
  | "lagging"
  | "paused"
  | "diverged";
export type ReplicaRole = "source" | "target" | "none";

export interface QuorumStatus {
  readonly held: boolean;
  /** Voters reachable, of all. */
  readonly votes: number;
  readonly of: number;
  readonly needed: number;
}

export interface VolumeStatus {
  readonly size: number;
  /** Where the volume is served now; empty while it is not. */
  readonly nbd: readonly string[];
}

export interface ResyncStatus {
  readonly kind: "partial" | "full" | "hash";
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
  readonly etaSeconds: number | null;
}

export interface LastResyncStatus extends ResyncStatus {
  readonly copiedBytes: number;
  /** The label of the row of the rejoin table that fired. */
  readonly verdict: string;
}

export interface ReplicaStatus {
  readonly role: ReplicaRole;
  readonly disk: DiskState;
  /** null for the source, and while no source speaks. */
  readonly leg: LegState | null;
  readonly mode: LegMode;
  /** Would be promoted by itself now without losing a completed write. */
  readonly promotable: boolean;
  readonly position: Position | null;
  readonly lag: { readonly writes: number; readonly bytes: number; readonly seconds: number };
  readonly dirtyBytes: number;
  readonly resync: ResyncStatus | null;
  readonly lastResync?: LastResyncStatus | null;
  /** Why it is not fine, and the command that would mend it. */
  readonly cause?: string | null;
  readonly remedy?: string | null;
}

export interface GroupStatus {
  readonly state: GroupState;
  readonly cause: string | null;
  readonly remedy: string | null;
  readonly source: string | null;
  /** 0 before the group was born. */
  readonly generation: number;
  readonly memberSet: readonly string[];
  readonly quorum: QuorumStatus;
  readonly volumes: Readonly<Record<string, VolumeStatus>>;
  readonly replicas: Readonly<Record<string, ReplicaStatus>>;
  readonly application: readonly {
    readonly kit: string;
    readonly state: "started" | "stopped" | "failed";
    readonly since: string;
  }[];
}

/** `status --json`. */
export interface ClusterStatus {
  readonly cluster: string;
  /** RFC 3339. */
  readonly at: string;
  readonly nodes: Readonly<Record<string, NodeStatus>>;
  readonly groups: Readonly<Record<string, GroupStatus>>;
}

/** What one node answers: the cluster as it sees it, and who speaks. */
export interface NodeReport extends ClusterStatus {
  readonly reporter: {
    readonly node: string;
    readonly incarnation: string;
    readonly uptimeSeconds: number;
  };
}

// ---- actors ----

export interface ActorLine {
  /** `node/groups/group:db/mirror`. */
  readonly path: string;
  readonly kind: "actor" | "supervisor";
  /** The name of its state, "" where it has none. */
  readonly state: string;
  readonly depth: { readonly system: number; readonly control: number; readonly data: number };
  readonly messages: number;
  readonly restarts: number;
  readonly lastError: string | null;
  /** RFC 3339: since when this incarnation runs. */
  readonly since: string;
}

export interface ActorsReport {
  readonly node: string;
  readonly actors: readonly ActorLine[];
}

/**
 * Ends one actor at once, as a bug of its own would; its supervisor starts it again. For tests, and for a person whose
 * node has one actor that hangs. No door leads to it from another machine.
 */
export interface ActorKill {
  readonly kill: string;
}

/** An order to kill as it came off the wire, or what is wrong with it. */
export function parseActorKill(value: unknown): ActorKill | { readonly wrong: string } {
  if (!isObject(value)) return { wrong: "the order is not an object" };
  const { kill, ...others } = value;
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) {
    return { wrong: `an order to actors has no field ${JSON.stringify(unknown.slice(0, 60))}` };
  }
  return typeof kill === "string" && kill !== "" ? { kill } : { wrong: "kill is not the path of an actor" };
}

// ---- events ----

export interface EventLine {
  /** Grows by one per event of its node, also through restarts. */
  readonly seq: number;
  readonly at: string;
  readonly node: string;
  readonly kind: string;
  readonly group: string | null;
  readonly cause: string | null;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface EventsReport {
  readonly node: string;
  /** Oldest first. */
  readonly events: readonly EventLine[];
  /** To go on from, as `after=`. */
  readonly lastSeq: number;
  readonly truncated: boolean;
}

// ---- commands ----

/** `volume` and `leg` narrow it down; without `leg` all legs are meant. */
export interface LegSelection {
  readonly group: string;
  readonly volume?: string;
  /** The target's node. */
  readonly leg?: string;
}

export type AdminCommand =
  | ({ readonly kind: "mirror_pause" } & LegSelection)
  | ({ readonly kind: "mirror_resume" } & LegSelection)
  | ({ readonly kind: "mirror_resync"; readonly full: boolean } & LegSelection)
  | { readonly kind: "switchover"; readonly group: string; readonly to: string };

export type AdminCommandKind = AdminCommand["kind"];

export interface Refusal {
  /** `refused`: for safety, `override` names what would force it, if anything. `usage`: no such group, node or leg. */
  readonly kind: "refused" | "failed" | "usage" | "timed_out";
  /** `Cannot …: …` without the remedy. */
  readonly message: string;
  readonly remedy?: string;
  readonly override?: string;
}

export type AdminAnswer =
  | { readonly ok: true; readonly result: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly refusal: Refusal };

/** A command as it came off the wire, or what is wrong with it. Unknown fields are wrong too: they were meant. */
export function parseAdminCommand(value: unknown): AdminCommand | { readonly wrong: string } {
  if (!isObject(value)) return { wrong: "the command is not an object" };
  switch (value["kind"]) {
    case "mirror_pause":
    case "mirror_resume":
      return checked(value, { kind: value["kind"], ...selectionOf(value) }, ["group"]);
    case "mirror_resync":
      return checked(value, { kind: "mirror_resync", full: value["full"] === true, ...selectionOf(value) }, [
        "group",
      ]);
    case "switchover":
      return checked(value, { kind: "switchover", group: textOf(value, "group"), to: textOf(value, "to") }, [
        "group",
        "to",
      ]);
    default:
      return { wrong: `no command is named ${JSON.stringify(value["kind"] ?? null)?.slice(0, 60)}` };
  }
}

/** An answer as it came off the wire, or undefined when it is none. */
export function parseAdminAnswer(value: unknown): AdminAnswer | undefined {
  if (!isObject(value)) return undefined;
  if (value["ok"] === true) return { ok: true, result: isObject(value["result"]) ? value["result"] : {} };
  const refusal = value["refusal"];
  if (value["ok"] !== false || !isObject(refusal) || typeof refusal["message"] !== "string") return undefined;
  const kind = REFUSAL_KINDS.find((each) => each === refusal["kind"]);
  if (kind === undefined) return undefined;
  return {
    ok: false,
    refusal: {
      kind,
      message: refusal["message"],
      ...(typeof refusal["remedy"] === "string" ? { remedy: refusal["remedy"] } : {}),
      ...(typeof refusal["override"] === "string" ? { override: refusal["override"] } : {}),
    },
  };
}

const REFUSAL_KINDS: readonly Refusal["kind"][] = ["refused", "failed", "usage", "timed_out"];
const FIELDS: Readonly<Record<AdminCommandKind, readonly string[]>> = {
  mirror_pause: ["kind", "group", "volume", "leg"],
  mirror_resume: ["kind", "group", "volume", "leg"],
  mirror_resync: ["kind", "group", "volume", "leg", "full"],
  switchover: ["kind", "group", "to"],
};

function checked(
  value: Record<string, unknown>,
  command: AdminCommand,
  needed: readonly string[],
): AdminCommand | { readonly wrong: string } {
  const unknown = Object.keys(value).find((key) => !FIELDS[command.kind].includes(key));
  if (unknown !== undefined) {
    return { wrong: `${command.kind} has no field ${JSON.stringify(unknown.slice(0, 60))}` };
  }
  for (const key of Object.keys(value)) {
    const right = key === "full"
      ? typeof value[key] === "boolean"
      : typeof value[key] === "string" && value[key] !== "";
    if (!right) return { wrong: `${command.kind}: ${key} is not a ${key === "full" ? "boolean" : "name"}` };
  }
  const missing = needed.find((key) => value[key] === undefined);
  return missing === undefined ? command : { wrong: `${command.kind} needs ${missing}` };
}

function selectionOf(value: Record<string, unknown>): LegSelection {
  return {
    group: textOf(value, "group"),
    ...(value["volume"] === undefined ? {} : { volume: textOf(value, "volume") }),
    ...(value["leg"] === undefined ? {} : { leg: textOf(value, "leg") }),
  };
}

function textOf(value: Record<string, unknown>, key: string): string {
  const text = value[key];
  return typeof text === "string" ? text : "";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

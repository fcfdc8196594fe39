/**
 * Why a group is as it is: a chain from the state a person sees down to what somebody must mend. Pure.
 *
 * Each link says one thing, what stands behind it, and the command that mends it, if a person can. The chain follows
 * what the cluster itself says (state → leg → node → path); the newest events that explain it come last.
 */
import { formatBytes } from "../config/units.ts";
import type { ClusterStatus, EventLine, GroupStatus } from "../protocol/admin_messages.ts";
import { formatEvent } from "./event_order.ts";
import { safetyOf } from "./status_view.ts";

export interface Link {
  readonly depth: number;
  readonly says: string;
  readonly mend: string | null;
}

export interface Why {
  readonly group: string;
  readonly state: GroupStatus["state"];
  readonly links: readonly Link[];
  /** Newest last. */
  readonly lately: readonly string[];
}

const LATELY_MAX = 6;

export function whyOf(
  name: string,
  { status, events }: { readonly status: ClusterStatus; readonly events: readonly EventLine[] },
): Why | undefined {
  const group = status.groups[name];
  if (group === undefined) return undefined;
  const links = [
    head(name, group),
    ...quorum(group),
    ...Object.keys(group.replicas).flatMap((node) => leg(node, { name, group, status })),
  ];
  const about = events.filter((event) => event.group === name || isAboutNode(event));
  const explaining = about.filter(({ cause }) => cause !== null);
  const lately = group.state === "in_service" ? [] : explaining.slice(-LATELY_MAX).map(formatEvent);
  return { group: name, state: group.state, links: withoutRepeats(links), lately };
}

function head(name: string, group: GroupStatus): Link {
  const where = group.source === null ? "has no source" : `is served by ${group.source}`;
  if (group.cause === null) {
    return {
      depth: 0,
      says: `${name} is ${words(group.state)} and ${where}. ${safetyOf(group).text}`,
      mend: null,
    };
  }
  const says = `${name} is ${words(group.state)} and ${where}, because ${group.cause}`;
  return { depth: 0, says, mend: group.remedy };
}

function quorum({ quorum: { held, votes, of, needed } }: GroupStatus): Link[] {
  if (votes === of && held) return [];
  const says = `${votes} of ${of} voters are reachable, ${needed} are needed: ${
    held ? "a promotion is still possible" : "nobody may become or stay source"
  }`;
  return [{ depth: 1, says, mend: null }];
}

function leg(
  node: string,
  { name, group, status }: {
    readonly name: string;
    readonly group: GroupStatus;
    readonly status: ClusterStatus;
  },
): Link[] {
  const replica = group.replicas[node];
  const host = status.nodes[node];
  if (replica === undefined) return [];
  const links: Link[] = [];
  const isSource = replica.role === "source";
  const fine = isSource || replica.leg === "replicating";
  if (!fine || (replica.cause ?? null) !== null) {
    const behind = replica.dirtyBytes > 0 ? `, ${formatBytes(replica.dirtyBytes)} are to be shipped` : "";
    // What the head of the chain has said already is not said again.
    const known = group.cause?.includes(replica.cause ?? " ") === true;
    const state = isSource
      ? "the source"
      : `the replica on ${node} is ${words(replica.leg ?? "without a leg")}`;
    const mend = replica.leg === "paused"
      ? `holdfast mirror resume ${name} --leg ${node}`
      : replica.remedy ?? null;
    links.push({ depth: 1, says: `${state}${known ? "" : because(replica.cause)}${behind}`, mend });
  }
  if (host !== undefined && host.state !== "up") {
    links.push({
      depth: 2,
      says: `${node} is ${host.state}${because(host.cause)}`,
      mend: host.remedy ?? null,
    });
    const broken = host.paths.filter(({ state }) => state !== "up").map(({ address, state }) =>
      `${address} is ${state}`
    );
    for (const path of new Set(broken)) links.push({ depth: 3, says: `the path ${path}`, mend: null });
  }
  return links;
}

function because(cause: string | null | undefined): string {
  return cause === null || cause === undefined ? "" : `, because ${cause}`;
}

function words(state: string): string {
  return state.replaceAll("_", " ");
}

/** Coming and going of nodes explains much about groups. */
function isAboutNode({ kind }: EventLine): boolean {
  return /^(peer_(up|down|suspected)|node_(started|stopping)|actor_crashed|disk_)/.test(kind);
}

/** A remedy that was said is not said again further down. */
function withoutRepeats(links: readonly Link[]): Link[] {
  const said = new Set<string>();
  return links.map((link) => {
    if (link.mend === null) return link;
    if (said.has(link.mend)) return { ...link, mend: null };
    said.add(link.mend);
    return link;
  });
}

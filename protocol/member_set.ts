/**
 * The member set: the replicas that must hold every completed write, as a majority of voters recorded it (design §4.5).
 * Versions grow within a generation; (generation, version) orders all records that ever were.
 */
import type { Generation } from "./position.ts";

export type LegMode = "sync" | "commit" | "async";
/** An async replica is never a member. */
export type MemberMode = "sync" | "commit";

export interface Member {
  readonly node: string;
  readonly mode: MemberMode;
}

/** What voters record: who is source, in which generation, and who holds every completed write. */
export interface GroupRecord {
  /** 32 hexadecimal digits, minted when the group was born; tells foreign data apart. */
  readonly groupId: string;
  readonly generation: Generation;
  readonly source: string;
  /** ≥ 1 within its generation. */
  readonly version: number;
  /** The source itself is in it, mode `sync`. */
  readonly members: readonly Member[];
  /**
   * False: this generation's source took over without being bound to hold every completed write before it. Kept here
   * because the history entry that says so exists only once the gate has opened.
   */
  readonly lossless?: boolean;
  /** The recorded configuration: the voters in force and the replicas. */
  readonly voters: readonly string[];
  readonly replicas: readonly string[];
}

/** Negative when a is older than b. */
export function compareRecords(a: GroupRecord, b: GroupRecord): number {
  return a.generation.number === b.generation.number
    ? a.version - b.version
    : a.generation.number - b.generation.number;
}

export function isMember(record: GroupRecord, node: string): boolean {
  return record.members.some((member) => member.node === node);
}

/** How many of `voters` voters are a majority. */
export function majorityOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/**
 * Which legs count, and when the recorded member set must change (design §4.5). Pure.
 *
 * Three rules, each of which somebody learnt by losing data:
 * - *Leaving*: a member that is lost goes on counting until the set without it is recorded by a majority. Completions
 *   wait meanwhile; nothing is completed on the hope that the record will succeed (I11).
 * - *Joining*: a leg counts for completions first, then it is up to date and stable, then the larger set is recorded.
 * - *An addition whose outcome is unknown was made*: from the first request on, the leg counts until a later version
 *   without it is recorded.
 *
 * One change is under way at a time; what changed meanwhile goes into the next one.
 */
import type { GroupRecord, Member } from "../../protocol/member_set.ts";
import { invariant } from "../../runtime/invariant.ts";

/** What a leg can offer the member set at this moment. */
export type LegFitness = "lost" | "joining" | "up_to_date";

export class Membership {
  readonly #self: string;
  #recorded: readonly Member[];
  #version: number;
  /** The members of the change under way; `null` when none is. */
  #requested: readonly Member[] | null = null;
  readonly #fitness = new Map<string, LegFitness>();
  readonly #modes: ReadonlyMap<string, Member["mode"]>;

  /** @param modes the sync and commit legs of the configuration; async ones are never members */
  constructor(options: { self: string; record: GroupRecord; modes: ReadonlyMap<string, Member["mode"]> }) {
    this.#self = options.self;
    this.#recorded = options.record.members;
    this.#version = options.record.version;
    this.#modes = options.modes;
    invariant(
      this.#recorded.some((member) => member.node === this.#self),
      "I2: the source is a member of its own set",
    );
  }

  get recorded(): readonly Member[] {
    return this.#recorded;
  }
  get version(): number {
    return this.#version;
  }
  /** The change that waits for a majority. */
  get requested(): readonly Member[] | null {
    return this.#requested;
  }

  setFitness(node: string, fitness: LegFitness): void {
    if (this.#modes.has(node)) this.#fitness.set(node, fitness);
  }

  /** The legs that completions wait for, with the mode in which they do. The source itself is not among them. */
  get required(): readonly Member[] {
    const byNode = new Map<string, Member>();
    for (const member of this.#recorded) byNode.set(member.node, member);
    for (const member of this.#requested ?? []) {
      // Both sets may be the one in force, so a mode that changes counts as the stronger of the two.
      if (byNode.get(member.node)?.mode !== "sync") byNode.set(member.node, member);
    }
    for (const [node, mode] of this.#modes) {
      if (this.#fitness.get(node) !== undefined && this.#fitness.get(node) !== "lost" && !byNode.has(node)) {
        byNode.set(node, { node, mode });
      }
    }
    byNode.delete(this.#self);
    return [...byNode.values()];
  }

  /** The members to be recorded next, or `null` when nothing has to change or a change is under way. Marks it as under way. */
  nextChange(): readonly Member[] | null {
    if (this.#requested !== null) return null;
    const wanted: Member[] = [{ node: this.#self, mode: "sync" }];
    for (const [node, mode] of this.#modes) {
      const fitness = this.#fitness.get(node);
      const isRecorded = this.#recorded.some((member) => member.node === node);
      if (fitness === "up_to_date" || (isRecorded && fitness !== "lost")) wanted.push({ node, mode });
    }
    if (sameMembers(wanted, this.#recorded)) return null;
    this.#requested = wanted;
    return wanted;
  }

  /** A majority of voters has the change under way. */
  changeRecorded(version: number): void {
    invariant(this.#requested !== null, "a change is recorded that was asked for");
    invariant(version > this.#version, "I11: versions of the member set only grow");
    this.#recorded = this.#requested;
    this.#requested = null;
    this.#version = version;
  }
}

function sameMembers(a: readonly Member[], b: readonly Member[]): boolean {
  return a.length === b.length &&
    a.every((member) => b.some((other) => other.node === member.node && other.mode === member.mode));
}

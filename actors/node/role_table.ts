/**
 * Which of the two actors the replica slot of each group holds now. Written by `roles.ts` alone, read by the specs of
 * the group's tree when they start: whoever is not meant rests at once.
 */
import { invariant } from "../../runtime/invariant.ts";
import type { Opening } from "../failover/messages.ts";

export type Role = { readonly kind: "target" } | { readonly kind: "mirror"; readonly opening: Opening };

const TARGET: Role = { kind: "target" };

export class RoleTable {
  readonly #roles = new Map<string, Role>();

  /** Every replica starts as target (design §4.6: a returning source opens its gate only by a new promotion). */
  constructor(groups: readonly string[]) {
    for (const group of groups) this.#roles.set(group, TARGET);
  }

  has(group: string): boolean {
    return this.#roles.has(group);
  }

  role(group: string): Role {
    const role = this.#roles.get(group);
    invariant(role !== undefined, "a role is asked for a replica of this node");
    return role;
  }

  set(group: string, role: Role): void {
    invariant(this.#roles.has(group), "a role is given to a replica of this node");
    this.#roles.set(group, role);
  }

  reset(group: string): void {
    this.set(group, TARGET);
  }
}

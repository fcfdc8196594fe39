/** Pure: what a person can do, where no actor knew better. Every state that is not fine has one (design §1.6). */
import type { GroupState } from "../../protocol/admin_messages.ts";

export function remedyForNode(node: string, configFile: string): string {
  return `on its host: holdfast node start --config ${configFile} --node ${node}`;
}

/** By state: the cause in general, and what to do. */
export const GROUP_DEFAULTS: Readonly<
  Record<Exclude<GroupState, "in_service">, { readonly cause: string; readonly remedy: string }>
> = {
  degraded: { cause: "a leg is not replicating", remedy: "see the cause beside each replica" },
  electing: {
    cause: "the group has no source at the moment",
    remedy: "wait; an election takes a few leases",
  },
  promoting: { cause: "a replica is being promoted", remedy: "wait; it takes a moment" },
  blocked: { cause: "the group cannot go on safely", remedy: "holdfast events --since 10m" },
  diverged: {
    cause: "two sources completed writes in rival generations",
    remedy: "holdfast events, then decide which side is to be kept",
  },
  stopped: { cause: "the group does not run on this node", remedy: "holdfast actors --tree" },
};

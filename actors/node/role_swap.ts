/**
 * Pure: the steps by which the replica slot of a group changes its actor.
 *
 * The order carries the safety. The export goes first, so that its clients are gone before what they talk to; the
 * mirror is stopped before failover hears that this node is target, so that nothing of the old generation completes
 * after a promise was given (I1); and the export comes last, because its start asks the new mirror for its gate.
 */
import type { Opening } from "../failover/messages.ts";
import type { Role } from "./role_table.ts";

export type SwapStep =
  | { readonly kind: "stop"; readonly child: "export" | "mirror" | "target" }
  | { readonly kind: "start"; readonly child: "export" | "mirror" | "target" }
  | { readonly kind: "hold"; readonly role: Role }
  /** Whoever asked for the change may rely on it. */
  | { readonly kind: "answer" };

export type Swap =
  | { readonly kind: "to_source"; readonly opening: Opening }
  | { readonly kind: "to_target" }
  /** After a step was lost: everything that should run is started, whatever the state was. */
  | { readonly kind: "settle" };

export function planSwap(swap: Swap, current: Role): readonly SwapStep[] {
  switch (swap.kind) {
    case "to_source":
      // A mirror that ended stays without a gate: each opening gets a mirror of its own.
      return [
        { kind: "stop", child: "export" },
        { kind: "stop", child: current.kind },
        { kind: "hold", role: { kind: "mirror", opening: swap.opening } },
        { kind: "start", child: "mirror" },
        { kind: "start", child: "export" },
        { kind: "answer" },
      ];
    case "to_target":
      if (current.kind === "target") return [{ kind: "answer" }];
      return [
        { kind: "stop", child: "export" },
        { kind: "stop", child: "mirror" },
        { kind: "hold", role: { kind: "target" } },
        { kind: "answer" },
        { kind: "start", child: "target" },
        { kind: "start", child: "export" },
      ];
    case "settle":
      return [{ kind: "start", child: current.kind }, { kind: "start", child: "export" }, { kind: "answer" }];
  }
}

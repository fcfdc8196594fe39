/**
 * What can be seen of every actor from outside, without its help.
 */
import { type Cell, ENDING, RUNNING, STOPPED } from "./cell.ts";

export interface ActorReport {
  readonly path: string;
  /** `actor`, `supervisor`, or what the spec says. */
  readonly kind: string;
  /** `waiting`: between two incarnations. */
  readonly state: "running" | "waiting" | "stopping" | "stopped";
  /** Unix milliseconds since when it is in that state. */
  readonly since: number;
  /** Messages waiting. */
  readonly depth: { readonly system: number; readonly control: number; readonly data: number };
  /** Messages received by all incarnations. */
  readonly messages: number;
  /** Data messages refused or dropped at the bound. */
  readonly shed: number;
  readonly restarts: number;
  readonly incarnation: number;
  readonly lastError: string | null;
}

export function reportOf(cell: Cell): ActorReport {
  const { clock } = cell.system;
  return {
    path: cell.path,
    kind: cell.child.spec.kind ?? "actor",
    state: stateName(cell),
    since: Math.round(clock.wall() - (clock.now() - cell.sinceMs)),
    depth: cell.depth,
    messages: cell.messages,
    shed: cell.rare?.shed ?? 0,
    restarts: cell.restarts,
    incarnation: cell.incarnation,
    lastError: cell.rare?.lastError ?? null,
  };
}

function stateName(cell: Cell): ActorReport["state"] {
  switch (cell.state) {
    case RUNNING:
      return "running";
    case ENDING:
      return "stopping";
    case STOPPED:
      return "stopped";
    default:
      return "waiting";
  }
}

/** The cell and all below it, parents first, children in order of start. */
export function reportTree(cell: Cell): ActorReport[] {
  const reports = [reportOf(cell)];
  for (const child of cell.family?.inOrder() ?? []) reports.push(...reportTree(child));
  return reports;
}

/**
 * The metadata contexts that BLOCK_STATUS can answer for, as one table: a new one is a new row. Pure.
 *
 * A context gives each extent of a volume 32 bits of meaning. `base:allocation` is the protocol's own. A context
 * of ours has the namespace `holdfast:`; clients that do not know it never ask for it.
 * See "Metadata querying", `NBD_OPT_LIST_META_CONTEXT`, `NBD_OPT_SET_META_CONTEXT`.
 */
import type { Extent } from "../block_device.ts";
import { BLOCK_STATE } from "./protocol_numbers.ts";

export interface MetaContext {
  readonly name: string;
  /** Nonzero and unique: the id under which replies name the context. */
  readonly id: number;
  /** What one extent means in this context. */
  flagsOf(extent: Extent): number;
}

export const META_CONTEXTS: readonly MetaContext[] = [
  {
    name: "base:allocation",
    id: 1,
    flagsOf: (extent) => (extent.hole ? BLOCK_STATE.HOLE | BLOCK_STATE.ZERO : 0),
  },
];

/** LIST: no query means all; `namespace:` means all of that namespace; otherwise the exact name. */
export function listContexts(queries: readonly string[]): readonly MetaContext[] {
  if (queries.length === 0) return META_CONTEXTS;
  return META_CONTEXTS.filter((context) => queries.some((query) => listsContext(query, context)));
}

/** SET: exact names only. What we do not know is left out, which is no error. */
export function selectContexts(queries: readonly string[]): readonly MetaContext[] {
  return META_CONTEXTS.filter((context) => queries.includes(context.name));
}

function listsContext(query: string, context: MetaContext): boolean {
  return query.endsWith(":") ? context.name.startsWith(query) : context.name === query;
}

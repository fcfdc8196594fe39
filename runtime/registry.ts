/**
 * Names for actors that others must find without being handed a ref. A name dies with its actor, not with an incarnation.
 */
import type { Ref } from "./actor.ts";
import { Cell, STOPPED } from "./cell.ts";

export interface Registry {
  /** Throws when a living actor has the name. An actor may have several names. A remote ref keeps its name until forgotten. */
  register(name: string, ref: Ref<never>): void;
  /** `undefined` when nobody has the name. The message type is the caller's claim. */
  lookup<M>(name: string): Ref<M> | undefined;
  /** Frees the name if `ref` has it. */
  forget(name: string, ref: Ref<never>): void;
  names(): readonly string[];
}

export function createRegistry(): Registry {
  const refs = new Map<string, Ref<never>>();
  return {
    register: (name, ref) => {
      const holder = refs.get(name);
      if (holder !== undefined && holder !== ref) {
        throw new RangeError(`Cannot register "${name}": ${holder.path} has that name (try: another name)`);
      }
      if (ref instanceof Cell) {
        if (ref.state === STOPPED) return;
        ref.needRare().names.add(name);
      }
      refs.set(name, ref);
    },
    lookup: <M>(name: string) => refs.get(name) as Ref<M> | undefined,
    forget: (name, ref) => {
      if (refs.get(name) === ref) refs.delete(name);
    },
    names: () => [...refs.keys()],
  };
}

/**
 * A broken invariant is a bug of ours: the actor that finds one dies, and its supervisor acts. Assertions stay
 * on in production, since a process that goes on with a wrong belief about blocks is worse than one that stops.
 */
export class InvariantError extends Error {
  override name = "InvariantError";
}

/** Throws when `condition` is false. `claim` states what holds, positively, and cites the I-number if it has one. */
export function invariant(condition: boolean, claim: string): asserts condition {
  if (!condition) throw new InvariantError(`Invariant does not hold: ${claim}`);
}

/** Closes a `switch` over a union: adding a variant makes every switch that forgot it fail to compile. */
export function assertNever(value: never): never {
  throw new InvariantError(`Invariant does not hold: no such variant exists: ${JSON.stringify(value)}`);
}

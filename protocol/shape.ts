/**
 * Pure: what a decoded message must look like, said once and checked field by field.
 *
 * A message of another node is hostile until its shape is known; after that the types hold. A shape is declared like
 * a type and gives that type (`Shaped<typeof …>`), so the two cannot drift apart. Unknown fields are refused: a peer
 * says only what the settled version and features allow. Rejected: the schema package of the configuration (its
 * errors are for people with an editor, its cost is per message) and hand-written checks in every actor.
 */
import { isName } from "./ids.ts";

/** Where in a value something was not as declared. A class, so that no valid value can look like it. */
export class ShapeFailure {
  /** E.g. `body.members[2].mode`. */
  readonly path: string;
  readonly expected: string;

  constructor(path: string, expected: string) {
    this.path = path;
    this.expected = expected;
  }

  /** For people. */
  get detail(): string {
    return `${this.path === "" ? "the message" : this.path} is not ${this.expected}`;
  }
}

export interface Shape<T> {
  /** The value itself when it fits (nothing is converted or copied). */
  check(value: unknown, path: string): T | ShapeFailure;
}

/** The type that a shape lets pass. */
export type Shaped<S> = S extends Shape<infer T> ? T : never;

/** True when `value` is a failure of `check`. */
export function isShapeFailure(value: unknown): value is ShapeFailure {
  return value instanceof ShapeFailure;
}

function leaf<T>(expected: string, fits: (value: unknown) => boolean): Shape<T> {
  return { check: (value, path) => fits(value) ? value as T : new ShapeFailure(path, expected) };
}

export const aBoolean: Shape<boolean> = leaf("true or false", (value) => typeof value === "boolean");

/** Anything at all: for a body whose reader has its own shape. */
export const anything: Shape<unknown> = leaf("anything", () => true);

/** A name of a node, group, volume or incarnation (ids.ts). */
export const aName: Shape<string> = leaf("a name", (value) => typeof value === "string" && isName(value));

export function text(options: { lengthMax: number }): Shape<string> {
  return leaf(
    `text of at most ${options.lengthMax} characters`,
    (value) => typeof value === "string" && value.length <= options.lengthMax,
  );
}

/** Text of exactly `digits` lower-case hexadecimal digits. */
export function hexText(digits: number): Shape<string> {
  const pattern = new RegExp(`^[0-9a-f]{${digits}}$`);
  return leaf(`${digits} hexadecimal digits`, (value) => typeof value === "string" && pattern.test(value));
}

/** A whole number; 0 … 2^53 − 1 unless told otherwise. */
export function integer(options: { min?: number; max?: number } = {}): Shape<number> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = options;
  return leaf(
    `a whole number from ${min} to ${max}`,
    (value) => typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max,
  );
}

/** A finite number, fractions too. */
export function number(options: { min: number; max: number }): Shape<number> {
  return leaf(
    `a number from ${options.min} to ${options.max}`,
    (value) => typeof value === "number" && value >= options.min && value <= options.max,
  );
}

export function byteString(options: { lengthMax: number }): Shape<Uint8Array> {
  return leaf(
    `at most ${options.lengthMax} bytes`,
    (value) => value instanceof Uint8Array && value.byteLength <= options.lengthMax,
  );
}

/** One of these values. */
export function oneOf<const T extends string | number | boolean | null>(...values: readonly T[]): Shape<T> {
  return leaf(
    `one of ${values.map((value) => JSON.stringify(value)).join(", ")}`,
    (value) => values.includes(value as T),
  );
}

export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return { check: (value, path) => value === null ? null : shape.check(value, path) };
}

/** For fields of `record` only: may be missing. */
export function optional<T>(shape: Shape<T>): Shape<T | undefined> {
  return { check: (value, path) => value === undefined ? undefined : shape.check(value, path) };
}

export function listOf<T>(shape: Shape<T>, options: { lengthMax: number }): Shape<readonly T[]> {
  return {
    check(value, path) {
      if (!Array.isArray(value) || value.length > options.lengthMax) {
        return new ShapeFailure(path, `a list of at most ${options.lengthMax}`);
      }
      for (let index = 0; index < value.length; index += 1) {
        const item = shape.check(value[index], `${path}[${index}]`);
        if (item instanceof ShapeFailure) return item;
      }
      return value as readonly T[];
    },
  };
}

type Shapes = readonly Shape<unknown>[];
type ShapedTuple<S extends Shapes> = { readonly [Index in keyof S]: Shaped<S[Index]> };

/** A list of exactly these items: how messages travel compactly. */
export function tuple<const S extends Shapes>(...shapes: S): Shape<ShapedTuple<S>> {
  return {
    check(value, path) {
      if (!Array.isArray(value) || value.length !== shapes.length) {
        return new ShapeFailure(path, `a list of ${shapes.length}`);
      }
      for (let index = 0; index < shapes.length; index += 1) {
        const item = (shapes[index] as Shape<unknown>).check(value[index], `${path}[${index}]`);
        if (item instanceof ShapeFailure) return item;
      }
      return value as unknown as ShapedTuple<S>;
    },
  };
}

type Fields = Readonly<Record<string, Shape<unknown>>>;
type OptionalKeys<F extends Fields> = { [K in keyof F]: undefined extends Shaped<F[K]> ? K : never }[keyof F];
type ShapedRecord<F extends Fields> =
  & { readonly [K in Exclude<keyof F, OptionalKeys<F>>]: Shaped<F[K]> }
  & { readonly [K in OptionalKeys<F>]?: Shaped<F[K]> };

/**
 * A map with exactly these fields; those declared `optional` may be missing. `unknownFields: "ignored"` is for the few
 * messages that must be understood before a version is settled.
 */
export function record<const F extends Fields>(
  fields: F,
  options: { unknownFields?: "refused" | "ignored" } = {},
): Shape<ShapedRecord<F>> {
  const known = Object.entries(fields);
  return {
    check(value, path) {
      if (!isPlainRecord(value)) return new ShapeFailure(path, "a map");
      for (const [name, shape] of known) {
        const item = shape.check(Object.hasOwn(value, name) ? value[name] : undefined, joined(path, name));
        if (item instanceof ShapeFailure) return item;
      }
      if (options.unknownFields === "ignored") return value as ShapedRecord<F>;
      for (const name of Object.keys(value)) {
        if (!Object.hasOwn(fields, name)) {
          return new ShapeFailure(joined(path, name.slice(0, 64)), "a known field");
        }
      }
      return value as ShapedRecord<F>;
    },
  };
}

/** A union told apart by the field `kind`, each variant a `record` with its own `kind: oneOf("…")`. */
export function variantOf<const V extends Readonly<Record<string, Shape<unknown>>>>(
  variants: V,
): Shape<Shaped<V[keyof V]>> {
  return {
    check(value, path) {
      if (!isPlainRecord(value)) return new ShapeFailure(path, "a map");
      const kind = value.kind;
      const shape = typeof kind === "string" && Object.hasOwn(variants, kind) ? variants[kind] : undefined;
      if (shape === undefined) {
        return new ShapeFailure(joined(path, "kind"), `one of ${Object.keys(variants).join(", ")}`);
      }
      return shape.check(value, path) as Shaped<V[keyof V]> | ShapeFailure;
    },
  };
}

function isPlainRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Uint8Array);
}

function joined(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

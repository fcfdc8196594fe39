/**
 * Reads the fields of a parsed JSON document one by one and remembers the first thing that is wrong. Pure.
 *
 * The superblock's checksum says that the bytes are the ones that were written; this says that they mean something.
 * A reader that throws would put the checks of fifteen fields into one `catch`; one that answers `undefined` per field
 * would double the codec's length. This one goes on with a harmless value and keeps the fault, which the codec asks
 * for at the end.
 */
export type Fields = Readonly<Record<string, unknown>>;

const NOTHING: Fields = {};
const TEXT_MAX = 4096;

export class FieldReader {
  #fault: string | null = null;

  /** "history: more than 64 entries". Null: everything so far was right. */
  get fault(): string | null {
    return this.#fault;
  }

  object(value: unknown, name: string): Fields {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
    return this.#wrong(name, "an object belongs there", NOTHING);
  }

  fields(from: Fields, name: string): Fields {
    return this.object(from[name], name);
  }

  /** A number from 0 to 2^53 − 1. */
  count(from: Fields, name: string): number {
    const value = from[name];
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    return this.#wrong(name, "a whole number from 0 on belongs there", 0);
  }

  powerOfTwo(from: Fields, name: string): number {
    const value = this.count(from, name);
    return value >= 512 && Number.isInteger(Math.log2(value))
      ? value
      : this.#wrong(name, "it is no power of two", 512);
  }

  truth(from: Fields, name: string): boolean {
    const value = from[name];
    return typeof value === "boolean" ? value : this.#wrong(name, "true or false belongs there", false);
  }

  text(from: Fields, name: string): string {
    return this.#text(from[name], name);
  }

  /** 32 hexadecimal digits. */
  hex(value: unknown, name: string): string {
    if (typeof value === "string" && /^[0-9a-f]{32}$/.test(value)) return value;
    return this.#wrong(name, "32 hexadecimal digits belong there", "");
  }

  oneOf<T extends string>(from: Fields, name: string, options: readonly [T, ...T[]] | readonly T[]): T {
    const value = from[name];
    const found = options.find((option) => option === value);
    if (found !== undefined) return found;
    return this.#wrong(name, `one of ${options.join(", ")} belongs there`, options[0] as T);
  }

  /** A list of objects. */
  list(from: Fields, name: string, countMax: number): Fields[] {
    return this.#items(from, name, countMax).map((item) => this.object(item, name));
  }

  texts(from: Fields, name: string, countMax: number): string[] {
    return this.#items(from, name, countMax).map((item) => this.#text(item, name));
  }

  optional<T>(from: Fields, name: string, read: (value: unknown) => T): T | null {
    const value = from[name];
    if (value === undefined) return this.#wrong(name, "a value or null belongs there", null);
    return value === null ? null : read(value);
  }

  noFurtherFields(from: Fields, known: readonly string[]): void {
    for (const name of Object.keys(from)) {
      if (!known.includes(name)) this.#wrong(name, "it is not known here", null);
    }
  }

  #items(from: Fields, name: string, countMax: number): readonly unknown[] {
    const value = from[name];
    if (!Array.isArray(value)) return this.#wrong(name, "a list belongs there", []);
    return value.length <= countMax ? value : this.#wrong(name, `more than ${countMax} entries`, []);
  }

  #text(value: unknown, name: string): string {
    if (typeof value === "string" && value.length > 0 && value.length <= TEXT_MAX) return value;
    return this.#wrong(name, "a text belongs there", "");
  }

  #wrong<T>(name: string, fault: string, harmless: T): T {
    this.#fault ??= `${name}: ${fault}`;
    return harmless;
  }
}

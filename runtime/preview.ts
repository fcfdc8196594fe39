/**
 * Any value as one bounded piece of text, for log lines and traces.
 *
 * A log line that can grow with a message is a queue without a bound. Depth, width and length are cut, cycles are
 * named, byte arrays are told by their length, and getters that throw cannot hurt: whoever previews is in the middle of
 * something more important.
 */
const DEPTH_MAX = 5;
const ENTRIES_MAX = 32;
const TEXT_MAX = 1_024;

/** JSON-compatible data close to `value`: what the bounds cut is marked by `…`. */
export function plainOf(value: unknown, depth = 0): unknown {
  switch (typeof value) {
    case "string":
      return value.length > TEXT_MAX ? value.slice(0, TEXT_MAX) + "…" : value;
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "bigint":
      return value.toString();
    case "function":
      return `[function ${value.name}]`;
    case "symbol":
      return value.toString();
    case "object":
      return value === null ? null : plainOfObject(value, depth);
    default:
      return value;
  }
}

function plainOfObject(value: object, depth: number): unknown {
  if (value instanceof Error) return plainOf(`${value.name}: ${value.message}`);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  // Whoever waits for an answer: what hangs on it is the runtime's own.
  if (typeof (value as { reply?: unknown }).reply === "function") return "[reply]";
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  if (depth >= DEPTH_MAX) return "…";
  if (value instanceof Map) return plainOfEntries(value.entries(), value.size, depth);
  if (value instanceof Set) return plainOfList([...value].slice(0, ENTRIES_MAX + 1), value.size, depth);
  if (Array.isArray(value)) return plainOfList(value.slice(0, ENTRIES_MAX + 1), value.length, depth);
  const keys = Object.keys(value);
  return plainOfEntries(readEach(value as Record<string, unknown>, keys), keys.length, depth);
}

function* readEach(value: Record<string, unknown>, keys: string[]): Generator<[string, unknown]> {
  for (const key of keys) {
    let read: unknown;
    try {
      read = value[key];
    } catch (error) {
      read = `[unreadable: ${String(error)}]`;
    }
    yield [key, read];
  }
}

function plainOfList(list: unknown[], length: number, depth: number): unknown {
  const plain = list.slice(0, ENTRIES_MAX).map((item) => plainOf(item, depth + 1));
  if (length > ENTRIES_MAX) plain.push(`… ${length - ENTRIES_MAX} more`);
  return plain;
}

function plainOfEntries(entries: Iterable<[unknown, unknown]>, size: number, depth: number): unknown {
  const plain: Record<string, unknown> = {};
  let count = 0;
  for (const [key, value] of entries) {
    if (count === ENTRIES_MAX) {
      plain["…"] = `${size - ENTRIES_MAX} more`;
      break;
    }
    count += 1;
    plain[typeof key === "object" && key !== null ? JSON.stringify(plainOf(key, depth + 1)) : String(key)] =
      plainOf(
        value,
        depth + 1,
      );
  }
  return plain;
}

/** `value` as JSON of at most `lengthMax` characters. */
export function preview(value: unknown, lengthMax = 256): string {
  const text = JSON.stringify(plainOf(value)) ?? "undefined";
  return text.length > lengthMax ? text.slice(0, lengthMax - 1) + "…" : text;
}

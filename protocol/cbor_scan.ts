/**
 * Pure: looks over CBOR before anything is built from it.
 *
 * A decoder is a machine that strangers program. Three hundred kilobytes of the right bytes make a bignum that
 * blocks the loop for seconds, a deep nest overflows the stack, a tag runs code nobody asked for. So the bytes are
 * first walked once, without allocating, with a bound on depth and on items: what passes is plain data (numbers up
 * to 2^53 − 1, text, bytes, lists, maps with text keys, booleans, null, undefined), exactly one item, nothing after.
 * Everything else, though it may be good CBOR, is refused: our own encoder never makes it.
 */

export const DEPTH_MAX = 32;
/** Every value, list, map and key counts. */
export const ITEMS_MAX = 65_536;

const UNSIGNED = 0;
const NEGATIVE = 1;
const BYTES = 2;
const TEXT = 3;
const LIST = 4;
const MAP = 5;
const TAG = 6;

/** Null when the bytes are one plain item; else what is wrong and where. */
export function scanCbor(bytes: Uint8Array): string | null {
  const scan = new Scan(bytes);
  return scan.run();
}

class Scan {
  readonly #bytes: Uint8Array;
  #at = 0;
  #items = 0;
  /** The argument of the last head: a length, a count or a number. */
  #argument = 0;
  /** Items still to come at each depth; a map counts its keys too. */
  readonly #left = new Float64Array(DEPTH_MAX + 1);
  /** 1 at depths that are maps: there every other item, counted from the even rest, is a key. */
  readonly #isMap = new Uint8Array(DEPTH_MAX + 1);

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  run(): string | null {
    let depth = 0;
    this.#left[0] = 1;
    while (depth > 0 || this.#left[0] === 1) {
      const left = this.#left[depth] as number;
      if (left === 0) {
        depth -= 1;
        continue;
      }
      this.#left[depth] = left - 1;
      if (this.#at >= this.#bytes.length) return `the item ends too early, at byte ${this.#at}`;
      const isKey = this.#isMap[depth] === 1 && left % 2 === 0;
      const start = this.#at;
      const major = (this.#bytes[start] as number) >>> 5;
      if (isKey && major !== TEXT) return `a map key at byte ${start} is not text`;
      const wrong = this.#item(major);
      if (wrong !== null) return `${wrong} at byte ${start}`;
      this.#items += 1;
      if (this.#items > ITEMS_MAX) return `more than ${ITEMS_MAX} items`;
      if (major !== LIST && major !== MAP) continue;
      depth += 1;
      if (depth > DEPTH_MAX) return `nested deeper than ${DEPTH_MAX} at byte ${start}`;
      this.#left[depth] = major === MAP ? this.#argument * 2 : this.#argument;
      this.#isMap[depth] = major === MAP ? 1 : 0;
    }
    return this.#at === this.#bytes.length ? null : `${this.#bytes.length - this.#at} bytes follow the item`;
  }

  /** Reads a head, and the content of strings. */
  #item(major: number): string | null {
    const info = (this.#bytes[this.#at] as number) & 0x1f;
    this.#at += 1;
    if (major === TAG) return "a tag";
    if (major === 7) return this.#simple(info);
    const wrong = this.#readArgument(info);
    if (wrong !== null) return wrong;
    switch (major) {
      case UNSIGNED:
        return this.#argument > Number.MAX_SAFE_INTEGER ? "a number above 2^53 − 1" : null;
      case NEGATIVE:
        return this.#argument >= Number.MAX_SAFE_INTEGER ? "a number below −(2^53 − 1)" : null;
      case BYTES:
      case TEXT:
        if (this.#argument > this.#bytes.length - this.#at) return "a string longer than the bytes there are";
        this.#at += this.#argument;
        return null;
      case LIST:
        return this.#argument > this.#bytes.length - this.#at
          ? "a list longer than the bytes there are"
          : null;
      default:
        return this.#argument * 2 > this.#bytes.length - this.#at
          ? "a map longer than the bytes there are"
          : null;
    }
  }

  #simple(info: number): string | null {
    if (info >= 20 && info <= 23) return null;
    if (info < 25 || info > 27) return "a simple value that is not plain";
    const length = 1 << (info - 24);
    if (this.#bytes.length - this.#at < length) return "a number cut short";
    this.#at += length;
    return null;
  }

  #readArgument(info: number): string | null {
    if (info < 24) {
      this.#argument = info;
      return null;
    }
    if (info > 27) return info === 31 ? "an item of unknown length" : "a malformed head";
    const length = 1 << (info - 24);
    if (this.#bytes.length - this.#at < length) return "a head cut short";
    let value = 0;
    for (let index = 0; index < length; index += 1) {
      value = value * 256 + (this.#bytes[this.#at + index] as number);
    }
    this.#argument = value;
    this.#at += length;
    return null;
  }
}

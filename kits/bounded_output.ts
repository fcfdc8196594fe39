/**
 * What a program wrote, within a bound: the beginning (what it set out to do) and the end (why it failed). Pure.
 *
 * Rejected: the end alone, since the first complaint of a shell script is usually the cause of all that follow; and
 * ending the program at the bound, since an agent that talks much may still be doing its work.
 */

export class BoundedOutput {
  readonly #halfBytes: number;
  #head: Uint8Array[] = [];
  #headBytes = 0;
  #tail: Uint8Array[] = [];
  #tailBytes = 0;
  #leftOutBytes = 0;

  /** @param bytesMax ≥ 2, kept at most; half of it for the beginning */
  constructor(bytesMax: number) {
    this.#halfBytes = Math.max(1, Math.floor(bytesMax / 2));
  }

  /** The bytes are copied. */
  add(bytes: Uint8Array): void {
    const headSpace = this.#halfBytes - this.#headBytes;
    if (headSpace > 0) {
      const first = bytes.slice(0, headSpace);
      this.#head.push(first);
      this.#headBytes += first.byteLength;
    }
    const rest = bytes.subarray(Math.max(0, headSpace));
    if (rest.byteLength === 0) return;
    const skipped = Math.max(0, rest.byteLength - this.#halfBytes);
    this.#tail.push(rest.slice(skipped));
    this.#tailBytes += rest.byteLength - skipped;
    this.#leftOutBytes += skipped;
    // Bytes and pieces are both bounded: a program that writes letter by letter would cost a piece each.
    if (this.#tailBytes > 2 * this.#halfBytes || this.#tail.length > PIECES_MAX) this.#trimTail();
    if (this.#head.length > PIECES_MAX) this.#head = [joined(this.#head, this.#headBytes)];
  }

  /** As UTF-8; a character cut at the bound becomes a replacement character. */
  text(): string {
    this.#trimTail();
    if (this.#leftOutBytes === 0) return decode(joined([...this.#head, ...this.#tail], this.#bytes()));
    const head = decode(joined(this.#head, this.#headBytes));
    const tail = decode(joined(this.#tail, this.#tailBytes));
    return `${head}\n… ${this.#leftOutBytes} bytes left out …\n${tail}`;
  }

  #bytes(): number {
    return this.#headBytes + this.#tailBytes;
  }

  #trimTail(): void {
    const all = joined(this.#tail, this.#tailBytes);
    const surplus = Math.max(0, all.byteLength - this.#halfBytes);
    this.#leftOutBytes += surplus;
    this.#tail = [all.slice(surplus)];
    this.#tailBytes = all.byteLength - surplus;
  }
}

const PIECES_MAX = 256;
const decoder = new TextDecoder();

function decode(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

function joined(pieces: readonly Uint8Array[], byteLength: number): Uint8Array {
  const all = new Uint8Array(byteLength);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.byteLength;
  }
  return all;
}

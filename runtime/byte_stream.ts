/**
 * A byte stream is a connection without an opinion: ordered, reliable bytes in both directions, and an end.
 *
 * Transports make them (TCP, Unix sockets, the simulated network), and whoever speaks a protocol over them
 * (peers, legs, NBD sessions) neither knows nor cares which. The contract lives on the floor because both
 * workshops need it and workshops never import each other.
 *
 * Receiving is turned around: the receiver lends the space for the next read, so that a protocol decoder can
 * read straight into its own large buffer and hand out views of it. A `data` event that brings a fresh buffer
 * each time costs one copy per byte, which at 4 KiB requests is dearer than the I/O itself.
 */

/** Why a stream ended. `refused` and `unreachable` only before it was ever open. */
export interface StreamEnd {
  readonly kind:
    | "ended_by_peer"
    | "reset"
    | "closed_here"
    | "timed_out"
    | "refused"
    | "unreachable"
    | "failed";
  /** For people: what happened, with the address. */
  readonly detail: string;
}

/** What the user of a stream implements. Calls never overlap and never happen inside a call to the stream. */
export interface StreamReceiver {
  /**
   * Space for the next read, at least one byte; `null` stops reading until `stream.resume()`, which is how
   * back-pressure reaches the other end's kernel. It is lent until the next call of `space` or until `ended`: also
   * after `end()` and `destroy()` a read that was under way may still land in it.
   */
  space(): Uint8Array | null;
  /** `length` ≥ 1 bytes were put at the start of the last space. */
  received(length: number): void;
  /** After `send` answered false: what was queued has fallen below the low-water mark. */
  drained(): void;
  /** The last call. Bytes queued and not yet written are lost unless the end is `closed_here` after `end()`. */
  ended(end: StreamEnd): void;
}

export interface ByteStream {
  /** For people and logs, e.g. `tcp://127.0.0.1:7401`. */
  readonly remoteAddress: string;
  /** The names that the other side has proven to own, by its certificate; absent where nothing is proven. */
  readonly provenNames?: readonly string[] | undefined;
  /** Bytes accepted by `send` and not yet handed to the kernel. */
  readonly queuedBytes: number;
  /** Exactly once, before anything is read. */
  start(receiver: StreamReceiver): void;
  /**
   * Queues bytes in order; all that one turn queues goes out in one gathered write at the end of the turn.
   * The bytes must not change until `released` is called (at once after an end). Answers false at or above the
   * high-water mark: the caller should stop producing until `drained`. Never throws; after an end it is a no-op
   * that calls `released`.
   */
  send(bytes: Uint8Array, released?: () => void): boolean;
  /** Reads again after `space()` answered null. */
  resume(): void;
  /** Writes what is queued, then closes. */
  end(): void;
  /** Closes now; what is queued is dropped. Callable twice. */
  destroy(reason: string): void;
}

/**
 * A server session over an in-memory stream, with everything that a test wants to see or to hold.
 */
import { type Slab, SlabPool } from "../../../../runtime/slab.ts";
import type { ExportDirectory, ExportOffer } from "../../../../volume/nbd/export_directory.ts";
import type { NbdLimits } from "../../../../volume/nbd/limits.ts";
import { type NbdSession, type NbdSessionEnd, serveNbdSession } from "../../../../volume/nbd/session.ts";
import { MemoryPort } from "./memory_port.ts";
import { MemoryStream, type PairOptions, RawPeer, streamPair, Turns } from "./stream_pair.ts";

/** Timers that elapse when the test says so. */
export class Timers {
  readonly pending: { delayMs: number; elapse: () => void }[] = [];

  readonly start = (delayMs: number, onElapsed: () => void): () => void => {
    const timer = { delayMs, elapse: onElapsed };
    this.pending.push(timer);
    return () => {
      const index = this.pending.indexOf(timer);
      if (index >= 0) this.pending.splice(index, 1);
    };
  };

  elapse(): void {
    for (const timer of this.pending.splice(0)) timer.elapse();
  }
}

/** A pool that remembers what it handed out, so that a test can ask whether all of it came back. */
export class RememberingPool extends SlabPool {
  readonly taken = new Set<Slab>();

  override take(byteLengthMin = 0): Slab {
    const slab = super.take(byteLengthMin);
    this.taken.add(slab);
    return slab;
  }

  /** Slabs that somebody still holds. */
  get held(): number {
    return [...this.taken].filter((slab) => slab.references > 0).length;
  }
}

export class TestDirectory implements ExportDirectory {
  readonly offer: ExportOffer;

  constructor(port: MemoryPort, size: number) {
    this.offer = { name: "data", description: "the only volume", size, readOnly: false, volume: 0, port };
  }

  list(): readonly string[] {
    return ["data", "elsewhere"];
  }

  find(name: string): ReturnType<ExportDirectory["find"]> {
    switch (name) {
      case "":
      case "data":
        return this.offer;
      case "locked":
        return { ...this.offer, name, readOnly: true };
      case "elsewhere":
        return { refused: "policy", message: "beta is the source of elsewhere" };
      case "stopping":
        return { refused: "shutdown", message: "this node stops" };
      case "picky":
        return { refused: "block_size", message: "blocks of 512" };
      default:
        return { refused: "unknown", message: `there is no ${name}` };
    }
  }
}

export interface Served {
  readonly turns: Turns;
  readonly timers: Timers;
  readonly port: MemoryPort;
  readonly slabs: RememberingPool;
  readonly session: NbdSession;
  /** The session's end of the connection. */
  readonly stream: MemoryStream;
  /** The client's end, not started. */
  readonly far: MemoryStream;
  readonly ends: NbdSessionEnd[];
}

export interface ServedOptions {
  readonly size?: number;
  readonly port?: MemoryPort;
  readonly immediate?: boolean;
  readonly limits?: Partial<NbdLimits>;
  readonly slabBytes?: number;
  readonly cut?: PairOptions["cut"];
  readonly highWaterBytes?: number;
}

export const MEBIBYTE = 1024 * 1024;

export function serve(options: ServedOptions = {}): Served {
  const turns = new Turns();
  const timers = new Timers();
  const size = options.size ?? MEBIBYTE;
  const port = options.port ?? new MemoryPort({ size, immediate: options.immediate ?? true });
  const slabs = new RememberingPool({ slabBytes: options.slabBytes ?? 256 * 1024, idleMax: 8 });
  const pair = streamPair({ turns, cut: options.cut, highWaterBytes: options.highWaterBytes });
  const ends: NbdSessionEnd[] = [];
  const session = serveNbdSession(pair.left, {
    directory: new TestDirectory(port, size),
    slabs,
    startTimer: timers.start,
    atTurnEnd: turns.post,
    limits: options.limits,
    onEnded: (end) => ends.push(end),
  });
  return { turns, timers, port, slabs, session, stream: pair.left, far: pair.right, ends };
}

/** A raw client that has negotiated and dropped what the handshake brought. */
export function serveRaw(options: ServedOptions & { structured?: boolean } = {}): Served & { raw: RawPeer } {
  const served = serve(options);
  const raw = new RawPeer(served.far);
  const bytes = [hex("00000003")];
  if (options.structured === true) {
    bytes.push(
      option(8),
      option(10, "00000004", text("data"), "00000001", "0000000f", text("base:allocation")),
    );
  }
  bytes.push(option(7, "00000004", text("data"), "0000"));
  for (const piece of bytes) raw.stream.send(piece);
  served.turns.run();
  raw.take();
  return { ...served, raw };
}

/** Bytes from hexadecimal; `{78*5}` repeats a byte. */
export function hex(digits: string): Buffer {
  const long = digits.replace(
    /\{(..)\*(\d+)\}/g,
    (_all, byte: string, count: string) => byte.repeat(Number(count)),
  );
  return Buffer.from(long, "hex");
}

export function text(characters: string): string {
  return Buffer.from(characters).toString("hex");
}

/** A client's option; `parts` are hexadecimal. */
export function option(number: number, ...parts: string[]): Buffer {
  const data = hex(parts.join(""));
  const header = Buffer.alloc(16);
  header.write("IHAVEOPT", 0, "ascii");
  header.writeUInt32BE(number, 8);
  header.writeUInt32BE(data.length, 12);
  return Buffer.concat([header, data]);
}

/** A client's request. */
export function request(
  fields: {
    type: number;
    handle: number;
    offset?: number;
    length?: number;
    flags?: number;
    payload?: Uint8Array;
  },
): Buffer {
  const header = Buffer.alloc(28);
  header.writeUInt32BE(0x25609513, 0);
  header.writeUInt16BE(fields.flags ?? 0, 4);
  header.writeUInt16BE(fields.type, 6);
  header.writeBigUInt64BE(BigInt(fields.handle), 8);
  header.writeBigUInt64BE(BigInt(fields.offset ?? 0), 16);
  header.writeUInt32BE(fields.length ?? fields.payload?.length ?? 0, 24);
  return Buffer.concat([header, fields.payload ?? Buffer.alloc(0)]);
}

/** Handles and errors of simple replies, in order. */
export function simpleReplies(bytes: Buffer): { handle: number; error: number }[] {
  const replies = [];
  for (let at = 0; at + 16 <= bytes.length; at += 16) {
    replies.push({ error: bytes.readUInt32BE(at + 4), handle: Number(bytes.readBigUInt64BE(at + 8)) });
  }
  return replies;
}

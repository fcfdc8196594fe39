/**
 * What every transport promises, as one suite: the simulated network passes the same claims as real sockets, or
 * what the simulator proves would be about another world.
 *
 * A test never sleeps: `World.until` lets the transport's world go on (events of real sockets, steps of the virtual
 * clock) until a condition holds, and fails with a deadline.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ByteStream, StreamEnd, StreamReceiver } from "../../runtime/byte_stream.ts";
import type { TransportAddress } from "../../transports/address.ts";
import { isAddressRefusal, parseAddress } from "../../transports/address.ts";
import { isListenFailure, isStreamEnd, type Listener, type Transport } from "../../transports/transport.ts";

export interface World {
  readonly transport: Transport;
  /** An address nobody listens at yet. */
  readonly address: TransportAddress;
  /** An address at which nobody will ever listen. */
  readonly deadAddress: TransportAddress;
  /** Lets time and events pass until `condition` holds. */
  until(condition: () => boolean, what: string): Promise<void>;
  /** Lets everything that is under way happen: for "and nothing more comes". */
  settle(): Promise<void>;
  /** The end of a test. */
  close(): Promise<void>;
}

/** Collects into one growing record, with a chosen space per read. */
export class Collector implements StreamReceiver {
  readonly chunks: Uint8Array[] = [];
  byteLength = 0;
  reads = 0;
  drains = 0;
  ends: StreamEnd[] = [];
  open = true;
  readonly #space: Uint8Array;
  readonly #keep: boolean;
  /** Called for each read, before the bytes are overwritten. */
  onBytes: (bytes: Uint8Array) => void = () => {};

  constructor(options: { spaceBytes?: number; keep?: boolean } = {}) {
    this.#space = new Uint8Array(options.spaceBytes ?? 256 * 1024);
    this.#keep = options.keep ?? true;
  }

  space(): Uint8Array | null {
    return this.open ? this.#space : null;
  }

  received(length: number): void {
    assert.equal(this.ends.length, 0, "nothing is received after the end");
    assert.ok(length >= 1 && length <= this.#space.byteLength, "a read fits its space and is not empty");
    this.reads += 1;
    this.byteLength += length;
    const bytes = this.#space.subarray(0, length);
    if (this.#keep) this.chunks.push(bytes.slice());
    this.onBytes(bytes);
  }

  drained(): void {
    assert.equal(this.ends.length, 0, "nothing is drained after the end");
    this.drains += 1;
  }

  ended(end: StreamEnd): void {
    this.ends.push(end);
  }

  text(): string {
    return new TextDecoder().decode(Buffer.concat(this.chunks));
  }
}

/** Bytes that tell their own place: the value at `i` depends on `i` and on a seed. */
export function patterned(byteLength: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  for (let index = 0; index < byteLength; index += 1) {
    bytes[index] = (index * 31 + (index >>> 8) * 17 + seed) & 0xff;
  }
  return bytes;
}

interface Pair {
  readonly near: ByteStream;
  readonly far: ByteStream;
  readonly listener: Listener;
}

async function listen(world: World, onStream: (stream: ByteStream) => void): Promise<Listener> {
  const listener = await world.transport.listen(world.address, onStream);
  assert.ok(!isListenFailure(listener), "the address can be listened on");
  return listener;
}

async function connect(world: World, listener: Listener): Promise<ByteStream> {
  const target = parseAddress(listener.address);
  assert.ok(!isAddressRefusal(target));
  let outcome: ByteStream | StreamEnd | undefined;
  world.transport.connect(target, { timeoutMs: 5_000 }).then((value) => outcome = value);
  await world.until(() => outcome !== undefined, "a connection");
  assert.ok(outcome !== undefined && !isStreamEnd(outcome), "the connection is open");
  return outcome;
}

async function pair(world: World): Promise<Pair> {
  const accepted: ByteStream[] = [];
  const listener = await listen(world, (stream) => accepted.push(stream));
  const near = await connect(world, listener);
  await world.until(() => accepted.length === 1, "an accepted stream");
  return { near, far: accepted[0] as ByteStream, listener };
}

/** Registers the suite's tests under the transport's name. */
export function transportSuite(name: string, openWorld: () => Promise<World>): void {
  function claim(what: string, run: (world: World) => Promise<void>): void {
    test(`${name}: ${what}`, async () => {
      const world = await openWorld();
      try {
        await run(world);
      } finally {
        await world.close();
      }
    });
  }

  claim("bytes arrive in order and unchanged, both ways, whatever the spaces lent", async (world) => {
    const { near, far, listener } = await pair(world);
    const toFar = new Collector({ spaceBytes: 777 });
    const toNear = new Collector({ spaceBytes: 4_099 });
    near.start(toNear);
    far.start(toFar);
    const message = patterned(300_000);
    for (let at = 0, step = 1; at < message.byteLength; at += step, step = (step * 7) % 5_003 + 1) {
      near.send(message.subarray(at, Math.min(at + step, message.byteLength)));
      far.send(message.subarray(at, Math.min(at + step, message.byteLength)));
    }
    await world.until(
      () => toFar.byteLength >= message.byteLength && toNear.byteLength >= message.byteLength,
      "all",
    );
    assert.deepEqual(Buffer.concat(toFar.chunks), Buffer.from(message));
    assert.deepEqual(Buffer.concat(toNear.chunks), Buffer.from(message));
    near.destroy("done");
    far.destroy("done");
    await listener.close();
  });

  claim("10,000 small sends of one turn arrive whole, each released exactly once", async (world) => {
    const { near, far, listener } = await pair(world);
    const toFar = new Collector();
    near.start(new Collector());
    far.start(toFar);
    const released = new Uint8Array(10_000);
    const message = patterned(10_000 * 60);
    for (let index = 0; index < 10_000; index += 1) {
      near.send(message.subarray(index * 60, index * 60 + 60), () => {
        released[index] = (released[index] ?? 0) + 1;
      });
    }
    assert.equal(near.queuedBytes, message.byteLength, "nothing leaves within the turn");
    await world.until(() => toFar.byteLength === message.byteLength, "all bytes");
    await world.until(() => near.queuedBytes === 0, "an empty queue");
    await world.settle();
    assert.deepEqual(Buffer.concat(toFar.chunks), Buffer.from(message));
    assert.ok(released.every((times) => times === 1), "each piece is released exactly once");
    near.destroy("done");
    far.destroy("done");
    await listener.close();
  });

  claim("what one turn sends reaches an idle receiver gathered, not piece by piece", async (world) => {
    const { near, far, listener } = await pair(world);
    const toFar = new Collector();
    near.start(new Collector());
    far.start(toFar);
    near.send(patterned(1));
    await world.until(() => toFar.byteLength === 1, "the first byte");
    const readsBefore = toFar.reads;
    for (let index = 0; index < 100; index += 1) near.send(patterned(50));
    await world.until(() => toFar.byteLength === 5_001, "the hundred pieces");
    assert.ok(toFar.reads - readsBefore <= 10, `a hundred pieces came in ${toFar.reads - readsBefore} reads`);
    near.destroy("done");
    far.destroy("done");
    await listener.close();
  });

  claim("a 32 MiB payload arrives unchanged among small ones", async (world) => {
    const { near, far, listener } = await pair(world);
    const toFar = new Collector({ spaceBytes: 1 << 20, keep: false });
    const payload = patterned(32 << 20);
    const expected = Buffer.concat([patterned(56, 9), payload, patterned(56, 8)]);
    let at = 0;
    let equal = true;
    toFar.onBytes = (bytes) => {
      if (Buffer.compare(bytes, expected.subarray(at, at + bytes.byteLength)) !== 0) equal = false;
      at += bytes.byteLength;
    };
    near.start(new Collector());
    far.start(toFar);
    let released = 0;
    near.send(patterned(56, 9));
    assert.equal(near.send(payload, () => released += 1), false, "32 MiB are above the high-water mark");
    near.send(patterned(56, 8));
    await world.until(() => toFar.byteLength === expected.byteLength, "all bytes");
    await world.until(() => released === 1, "its release");
    assert.ok(equal, "every byte is the one that was sent");
    near.destroy("done");
    far.destroy("done");
    await listener.close();
  });

  claim("a receiver without space stops the sender, and draining starts it again", async (world) => {
    const { near, far, listener } = await pair(world);
    const toFar = new Collector({ spaceBytes: 64 * 1024, keep: false });
    const toNear = new Collector();
    toFar.open = false;
    near.start(toNear);
    far.start(toFar);
    const piece = patterned(256 * 1024);
    let sent = 0;
    let accepting = true;
    while (accepting && sent < 400) {
      accepting = near.send(piece);
      sent += 1;
    }
    assert.equal(accepting, false, "send answers false at the high-water mark");
    await world.settle();
    const queuedAtRest = near.queuedBytes;
    assert.equal(toFar.byteLength, 0, "a receiver without space receives nothing");
    toFar.open = true;
    far.resume();
    await world.until(() => toFar.byteLength === sent * piece.byteLength, "all bytes after resume");
    assert.ok(queuedAtRest <= sent * piece.byteLength);
    assert.equal(toNear.drains, 1, "drained is called once for one false");
    near.destroy("done");
    far.destroy("done");
    await listener.close();
  });

  claim("a receiver may run out of space after any read and loses nothing", async (world) => {
    const { near, far, listener } = await pair(world);
    const toFar = new Collector({ spaceBytes: 10_000 });
    near.start(new Collector());
    toFar.onBytes = () => {
      toFar.open = false;
      queueMicrotask(() => {
        toFar.open = true;
        far.resume();
        far.resume();
      });
    };
    far.start(toFar);
    const message = patterned(500_000);
    near.send(message);
    await world.until(() => toFar.byteLength === message.byteLength, "all bytes");
    assert.deepEqual(Buffer.concat(toFar.chunks), Buffer.from(message));
    near.destroy("done");
    far.destroy("done");
    await listener.close();
  });

  claim("end() lets everything queued arrive, and both sides hear of the end exactly once", async (world) => {
    const { near, far, listener } = await pair(world);
    const toFar = new Collector();
    const toNear = new Collector();
    near.start(toNear);
    far.start(toFar);
    const message = patterned(3_000_000);
    let released = 0;
    near.send(message, () => released += 1);
    near.end();
    near.send(patterned(5), () => released += 1);
    await world.until(() => toFar.ends.length === 1 && toNear.ends.length === 1, "both ends");
    await world.settle();
    assert.equal(
      toFar.byteLength,
      message.byteLength,
      "what was queued arrived, what came after end() did not",
    );
    assert.equal(released, 2);
    assert.deepEqual(toFar.ends.map((end) => end.kind), ["ended_by_peer"]);
    assert.deepEqual(toNear.ends.map((end) => end.kind), ["closed_here"]);
    await listener.close();
  });

  claim("an answer queued when the peer ends still arrives", async (world) => {
    const { near, far, listener } = await pair(world);
    const toNear = new Collector();
    const toFar = new Collector();
    toFar.onBytes = () => far.send(patterned(100_000));
    near.start(toNear);
    far.start(toFar);
    near.send(patterned(10));
    await world.until(() => toNear.byteLength > 0, "the answer's beginning");
    far.end();
    await world.until(() => toNear.ends.length === 1, "the end");
    assert.equal(toNear.byteLength, 100_000);
    near.destroy("done");
    await listener.close();
  });

  claim("a last answer survives end(), though the other side's bytes were never read", async (world) => {
    const { near, far, listener } = await pair(world);
    const toFar = new Collector();
    toFar.open = false;
    far.start(toFar);
    near.send(patterned(200_000));
    await world.settle();
    far.send(patterned(1_000_000));
    far.end();
    await world.settle();
    const toNear = new Collector();
    near.start(toNear);
    await world.until(() => toNear.ends.length === 1, "the end");
    assert.equal(toNear.byteLength, 1_000_000);
    assert.equal(toNear.ends[0]?.kind, "ended_by_peer");
    near.destroy("done");
    await listener.close();
  });

  claim("a side that ends sets free one that was stuck sending to it", async (world) => {
    const { near, far, listener } = await pair(world);
    const toNear = new Collector();
    const toFar = new Collector();
    toFar.open = false;
    near.start(toNear);
    far.start(toFar);
    let released = 0;
    for (let index = 0; index < 24; index += 1) near.send(patterned(1 << 20), () => released += 1);
    await world.settle();
    far.end();
    await world.until(() => toNear.ends.length === 1 && toFar.ends.length === 1, "both ends");
    assert.deepEqual(toFar.ends.map((end) => end.kind), ["closed_here"]);
    // Deno fails a write that is under way when the other side ends; the bytes would be dropped there anyway.
    assert.ok(["ended_by_peer", "reset"].includes(toNear.ends[0]?.kind ?? ""), `${toNear.ends[0]?.detail}`);
    await world.until(() => released === 24, "every release");
    await listener.close();
  });

  claim("destroy() drops what is queued, releases it, and is callable twice", async (world) => {
    const { near, far, listener } = await pair(world);
    const toNear = new Collector();
    const toFar = new Collector({ keep: false });
    toFar.open = false;
    near.start(toNear);
    far.start(toFar);
    let released = 0;
    for (let index = 0; index < 64; index += 1) near.send(patterned(1 << 20), () => released += 1);
    near.destroy("no longer wanted");
    near.destroy("again");
    assert.equal(toNear.ends.length, 0, "no call comes inside a call");
    near.send(patterned(5), () => released += 1);
    await world.until(() => toNear.ends.length === 1, "the end");
    await world.until(() => released === 65, "every release");
    assert.equal(toNear.ends[0]?.kind, "closed_here");
    assert.match(toNear.ends[0]?.detail ?? "", /no longer wanted/);
    toFar.open = true;
    far.resume();
    await world.until(() => toFar.ends.length === 1, "the far end");
    assert.ok(toFar.ends[0]?.kind === "ended_by_peer" || toFar.ends[0]?.kind === "reset");
    await world.settle();
    assert.equal(released, 65);
    assert.equal(toNear.ends.length + toFar.ends.length, 2);
    await listener.close();
  });

  claim("a stream destroyed inside received() hears only of its end", async (world) => {
    const { near, far, listener } = await pair(world);
    const toFar = new Collector({ spaceBytes: 10 });
    toFar.onBytes = () => far.destroy("seen enough");
    near.start(new Collector());
    far.start(toFar);
    near.send(patterned(100_000));
    await world.until(() => toFar.ends.length === 1, "the end");
    await world.settle();
    assert.equal(toFar.reads, 1);
    assert.equal(toFar.ends.length, 1);
    near.destroy("done");
    await listener.close();
  });

  claim("bytes sent before the other side starts wait for it", async (world) => {
    const { near, far, listener } = await pair(world);
    near.start(new Collector());
    near.send(new TextEncoder().encode("hello "));
    near.send(new TextEncoder().encode("world"));
    await world.settle();
    const toFar = new Collector();
    far.start(toFar);
    await world.until(() => toFar.byteLength === 11, "the greeting");
    assert.equal(toFar.text(), "hello world");
    near.destroy("done");
    far.destroy("done");
    await listener.close();
  });

  claim("a stream that ended before it was started tells so when it is", async (world) => {
    const { near, far, listener } = await pair(world);
    near.destroy("never needed");
    await world.settle();
    const toNear = new Collector();
    near.start(toNear);
    await world.until(() => toNear.ends.length === 1, "the end");
    assert.equal(toNear.ends[0]?.kind, "closed_here");
    far.destroy("done");
    await listener.close();
  });

  claim("connecting where nobody listens is refused, as a value that names the address", async (world) => {
    let outcome: ByteStream | StreamEnd | undefined;
    world.transport.connect(world.deadAddress, { timeoutMs: 5_000 }).then((value) => outcome = value);
    await world.until(() => outcome !== undefined, "an outcome");
    assert.ok(outcome !== undefined && isStreamEnd(outcome));
    assert.equal(outcome.kind, "refused");
    assert.ok(outcome.detail.startsWith(`${world.transport.scheme}:`), outcome.detail);
  });

  claim(
    "a second listener at the same address is refused with the remedy; a closed one makes room",
    async (world) => {
      const first = await listen(world, () => {});
      const address = parseAddress(first.address);
      assert.ok(!isAddressRefusal(address));
      const second = await world.transport.listen(address, () => {});
      assert.ok(isListenFailure(second));
      assert.equal(second.kind, "address_in_use");
      assert.match(second.detail, /^Cannot listen on .*: .* \(try: .*\)$/);
      await first.close();
      await first.close();
      const third = await world.transport.listen(address, () => {});
      assert.ok(!isListenFailure(third), "the address is free again");
      await third.close();
    },
  );

  claim("closing a listener leaves its streams alone", async (world) => {
    const { near, far, listener } = await pair(world);
    const closed = listener.close();
    const toFar = new Collector();
    near.start(new Collector());
    far.start(toFar);
    near.send(new TextEncoder().encode("still here"));
    await world.until(() => toFar.byteLength === 10, "bytes after the listener closed");
    near.destroy("done");
    far.destroy("done");
    await world.settle();
    await closed;
  });

  claim("a listener keeps no more streams than it was told to", async (world) => {
    const accepted: ByteStream[] = [];
    const troubles: string[] = [];
    const listener = await world.transport.listen(world.address, (stream) => accepted.push(stream), {
      streamsMax: 2,
      onTrouble: (detail) => troubles.push(detail),
    });
    assert.ok(!isListenFailure(listener));
    const nears = [await connect(world, listener), await connect(world, listener)];
    const third = new Collector();
    const refused = await connect(world, listener);
    refused.start(third);
    await world.until(() => third.ends.length === 1 && troubles.length === 1, "the third stream's end");
    assert.equal(accepted.length, 2);
    const first = new Collector();
    nears[0]?.start(first);
    accepted[0]?.destroy("makes room");
    await world.until(() => first.ends.length === 1, "room");
    await world.settle();
    nears.push(await connect(world, listener));
    await world.until(() => accepted.length === 3, "a new stream in the room made");
    for (const stream of [...nears, ...accepted]) stream.destroy("done");
    await listener.close();
  });
}

/**
 * Our client beside our server, in memory; and the client beside servers that misbehave.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  connectNbd,
  type NbdClient,
  type NbdClientOptions,
  type NbdOutcome,
} from "../../../volume/nbd/client.ts";
import { MemoryPort } from "./support/memory_port.ts";
import { hex, MEBIBYTE, serve, type Served, type ServedOptions, Timers } from "./support/served.ts";
import { RawPeer, streamPair, Turns } from "./support/stream_pair.ts";

/** Lets promises settle and streams move until `outcome` is there. */
async function settle<T>(served: { turns: Turns }, outcome: Promise<T>): Promise<T> {
  let over = false;
  const watched = outcome.finally(() => (over = true));
  for (let round = 0; !over && round < 10_000; round += 1) {
    served.turns.run();
    await Promise.resolve();
  }
  assert.ok(over, "the outcome never comes");
  return await watched;
}

async function connected(
  options: ServedOptions = {},
  clientOptions: Partial<NbdClientOptions> = {},
): Promise<Served & { client: NbdClient }> {
  const served = serve(options);
  const outcome = await settle(
    served,
    connectNbd(served.far, { exportName: "data", startTimer: served.timers.start, ...clientOptions }),
  );
  assert.ok(outcome.ok);
  return { ...served, client: outcome.client };
}

test("nbd client: learns what is served", async () => {
  const { client } = await connected();
  assert.equal(client.served.size, MEBIBYTE);
  assert.equal(client.served.structuredReplies, true);
  assert.equal(client.served.allocationContextId, 1);
  assert.equal(client.served.payloadBytesMax, 32 * MEBIBYTE);
});

test("nbd client: a refusal is a value that carries the server's words", async () => {
  const served = serve();
  const outcome = await settle(
    served,
    connectNbd(served.far, { exportName: "elsewhere", startTimer: served.timers.start }),
  );
  assert.ok(!outcome.ok);
  assert.deepEqual(outcome.failure, {
    kind: "refused",
    reply: 0x80000002,
    detail: "beta is the source of elsewhere",
  });
});

test("nbd client: writes, reads back, zeroes, trims, flushes, asks for the allocation, and says goodbye", async () => {
  const served = await connected();
  const { client, port, ends } = served;
  assert.ok((await settle(served, client.write(1000, Buffer.from("hello"), { fua: true }))).ok);
  const read = await settle(served, client.read(999, 7));
  assert.ok(read.ok);
  assert.equal(Buffer.from(read.value).toString(), "\0hello\0");
  assert.ok((await settle(served, client.flush())).ok);
  assert.equal(port.flushes, 1);
  const status = await settle(served, client.blockStatus(0, 131_072));
  assert.deepEqual(status, {
    ok: true,
    value: [
      { offset: 0, length: 65_536, hole: false, zero: false },
      { offset: 65_536, length: 65_536, hole: true, zero: true },
    ],
  });
  assert.ok((await settle(served, client.writeZeroes(1000, 2))).ok);
  assert.ok((await settle(served, client.trim(1003, 2))).ok);
  assert.ok((await settle(served, client.cache(0, 4096))).ok);
  assert.equal(Buffer.from(port.bytes.subarray(1000, 1005)).toString(), "\0\0l\0\0");
  const notFast = await settle(served, client.writeZeroes(0, 4096, { fastZero: true }));
  assert.deepEqual(notFast.ok ? null : notFast.failure.error, 95);
  await settle(served, client.disconnect());
  assert.equal(ends[0]?.cause, "the client disconnected");
});

test("nbd client: random operations end as on a plain array, whatever the order of completions", async () => {
  const size = 8192;
  const operation = fc.record({
    kind: fc.constantFrom("write", "read", "write_zeroes"),
    slot: fc.nat(15),
    value: fc.integer({ min: 1, max: 255 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { maxLength: 40 }),
      fc.array(fc.nat(), { minLength: 1 }),
      async (list, order) => {
        const port = new MemoryPort({ size, immediate: false });
        const served = await connected({ port, size, slabBytes: 4096, cut: (most) => Math.min(most, 700) }, {
          inFlightMax: 5,
        });
        const model = new Uint8Array(size);
        let turn = 0;
        for (const { kind, slot, value } of list) {
          const [offset, length] = [slot * 512, 512];
          const outcome: Promise<NbdOutcome<Uint8Array | null>> = kind === "read"
            ? served.client.read(offset, length)
            : kind === "write"
            ? served.client.write(offset, new Uint8Array(length).fill(value))
            : served.client.writeZeroes(offset, length);
          if (kind !== "read") model.fill(kind === "write" ? value : 0, offset, offset + length);
          served.turns.run();
          port.answerAll((count) => (order[turn++ % order.length] ?? 0) % count);
          const answer = await settle(served, outcome);
          assert.ok(answer.ok);
          if (answer.value !== null) assert.deepEqual(answer.value, model.slice(offset, offset + length));
        }
        assert.deepEqual(port.bytes, model);
      },
    ),
    { seed: 5, numRuns: 60 },
  );
});

test("nbd client: requests beyond the bound wait in order, and beyond that are refused at once", async () => {
  const served = await connected({ immediate: false }, { inFlightMax: 2, waitingMax: 3 });
  const outcomes = Array.from(
    { length: 6 },
    (_, index) => served.client.write(index * 512, new Uint8Array(512)),
  );
  const refused = await settle(served, outcomes[5] ?? Promise.reject(new Error("none")));
  assert.deepEqual(refused.ok ? null : refused.failure.kind, "too_many");
  assert.equal(served.port.waiting.length, 2);
  for (let round = 0; round < 5; round += 1) {
    served.port.answerAll();
    served.turns.run();
  }
  const rest = await settle(served, Promise.all(outcomes.slice(0, 5)));
  assert.ok(rest.every((outcome) => outcome.ok));
});

test("nbd client: when the connection ends, everything open ends as disconnected", async () => {
  const served = await connected({ immediate: false });
  const write = served.client.write(0, new Uint8Array(512));
  served.turns.run();
  served.session.close("demoted");
  const outcome = await settle(served, write);
  assert.deepEqual(outcome.ok ? null : outcome.failure.kind, "disconnected");
  const later = await settle(served, served.client.flush());
  assert.deepEqual(later.ok ? null : later.failure.kind, "disconnected");
});

test("nbd client: a server that is silent is given up when the time is up", async () => {
  const turns = new Turns();
  const timers = new Timers();
  const { left, right } = streamPair({ turns });
  const raw = new RawPeer(left);
  const outcome = connectNbd(right, { exportName: "", startTimer: timers.start, handshakeMs: 3000 });
  turns.run();
  timers.elapse();
  const settled = await settle({ turns }, outcome);
  assert.deepEqual(settled.ok ? null : settled.failure.kind, "timed_out");
  turns.run();
  assert.notEqual(raw.end, null);
});

const GREETING = "4e42444d4147494349484156454f50540003";
const LIARS: readonly { name: string; bytes: string; kind: string }[] = [
  { name: "is no NBD server", bytes: "{48*40}", kind: "protocol" },
  {
    name: "knows only the old handshake",
    bytes: "4e42444d41474943" + "49484156454f5054" + "0000",
    kind: "protocol",
  },
  {
    name: "answers what was not asked",
    bytes: GREETING + "0003e889045565a9" + "00000007" + "00000001" + "00000000",
    kind: "protocol",
  },
  {
    name: "sends a reply of a gigabyte",
    bytes: GREETING + "0003e889045565a9" + "00000008" + "00000001" + "40000000",
    kind: "protocol",
  },
];

for (const { name, bytes, kind } of LIARS) {
  test(`nbd client: a server that ${name} is left`, async () => {
    const turns = new Turns();
    const { left, right } = streamPair({ turns });
    const raw = new RawPeer(left);
    left.send(hex(bytes));
    const outcome = await settle(
      { turns },
      connectNbd(right, { exportName: "", startTimer: new Timers().start }),
    );
    assert.equal(outcome.ok ? null : outcome.failure.kind, kind);
    turns.run();
    assert.notEqual(raw.end, null);
  });
}

/** A server that takes everything in the handshake and serves 1 MiB. */
const REPLY = "0003e889045565a9";
const ACCEPTED = GREETING + REPLY + "00000008" + "00000001" + "00000000" + REPLY + "0000000a" + "00000001" +
  "00000000" + REPLY + "00000007" + "00000003" + "0000000c" + "0000" + "0000000000100000" + "0001" + REPLY +
  "00000007" + "00000001" + "00000000";

const CHUNK = "668e33ef";
const LIES: readonly { name: string; bytes: string }[] = [
  {
    name: "data beyond the request",
    bytes: CHUNK + "00010001" + "0000000000000001" + "0000000c" + "0000000000000040" + "61616161",
  },
  {
    name: "data before the request",
    bytes: CHUNK + "00010001" + "0000000000000001" + "0000000c" + "0000000000000003" + "61616161",
  },
  {
    name: "too little data",
    bytes: CHUNK + "00010001" + "0000000000000001" + "0000000c" + "0000000000000004" + "61616161",
  },
  { name: "no data at all", bytes: CHUNK + "00010000" + "0000000000000001" + "00000000" },
  { name: "a reply to nobody", bytes: CHUNK + "00010000" + "0000000000000099" + "00000000" },
  { name: "a simple reply to nobody", bytes: "67446698" + "00000000" + "0000000000000099" },
  {
    name: "a hole beyond the request",
    bytes: CHUNK + "00010002" + "0000000000000001" + "0000000c" + "0000000000000004" + "00010000",
  },
  {
    name: "descriptors that nobody asked for",
    bytes: CHUNK + "00010005" + "0000000000000001" + "0000000c" + "00000001" + "00000010" + "00000000",
  },
  {
    name: "an error without number",
    bytes: CHUNK + "00018001" + "0000000000000001" + "00000006" + "00000000" + "0000",
  },
  {
    name: "a sentence longer than its chunk",
    bytes: CHUNK + "00018001" + "0000000000000001" + "00000006" + "00000005" + "0007",
  },
  { name: "a chunk of two gigabytes", bytes: CHUNK + "00018001" + "0000000000000001" + "80000000" },
  { name: "a chunk of unknown type", bytes: CHUNK + "00010077" + "0000000000000001" + "00000000" },
];

for (const { name, bytes } of LIES) {
  test(`nbd client: a server that answers a read with ${name} is left, and the read has no data`, async () => {
    const turns = new Turns();
    const { left, right } = streamPair({ turns });
    const raw = new RawPeer(left);
    left.send(hex(ACCEPTED));
    const outcome = await settle(
      { turns },
      connectNbd(right, { exportName: "", startTimer: new Timers().start }),
    );
    assert.ok(outcome.ok);
    const read = outcome.client.read(4, 60);
    left.send(hex(bytes));
    turns.run();
    const answer = await settle({ turns }, read);
    assert.deepEqual(answer.ok ? null : answer.failure.kind, "disconnected");
    assert.notEqual(raw.end, null);
  });
}

test("nbd client: a read that comes in pieces and holes, out of order, is put together", async () => {
  const turns = new Turns();
  const { left, right } = streamPair({ turns });
  new RawPeer(left);
  left.send(hex(ACCEPTED));
  const outcome = await settle(
    { turns },
    connectNbd(right, { exportName: "", startTimer: new Timers().start }),
  );
  assert.ok(outcome.ok);
  const read = outcome.client.read(4, 8);
  left.send(hex(
    CHUNK + "00000001" + "0000000000000001" + "0000000a" + "000000000000000a" + "7a7a" +
      CHUNK + "00000002" + "0000000000000001" + "0000000c" + "0000000000000006" + "00000004" +
      CHUNK + "00010001" + "0000000000000001" + "0000000a" + "0000000000000004" + "6161",
  ));
  const answer = await settle({ turns }, read);
  assert.equal(answer.ok && Buffer.from(answer.value).toString(), "aa\0\0\0\0zz");
});

test("nbd client: any bytes from a server end in outcomes, never in an exception", async () => {
  const tail = fc.uint8Array({ maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(fc.boolean(), tail, fc.boolean(), async (good, bytes, chunk) => {
      const turns = new Turns();
      const { left, right } = streamPair({ turns });
      new RawPeer(left);
      if (good) left.send(hex(ACCEPTED));
      const connecting = connectNbd(right, { exportName: "", startTimer: new Timers().start });
      if (!good) {
        left.send(bytes);
        left.end();
        assert.ok(!(await settle({ turns }, connecting)).ok);
        return;
      }
      const outcome = await settle({ turns }, connecting);
      assert.ok(outcome.ok);
      const read = outcome.client.read(0, 64);
      left.send(Buffer.concat([hex(chunk ? "668e33ef" : ""), bytes]));
      left.end();
      const answer = await settle({ turns }, read);
      if (answer.ok) assert.equal(answer.value.length, 64);
    }),
    { seed: 6, numRuns: 600 },
  );
});

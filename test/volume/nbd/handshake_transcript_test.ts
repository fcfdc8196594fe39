/**
 * The handshake beside bytes that were composed from the protocol's text (test/vectors), not by our own code.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";
import { NBD_LIMITS } from "../../../volume/nbd/limits.ts";
import { Negotiation, type NegotiationEffect } from "../../../volume/nbd/negotiation.ts";
import { MemoryPort } from "./support/memory_port.ts";
import { hex, MEBIBYTE, option, request, serve, serveRaw, TestDirectory, text } from "./support/served.ts";
import { RawPeer } from "./support/stream_pair.ts";

interface Transcript {
  readonly name: string;
  readonly structured?: boolean;
  readonly exchange: readonly { readonly from: "client" | "server"; readonly hex: string }[];
}

function transcripts(file: string): readonly Transcript[] {
  const path = new URL(`../../vectors/${file}`, import.meta.url);
  const parsed: { transcripts: Transcript[] } = JSON.parse(fs.readFileSync(path, "utf8"));
  return parsed.transcripts;
}

function machine(): Negotiation {
  const port = new MemoryPort({ size: 0, immediate: true });
  return new Negotiation(new TestDirectory(port, 64 * MEBIBYTE), NBD_LIMITS);
}

function sent(effects: readonly NegotiationEffect[]): string {
  return effects.map((effect) => (effect.kind === "send" ? Buffer.from(effect.bytes).toString("hex") : ""))
    .join("");
}

for (const { name, exchange } of transcripts("nbd_handshake.json")) {
  test(`nbd handshake: ${name}`, () => {
    const negotiation = machine();
    let said = sent(negotiation.begin());
    for (const line of exchange) {
      if (line.from === "client") said += sent(negotiation.received(hex(line.hex)));
      else {
        assert.equal(said, hex(line.hex).toString("hex"));
        said = "";
      }
    }
    assert.equal(said, "");
  });
}

for (const { name, structured, exchange } of transcripts("nbd_transmission.json")) {
  test(`nbd transmission: ${name}`, () => {
    const { raw, turns } = serveRaw({ structured: structured === true });
    for (const line of exchange) {
      if (line.from === "client") raw.stream.send(hex(line.hex));
      else {
        turns.run();
        assert.equal(raw.take().toString("hex"), line.hex);
      }
    }
    turns.run();
    assert.equal(raw.take().length, 0);
    assert.equal(raw.end, null, "the connection lives on");
  });
}

const ENDINGS: readonly { name: string; bytes: Uint8Array; cause: RegExp }[] = [
  { name: "an unknown client flag", bytes: hex("00000007"), cause: /unknown flags 0x7/ },
  {
    name: "something that is no option",
    bytes: Buffer.concat([hex("00000003"), Buffer.alloc(16)]),
    cause: /no NBD option/,
  },
  {
    name: "the oldest option for an export that is elsewhere",
    bytes: Buffer.concat([hex("00000003"), option(1, text("elsewhere"))]),
    cause: /beta is the source/,
  },
  {
    name: "an option of a gigabyte",
    bytes: hex("00000003" + text("IHAVEOPT") + "0000000740000000"),
    cause: /an option of/,
  },
  {
    name: "a farewell",
    bytes: Buffer.concat([hex("00000003"), option(2)]),
    cause: /left during the handshake/,
  },
  {
    name: "options without end",
    bytes: Buffer.concat([hex("00000003"), ...Array.from({ length: 257 }, () => option(77))]),
    cause: /more than 256 options/,
  },
];

for (const { name, bytes, cause } of ENDINGS) {
  test(`nbd handshake: ${name} ends the connection, and the server says why`, () => {
    const { far, turns, ends } = serve();
    const raw = new RawPeer(far);
    far.send(bytes);
    turns.run();
    assert.equal(ends.length, 1);
    assert.match(ends[0]?.cause ?? "", cause);
    assert.notEqual(raw.end, null);
  });
}

test("nbd handshake: contexts chosen for one export do not hold for another", () => {
  const negotiation = machine();
  const effects = [
    hex("00000003"),
    option(8),
    option(10, "00000004", text("data"), "00000001", "0000000f", text("base:allocation")),
    option(7, "00000006", text("locked"), "0000"),
  ].flatMap((bytes) => negotiation.received(bytes));
  const served = effects.find((effect) => effect.kind === "serve");
  assert.deepEqual(served?.agreement.contexts, []);
});

test("nbd handshake: a client that is silent is dropped when its time is up", () => {
  const { far, turns, timers, ends } = serve();
  const raw = new RawPeer(far);
  far.send(hex("00000003"));
  turns.run();
  assert.deepEqual(timers.pending.map((timer) => timer.delayMs), [NBD_LIMITS.handshakeMs]);
  timers.elapse();
  turns.run();
  assert.match(ends[0]?.cause ?? "", /did not finish the handshake/);
  assert.notEqual(raw.end, null);
});

test("nbd handshake: after it no timer is left, and requests sent right behind it are served", () => {
  const { far, turns, timers, port } = serve();
  const raw = new RawPeer(far);
  const write = request({ type: 1, handle: 5, offset: 0, payload: Buffer.from("early") });
  far.send(Buffer.concat([hex("00000003"), option(7, "00000000", "0000"), write]));
  turns.run();
  assert.equal(timers.pending.length, 0);
  assert.equal(raw.take().subarray(-16).toString("hex"), "67446698000000000000000000000005");
  assert.equal(Buffer.from(port.bytes.subarray(0, 5)).toString(), "early");
});

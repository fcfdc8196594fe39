/** The handshake: who is welcome, who is refused with which reason, and that strangers cost little and break nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FrameEncoder } from "../../protocol/frame_encoder.ts";
import type { FrameSink } from "../../protocol/frame_channel.ts";
import {
  type AnswererPolicy,
  type HandshakeRefusal,
  helloOf,
  type Introduction,
  judgeAnswer,
  judgeHello,
} from "../../protocol/handshake.ts";
import { answerOver, callOver, type HandshakeOutcome } from "../../protocol/handshake_session.ts";
import { encodeMessage } from "../../protocol/codec.ts";
import type { ProtocolOffer } from "../../protocol/version.ts";
import { twoHosts } from "./support/two_hosts.ts";

const OFFER: ProtocolOffer = { versions: { oldest: 1, newest: 2 }, features: ["copy_zeroes"], required: [] };

function node(name: string, changes: Partial<Introduction> = {}): Introduction {
  return { cluster: "demo", node: name, incarnation: `${name}-1`, offer: OFFER, ...changes };
}

const BETA: AnswererPolicy = {
  self: node("beta"),
  knownNodes: new Set(["alpha", "beta", "gamma"]),
  knownGroups: new Set(["db"]),
};
const CONTROL = { kind: "control" } as const;
const CALL = { self: node("alpha"), purpose: CONTROL, expectedNode: "beta" };

const HELLOS: readonly { what: string; hello: unknown; reason: HandshakeRefusal["reason"]; says: RegExp }[] =
  [
    { what: "no map", hello: 42, reason: "not_a_hello", says: /the message is not a map/ },
    {
      what: "another message",
      hello: { kind: "heartbeat" },
      reason: "not_a_hello",
      says: /kind is not one of "hello"/,
    },
    {
      what: "a name that is none",
      hello: { ...helloOf(node("alpha"), CONTROL), node: "../../etc" },
      reason: "not_a_hello",
      says: /node is not a name/,
    },
    {
      what: "an unknown purpose",
      hello: { ...helloOf(node("alpha"), CONTROL), purpose: { kind: "shell" } },
      reason: "not_a_hello",
      says: /purpose.kind is not one of control, data/,
    },
    {
      what: "another cluster",
      hello: helloOf(node("alpha", { cluster: "prod" }), CONTROL),
      reason: "other_cluster",
      says: /this is cluster "demo", not "prod"/,
    },
    {
      what: "a node nobody configured",
      hello: helloOf(node("mallory"), CONTROL),
      reason: "unknown_node",
      says: /mallory/,
    },
    {
      what: "itself",
      hello: helloOf(node("beta"), CONTROL),
      reason: "oneself",
      says: /both ends are node "beta"/,
    },
    {
      what: "a group it has no replica of",
      hello: helloOf(node("alpha"), { kind: "data", group: "web" }),
      reason: "unknown_group",
      says: /no replica of group "web"/,
    },
    {
      what: "a version from later",
      hello: helloOf(node("alpha", { offer: { ...OFFER, versions: { oldest: 3, newest: 4 } } }), CONTROL),
      reason: "versions",
      says: /try: upgrade this node/,
    },
    {
      what: "a feature it lacks",
      hello: helloOf(node("alpha", { offer: { ...OFFER, features: ["zstd"], required: ["zstd"] } }), CONTROL),
      reason: "features",
      says: /this node lacks zstd/,
    },
  ];

for (const { what, hello, reason, says } of HELLOS) {
  test(`handshake: the answerer refuses ${what} as ${reason}`, () => {
    const verdict = judgeHello(hello, BETA);
    assert.ok(verdict.kind === "refused");
    assert.equal(verdict.refusal.reason, reason);
    assert.match(verdict.refusal.detail, says);
  });
}

test("handshake: a name that the connection's certificate does not prove is refused, before anything is told of it", () => {
  const proofs: readonly [readonly string[] | undefined, "welcome" | "refused"][] = [
    [undefined, "welcome"],
    [["alpha"], "welcome"],
    [["alpha.example.com", "alpha"], "welcome"],
    [["gamma"], "refused"],
    [[], "refused"],
  ];
  for (const [provenNames, kind] of proofs) {
    const verdict = judgeHello(helloOf(node("alpha"), CONTROL), { ...BETA, provenNames });
    assert.equal(verdict.kind, kind);
    if (verdict.kind === "refused") assert.equal(verdict.refusal.reason, "unproven_name");
  }
});

test("handshake: a hello of a later version with fields unknown here is understood", () => {
  const hello = {
    ...helloOf(node("alpha"), CONTROL),
    zone: "west",
    purpose: { kind: "control", priority: 1 },
  };
  const verdict = judgeHello(hello, BETA);
  assert.equal(verdict.kind, "welcome");
});

test("handshake: the owner has the last word", () => {
  const refusal = { reason: "not_now", detail: "shutting down" } as const;
  const verdict = judgeHello(helloOf(node("alpha"), CONTROL), { ...BETA, admit: () => refusal });
  assert.deepEqual(verdict, { kind: "refused", refusal });
});

const WELCOME = {
  kind: "welcome",
  cluster: "demo",
  node: "beta",
  incarnation: "beta-1",
  version: 2,
  features: [],
};
const ANSWERS: readonly { what: string; answer: unknown; reason: HandshakeRefusal["reason"] }[] = [
  { what: "no answer", answer: null, reason: "not_a_hello" },
  { what: "a hello instead", answer: helloOf(node("beta"), CONTROL), reason: "not_a_hello" },
  { what: "another cluster", answer: { ...WELCOME, cluster: "prod" }, reason: "other_cluster" },
  { what: "another node", answer: { ...WELCOME, node: "gamma" }, reason: "unexpected_node" },
  { what: "itself", answer: { ...WELCOME, node: "alpha" }, reason: "oneself" },
  { what: "a version it did not offer", answer: { ...WELCOME, version: 3 }, reason: "versions" },
  { what: "a feature it did not offer", answer: { ...WELCOME, features: ["zstd"] }, reason: "features" },
];

for (const { what, answer, reason } of ANSWERS) {
  test(`handshake: the caller refuses ${what} as ${reason}`, () => {
    const verdict = judgeAnswer(answer, CALL);
    assert.ok(verdict.kind === "refused");
    assert.equal(verdict.refusal.reason, reason);
  });
}

test("handshake: the caller refuses an answer without the feature it insists on", () => {
  const self = node("alpha", { offer: { ...OFFER, required: ["copy_zeroes"] } });
  const verdict = judgeAnswer(WELCOME, { ...CALL, self });
  assert.ok(verdict.kind === "refused" && verdict.refusal.reason === "features");
});

async function shake(options: { policy?: AnswererPolicy; expectedNode?: string; group?: string } = {}) {
  const hosts = await twoHosts();
  const outcomes: { caller: HandshakeOutcome[]; answerer: HandshakeOutcome[] } = { caller: [], answerer: [] };
  const answer = answerOver(hosts.far, {
    pool: hosts.pool,
    policy: options.policy ?? BETA,
    onOutcome: (outcome) => outcomes.answerer.push(outcome),
  });
  const call = callOver(hosts.near, {
    pool: hosts.pool,
    self: node("alpha"),
    purpose: options.group === undefined ? CONTROL : { kind: "data", group: options.group },
    expectedNode: options.expectedNode ?? "beta",
    onOutcome: (outcome) => outcomes.caller.push(outcome),
  });
  return { ...hosts, outcomes, answer, call };
}

test("handshake: two nodes that fit agree, know each other, and lose no frame sent right after", async () => {
  const { world, outcomes, answer, call } = await shake({ group: "db" });
  await world.advanceAwaiting(10);
  const [caller] = outcomes.caller;
  const [answerer] = outcomes.answerer;
  assert.ok(caller?.kind === "agreed" && answerer?.kind === "agreed");
  assert.deepEqual(caller.peer, {
    node: "beta",
    incarnation: "beta-1",
    purpose: { kind: "data", group: "db" },
    agreement: { version: 2, features: ["copy_zeroes"] },
  });
  assert.deepEqual(answerer.peer, { ...caller.peer, node: "alpha", incarnation: "alpha-1" });
  const payload = new Uint8Array(100_000);
  for (let seq = 1; seq <= 3; seq += 1) {
    caller.channel.sendFrame({ kind: "write", seq, span: 100_000 }, payload);
  }
  await world.advanceAwaiting(10);
  const seen: number[] = [];
  const sink: FrameSink = {
    frame: ({ seq }) => seen.push(seq),
    message: () => {},
    drained: () => {},
    ended: () => {},
  };
  answerer.channel.receive(sink);
  answerer.channel.resume();
  await world.advanceAwaiting(10);
  assert.deepEqual(seen, [1, 2, 3]);
  answer.expire();
  call.expire();
  assert.equal(outcomes.caller.length + outcomes.answerer.length, 2);
});

test("handshake: a refusal is told to the caller with its reason, and both streams end", async () => {
  const { world, outcomes, near, far } = await shake({ group: "web" });
  await world.advanceAwaiting(10);
  assert.deepEqual(outcomes.caller.map((outcome) => outcome.kind), ["refused_by_them"]);
  const [told] = outcomes.caller;
  assert.ok(told?.kind === "refused_by_them");
  assert.equal(told.reason, "unknown_group");
  assert.deepEqual(outcomes.answerer.map((outcome) => outcome.kind), ["refused_by_us"]);
  assert.equal(near.queuedBytes + far.queuedBytes, 0);
});

test("handshake: the wrong node at the right address is noticed by the caller", async () => {
  const { world, outcomes } = await shake({ expectedNode: "gamma" });
  await world.advanceAwaiting(10);
  const [caller] = outcomes.caller;
  assert.ok(caller?.kind === "refused_by_us");
  assert.equal(caller.refusal.reason, "unexpected_node");
});

test("handshake: silence ends at the owner's deadline", async () => {
  const { world, far, pool } = await twoHosts();
  const outcomes: HandshakeOutcome[] = [];
  const session = answerOver(far, { pool, policy: BETA, onOutcome: (outcome) => outcomes.push(outcome) });
  await world.advanceAwaiting(60_000);
  assert.equal(outcomes.length, 0);
  session.expire();
  await world.advanceAwaiting(10);
  assert.deepEqual(outcomes.map((outcome) => outcome.kind), ["timed_out"]);
});

test("handshake: a connection that ends before its hello is an outcome, not an error", async () => {
  const { world, near, far, pool } = await twoHosts();
  const outcomes: HandshakeOutcome[] = [];
  answerOver(far, { pool, policy: BETA, onOutcome: (outcome) => outcomes.push(outcome) });
  near.destroy("changed its mind");
  await world.advanceAwaiting(10);
  assert.deepEqual(outcomes.map((outcome) => outcome.kind), ["ended"]);
});

test("handshake: hundreds of strangers with random bytes, frames and hellos each meet one outcome and an end", async () => {
  const hello = helloOf(node("alpha"), CONTROL);
  const strangeHello = fc.tuple(fc.constantFrom(...Object.keys(hello)), fc.anything({ maxDepth: 1 })).map((
    [field, value],
  ) =>
    typeof value === "bigint" || typeof value === "symbol" || typeof value === "function"
      ? hello
      : { ...hello, [field]: value }
  );
  const framed = strangeHello.map((message) => {
    const payload = encodeMessage(message);
    return Buffer.concat([new FrameEncoder().header({ kind: "message" }, payload), payload]);
  });
  const strangers = fc.sample(fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 300 }), framed), {
    numRuns: 600,
    seed: 7,
  });
  for (const [index, bytes] of strangers.entries()) {
    const { world, near, far, pool } = await twoHosts(index);
    const outcomes: HandshakeOutcome[] = [];
    const session = answerOver(far, { pool, policy: BETA, onOutcome: (outcome) => outcomes.push(outcome) });
    near.start({
      space: () => new Uint8Array(4_096),
      received: () => {},
      drained: () => {},
      ended: () => {},
    });
    near.send(bytes);
    world.advance(5);
    session.expire();
    world.advance(5);
    assert.equal(outcomes.length, 1, Buffer.from(bytes).toString("hex"));
  }
});

test("handshake: an end between the agreement and the take-over is heard by the new owner", async () => {
  const { world, outcomes, network } = await shake();
  await world.advanceAwaiting(10);
  network.resetBetween("alpha", "beta");
  await world.advanceAwaiting(10);
  const [answerer] = outcomes.answerer;
  assert.ok(answerer?.kind === "agreed");
  const ends: string[] = [];
  answerer.channel.receive({
    frame: () => {},
    message: () => {},
    drained: () => {},
    ended: ({ kind }) => ends.push(kind),
  });
  answerer.channel.resume();
  assert.deepEqual(ends, ["reset"]);
});

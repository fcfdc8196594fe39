/** The frame channel over the simulated network: what is sent arrives, what is kept stays, what is wrong ends it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ChannelEnd, FrameChannel, type FrameSink } from "../../protocol/frame_channel.ts";
import type { IncomingFrame } from "../../protocol/frame_decoder.ts";
import { type FrameFailure, SESSION_LIMITS } from "../../protocol/frame_header.ts";
import { Slab } from "../../runtime/slab.ts";
import { twoHosts } from "./support/two_hosts.ts";

class Recorder implements FrameSink {
  readonly frames: string[] = [];
  readonly messages: unknown[] = [];
  readonly ends: ChannelEnd[] = [];
  drains = 0;
  onFrame: (frame: IncomingFrame) => void = () => {};

  frame(frame: IncomingFrame): void {
    this.frames.push(`${frame.frame} ${frame.kind} ${frame.seq} ${frame.offset} ${frame.payload.byteLength}`);
    this.onFrame(frame);
  }

  message(value: unknown): void {
    this.messages.push(value);
  }

  drained(): void {
    this.drains += 1;
  }

  ended(end: ChannelEnd): void {
    this.ends.push(end);
  }
}

async function channels(seed = 1) {
  const { world, network, pool, near, far } = await twoHosts(seed);
  const atNear = new Recorder();
  const atFar = new Recorder();
  return {
    world,
    network,
    pool,
    far,
    atNear,
    atFar,
    here: new FrameChannel(near, { pool, sink: atNear, limits: SESSION_LIMITS }),
    there: new FrameChannel(far, { pool, sink: atFar, limits: SESSION_LIMITS }),
  };
}

test("frame channel: frames and messages arrive in order, numbered without gaps, whatever the reads", async () => {
  for (const seed of [1, 2, 3, 4]) {
    const { world, here, there, atNear, atFar } = await channels(seed);
    assert.equal(
      here.sendFrame({ kind: "write", seq: 7, offset: 512, span: 5_000 }, new Uint8Array(5_000)),
      1,
    );
    assert.equal(here.sendMessage({ hello: "there" }), 2);
    assert.equal(here.sendFrame({ kind: "barrier", seq: 7 }), 3);
    there.sendAck({ appliedThrough: 3, stableThrough: 1 });
    await world.advanceAwaiting(10);
    assert.deepEqual(atFar.frames, ["1 write 7 512 5000", "3 barrier 7 0 0"]);
    assert.deepEqual(atFar.messages, [{ hello: "there" }]);
    assert.deepEqual(atNear.frames, ["1 ack 3 1 0"]);
    assert.equal(there.lastFrameReceived, 3);
  }
});

test("frame channel: a slab is held exactly until its payload has left", async () => {
  const { world, here } = await channels();
  let recycled = 0;
  const slab = new Slab(4_096, () => recycled += 1);
  here.sendFrame({ kind: "write", span: 4_096 }, slab.bytes, slab);
  slab.release();
  assert.equal(recycled, 0, "the channel holds it while it is queued");
  await world.advanceAwaiting(10);
  assert.equal(recycled, 1);
});

test("frame channel: a slab of a channel that ends is released all the same", async () => {
  const { world, network, here, atNear } = await channels();
  network.close("alpha", "beta");
  const slab = new Slab(1 << 20, () => {});
  for (let index = 0; index < 4; index += 1) {
    here.sendFrame({ kind: "write", span: 1 << 20 }, slab.bytes, slab);
  }
  await world.advanceAwaiting(10);
  assert.ok(slab.references > 1);
  here.destroy("no longer wanted");
  assert.equal(here.sendFrame({ kind: "write", span: 1 << 20 }, slab.bytes, slab) >= 0, true);
  await world.advanceAwaiting(10);
  assert.equal(slab.references, 1);
  assert.deepEqual(atNear.ends.map((end) => end.kind), ["closed_here"]);
  assert.equal(here.sendMessage("late"), 0);
});

test("frame channel: congestion is said once and drained is heard once", async () => {
  const { world, here, there, atNear, atFar } = await channels();
  there.pause();
  const payload = new Uint8Array(1 << 20);
  while (!here.congested) here.sendFrame({ kind: "write", span: payload.byteLength }, payload);
  await world.advanceAwaiting(10);
  assert.equal(atFar.frames.length, 0, "a paused channel hands on nothing");
  assert.equal(atNear.drains, 0);
  there.resume();
  await world.advanceAwaiting(100);
  assert.equal(atNear.drains, 1);
  assert.equal(here.congested, false);
  assert.equal(atFar.frames.length, here.lastFrameSent);
});

test("frame channel: pausing inside a frame stops the very next one", async () => {
  const { world, here, there, atFar } = await channels();
  atFar.onFrame = () => there.pause();
  for (let seq = 1; seq <= 3; seq += 1) here.sendFrame({ kind: "barrier", seq });
  await world.advanceAwaiting(10);
  assert.equal(atFar.frames.length, 1);
  there.resume();
  assert.equal(atFar.frames.length, 2);
  there.resume();
  await world.advanceAwaiting(10);
  assert.equal(atFar.frames.length, 3);
});

test("frame channel: a retained payload stays what it was", async () => {
  const { world, here, atFar } = await channels();
  const kept: { slab: Slab; payload: Uint8Array }[] = [];
  atFar.onFrame = ({ slab, payload }) => {
    slab.retain();
    kept.push({ slab, payload });
  };
  for (let seq = 1; seq <= 200; seq += 1) {
    here.sendFrame({ kind: "write", seq, span: 3_000 }, new Uint8Array(3_000).fill(seq));
    if (seq % 10 === 0) await world.advanceAwaiting(1);
  }
  await world.advanceAwaiting(10);
  assert.equal(kept.length, 200);
  kept.forEach(({ payload }, index) =>
    assert.ok(payload.every((byte) => byte === index + 1), `payload ${index + 1}`)
  );
  for (const { slab } of kept) slab.release();
});

test("frame channel: bytes that are no frame end it once, naming what was wrong", async () => {
  const { world, near, far: rubbish, pool } = await twoHosts(2);
  const victim = new Recorder();
  new FrameChannel(near, { pool, sink: victim });
  rubbish.start({ space: () => null, received: () => {}, drained: () => {}, ended: () => {} });
  rubbish.send(new TextEncoder().encode("SSH-2.0-OpenSSH_9.2p1 Debian".padEnd(100)));
  await world.advanceAwaiting(10);
  assert.equal(victim.ends.length, 1);
  assert.equal(victim.ends[0]?.kind, "bad_frame");
  assert.equal(victim.ends[0]?.failure, "bad_magic");
  assert.match(victim.ends[0]?.detail ?? "", /^memory:\/\/beta: the bytes 53 53 48 2d begin no frame/);
});

test("frame channel: a message that is no plain data ends it as bad_message, and nothing after it is handed on", async () => {
  const { world, here, atFar } = await channels();
  here.sendFrame({ kind: "message" }, Uint8Array.of(0xc2, 0x41, 1));
  here.sendFrame({ kind: "barrier" });
  await world.advanceAwaiting(10);
  assert.deepEqual(atFar.ends.map((end) => end.failure), ["bad_message"]);
  assert.match(atFar.ends[0]?.detail ?? "", /message frame 1: a tag at byte 0/);
  assert.deepEqual(atFar.frames, []);
});

test("frame channel: a sink's last word reaches the other side before the end", async () => {
  const { world, here, there, atNear } = await channels();
  const polite = new Recorder();
  const withLastWord: FrameSink = {
    frame: (frame) => polite.frame(frame),
    message: (value) => polite.message(value),
    drained: () => {},
    ended: (end) => polite.ended(end),
    lastWord: (failure: FrameFailure) => ({ sorry: failure.kind }),
  };
  there.receive(withLastWord);
  here.sendFrame({ kind: "message" }, Uint8Array.of(0xff));
  await world.advanceAwaiting(10);
  assert.deepEqual(atNear.messages, [{ sorry: "bad_message" }]);
  assert.deepEqual(polite.ends.map((end) => end.kind), ["bad_frame"]);
});

test("frame channel: end() lets what was sent arrive, and hands on nothing more", async () => {
  const { world, here, there, atNear, atFar } = await channels();
  for (let seq = 1; seq <= 50; seq += 1) {
    here.sendFrame({ kind: "write", seq, span: 9_000 }, new Uint8Array(9_000));
  }
  here.end();
  there.sendMessage("too late");
  await world.advanceAwaiting(10);
  assert.equal(atFar.frames.length, 50);
  assert.deepEqual(atFar.ends.map((end) => end.kind), ["ended_by_peer"]);
  assert.deepEqual(atNear.ends.map((end) => end.kind), ["closed_here"]);
  assert.deepEqual(atNear.messages, []);
});

test("frame channel: an end while paused is told after what had arrived, to whoever has taken over", async () => {
  const { world, here, there, atFar } = await channels();
  const heir = new Recorder();
  there.pause();
  for (let seq = 1; seq <= 3; seq += 1) here.sendFrame({ kind: "barrier", seq });
  await world.advanceAwaiting(10);
  here.end();
  await world.advanceAwaiting(10);
  assert.deepEqual(atFar.ends, []);
  there.receive(heir);
  there.resume();
  await world.advanceAwaiting(10);
  assert.equal(heir.frames.length, 3);
  assert.deepEqual(heir.ends.map((end) => end.kind), ["ended_by_peer"]);
  assert.equal(atFar.frames.length + atFar.ends.length, 0);
});

test("frame channel: a reset while paused is told on resume, or at once when the owner gives up", async () => {
  for (const giveUp of [false, true]) {
    const { world, network, there, atFar } = await channels();
    there.pause();
    await world.advanceAwaiting(1);
    network.resetBetween("alpha", "beta");
    await world.advanceAwaiting(10);
    assert.equal(atFar.ends.length, 0);
    if (giveUp) there.destroy("no longer wanted");
    else there.resume();
    assert.deepEqual(atFar.ends.map((end) => end.kind), ["reset"]);
    there.destroy("again");
    there.resume();
    assert.equal(atFar.ends.length, 1);
  }
});

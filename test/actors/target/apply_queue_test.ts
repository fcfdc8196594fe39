/** What a target has received and not applied yet: in order, bounded, every slab given back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ApplyQueue, WAITING_BYTES_MAX, WAITING_FRAMES_MAX } from "../../../actors/target/apply_queue.ts";
import type { IncomingFrame } from "../../../protocol/frame_decoder.ts";
import { emptyHeader } from "../../../protocol/frame_header.ts";
import { Slab } from "../../../runtime/mod.ts";

const slab = () => new Slab(16, () => {});

function frame(number: number, more: { bytes?: number; span?: number; slab?: Slab } = {}): IncomingFrame {
  const payload = new Uint8Array(more.bytes ?? 0);
  return {
    ...emptyHeader(),
    kind: "write",
    frame: number,
    span: more.span ?? payload.byteLength,
    payload,
    slab: more.slab ?? slab(),
  };
}

test("apply queue: I8: full at its bytes and at its frames, room again at half of both", () => {
  const byBytes = new ApplyQueue();
  byBytes.pushFrame(frame(1, { bytes: WAITING_BYTES_MAX / 2 + 1 }));
  assert.deepEqual([byBytes.full, byBytes.hasRoom], [false, false]);
  byBytes.pushFrame(frame(2, { bytes: WAITING_BYTES_MAX / 2 }));
  assert.deepEqual([byBytes.full, byBytes.hasRoom], [true, false]);
  byBytes.shift();
  assert.deepEqual([byBytes.full, byBytes.hasRoom], [false, true]);

  const byFrames = new ApplyQueue();
  for (let number = 1; number <= WAITING_FRAMES_MAX; number += 1) byFrames.pushFrame(frame(number));
  assert.equal(byFrames.full, true);
  while (!byFrames.hasRoom) byFrames.shift();
  assert.equal(byFrames.length, WAITING_FRAMES_MAX / 2);
});

test("apply queue: I8: marks count with their bytes", () => {
  const queue = new ApplyQueue();
  const runs = new Uint8Array(256 * 1024);
  for (let count = 0; count < 32; count += 1) {
    queue.pushMessage(count + 1, { kind: "marks", volume: 0, peer: "gamma", runs });
  }
  assert.equal(queue.full, true);
  for (let count = 0; count < 16; count += 1) queue.shift();
  assert.equal(queue.hasRoom, true);
});

test("apply queue: a slab is held as long as its frame, whichever way it leaves", () => {
  const shared = slab();
  const queue = new ApplyQueue();
  queue.pushFrame(frame(1, { slab: shared }));
  queue.pushFrame(frame(2, { slab: shared }));
  assert.equal(shared.references, 3);
  queue.shift();
  assert.equal(shared.references, 2);
  queue.clear();
  assert.equal(shared.references, 1);
});

test("apply queue: what is cleared names the frames whose pins must end", () => {
  const queue = new ApplyQueue();
  const [pinned, heating] = [1, 2, 3].map((number) => queue.pushFrame(frame(number, { span: 512 })));
  assert.ok(pinned !== undefined && heating !== undefined);
  pinned.pinned = true;
  heating.heating = true;
  queue.pushMessage(4, { kind: "resync_end", seq: 1 });
  assert.deepEqual(queue.clear().map((waiting) => waiting.frame), [1, 2]);
  assert.equal(queue.head, undefined);
});

test("apply queue: pins are asked for once and in order; words and barriers need none; what left is not asked about", () => {
  const queue = new ApplyQueue();
  queue.pushFrame(frame(1, { span: 512 }));
  queue.pushMessage(2, { kind: "resync_end", seq: 1 });
  queue.pushFrame(frame(3));
  queue.pushFrame(frame(4, { span: 512 }));
  queue.pushFrame(frame(5, { span: 512 }));
  const asked: number[] = [];
  for (let next = queue.unasked; next !== undefined && asked.length < 2; next = queue.unasked) {
    asked.push(next.frame);
    queue.asked();
  }
  assert.deepEqual(asked, [1, 4]);
  for (let count = 0; count < 5; count += 1) queue.shift();
  const none = queue.unasked;
  assert.equal(none, undefined);
  // Through many compactions the place is kept.
  for (let number = 6; number < 5_000; number += 1) {
    queue.pushFrame(frame(number, { span: 512 }));
    assert.equal(queue.unasked?.frame, number);
    queue.asked();
    if (number % 2 === 0) queue.shift();
  }
});

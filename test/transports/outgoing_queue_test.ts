/** The outgoing queue: gathered in order, small pieces copied and free at once, large ones passed on as they are. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  BATCH_BYTES_MAX,
  BATCH_PIECES_MAX,
  COPY_BYTES_MAX,
  OutgoingQueue,
  STAGING_BYTES,
} from "../../transports/outgoing_queue.ts";
import { patterned } from "../conformance/transport_suite.ts";

test("outgoing queue: whatever is pushed leaves once, in order, in batches within their bounds", () => {
  const sizes = fc.array(
    fc.oneof(fc.nat(200), fc.integer({ min: COPY_BYTES_MAX - 2, max: COPY_BYTES_MAX + 2 }), fc.nat(90_000)),
    {
      minLength: 1,
      maxLength: 60,
    },
  );
  fc.assert(
    fc.property(sizes, (lengths) => {
      const queue = new OutgoingQueue();
      const released = new Array<number>(lengths.length).fill(0);
      const pieces = lengths.map((length, index) => patterned(length, index));
      pieces.forEach((piece, index) => queue.push(piece, () => released[index] = (released[index] ?? 0) + 1));
      assert.equal(queue.byteLength, lengths.reduce((sum, length) => sum + length, 0));
      const left: Uint8Array[] = [];
      while (!queue.isEmpty) {
        const batch = queue.takeBatch(new Uint8Array(STAGING_BYTES));
        assert.ok(batch.pieces.length <= BATCH_PIECES_MAX + 1);
        assert.equal(batch.byteLength, batch.pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
        for (const done of [...batch.releasedNow, ...batch.releasedLater]) done();
        left.push(...batch.pieces.map((piece) => piece.slice()));
      }
      assert.equal(queue.byteLength, 0);
      assert.deepEqual(Buffer.concat(left), Buffer.concat(pieces));
      assert.ok(released.every((times) => times === 1));
    }),
    { numRuns: 200, seed: 20_261_122 },
  );
});

test("outgoing queue: small pieces may change as soon as the batch is made, large ones are the caller's own bytes", () => {
  const queue = new OutgoingQueue();
  const header = patterned(56);
  const payload = patterned(COPY_BYTES_MAX + 1);
  const freed: string[] = [];
  queue.push(header, () => freed.push("header"));
  queue.push(payload, () => freed.push("payload"));
  const batch = queue.takeBatch(new Uint8Array(STAGING_BYTES));
  for (const released of batch.releasedNow) released();
  assert.deepEqual(freed, ["header"]);
  header.fill(0);
  assert.deepEqual([...(batch.pieces[0] ?? [])], [...patterned(56)]);
  assert.equal(batch.pieces[1], payload);
});

test("outgoing queue: a batch ends once it is large enough, so that memory is released piece by piece", () => {
  const queue = new OutgoingQueue();
  for (let index = 0; index < 10; index += 1) queue.push(new Uint8Array(BATCH_BYTES_MAX / 2), undefined);
  assert.equal(queue.takeBatch(new Uint8Array(STAGING_BYTES)).byteLength, BATCH_BYTES_MAX);
  assert.equal(queue.clear().length, 0);
  assert.ok(queue.isEmpty);
});

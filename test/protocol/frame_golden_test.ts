/** Golden frames: the bytes on the wire are those that docs/formats/wire.md tells, written by another hand. */
import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";
import { decodeMessage, encodeMessage } from "../../protocol/codec.ts";
import { FrameDecoder } from "../../protocol/frame_decoder.ts";
import { FrameEncoder } from "../../protocol/frame_encoder.ts";
import type { FrameFields } from "../../protocol/frame_header.ts";
import { SlabPool } from "../../runtime/slab.ts";
import { feed } from "./support/feed.ts";

interface GoldenFrame {
  readonly name: string;
  readonly frame: number;
  readonly fields: Required<Omit<FrameFields, "payloadChecksum">>;
  readonly payload: string;
  readonly bytes: string;
  readonly message?: unknown;
}

const file = new URL("../vectors/frame_golden.json", import.meta.url);
const golden: readonly GoldenFrame[] = JSON.parse(fs.readFileSync(file, "utf8")).frames;

test("golden frames: the encoder writes exactly these bytes", () => {
  const encoder = new FrameEncoder();
  for (const { name, fields, payload, bytes } of golden) {
    const payloadBytes = payload === "" ? undefined : Buffer.from(payload, "hex");
    const header = encoder.header(fields, payloadBytes);
    assert.equal(Buffer.concat([header, payloadBytes ?? Buffer.alloc(0)]).toString("hex"), bytes, name);
  }
});

test("golden frames: the decoder reads exactly these fields", () => {
  const seen: unknown[] = [];
  const decoder = new FrameDecoder({
    pool: new SlabPool({ slabBytes: 4_096, idleMax: 2 }),
    receiver: {
      frame({ kind, flags, volume, span, seq, offset, frame, payload }) {
        seen.push({
          frame,
          fields: { kind, flags, volume, span, seq, offset },
          payload: Buffer.from(payload).toString("hex"),
        });
      },
      failed: (failure) => assert.fail(failure.detail),
    },
  });
  feed(decoder, Buffer.from(golden.map((frame) => frame.bytes).join(""), "hex"), [7, 60, 1]);
  assert.deepEqual(seen, golden.map(({ frame, fields, payload }) => ({ frame, fields, payload })));
});

test("golden frames: the message is read and written as it stands", () => {
  for (const { payload, message } of golden) {
    if (message === undefined) continue;
    assert.deepEqual(decodeMessage(Buffer.from(payload, "hex")), message);
    assert.equal(Buffer.from(encodeMessage(message)).toString("hex"), payload);
  }
});

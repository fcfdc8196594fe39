/** The acceptor's first word: read back as written, piece by piece, and nothing else is taken for it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Preface, readPreface, writePreface } from "../../transports/tls_preface.ts";

const PREFACES: readonly Preface[] = [
  { kind: "accepted" },
  { kind: "refused", reason: "the certificate of “beta” expired" },
  { kind: "refused", reason: "" },
];

test("preface: it is read as it was written, however it is cut and whatever follows", () => {
  for (const preface of PREFACES) {
    const written = writePreface(preface);
    for (let cut = 0; cut < written.byteLength; cut += 1) {
      assert.deepEqual(readPreface(written.subarray(0, cut)), { kind: "incomplete" });
    }
    const followed = new Uint8Array([...written, 1, 2, 3]);
    assert.deepEqual(readPreface(followed), { kind: "read", preface, length: written.byteLength });
  }
});

test("preface: the golden bytes of being let in", () => {
  assert.deepEqual([...writePreface({ kind: "accepted" })], [0x48, 0x46, 0x54, 0x4c, 1, 0, 0]);
});

test("preface: other bytes are no preface, and a long reason is cut", () => {
  for (
    const bytes of [[0x48, 0x46, 0x46], [0x48, 0x46, 0x54, 0x4c, 2, 0, 0], [0x48, 0x46, 0x54, 0x4c, 1, 1, 0]]
  ) {
    assert.deepEqual(readPreface(new Uint8Array(bytes)), { kind: "not_a_preface" });
  }
  assert.deepEqual(readPreface(new Uint8Array([0x48, 0x46, 0x54, 0x4c, 0, 0xff, 0xff])), {
    kind: "not_a_preface",
  });
  assert.equal(writePreface({ kind: "refused", reason: "x".repeat(5_000) }).byteLength, 7 + 1_024);
});

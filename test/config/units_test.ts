import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatBytes, formatSeconds, parseDuration, parseSize } from "../../config/units.ts";

const sizes: readonly [string, number][] = [
  ["0B", 0],
  ["512B", 512],
  ["64MiB", 67_108_864],
  ["1.5 GiB", 1_610_612_736],
  ["1MB", 1_000_000],
  [" 2TiB ", 2_199_023_255_552],
];
for (const [text, bytes] of sizes) {
  test(`units: the size «${text}» is ${bytes} bytes`, () =>
    assert.deepEqual(parseSize(text), { ok: true, value: bytes }));
}

const refusedSizes: readonly [string, string, string][] = [
  ["64", "is 64 without a unit", "64MiB or another of B, KiB, MiB, GiB, TiB, PiB, kB, MB, GB, TB, PB"],
  ["64mib", 'has the unit "mib", which is none', "64MiB"],
  [
    "64 blocks",
    'has the unit "blocks", which is none',
    "one of the units B, KiB, MiB, GiB, TiB, PiB, kB, MB, GB, TB, PB",
  ],
  ["-1MiB", 'is "-1MiB", which is not a size', "a number and its unit, as in 64MiB"],
  ["", 'is "", which is not a size', "a number and its unit, as in 64MiB"],
  ["0.3B", "is 0.3B, which is no whole number of bytes below 2^53", "a size like 64MiB"],
  ["9000PiB", "is 9000PiB, which is no whole number of bytes below 2^53", "a size like 64MiB"],
];
for (const [text, message, remedy] of refusedSizes) {
  test(`units: the size «${text}» is refused with its remedy`, () => {
    assert.deepEqual(parseSize(text), { ok: false, message, remedy });
  });
}

test("units: times have units too", () => {
  assert.deepEqual(parseDuration("250ms"), { ok: true, value: 250 });
  assert.deepEqual(parseDuration("2s"), { ok: true, value: 2_000 });
  assert.deepEqual(parseDuration("1.5min"), { ok: true, value: 90_000 });
  assert.equal(parseDuration("250").ok, false);
  assert.equal(parseDuration("2 parsecs").ok, false);
});

test("units: any whole number of bytes is read back exactly", () => {
  fc.assert(
    fc.property(
      fc.maxSafeNat(),
      (bytes) => assert.deepEqual(parseSize(`${bytes}B`), { ok: true, value: bytes }),
    ),
  );
});

test("units: people read three digits", () => {
  assert.deepEqual([0, 1023, 1024, 1_536, 67_108_864, 123_456_789].map(formatBytes), [
    "0 B",
    "1023 B",
    "1 KiB",
    "1.50 KiB",
    "64 MiB",
    "118 MiB",
  ]);
  assert.deepEqual([0.24, 2, 59.6, 83, 3_700].map(formatSeconds), [
    "0.2 s",
    "2 s",
    "1 min 0 s",
    "1 min 23 s",
    "1 h 1 min",
  ]);
});

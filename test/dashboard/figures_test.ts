/** The page's figures: percentiles out of histograms, percents that never lie, words as on the command line. */
import assert from "node:assert/strict";
import { test } from "node:test";

/** The page's modules are plain JavaScript. */
function pageModule<T>(name: string): Promise<T> {
  return import(new URL(`../../dashboard/page/${name}`, import.meta.url).href) as Promise<T>;
}

interface Bucket {
  readonly seconds: number | null;
  readonly count: number;
}

const { bytes, percent, seconds } = await pageModule<{
  bytes(count: number): string;
  percent(part: number, whole: number): number;
  seconds(value: number | null): string;
}>("format.js");
const { percentile, addLoad, throughputOf } = await pageModule<{
  percentile(buckets: readonly Bucket[], share: number): number | null;
  addLoad(report: unknown): void;
  throughputOf(
    volumes: readonly string[],
  ): { readonly columns: Readonly<Record<string, readonly number[]>> } | null;
}>("history.js");

test("percentile: between two bounds durations are even, and without any there is none", () => {
  const buckets = [{ seconds: 1, count: 50 }, { seconds: 2, count: 100 }, { seconds: null, count: 100 }];
  assert.equal(percentile(buckets, 0.5), 1);
  assert.equal(percentile(buckets, 0.75), 1.5);
  assert.equal(percentile(buckets.map((each) => ({ ...each, count: 0 })), 0.5), null);
  assert.equal(
    percentile([{ seconds: 1, count: 0 }, { seconds: null, count: 4 }], 0.99),
    1,
    "no more is known",
  );
});

test("percent: never 100 before it is done, never beyond", () => {
  assert.deepEqual(
    [percent(0, 10), percent(9_999, 10_000), percent(10, 10), percent(20, 10), percent(0, 0)],
    [
      0,
      99,
      100,
      100,
      100,
    ],
  );
});

test("figures: bytes and times as a person reads them", () => {
  assert.deepEqual([0, 1023, 1536, 10 * 2 ** 20, 2 ** 40].map(bytes), [
    "0 B",
    "1023 B",
    "1.5 KiB",
    "10 MiB",
    "1 TiB",
  ]);
  assert.deepEqual([0, 0.000_25, 0.002_5, 1.5, 90, null].map(seconds), [
    "0 s",
    "250 µs",
    "2.5 ms",
    "1.5 s",
    "1 min 30 s",
    "unknown",
  ]);
});

test("throughput: what grew per second; a node that began anew counts from zero, and no rate is negative", () => {
  const report = (atMs: number, count: number) => ({
    node: "alpha",
    atMs,
    io: [{ volume: "data", op: "write", requests: count, errors: 0, bytes: count * 1_000 }],
    latency: [],
  });
  for (const [atMs, count] of [[1_000, 10], [2_000, 30], [2_100, 31], [4_000, 5]] as const) {
    addLoad(report(atMs, count));
  }
  assert.deepEqual(throughputOf(["data"])?.columns["written"], [20_000, 0]);
});

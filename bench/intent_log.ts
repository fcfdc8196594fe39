/**
 * What a write pays for its intent: a pinned mark in a hot region (the hot path: no I/O), and heating cold regions,
 * alone and in batches (one write and one fdatasync each, two when regions are evicted).
 *
 * Run: deno run -A bench/intent_log.ts, or node bench/intent_log.ts. Writes to a folder of its own under the system's
 * folder for temporary files (or the one named as argument) and removes it.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { bitmapFileBytes } from "../volume/bitmap_file.ts";
import type { IntentLog } from "../volume/intent_log.ts";
import { INTENT_LOG_FILE_BYTES, openIntentLog } from "../volume/open_intent_log.ts";
import { OpenFailure } from "../volume/open_failure.ts";
import { openFileDevice } from "../volume/open_file_device.ts";

const SIZE = 1024 ** 4;
const HOT_REGION = 4 * 1024 * 1024;
const folder = fs.mkdtempSync(path.join(process.argv[2] ?? os.tmpdir(), "holdfast-bench-"));

async function device(name: string, size: number) {
  const opened = await openFileDevice(path.join(folder, name), {
    size,
    create: "allocated",
    exclusive: false,
  });
  if (opened instanceof OpenFailure) throw new Error(opened.toString());
  return opened.device;
}

async function open(name: string, hotCapacity: number): Promise<IntentLog> {
  const regionBytes = 65_536;
  const bitmapBytes = bitmapFileBytes({ size: SIZE, regionBytes });
  const peers = new Map<string, { device: Awaited<ReturnType<typeof device>>; create: "none" }>();
  for (const peer of ["beta", "gamma"]) {
    peers.set(peer, { device: await device(`${name}-${peer}`, bitmapBytes), create: "none" });
  }
  const opened = await openIntentLog({
    size: SIZE,
    identity: "bench",
    logDevice: await device(name, INTENT_LOG_FILE_BYTES),
    fresh: true,
    peers,
    openBitmap: (peer) => device(`${name}-${peer}`, bitmapBytes),
    hotCapacity,
  });
  if (opened instanceof OpenFailure) throw new Error(opened.toString());
  for (const peer of ["beta", "gamma"]) opened.intentLog.setShipping(peer, true);
  return opened.intentLog;
}

function heat(log: IntentLog, region: number): Promise<void> {
  return new Promise((resolve, reject) => {
    log.heat([{ offset: region * HOT_REGION, length: 4096 }], (outcome) => {
      if (outcome === null) resolve();
      else reject(new Error(outcome.detail));
    });
  });
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

async function hotMarks(): Promise<void> {
  const log = await open("hot", 1024);
  await Promise.all(Array.from({ length: 1000 }, (_, region) => heat(log, region)));
  for (let region = 0; region < 1000; region += 1) log.unpin(region * HOT_REGION, 4096);
  const writes = 200_000;
  let seq = 0;
  const nanoseconds: number[] = [];
  for (let round = 0; round < 7; round += 1) {
    const start = performance.now();
    for (let i = 0; i < writes; i += 1) {
      const offset = (Math.imul(seq, 2_654_435_761) >>> 0) % 1_024_000 * 4096;
      if (!log.tryPin(offset, 4096)) throw new Error("it is hot");
      log.mark(offset, 4096, seq += 1);
      log.unpin(offset, 4096);
      if (seq % 64 === 0) {
        log.localStableUpTo(seq);
        log.stableUpTo("beta", seq - 32);
        log.stableUpTo("gamma", seq - 32);
      }
    }
    nanoseconds.push((performance.now() - start) * 1e6 / writes);
  }
  console.log(
    `hot: pin + mark towards 2 peers + unpin + reports  ${median(nanoseconds).toFixed(0)} ns a write`,
  );
  await log.closeClean();
}

async function coldMarks(batch: number, label: string, hotCapacity: number): Promise<void> {
  const log = await open(`cold-${batch}-${hotCapacity}`, hotCapacity);
  const milliseconds: number[] = [];
  let region = 0;
  const commits = 200;
  for (let commit = 0; commit < commits; commit += 1) {
    const regions = Array.from({ length: batch }, () => region += 1);
    const start = performance.now();
    await Promise.all(regions.map((one) => heat(log, one)));
    milliseconds.push(performance.now() - start);
    for (const one of regions) {
      log.mark(one * HOT_REGION, 4096, one);
      log.unpin(one * HOT_REGION, 4096);
    }
  }
  const mean = milliseconds.reduce((sum, one) => sum + one, 0) / commits;
  const { evictions, bitmapPagesWritten } = log.figures();
  console.log(
    `cold: ${label}  median ${median(milliseconds).toFixed(2)} ms, mean ${mean.toFixed(2)} ms a commit, ` +
      `${(mean * 1000 / batch).toFixed(0)} µs a region (${evictions} evicted, ${bitmapPagesWritten} pages)`,
  );
  await log.closeClean();
}

try {
  await hotMarks();
  await coldMarks(1, "one at a time, room in the hot set ", 1024);
  await coldMarks(32, "32 in a batch, evicting             ", 1024);
  await coldMarks(1, "one at a time, evicting (32 slots)  ", 32);
  await coldMarks(1, "one at a time, evicting (64 slots)  ", 64);
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}

/** Counting must be exact and cost nothing that a request would notice. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IoMeter, SAMPLED_BATCHES } from "../../../actors/export/io_meter.ts";
import type { VolumeRequest } from "../../../volume/volume_request.ts";

function bench() {
  const counted: string[] = [];
  const observed: string[] = [];
  const clock = { nowMs: 0 };
  const meter = new IoMeter({
    requests: {
      add: (amount, labels) => amount && counted.push(`${labels?.op} ${labels?.result} ${amount}`),
    },
    bytes: { add: (amount, labels) => amount && counted.push(`${labels?.op} bytes ${amount}`) },
    durations: { observe: (value, labels) => observed.push(`${labels?.op} ${value}`) },
  }, () => clock.nowMs);
  return { meter, counted, observed, clock };
}

function request(completions: string[], kind: VolumeRequest["kind"] = "write"): VolumeRequest {
  return {
    kind,
    volume: 0,
    offset: 0,
    length: 512,
    fua: false,
    noHole: false,
    payload: null,
    slab: null,
    complete: (error) => completions.push(error ?? "done"),
  };
}

test("io meter: requests and bytes are handed on exactly once, failures without their bytes", () => {
  const { meter, counted } = bench();
  const { replied } = meter.meterFor("data");
  replied("write", { bytes: 512, error: 0 });
  replied("write", { bytes: 512, error: 0 });
  replied("read", { bytes: 4096, error: 5 });
  meter.collect();
  meter.collect();
  assert.deepEqual(counted, ["write ok 2", "write bytes 1024", "read error 1"]);
});

test("io meter: of each sixteen batches the first request of one is timed", () => {
  const { meter, observed, clock } = bench();
  const completions: string[] = [];
  const pending: VolumeRequest[] = [];
  const port = meter.timed({ writable: true, submit: (batch) => pending.push(...batch) });
  for (let batch = 0; batch < 2 * SAMPLED_BATCHES; batch++) {
    port.submit([request(completions), request(completions)]);
  }
  clock.nowMs = 250;
  for (const each of pending) each.complete(null);
  assert.deepEqual(observed, ["write 0.25", "write 0.25"]);
  assert.equal(completions.length, 4 * SAMPLED_BATCHES);
});

test("io meter: a timed request is the request itself for the volume, reply space included", () => {
  const { meter } = bench();
  const space = new Uint8Array(512);
  let submitted: VolumeRequest | undefined;
  const port = meter.timed({ writable: true, submit: ([first]) => submitted = first });
  const completions: string[] = [];
  port.submit([{ ...request(completions, "read"), offset: 7, replySpace: () => space }]);
  assert.equal(submitted?.offset, 7);
  assert.equal(submitted?.replySpace?.(), space);
  port.submit([request(completions)]);
  submitted?.complete("io_error");
  assert.deepEqual(completions, ["io_error"]);
});

test("io meter: a timed request that offers no reply space offers none", () => {
  const { meter } = bench();
  let submitted: VolumeRequest | undefined;
  meter.timed({ writable: true, submit: ([first]) => submitted = first }).submit([request([])]);
  assert.equal(submitted?.replySpace, undefined);
});

test("io meter: the port's room shows through", () => {
  const { meter } = bench();
  const port = { writable: true, submit: () => {} };
  const timed = meter.timed(port);
  assert.equal(timed.writable, true);
  port.writable = false;
  assert.equal(timed.writable, false);
});

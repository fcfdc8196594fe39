import assert from "node:assert/strict";
import { test } from "node:test";
import type { DiskOutcome } from "../../volume/block_device.ts";
import { FlushGate } from "../../volume/flush_gate.ts";

function gateByHand(): { gate: FlushGate; end: ((outcome: DiskOutcome) => void)[] } {
  const end: ((outcome: DiskOutcome) => void)[] = [];
  return { gate: new FlushGate(() => new Promise((resolve) => end.push(resolve))), end };
}

const LOST: DiskOutcome = { kind: "io_error", detail: "lost" };

test("flush gate: requests during a flush share the next one and are not answered by the running one", async () => {
  const { gate, end } = gateByHand();
  const answered: string[] = [];
  const ask = (name: string) => gate.request().then(() => answered.push(name));
  const all = [ask("first"), ask("second"), ask("third")];
  assert.equal(end.length, 1);
  end[0]?.(null);
  await all[0];
  assert.deepEqual(answered, ["first"]);
  await null;
  assert.equal(end.length, 2);
  end[1]?.(null);
  await Promise.all(all);
  assert.deepEqual(answered, ["first", "second", "third"]);
});

test("flush gate: never two at a time, wherever a request falls between the end of one and the start of the next", async () => {
  for (let delay = 0; delay < 6; delay += 1) {
    let running = 0;
    const gate = new FlushGate(async () => {
      running += 1;
      assert.equal(running, 1);
      await null;
      await null;
      running -= 1;
      return null;
    });
    const asked = [gate.request(), gate.request()];
    for (let i = 0; i < delay; i += 1) await null;
    asked.push(gate.request(), gate.request());
    assert.deepEqual(await Promise.all(asked), [null, null, null, null]);
  }
});

test("flush gate: rule 7: the first failure answers all that wait and all that come, without another flush", async () => {
  const { gate, end } = gateByHand();
  const asked = [gate.request(), gate.request()];
  end[0]?.(LOST);
  assert.deepEqual(await Promise.all(asked), [LOST, LOST]);
  assert.deepEqual(await gate.request(), LOST);
  assert.equal(end.length, 1);
});

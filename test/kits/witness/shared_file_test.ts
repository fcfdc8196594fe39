/** A shared folder passes the suite, and the slowest of writers cannot bring back a number that was passed. */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { SharedFileWitness, VERSIONS_KEPT } from "../../../kits/witness/shared_file.ts";
import { sampleVote, witnessSuite } from "../../conformance/witness_suite.ts";

const place = { cluster: "demo", group: "db" };
const TIMEOUT = { timeoutMs: 10_000 };

function scratch(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-witness-"));
}

witnessSuite("shared file", async () => {
  const folder = scratch();
  return {
    open: () => new SharedFileWitness({ folder, ...place }),
    wipe: async () => fs.rmSync(path.join(folder, "demo.db"), { recursive: true }),
    ended: (answer) => answer,
    close: async () => fs.rmSync(folder, { recursive: true }),
  };
}, { can: [] });

async function withFolder(check: (folder: string, records: string) => Promise<void>): Promise<void> {
  const folder = scratch();
  try {
    await check(folder, path.join(folder, "demo.db"));
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

test("shared file: old versions are removed and a bounded number stays", async () => {
  await withFolder(async (folder, records) => {
    const register = new SharedFileWitness({ folder, ...place });
    for (let expected = 0; expected < VERSIONS_KEPT + 20; expected++) {
      const write = await register.compareAndSet({ ...TIMEOUT, expected, next: sampleVote() });
      assert.deepEqual(write, { kind: "set", version: expected + 1 });
    }
    assert.equal(fs.readdirSync(records).length, VERSIONS_KEPT);
  });
});

test("shared file: a writer that fell asleep before it linked does not win a number that was long passed", async () => {
  await withFolder(async (folder, records) => {
    const register = new SharedFileWitness({ folder, ...place });
    await register.compareAndSet({ ...TIMEOUT, expected: 0, next: sampleVote() });
    const name = (version: number) => `${String(version).padStart(16, "0")}.vote`;
    const text = fs.readFileSync(path.join(records, name(1)));
    const sleeper = new SharedFileWitness({ folder, ...place });
    const linking = sleeper.compareAndSet({ ...TIMEOUT, expected: 1, next: sampleVote() });
    // It has listed version 1 and prepared its record; before it links, others go far beyond it.
    while (!fs.readdirSync(records).some((each) => each.endsWith(".new"))) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    fs.writeFileSync(path.join(records, name(VERSIONS_KEPT + 2)), text);
    assert.deepEqual(await linking, { kind: "conflict" });
    const read = await register.read(TIMEOUT);
    assert.ok(read.kind === "found" && read.version === VERSIONS_KEPT + 2);
  });
});

test("shared file: a torn or foreign record is damage, never an empty register", async () => {
  await withFolder(async (folder, records) => {
    const register = new SharedFileWitness({ folder, ...place });
    await register.compareAndSet({ ...TIMEOUT, expected: 0, next: sampleVote() });
    const file = path.join(records, fs.readdirSync(records)[0] ?? "");
    const whole = fs.readFileSync(file, "utf8");
    for (const text of ["", whole.slice(0, -20), whole.replace("alpha", "alphb"), "hello\n"]) {
      fs.writeFileSync(file, text);
      assert.equal((await register.read(TIMEOUT)).kind, "damaged", text.slice(0, 40));
    }
  });
});

test("shared file: storage that is not mounted is unreachable, never an empty register", async () => {
  await withFolder(async (folder) => {
    const register = new SharedFileWitness({ folder: path.join(folder, "not_mounted"), ...place });
    assert.equal((await register.read(TIMEOUT)).kind, "unreachable");
    const write = await register.compareAndSet({ ...TIMEOUT, expected: 0, next: sampleVote() });
    assert.equal(write.kind, "unreachable");
    assert.deepEqual(fs.readdirSync(folder), []);
  });
});

test("shared file: while one call is under way the next is answered at once", async () => {
  await withFolder(async (folder) => {
    const register = new SharedFileWitness({ folder, ...place });
    const first = register.read(TIMEOUT);
    const second = await register.read(TIMEOUT);
    assert.ok(second.kind === "unreachable" && second.timedOut);
    assert.equal((await first).kind, "empty");
  });
});

/** Real nodes, real sockets, real files: one alone, and three of which the source dies. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterEach, test } from "node:test";
import { loadConfig } from "../../config/load_config.ts";
import { startNode } from "../../actors/node/start.ts";
import { ClusterOfProcesses, VOLUME_BYTES } from "./support/node_process.ts";
import { missing } from "./support/nbd_server_process.ts";

let cluster: ClusterOfProcesses | null = null;

function clusterOf(modes: Readonly<Record<string, string>>): ClusterOfProcesses {
  cluster = new ClusterOfProcesses(modes);
  return cluster;
}

afterEach(async () => {
  await cluster?.end();
  cluster = null;
});

const BYTES = new Uint8Array(1024 * 1024).fill(0xa5);

test("node process: a group with one replica serves at once, and SIGTERM ends it with code 0", async () => {
  const one = clusterOf({ alpha: "sync" });
  await one.start("alpha");
  await one.until("alpha", ({ state }) => state === "in_service", 5_000);
  const client = await one.served("alpha");
  assert.ok((await client.write(4096, BYTES, { fua: true })).ok);
  assert.equal(fs.statSync(one.disk("alpha")).size, VOLUME_BYTES);
  assert.equal(fs.statSync(path.join(one.folder, "state/alpha/admin.sock")).mode & 0o777, 0o600);
  assert.match(await one.ask("alpha", "/metrics"), /^holdfast_build_info\{/m);
  assert.equal(await one.signal("alpha", "SIGTERM"), 0);
  assert.deepEqual(
    fs.readFileSync(one.disk("alpha")).subarray(4096, 4096 + BYTES.length),
    Buffer.from(BYTES),
  );
});

test("node process: nbdinfo reads the export of a node", { skip: missing("nbdinfo") }, async () => {
  const one = clusterOf({ alpha: "sync" });
  await one.start("alpha");
  const { volumes } = await one.until("alpha", ({ state }) => state === "in_service", 5_000);
  const uri = volumes["data"]?.nbd[0] ?? "";
  const found = spawnSync("nbdinfo", ["--json", uri], { encoding: "utf8" });
  assert.equal(found.status, 0, found.stderr);
  assert.equal(JSON.parse(found.stdout).exports[0]["export-size"], VOLUME_BYTES);
});

test("node process: what is in the way of a start is named with its field and remedy", async () => {
  const one = clusterOf({ alpha: "sync" });
  await one.start("alpha");
  const outcome = loadConfig(path.join(one.folder, "cluster.yaml"));
  assert.ok(outcome.ok);
  const start = (stateDir: string) =>
    startNode({ config: outcome.config, node: "alpha", stateDir, onReady: () => {} });
  await assert.rejects(
    start(path.join(one.folder, "state/alpha")),
    /^NodeStartError: Cannot start node "alpha": --state .*: process \d+ runs this node already \(try: /,
  );
  await assert.rejects(
    start(path.join(one.folder, "state/other")),
    /^NodeStartError: Cannot start node "alpha": nodes\.alpha\.listen: .*alpha\.sock.*\(try: /,
  );
  await assert.rejects(
    start(path.join(one.folder, "cluster.yaml/state")),
    /^NodeStartError: Cannot start node "alpha": --state .*cluster\.yaml\/state: .*\(try: /,
  );
});

test("node processes: the volume survives kill -9 of its source, which returns by a partial resync", async () => {
  const three = clusterOf({ alpha: "sync", beta: "sync", gamma: "async" });
  await three.startAll();
  const born = await three.until("alpha", ({ state }) => state === "in_service");
  const source = born.source ?? "";
  const before = await three.served(source);
  for (let part = 0; part < 8; part++) assert.ok((await before.write(part * BYTES.length, BYTES)).ok);
  const heirs = born.memberSet.filter((node) => node !== source);
  await three.signal(source, "SIGKILL");
  const startMs = Date.now();
  const after = await three.until(
    heirs[0] ?? "",
    (group) => group.source !== null && group.source !== source,
  );
  const heir = after.source ?? "";
  assert.ok(heirs.includes(heir));
  const client = await three.served(heir);
  for (let part = 0; part < 8; part++) {
    const read = await client.read(part * BYTES.length, BYTES.length);
    assert.ok(read.ok && Buffer.from(BYTES).equals(read.value), `part ${part} is lost`);
  }
  assert.ok((await client.write(32 * 2 ** 20, BYTES, { fua: true })).ok);
  assert.ok(Date.now() - startMs < 20_000);
  await three.start(source);
  const whole = await three.until(heir, ({ state }) => state === "in_service");
  assert.equal(whole.replicas[source]?.role, "target");
  assert.ok((whole.replicas[source]?.lastResync?.copiedBytes ?? VOLUME_BYTES) < VOLUME_BYTES);
  // The source last: nobody is left to take over, and nothing is written after the others have stopped.
  for (const name of [...["alpha", "beta", "gamma"].filter((each) => each !== heir), heir]) {
    assert.equal(await three.signal(name, "SIGTERM"), 0);
  }
  const image = fs.readFileSync(three.disk(heir));
  for (const name of ["alpha", "beta", "gamma"]) {
    assert.ok(image.equals(fs.readFileSync(three.disk(name))), `the disk of ${name} differs`);
  }
});

test("node processes: a source that was stopped longer than its lease completes nothing when it runs again", async () => {
  const three = clusterOf({ alpha: "sync", beta: "sync", gamma: "async" });
  await three.startAll();
  const born = await three.until("alpha", ({ state }) => state === "in_service");
  const source = born.source ?? "";
  const old = await three.served(source);
  assert.ok((await old.write(0, BYTES)).ok);
  const heirs = born.memberSet.filter((node) => node !== source);
  await three.signal(source, "SIGSTOP");
  const late = old.write(0, new Uint8Array(512));
  const after = await three.until(
    heirs[0] ?? "",
    (group) => group.source !== null && group.source !== source,
  );
  const client = await three.served(after.source ?? "");
  assert.ok((await client.write(512, BYTES.subarray(0, 512))).ok);
  await three.signal(source, "SIGCONT");
  assert.equal((await late).ok, false);
  const read = await client.read(0, 512);
  assert.ok(read.ok && read.value.every((byte) => byte === 0xa5));
  await three.until(after.source ?? "", ({ state }) => state === "in_service");
});

/** What a person types and reads, beside a cluster of real processes: every command of the contract, and its exit code. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import type { ClusterStatus } from "../../protocol/admin_messages.ts";
import { MIB, TestCluster, until } from "./support/cluster.ts";
import { HOLDFAST, runOk, runToEnd } from "./support/holdfast.ts";
import { missing } from "./support/nbd_server_process.ts";
import { connectToSource } from "./support/volume.ts";

let cluster: TestCluster;
let source = "";
/** A sync target and, where the source is not gamma, an async one. */
let target = "";

before(async () => {
  cluster = await TestCluster.inService({ heartbeat: "{ interval: 250ms, lease: 4s }" });
  if (await cluster.source() !== "alpha") {
    const moved = await cluster.holdfast("switchover", "db", "--to", "alpha");
    assert.equal(moved.code, 0, moved.err);
  }
  source = (await cluster.healthy()).source ?? "";
  target = "beta";
});

after(() => cluster?.close());

async function writeAt(offset: number, length = 64 * 1024): Promise<void> {
  const { client } = await connectToSource(cluster);
  assert.ok((await client.write(offset, new Uint8Array(length).fill(1 + offset % 250))).ok);
  assert.ok((await client.flush()).ok);
  await client.disconnect();
}

async function ok(...args: readonly string[]): Promise<string> {
  const { code, out, err } = await cluster.holdfast(...args);
  assert.deepEqual([code, err], [0, ""], args.join(" "));
  return out;
}

async function fails(code: number, message: RegExp, ...args: readonly string[]): Promise<void> {
  const ran = await cluster.holdfast(...args);
  assert.equal(ran.code, code, `${args.join(" ")}: ${ran.out}${ran.err}`);
  assert.match(ran.err, message);
  assert.match(ran.err, /^holdfast: Cannot .*\(try: .*\)\n$/s);
}

/** The shape of the contract: names and types of fields, one by one. */
function assertFields(value: unknown, fields: Readonly<Record<string, string>>, where: string): void {
  for (const [name, type] of Object.entries(fields)) {
    const found = (value as Record<string, unknown>)[name];
    const kind = found === null ? "null" : Array.isArray(found) ? "array" : typeof found;
    assert.ok(type.split("|").includes(kind), `${where}.${name} is ${kind}, not ${type}`);
  }
}

test("commands: status --json has every field of the contract", async () => {
  // A path has a round trip time from its first answered heartbeat on.
  await cluster.waitFor(
    "every path is measured",
    (_group, { nodes }) =>
      Object.values(nodes).every(({ paths }) => paths.every(({ rttMs }) => rttMs !== null)),
  );
  const status = JSON.parse(await ok("status", "--json")) as ClusterStatus;
  assertFields(status, { cluster: "string", at: "string", nodes: "object", groups: "object" }, "status");
  assert.ok(Math.abs(Date.parse(status.at) - Date.now()) < 60_000);
  assert.deepEqual(Object.keys(status.nodes), cluster.nodes);
  for (const [name, node] of Object.entries(status.nodes)) {
    assertFields(node, { state: "string", paths: "array", version: "string", runtime: "string" }, name);
    assert.equal(node.state, "up");
    assert.match(node.runtime, /^(deno|node) \d/);
    for (const path of node.paths) {
      assertFields(path, { address: "string", state: "string", rttMs: "number" }, `${name}.paths`);
    }
  }
  const group = status.groups["db"];
  assertFields(group, {
    state: "string",
    cause: "null",
    remedy: "null",
    source: "string",
    generation: "number",
    memberSet: "array",
    quorum: "object",
    volumes: "object",
    replicas: "object",
    application: "array",
  }, "db");
  assert.deepEqual([group?.state, group?.source], ["in_service", source]);
  assert.deepEqual(group?.quorum, { held: true, votes: 3, of: 3, needed: 2 });
  assert.deepEqual(group?.volumes, { data: { size: cluster.sizeBytes, nbd: [cluster.uri(source)] } });
  assert.deepEqual([...group?.memberSet ?? []].sort(), ["alpha", "beta"]);
  for (const [node, replica] of Object.entries(group?.replicas ?? {})) {
    assertFields(replica, {
      role: "string",
      disk: "string",
      leg: node === source ? "null" : "string",
      mode: "string",
      promotable: "boolean",
      position: "object",
      lag: "object",
      dirtyBytes: "number",
      resync: "null",
    }, node);
    assertFields(replica.position, { generation: "number", seq: "number" }, `${node}.position`);
    assertFields(replica.lag, { writes: "number", bytes: "number", seconds: "number" }, `${node}.lag`);
  }
  assert.equal(group?.replicas[target]?.promotable, true);
});

test("commands: status names the source, the replicas and where the volume is served", async () => {
  const text = await ok("status");
  for (
    const part of [/db +in service on alpha/, /beta +target +up_to_date +replicating +sync/, /Nothing to do/]
  ) {
    assert.match(text, part);
  }
  assert.ok(text.includes(cluster.uri(source)));
});

test("commands: status --watch redraws on a terminal until Ctrl-C", { skip: missing("tmux") }, async () => {
  const tmux = (...args: readonly string[]) => runOk("tmux", ["-L", `holdfast-${process.pid}`, ...args]);
  await tmux("new-session", "-d", "-x", "120", "-y", "40", "-s", "watch", "sh");
  try {
    const screen = () => tmux("capture-pane", "-p", "-t", "watch");
    await tmux("send-keys", "-t", "watch", `${HOLDFAST} status --watch --config ${cluster.config}`, "Enter");
    await until(async () => /in service on alpha/.test(await screen()), "the status on the screen");
    await ok("mirror", "pause", "db", "--leg", "gamma");
    await until(async () => /gamma +target.*paused/.test(await screen()), "the paused leg on the screen");
    assert.equal((await screen()).match(/REPLICA/g)?.length, 1, "it is redrawn, not repeated");
    await ok("mirror", "resume", "db");
    await until(async () => /Nothing to do/.test(await screen()), "the healed group on the screen");
    await tmux("send-keys", "-t", "watch", "C-c");
    await tmux("send-keys", "-t", "watch", "echo ended with $?", "Enter");
    await until(async () => /ended with 0/.test(await screen()), "the end of watching");
  } finally {
    await tmux("kill-server");
  }
});

test("commands: mirror pause, resume and resync, one leg and in full", async () => {
  await cluster.healthy();
  await ok("mirror", "pause", "db", "--leg", "gamma");
  const paused = await cluster.waitFor(
    "the leg to be paused",
    ({ replicas }) => replicas["gamma"]?.leg === "paused",
  );
  assert.equal(paused.state, "degraded");
  assert.match(paused.replicas["gamma"]?.remedy ?? "", /mirror resume/);
  await writeAt(2 * MIB);
  await cluster.waitFor("marks", ({ replicas }) => (replicas["gamma"]?.dirtyBytes ?? 0) > 0);
  await ok("mirror", "resume", "db", "--leg", "gamma");
  const resumed = await cluster.healthy();
  const partial = resumed.replicas["gamma"]?.lastResync;
  assert.equal(partial?.kind, "partial");
  assert.ok((partial?.copiedBytes ?? 0) > 0 && (partial?.copiedBytes ?? 0) < cluster.sizeBytes / 4);

  await ok("mirror", "resync", "db", "--leg", "gamma");
  await cluster.healthy();
  await fails(3, /nobody said yes/, "mirror", "resync", "db", "--leg", "gamma", "--full");
  await ok("mirror", "resync", "db", "--leg", "gamma", "--full", "--yes");
  const full = await cluster.waitFor(
    "a full resync",
    ({ state, replicas }) => state === "in_service" && replicas["gamma"]?.lastResync?.kind === "full",
  );
  assert.equal(full.replicas["gamma"]?.lastResync?.copiedBytes, cluster.sizeBytes);
  await cluster.healthy();
  await cluster.assertIdentical();
});

test("commands: switchover there and back, and what stands against it", async () => {
  await fails(2, /no node was named/, "switchover", "db");
  await fails(2, /there is no group|find the group bd/, "switchover", "bd", "--to", target);
  await fails(2, /delta/, "switchover", "db", "--to", "delta");
  await fails(2, /is the source of "db" already/, "switchover", "db", "--to", source);
  await ok("mirror", "pause", "db", "--leg", target);
  await fails(3, new RegExp(target), "switchover", "db", "--to", target);
  await ok("mirror", "resume", "db", "--leg", target);
  const before = await cluster.healthy();
  await writeAt(3 * MIB);
  const there = JSON.parse(await ok("switchover", "db", "--to", target, "--json"));
  assert.equal(there.result.source, target);
  assert.ok(there.result.generation > before.generation);
  await writeAt(4 * MIB);
  assert.match(await ok("switchover", "db", "--to", source), /db: alpha is source in generation \d+/);
  const after = await cluster.healthy();
  assert.equal(after.source, source);
  await cluster.assertIdentical();
});

test("commands: events since a moment, merged over the nodes, and none from the future", async () => {
  const { events } = JSON.parse(await ok("events", "--since", "10min", "--json"));
  const kinds = new Set(events.map(({ kind }: { kind: string }) => kind));
  for (const kind of ["node_started", "gate_opened", "in_service", "rejoin_judged"]) {
    assert.ok(kinds.has(kind), `${kind} in ${[...kinds].join(" ")}`);
  }
  const times = events.map(({ at }: { at: string }) => Date.parse(at));
  assert.deepEqual(times, [...times].sort((a, b) => a - b), "in order of time");
  assert.match(await ok("events", "--since", "10min"), /gate opened|gate_opened/);
  const future = new Date(Date.now() + 3_600_000).toISOString();
  assert.equal(await ok("events", "--since", future), "");
  await fails(2, /neither a moment nor a time/, "events", "--since", "yesterday");
});

test("commands: actors as a tree, and one of them ended on request", async () => {
  const tree = await ok("actors", "--tree", "--node", source);
  for (const name of ["failover_group", "group:db", "mirror", "export", "peer:beta", "admin"]) {
    assert.ok(tree.includes(name), name);
  }
  const path = "node/nbd_listener";
  await fails(2, /of which node was not said/, "actors", "--kill", path);
  await fails(3, /nobody said yes/, "actors", "--kill", path, "--node", source);
  await fails(2, /none runs at that path/, "actors", "--kill", "node/nobody", "--node", source, "--yes");
  assert.equal(await ok("actors", "--kill", path, "--node", source, "--yes"), `${path}: killed\n`);
  await until(async () => {
    const { actors } = await cluster.actors(source);
    return actors.find((actor) => actor.path === path)?.restarts === 1;
  }, "its restart in the report");
  await writeAt(5 * MIB);
});

const METRICS = [
  "build_info",
  "group_role",
  "group_state",
  "leg_state",
  "leg_lag_writes",
  "leg_lag_bytes",
  "leg_lag_seconds",
  "dirty_bytes",
  "resync_done_bytes",
  "resync_total_bytes",
  "io_requests_total",
  "io_bytes_total",
  "io_duration_seconds",
  "wire_bytes_total",
  "compression_ratio",
  "heartbeat_rtt_seconds",
  "failovers_total",
  "fences_total",
  "actor_mailbox_depth",
  "actor_messages_total",
  "actor_restarts_total",
  "event_loop_delay_seconds",
];

test("commands: metrics tell every name of the contract", async () => {
  const text = await ok("metrics", "--node", source);
  const absent = METRICS.filter((name) => !text.includes(`# TYPE holdfast_${name} `));
  assert.deepEqual(absent, []);
  assert.match(text, /holdfast_group_role\{group="db",role="source"\} 1/);
  assert.match(text, /holdfast_io_requests_total\{[^}]*\} [1-9]/);
});

test("commands: check tells every problem at once, with line and remedy, and ends with 2", async () => {
  assert.match(await ok("check"), /fine: 3 nodes, 1 groups?, 1 volumes?/);
  const file = join(cluster.folder, "bad.yaml");
  const lines = [
    "cluster: demo",
    "nodes:",
    "  alpha: { listen: [tcp://127.0.0.1:7401], nbd: [127.0.0.1:7401] }",
    "  beta: { listen: [127.0.0.1:x] }",
    "groups:",
    "  db:",
    "    volumes: { data: { size: 10 } }",
    "    replicas:",
    "      alpha: { disk: { data: a.img }, mode: asink }",
    "      delta: { disk: { data: b.img } }",
    "unknown: 1",
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
  const { code, err, out } = await runToEnd(HOLDFAST, ["check", "--config", file]);
  assert.deepEqual([code, out], [2, ""]);
  for (const line of [4, 7, 9, 11]) {
    assert.match(err, new RegExp(`bad\\.yaml:${line}:\\d+: .*\\(try: `), `line ${line} in\n${err}`);
  }
  const json = await runToEnd(HOLDFAST, ["check", "--config", file, "--json"]);
  assert.equal(json.code, 2);
  assert.ok(JSON.parse(json.out).problems.length >= 4);
});

test("commands: the source drains on SIGTERM, another takes over quickly, and it returns as target", async (context) => {
  await cluster.healthy();
  await writeAt(6 * MIB);
  const startedAt = performance.now();
  const stopped = cluster.stop(source);
  await connectToSource(cluster, { except: [source] }).then(({ client }) => client.disconnect());
  const takeover = performance.now() - startedAt;
  assert.equal(await stopped, 0, "a drained node ends with code 0");
  // The lease in this cluster is 4 s: whoever waited for it would need longer than that.
  assert.ok(takeover < 2_500, `another served after ${Math.round(takeover)} ms`);
  context.diagnostic(`another served ${Math.round(takeover)} ms after the signal`);
  await cluster.start(source);
  const group = await cluster.healthy();
  assert.equal(group.replicas[source]?.role, "target");
  await cluster.assertIdentical();
});

test("commands: where nothing is reachable the exit code is 4, and a single dead node is no failure", async () => {
  const dead = cluster.nodes.find((node) => node === "gamma") ?? "";
  await cluster.kill(dead);
  await cluster.waitFor("the dead node to be noticed", (_group, { nodes }) => nodes[dead]?.state !== "up");
  const status = JSON.parse(await ok("status", "--json")) as ClusterStatus;
  assert.ok(status.nodes[dead]?.cause && status.nodes[dead]?.remedy, "a dead node has a cause and a remedy");
  await Promise.all(cluster.nodes.map((node) => cluster.kill(node)));
  await fails(4, /no node answers/, "status");
  await fails(4, /no node answers/, "switchover", "db", "--to", target);
  await fails(4, /no node answers/, "metrics");
});

test("commands: demo --once --json ends with 0, and everything held", async () => {
  const { code, out, err } = await runToEnd(HOLDFAST, ["demo", "--once", "--json", "--size", "32MiB"]);
  assert.equal(code, 0, err);
  const report = JSON.parse(out);
  assert.equal(report.held, true);
  assert.equal(report.blocksLost, 0);
  assert.equal(report.replicasIdentical, true);
  assert.notEqual(report.killed, report.newSource);
  assert.ok(report.acknowledgedWrites > 1_000 && report.failoverSeconds > 0);
  assert.ok(report.resync.copiedBytes < report.volumeBytes);
});

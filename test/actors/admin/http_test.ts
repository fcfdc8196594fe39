/** The admin door over requests and responses, in front of a whole simulated node: no socket is opened. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BODY_BYTES_MAX } from "../../../actors/admin/http_app.ts";
import type { ActorsReport, EventsReport } from "../../../protocol/admin_messages.ts";
import { SimulatedCluster } from "../node/simulated_cluster.ts";

const JSON_TYPE = { "content-type": "application/json" };

async function served(): Promise<SimulatedCluster> {
  const cluster = new SimulatedCluster({ alpha: "sync" });
  cluster.start("alpha");
  await cluster.until("alpha", (report) => report.groups["db"]?.state === "in_service");
  return cluster;
}

async function problem(response: Response): Promise<string> {
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  const { status, detail } = await response.json() as { status: number; detail: string };
  assert.equal(status, response.status);
  assert.match(detail, /\(try: .+\)/);
  return `${status} ${detail}`;
}

/** `docs`: contract, section Metrics. */
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

test("admin door: every metric of the contract is there from the start, with help and type", async () => {
  const cluster = await served();
  const text = await (await cluster.http("alpha", "/metrics")).text();
  for (const name of METRICS) {
    assert.match(text, new RegExp(`^# HELP (holdfast_)?${name} `, "m"));
    assert.match(text, new RegExp(`^# TYPE (holdfast_)?${name} `, "m"));
  }
  assert.match(text, /group_state\{group="db",state="in_service"\} 1/);
  assert.match(text, /group_role\{group="db",role="source"\} 1/);
});

test("admin door: requests of clients are counted", async () => {
  const cluster = await served();
  const client = await cluster.client("alpha");
  for (let written = 0; written < 3; written++) {
    assert.ok((await cluster.during(client.write(0, new Uint8Array(512)))).ok);
  }
  const text = await (await cluster.http("alpha", "/metrics")).text();
  assert.match(text, /io_requests_total\{volume="data",op="write",result="ok"\} 3/);
  assert.match(text, /io_bytes_total\{volume="data",op="write"\} 1536/);
  assert.match(text, /io_duration_seconds_count\{stage="total",op="write"\} 1/);
});

test("admin door: status has the fields of the contract, and who speaks", async () => {
  const cluster = await served();
  const report = await cluster.status("alpha");
  assert.equal(report.cluster, "demo");
  assert.equal(report.reporter.node, "alpha");
  assert.deepEqual(Object.keys(report.groups["db"] ?? {}).sort(), [
    "application",
    "cause",
    "generation",
    "memberSet",
    "quorum",
    "remedy",
    "replicas",
    "source",
    "state",
    "volumes",
  ]);
  assert.deepEqual(report.groups["db"]?.quorum, { held: true, votes: 1, of: 1, needed: 1 });
  assert.equal(report.nodes["alpha"]?.version, "1.2.3");
});

test("admin door: the supervision tree is shown with the state of each actor", async () => {
  const cluster = await served();
  const { actors } = await (await cluster.http("alpha", "/api/v1/actors")).json() as ActorsReport;
  const stateOf = (path: string) => actors.find((actor) => actor.path === path)?.state;
  assert.equal(stateOf("node/groups/group:db/mirror"), "gate open");
  assert.equal(stateOf("node/groups/group:db/target"), "stopped");
  assert.equal(stateOf("node/groups/group:db/export"), "open");
});

test("admin door: a name that was rebound to this host is turned away", async () => {
  const cluster = await served();
  for (const host of ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:7481"]) {
    const response = await cluster.http("alpha", "/api/v1/status", { headers: { host } });
    assert.match(await problem(response), /^403 host "/);
  }
  for (const host of ["localhost", "127.0.0.1:7481", "[::1]:7481"]) {
    assert.equal((await cluster.http("alpha", "/api/v1/status", { headers: { host } })).status, 200);
  }
});

test("admin door: a command must be JSON, short, known and whole", async () => {
  const cluster = await served();
  const post = async (body: string, headers: Record<string, string> = JSON_TYPE) =>
    await problem(await cluster.http("alpha", "/api/v1/commands", { method: "POST", headers, body }));
  assert.match(await post("{}", { "content-type": "text/plain" }), /^415 /);
  assert.match(await post("x".repeat(BODY_BYTES_MAX + 1)), /^413 /);
  assert.match(await post("{"), /^400 the body is no JSON/);
  assert.match(await post('{"kind":"explode"}'), /^400 no command is named "explode"/);
  assert.match(await post('{"kind":"mirror_pause"}'), /^400 mirror_pause needs group/);
});

test("admin door: a refused command is an answer, not an error of HTTP", async () => {
  const cluster = await served();
  const body = JSON.stringify({ kind: "switchover", group: "db", to: "alpha" });
  const response = await cluster.http("alpha", "/api/v1/commands", {
    method: "POST",
    headers: JSON_TYPE,
    body,
  });
  assert.equal(response.status, 200);
  const answer = await response.json() as { ok: boolean; refusal: { kind: string } };
  assert.equal(answer.ok, false);
  assert.equal(answer.refusal.kind, "usage");
});

test("admin door: an unknown path names the known ones", async () => {
  const cluster = await served();
  assert.match(await problem(await cluster.http("alpha", "/api/v2/x")), /^404 .*\/api\/v1\/status/);
});

test("admin door: events are told in order, from where one left off", async () => {
  const cluster = await served();
  const first = await (await cluster.http("alpha", "/api/v1/events")).json() as EventsReport;
  assert.deepEqual(first.events.map(({ seq }) => seq), first.events.map((_, index) => index + 1));
  const rest = await (await cluster.http("alpha", `/api/v1/events?after=${first.lastSeq - 1}`)).json();
  assert.equal((rest as EventsReport).events.length, 1);
  const none = await (await cluster.http("alpha", `/api/v1/events?after=${first.lastSeq}`)).json();
  assert.deepEqual((none as EventsReport).events, []);
});

test("admin door: with nothing new the answer waits for the next event, and no longer than asked", async () => {
  const cluster = await served();
  const { lastSeq } = await (await cluster.http("alpha", "/api/v1/events")).json() as EventsReport;
  const startMs = cluster.world.clock.now();
  const path = `/api/v1/events?after=${lastSeq}&wait=10`;
  const waiting = cluster.http("alpha", path);
  cluster.world.clock.after(3_000, () => cluster.node("alpha").parts.event("noted", { cause: "a test" }));
  const woken = await (await waiting).json() as EventsReport;
  assert.deepEqual(woken.events.map(({ kind }) => kind), ["noted"]);
  assert.ok(cluster.world.clock.now() - startMs < 4_000);
  const again = await cluster.http("alpha", `/api/v1/events?after=${woken.lastSeq}&wait=2`);
  assert.deepEqual((await again.json() as EventsReport).events, []);
});

test("admin door: a field that cannot be read is named", async () => {
  const cluster = await served();
  for (const [query, field] of [["after=x", "after"], ["since=yesterday", "since"], ["wait=-1", "wait"]]) {
    assert.match(
      await problem(await cluster.http("alpha", `/api/v1/events?${query}`)),
      new RegExp(`field ${field}`),
    );
  }
});

/**
 * The one program against admin doors that are real sockets: a small server in this process plays the nodes. What is
 * tested is everything around a node's answer: finding the doors, deadlines, merging, exit codes, both streams.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { reportOf } from "../cli/sample_status.ts";

const root = join(fileURLToPath(import.meta.url), "..", "..", "..");
const holdfast = join(root, "bin", "holdfast");

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function run(
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string>; program?: string } = {},
): Promise<Ran> {
  return new Promise((resolve) => {
    const env = { ...process.env, NO_COLOR: "1", HOLDFAST_CONFIG: "", ...options.env };
    const child = spawn(options.program ?? holdfast, [...args], {
      cwd: options.cwd ?? folder,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const texts = { out: "", err: "" };
    child.stdout.on("data", (chunk: Uint8Array) => void (texts.out += new TextDecoder().decode(chunk)));
    child.stderr.on("data", (chunk: Uint8Array) => void (texts.err += new TextDecoder().decode(chunk)));
    child.on("close", (code) => resolve({ code, ...texts }));
  });
}

let folder = "";
let config = "";
const servers: Server[] = [];
const asked: string[] = [];

/** Plays a node: its report, and to each command one answer. */
function play(node: string, answers: Record<string, unknown>): Server {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Uint8Array) => void (body += new TextDecoder().decode(chunk)));
    request.on("end", () => {
      const path = request.url ?? "";
      asked.push(`${node} ${request.method} ${path.split("?")[0]} ${body}`.trim());
      if (path === "/metrics") {
        return void response.end("# HELP holdfast_build_info x\nholdfast_build_info 1\n");
      }
      if (path.startsWith("/api/v1/events")) {
        return json(response, { node, events: [], lastSeq: 0, truncated: false });
      }
      if (path === "/api/v1/actors") return json(response, { node, actors: [] });
      if (path === "/api/v1/status") return json(response, reportOf(node));
      const answer = answers[(JSON.parse(body) as { kind: string }).kind];
      if (answer !== undefined) json(response, answer);
    });
  });
  servers.push(server);
  return server;
}

function json(response: ServerResponse, value: unknown): void {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(value));
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-cli-"));
  config = join(folder, "cluster.yaml");
  const alpha = play("alpha", {
    mirror_pause: { ok: true, result: {} },
    switchover: {
      ok: false,
      refusal: {
        kind: "refused",
        message: "Cannot move db to beta: its leg is offline",
        override: "wait for it",
      },
    },
  });
  const alphaPort = await new Promise<number>((resolve) => {
    alpha.listen(0, "127.0.0.1", () => resolve((alpha.address() as { port: number }).port));
  });
  // beta has no HTTP address, only the unix socket in its state folder; gamma is not there at all.
  const socket = join(folder, ".holdfast", "beta", "admin.sock");
  mkdirSync(dirname(socket), { recursive: true });
  const beta = play("beta", {});
  await new Promise<void>((resolve) => beta.listen(socket, resolve));
  const text = `cluster: demo
nodes:
  gamma: { listen: [unix:gamma.sock] }
  beta: { listen: [unix:beta.sock] }
  alpha: { listen: [unix:alpha.sock], http: 127.0.0.1:${alphaPort} }
groups:
  db:
    volumes: { data: { size: 1GiB } }
    replicas:
      alpha: { disk: { data: a.img } }
      beta: { disk: { data: b.img } }
      gamma: { disk: { data: c.img }, mode: async }
`;
  writeFileSync(config, text);
});

after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true, force: true });
});

for (const runtime of ["deno", "node"]) {
  test(`command line on ${runtime}: the status is merged over TCP and unix sockets, found from the folder alone`, async () => {
    const { code, out, err } = await run(["status", "--json"], { env: { HOLDFAST_RUNTIME: runtime } });
    assert.deepEqual([code, err], [0, ""]);
    const status = JSON.parse(out) as {
      nodes: Record<string, { state: string }>;
      groups: Record<string, { source: string }>;
    };
    assert.deepEqual(Object.keys(status.nodes), ["gamma", "beta", "alpha"]);
    assert.deepEqual([status.nodes["beta"]?.state, status.groups["db"]?.source], ["up", "alpha"]);
  });
}

test("command line: works through a link from another folder, and colours nothing in a pipe", async () => {
  const link = join(folder, "hf");
  symlinkSync(holdfast, link);
  const { code, out } = await run(["--config", config, "status"], { cwd: tmpdir(), program: link });
  assert.equal(code, 0);
  assert.match(out, /Data safe: every completed write is on alpha and beta/);
  assert.ok(!out.includes("\u001b"));
});

test("command line: a command goes to the group's source, once", async () => {
  asked.length = 0;
  const { code, out } = await run(["mirror", "pause", "db", "--leg", "beta"]);
  assert.deepEqual([code, out], [0, "mirror pause: db to beta: done\n"]);
  const commands = asked.filter((line) => line.includes("POST"));
  assert.deepEqual(commands, [
    'alpha POST /api/v1/commands {"kind":"mirror_pause","group":"db","leg":"beta"}',
  ]);
});

const exits: readonly [string, string[], number, RegExp][] = [
  [
    "refused for safety",
    ["switchover", "db", "--to", "beta"],
    3,
    /^holdfast: Cannot move db to beta: its leg is offline \(try: wait for it\)\n$/,
  ],
  [
    "nothing reachable",
    ["status", "--node", "gamma"],
    4,
    /^holdfast: Cannot show the cluster's status: no node answers: gamma: unix:.*the socket does not exist/,
  ],
  [
    "timed out, still going on",
    ["mirror", "resume", "db", "--timeout", "300ms"],
    5,
    /^holdfast: Cannot say whether it was done: .*no answer within 300 ms \(try: holdfast status\)\n$/,
  ],
  [
    "an unknown group",
    ["mirror", "pause", "dbb"],
    2,
    /^holdfast: Cannot find the group dbb: .*\(try: db, if that was meant\)\n$/,
  ],
  [
    "a full resync that nobody confirms",
    ["mirror", "resync", "db", "--full"],
    3,
    /nobody said yes \(try: --yes\)\n$/,
  ],
];
for (const [name, args, expected, message] of exits) {
  test(`command line: ${name} ends with code ${expected} and one line on standard error`, async () => {
    const { code, out, err } = await run(args);
    assert.equal(code, expected, err);
    assert.match(err, message);
    assert.equal(out, "");
  });
}

test("command line: metrics, actors and events come from real doors", async () => {
  assert.match((await run(["metrics", "--node", "alpha"])).out, /^# HELP holdfast_build_info/);
  assert.deepEqual(JSON.parse((await run(["actors", "--json", "--node", "alpha"])).out), {
    nodes: [{ node: "alpha", actors: [] }],
  });
  assert.deepEqual(JSON.parse((await run(["events", "--json", "--since", "10min"])).out), { events: [] });
});

test("command line: --watch ends on SIGTERM with code 0", async () => {
  const child = spawn(holdfast, ["status", "--watch", "--config", config], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const code = await new Promise((resolve) => {
    child.stdout.once("data", () => process.kill(child.pid ?? 0, "SIGTERM"));
    child.on("exit", resolve);
  });
  assert.equal(code, 0);
});

test("command line: a configuration that is a folder is refused by name", async () => {
  const { code, out, err } = await run(["check", "--config", folder]);
  assert.deepEqual([code, out], [2, ""]);
  assert.equal(
    err,
    `holdfast: Cannot accept ${folder}: cannot be read: it is a directory (try: --config FILE)\n`,
  );
});

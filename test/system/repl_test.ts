/**
 * The shell against a real node: what a person does with it, and what somebody does who speaks to its socket himself.
 */
import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { REPL_SOCKET } from "../../cli/target.ts";
import { GROUP, TestCluster } from "./support/cluster.ts";
import { HOLDFAST, type Ran, runToEnd } from "./support/holdfast.ts";

let cluster: TestCluster;

before(async () => {
  cluster = await TestCluster.inService();
});
after(async () => {
  await cluster?.close();
});

function typed(node: string, ...lines: readonly string[]): Promise<Ran> {
  return runToEnd(HOLDFAST, ["repl", node, "--config", cluster.config], { input: `${lines.join("\n")}\n` });
}

function socketOf(node: string): string {
  return join(cluster.stateDir(node), REPL_SOCKET);
}

test("repl: the socket is its owner's alone", () => {
  assert.equal(statSync(socketOf("alpha")).mode & 0o777, 0o600);
});

test("repl: looks into actors of its node and of the others", async () => {
  const { code, out } = await typed(
    "beta",
    "tree()",
    'const seen = await peek("target")',
    "seen.state",
    '(await actors("gamma")).length > 10',
    "status()",
  );
  assert.equal(code, 0);
  assert.match(out, /group:db/);
  assert.match(out, /'replicating'/);
  assert.match(out, /true/);
  assert.match(out, /in service on alpha/);
});

test("repl: an actor that is ended comes back, and one that is stopped stays so until it is started", async () => {
  const { out } = await typed("gamma", 'restart("health")', 'stop("nbd_listener")', 'start("nbd_listener")');
  assert.match(out, /ended: 'node\/health'/);
  assert.match(out, /started: 'node\/nbd_listener'/);
  const { actors } = await cluster.actors("gamma");
  assert.equal(actors.find(({ path }) => path === "node/health")?.restarts, 1);
});

test("repl: nothing that is typed ends the node", async () => {
  const { code, out } = await typed(
    "gamma",
    'restart("node")',
    'stop("guardian")',
    'send("mirror", { kind: "tick" })',
    'send("events", { kind: "event_happened", name: "noted", fields: { text: "from the shell" } })',
    "throw new Error('mine')",
    "(() => { const a = []; a.length = -1 })()",
    "process.pid + ''",
    "null.x",
    ...Array.from({ length: 8 }, () => 'restart("health")'),
  );
  assert.equal(code, 0);
  assert.match(out, /Cannot end node: the node would end with it/);
  assert.match(out, /Cannot send to .*mirror/);
  assert.match(out, /4 actors were ended by hand within a minute/);
  assert.ok(cluster.process("gamma").running);
  assert.ok((await cluster.events("gamma")).some(({ kind }) => kind === "noted"));
});

test("repl: a trace shows an actor's mail and ends by itself", async () => {
  const { out } = await typed(
    "beta",
    'trace("health", { messages: 3 })',
    "await new Promise((resolve) => setTimeout(resolve, 1500))",
  );
  assert.equal(out.match(/node\/health \{"kind":/g)?.length, 3);
  assert.match(out, /the trace of node\/health has ended/);
});

test("repl: gives every command", async () => {
  const paused = await typed(
    "gamma",
    `pause("${GROUP}", "gamma")`,
    `resume("${GROUP}", "gamma")`,
    `pause("x")`,
  );
  assert.match(paused.out, /leg: 'gamma'/);
  assert.match(paused.out, /Cannot pause the mirror: there is no group "x"/);
  await cluster.healthy();
  const moved = await typed("gamma", `switchover("${GROUP}", "beta")`);
  assert.match(moved.out, /source: 'beta'/);
});

/** Sends a line to the socket as it is, and answers what came back until the other side closed, or `null`: it did not. */
async function spoken(line: string): Promise<string | null> {
  const socket = connect(socketOf("alpha"));
  let heard = "";
  socket.on("data", (chunk: Uint8Array) => void (heard += new TextDecoder().decode(chunk)));
  const closed = new Promise<boolean>((resolve) => socket.once("close", () => resolve(true)));
  socket.on("error", () => socket.destroy());
  socket.write(`${line}\n`);
  const ended = await Promise.race([closed, delay(1_500, false)]);
  socket.destroy();
  return ended ? heard : null;
}

const call = (message: Record<string, unknown>) => JSON.stringify({ id: "1", argumentList: [], ...message });
const HOSTILE: readonly [string, string][] = [
  ["no JSON", "hello"],
  ["a walk to a constructor", call({ type: "APPLY", path: ["hello", "constructor"] })],
  ["the constructor itself", call({ type: "APPLY", path: ["constructor"] })],
  ["a name of the language", call({ type: "APPLY", path: ["__proto__"] })],
  ["a read", call({ type: "GET", path: ["hello"] })],
  ["a write", call({ type: "SET", path: ["hello"], value: { type: "RAW", value: 1 } })],
  ["a construction", call({ type: "CONSTRUCT", path: ["hello"] })],
  ["the whole object", call({ type: "APPLY", path: [] })],
  ["a release", call({ type: "RELEASE", path: [] })],
  [
    "a proxy as an argument",
    call({ type: "APPLY", path: ["hello"], argumentList: [{ type: "HANDLER", name: "proxy" }] }),
  ],
  ["a message without end", "x".repeat(5 * 1024 * 1024)],
];

for (const [what, line] of HOSTILE) {
  test(`repl: ${what} ends the session and nothing else`, async () => {
    assert.equal(await spoken(line), "");
    assert.ok(cluster.process("alpha").running);
    assert.ok(existsSync(socketOf("alpha")));
  });
}

test("repl: says what is wrong when there is nobody to attach to", async () => {
  const { code, err } = await typed("delta", "1");
  assert.equal(code, 2);
  assert.match(err, /Cannot find the node delta/);
  await cluster.stop("gamma");
  const gone = await typed("gamma", "1");
  assert.equal(gone.code, 4);
  assert.match(gone.err, /holdfast: Cannot attach to .*\(try: .+\)/);
});

/** A session of the shell: what it leaves behind, and how many actors it may end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ENDED_MAX,
  ENDED_PERIOD_MS,
  Ration,
  type ReplEnvironment,
  replSession,
} from "../../../actors/admin/repl_session.ts";
import type { ActorLine } from "../../../protocol/admin_messages.ts";

function line(path: string): ActorLine {
  const depth = { system: 0, control: 0, data: 0 };
  return {
    path,
    kind: "actor",
    state: "running",
    depth,
    messages: 0,
    restarts: 0,
    lastError: null,
    since: "",
  };
}

function situation() {
  const world = { nowMs: 0, armed: 0, killed: [] as string[] };
  const environment: ReplEnvironment = {
    node: "alpha",
    version: "0",
    cluster: "test",
    nodes: ["alpha"],
    groups: ["db"],
    now: () => world.nowMs,
    mint: () => String(world.armed),
    arm: () => {
      world.armed += 1;
      return () => void (world.armed -= 1);
    },
    actors: () => ({ node: "alpha", actors: ["node", "node/a", "node/b/x", "node/c/x"].map(line) }),
    ask: () => Promise.resolve({ ok: true, value: 1 }),
    command: () => Promise.resolve({ ok: true, result: {} }),
    kill: (path) => world.killed.push(path) > 0,
    order: () => Promise.resolve(null),
    send: () => Promise.resolve(null),
  };
  const session = replSession(environment, new Ration(environment.now));
  const call = (name: string, ...args: unknown[]) =>
    (session.calls[name] as ((...args: unknown[]) => unknown) | undefined)?.(...args);
  return { world, session, call };
}

test("session: its traces are disarmed when it ends, whatever their caps", () => {
  const { world, session, call } = situation();
  call("traceStart", "node/a", 1_000, 600_000);
  call("traceStart", "b/x", 1_000, 600_000);
  assert.equal(world.armed, 2);
  session.end();
  assert.equal(world.armed, 0);
});

test("session: the end of a path is enough, unless several end so", () => {
  const { world, call } = situation();
  call("restart", "a");
  assert.deepEqual(world.killed, ["node/a"]);
  assert.throws(() => call("restart", "x"), /several end so/);
  assert.throws(() => call("restart", { toString: () => "node/a" }), /no actor is there/);
});

test("session: actors are ended by hand so often and no more within a minute", () => {
  const { world, call } = situation();
  for (let count = 0; count < ENDED_MAX; count += 1) call("restart", "a");
  assert.throws(() => call("restart", "a"), /ended by hand within a minute/);
  world.nowMs = ENDED_PERIOD_MS;
  call("restart", "a");
  assert.equal(world.killed.length, ENDED_MAX + 1);
});

test("session: the node itself is not ended", () => {
  const { world, call } = situation();
  assert.throws(() => call("restart", "node"), /the node would end with it/);
  assert.deepEqual(world.killed, []);
});

/** Seeing actors from outside: reports, states, traces that disarm themselves, names, metrics, the loop's delay. */
import assert from "node:assert/strict";
import test from "node:test";
import {
  createMetrics,
  registerActorMetrics,
  supervisor,
  type TraceEntry,
  watchLoopDelay,
} from "../../runtime/mod.ts";
import { SimulatedClock } from "../../runtime/mod.ts";
import { kept, stage } from "./stage.ts";

test("inspect: the tree, parents first, with depth by lane, counts, restarts and the last error", () => {
  const { world, system, player, at } = stage();
  const a = player("a", { mailbox: { lane: (message) => message === "data" ? "data" : "control" } });
  const options = { name: "s", strategy: "one_for_one", intensity: { restarts: 9, periodMs: 9 } } as const;
  system.start(kept(supervisor({ ...options, children: [kept(a), kept(player("b"))] })));
  at("s/a").tell("x");
  at("s/a").tell("boom");
  world.settle();
  world.advance(500);
  for (const message of ["1", "2", "data"]) at("s/a").tell(message);
  const reports = system.inspect();
  assert.deepEqual(reports.map(({ path, kind, state }) => `${path} ${kind} ${state}`), [
    "s supervisor running",
    "s/a actor running",
    "s/b actor running",
  ]);
  const { depth, messages, restarts, incarnation, lastError, since } = system.inspect("s/a")[0] ??
    assert.fail();
  assert.deepEqual(depth, { system: 0, control: 2, data: 1 });
  assert.deepEqual([messages, restarts, incarnation, lastError], [2, 1, 2, "crashed: Error: boom"]);
  assert.equal(since, world.clock.wall() - 500);
  assert.deepEqual(system.inspect("nobody"), []);
});

test("inspect: waiting between incarnations and stopping are seen as such", () => {
  const { world, system, player } = stage();
  const backoff = { firstMs: 10, maxMs: 10 };
  system.start({ ...kept(player("a")), backoff }).tell("boom");
  system.start(kept(player("b", { stopping: () => new Promise(() => {}) }))).tell("stop");
  world.settle();
  assert.deepEqual(system.inspect().map((report) => report.state), ["waiting", "stopping"]);
});

test("peek: the actor's own account; a throw is shown, nobody is undefined", () => {
  const { system, player } = stage();
  system.start(kept(player("a")));
  const bad = { receive: () => {}, inspect: () => assert.fail("no") };
  system.start(kept({ name: "bad", start: () => bad }));
  assert.deepEqual(system.peek("a"), { name: "a" });
  assert.match(JSON.stringify(system.peek("bad")), /unreadable.*no/);
  assert.equal(system.peek("nobody"), undefined);
});

test("trace: shows messages before they are received, across a crash, until its count", () => {
  const { world, system, player } = stage();
  const ref = system.start(kept(player("a")));
  const seen: TraceEntry[] = [];
  system.trace("a", { messages: 3, ms: 1_000 }, (entry) => void seen.push(entry));
  for (const message of ["1", "boom", "2", "3"]) ref.tell(message);
  world.settle();
  assert.deepEqual(seen.map(({ incarnation, message }) => `${incarnation} ${message}`), [
    '1 "1"',
    '1 "boom"',
    '2 "2"',
  ]);
  assert.equal(world.clock.nextDeadlineMs, undefined, "its timer is gone with it");
});

test("trace: ends after its time, by hand, and when its sink throws, which hurts nobody", () => {
  const { world, system, player, heard } = stage();
  const ref = system.start(kept(player("a")));
  let seen = 0;
  system.trace("a", { messages: 100, ms: 50 }, () => seen += 1);
  const disarm = system.trace("a", { messages: 100, ms: 500 }, () => seen += 10);
  system.trace("a", { messages: 100, ms: 500 }, () => assert.fail("bad sink"));
  ref.tell("1");
  world.advance(50);
  ref.tell("2");
  world.settle();
  disarm();
  disarm();
  ref.tell("3");
  world.settle();
  assert.equal(seen, 21);
  assert.deepEqual(heard(), ["a starts", "a gets 1", "a gets 2", "a gets 3"]);
  assert.equal(world.log.entries.filter(({ event }) => event === "trace_sink_failed").length, 1);
});

test("registry: a name outlives a restart, dies with its actor, and belongs to one", async () => {
  const { world, system, player } = stage();
  const { registry } = system;
  const a = system.start(kept(player("a"), "transient"));
  const b = system.start(kept(player("b")));
  registry.register("name", a);
  registry.register("name", a);
  assert.throws(() => registry.register("name", b), /Cannot register "name"/);
  a.tell("boom");
  world.settle();
  assert.equal(registry.lookup("name"), a);
  a.tell("stop");
  await world.settleAwaiting();
  assert.equal(registry.lookup("name"), undefined);
  registry.register("name", b);
  registry.register("late", a);
  assert.deepEqual(registry.names(), ["name"], "the dead get no names");
});

test("metrics: the text has what was counted, and asking twice for a name is the same metric", async () => {
  const metrics = createMetrics({ prefix: "x_" });
  metrics.counter("writes_total", "Writes.", ["leg"]).add(2, { leg: "beta" });
  metrics.counter("writes_total", "Writes.", ["leg"]).add(1, { leg: "beta" });
  metrics.gauge("depth", "Depth.").set(7);
  metrics.histogram("seconds", "Time.", [], { buckets: [0.1, 1] }).observe(0.5);
  const text = await metrics.text();
  for (
    const line of [
      'x_writes_total{leg="beta"} 3',
      "x_depth 7",
      'x_seconds_bucket{le="1"} 1',
      "# HELP x_depth Depth.",
    ]
  ) {
    assert.ok(text.includes(line), `${line} is in ${text}`);
  }
});

test("metrics: actors and the loop's delay are there from the start", async () => {
  const { world, system, player } = stage();
  const ref = system.start(kept(player("a")));
  const stop = registerActorMetrics(system);
  ref.tell("1");
  world.settle();
  ref.tell("2");
  world.scheduler.choose(1);
  const text = await system.metrics.text();
  assert.match(text, /actor_messages_total\{actor="a"\} 1/);
  assert.match(text, /actor_mailbox_depth\{actor="a",lane="control"\} 1/);
  assert.match(text, /actor_restarts_total\{actor="a"\} 0/);
  assert.match(text, /event_loop_delay_seconds_count 0/);
  stop();
});

test("loop delay: is how much later than due the timer fired", () => {
  const clock = new SimulatedClock();
  const delays: number[] = [];
  const stop = watchLoopDelay(clock, { periodMs: 100, onDelay: (delayMs) => delays.push(delayMs) });
  clock.fireNext(Infinity);
  clock.moveTo(450);
  clock.fireNext(Infinity);
  stop();
  assert.equal(clock.fireNext(Infinity), false);
  assert.deepEqual(delays, [0, 250]);
});

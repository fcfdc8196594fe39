/**
 * Supervision, as transcripts beside what OTP documents (`sup_princ`: "Supervision Principles", and `supervisor(3)`).
 *
 * Each row of the first table is one situation: three players are started, one of them ends in some way, and the transcript is what
 * OTP's text says must happen, in its order. Where this runtime differs on purpose, the test's name says so.
 */
import assert from "node:assert/strict";
import test from "node:test";
import {
  type ChildOutcome,
  type ChildReport,
  dynamicSupervisor,
  type Ref,
  type ReplyTo,
  type Restart,
  type Strategy,
  supervisor,
  type SupervisorMessage,
} from "../../runtime/mod.ts";
import { kept, type Stage, stage } from "./stage.ts";

const GENEROUS = { restarts: 10, periodMs: 1_000 };

function three(scene: Stage, strategy: Strategy, restart: Restart = "permanent"): Ref<SupervisorMessage> {
  const children = ["a", "b", "c"].map((name) => kept(scene.player(name), restart));
  const ref = scene.system.start(kept(supervisor({ name: "s", strategy, intensity: GENEROUS, children })));
  assert.deepEqual(
    scene.heard(),
    ["a starts", "b starts", "c starts"],
    "children start in the order of the list",
  );
  return ref;
}

const AFTER_B_CRASHES: { strategy: Strategy; restart: Restart; text: string; expected: string[] }[] = [
  {
    strategy: "one_for_one",
    restart: "permanent",
    text: "if a child process terminates, only that process is restarted",
    expected: ["b starts"],
  },
  {
    strategy: "rest_for_one",
    restart: "permanent",
    text:
      "the rest of the child processes (those after it in start order) are terminated, then all are restarted",
    expected: ["c stops: shutdown", "b starts", "c starts"],
  },
  {
    strategy: "one_for_all",
    restart: "permanent",
    text:
      "all other child processes are terminated, and then all, including the terminated one, are restarted",
    expected: ["c stops: shutdown", "a stops: shutdown", "a starts", "b starts", "c starts"],
  },
  {
    strategy: "one_for_all",
    restart: "transient",
    text: "a transient child is restarted only if it terminates abnormally",
    expected: ["c stops: shutdown", "a stops: shutdown", "a starts", "b starts", "c starts"],
  },
  {
    strategy: "one_for_all",
    restart: "temporary",
    text: "a temporary child is never restarted",
    expected: [],
  },
];

for (const { strategy, restart, text, expected } of AFTER_B_CRASHES) {
  test(`supervisor: ${strategy}, ${restart}, one crashes: ${text}`, () => {
    const scene = stage();
    three(scene, strategy, restart);
    scene.at("s/b").tell("boom");
    scene.world.settle();
    assert.deepEqual(scene.heard(), expected);
  });
}

const ENDS: { restart: Restart; how: string; restarted: boolean }[] = [
  { restart: "permanent", how: "stop", restarted: true },
  { restart: "permanent", how: "boom", restarted: true },
  { restart: "permanent", how: "kill", restarted: true },
  { restart: "transient", how: "stop", restarted: false },
  { restart: "transient", how: "boom", restarted: true },
  { restart: "transient", how: "kill", restarted: true },
  { restart: "temporary", how: "stop", restarted: false },
  { restart: "temporary", how: "boom", restarted: false },
  { restart: "temporary", how: "kill", restarted: false },
];

for (const { restart, how, restarted } of ENDS) {
  test(`supervisor: a ${restart} child that ends by ${how} is ${restarted ? "" : "not "}restarted`, () => {
    const scene = stage();
    three(scene, "one_for_one", restart);
    if (how === "kill") scene.system.kill("s/b");
    else scene.at("s/b").tell(how);
    scene.world.settle();
    assert.equal(scene.heard().includes("b starts"), restarted);
  });
}

test("supervisor: an ordered shutdown stops children in reverse order of start, before their parents", async () => {
  const scene = stage();
  const { system, world, player } = scene;
  const inner = supervisor({
    name: "inner",
    strategy: "one_for_one",
    intensity: GENEROUS,
    children: [kept(player("b1")), kept(player("b2"))],
  });
  const children = [kept(player("a")), kept(inner), kept(player("c"))];
  system.start(kept(supervisor({ name: "s", strategy: "one_for_one", intensity: GENEROUS, children })));
  scene.heard();
  await Promise.all([system.shutdown(), world.settleAwaiting()]);
  const names = scene.heard().map((line) => line.split(" ")[0]);
  assert.deepEqual(names, ["c", "b2", "b1", "a"]);
});

test("supervisor: stopping waits for each child before the next, and no longer than its shutdownMs", async () => {
  const scene = stage();
  const { system, world, player } = scene;
  let release: () => void = () => {};
  const slow = player("slow", { stopping: () => new Promise<void>((resolve) => release = resolve) });
  const hanging = player("hanging", { stopping: () => new Promise<void>(() => {}) });
  const children = [kept(player("first")), kept(slow), { ...kept(hanging), shutdownMs: 300 }];
  system.start(kept(supervisor({ name: "s", strategy: "one_for_one", intensity: GENEROUS, children })));
  scene.heard();
  const done = system.shutdown();
  await world.advanceAwaiting(299);
  assert.deepEqual(scene.heard(), ["hanging stops: shutdown"]);
  await world.advanceAwaiting(1);
  assert.deepEqual(scene.heard(), ["slow stops: shutdown"]);
  release();
  await world.settleAwaiting();
  assert.deepEqual(scene.heard(), ["first stops: shutdown"]);
  await done;
  assert.equal(world.log.entries.filter((entry) => entry.event === "actor_stop_timed_out").length, 1);
});

test("supervisor: more restarts than the intensity within its period: children stop in reverse, it crashes upwards", () => {
  const scene = stage();
  const { system, world, player } = scene;
  const inner = supervisor({
    name: "inner",
    strategy: "one_for_one",
    intensity: { restarts: 2, periodMs: 1_000 },
    children: [kept(player("a")), kept(player("b")), kept(player("c"))],
  });
  system.start(
    kept(supervisor({ name: "s", strategy: "one_for_one", intensity: GENEROUS, children: [kept(inner)] })),
  );
  scene.heard();
  for (const _ of [1, 2]) {
    scene.at("s/inner/b").tell("boom");
    world.settle();
  }
  assert.deepEqual(scene.heard(), ["b starts", "b starts"]);
  scene.at("s/inner/b").tell("boom");
  world.settle();
  assert.deepEqual(scene.heard(), [
    "c stops: shutdown",
    "a stops: shutdown",
    "a starts",
    "b starts",
    "c starts",
  ]);
  assert.equal(system.inspect("s/inner")[0]?.lastError, "restart intensity exceeded by b");
  assert.equal(world.log.entries.at(-1)?.fields.reason, "intensity_exceeded");
});

test("supervisor: as many restarts as the intensity, or more over a longer time, are no reason to give up", () => {
  const scene = stage();
  const children = [kept(scene.player("a"))];
  const intensity = { restarts: 2, periodMs: 1_000 };
  scene.system.start(kept(supervisor({ name: "s", strategy: "one_for_one", intensity, children })));
  for (let count = 0; count < 10; count++) {
    scene.at("s/a").tell("boom");
    scene.world.advance(501);
  }
  assert.equal(scene.system.inspect("s")[0]?.restarts, 0);
  assert.equal(scene.system.inspect("s/a")[0]?.restarts, 10);
});

test("supervisor: a child's own intensity counts besides its supervisor's", () => {
  const scene = stage();
  const children = [
    { ...kept(scene.player("a")), intensity: { restarts: 1, periodMs: 1_000 } },
    kept(scene.player("b")),
  ];
  const options = { name: "s", strategy: "one_for_one", intensity: GENEROUS, children } as const;
  scene.system.start(kept(supervisor(options)));
  for (const name of ["b", "b", "a"]) {
    scene.at(`s/${name}`).tell("boom");
    scene.world.settle();
  }
  assert.equal(scene.system.inspect("s")[0]?.restarts, 0);
  scene.at("s/a").tell("boom");
  scene.world.settle();
  assert.equal(scene.system.inspect("s")[0]?.lastError, "restart intensity exceeded by a");
});

test("supervisor: a start that throws counts as a crash, is tried again in its place, and holds up those after it", () => {
  const scene = stage();
  const children = [
    kept(scene.player("a")),
    kept(scene.player("b", { failingStarts: 2 })),
    kept(scene.player("c")),
  ];
  const options = { name: "s", strategy: "one_for_one", intensity: GENEROUS, children } as const;
  scene.system.start(kept(supervisor(options)));
  scene.world.settle();
  assert.deepEqual(scene.heard(), [
    "a starts",
    "b fails to start",
    "b fails to start",
    "b starts",
    "c starts",
  ]);
  assert.equal(scene.system.inspect("s/b")[0]?.restarts, 2);
});

test("supervisor: starts that go on failing exceed the intensity", () => {
  const scene = stage();
  const children = [
    kept(scene.player("a")),
    kept(scene.player("b", { failingStarts: 100 })),
    kept(scene.player("c")),
  ];
  const intensity = { restarts: 2, periodMs: 1_000 };
  scene.system.start(
    kept(supervisor({ name: "s", strategy: "rest_for_one", intensity, children }), "temporary"),
  );
  scene.world.settle();
  const fails = Array(3).fill("b fails to start");
  assert.deepEqual(scene.heard(), ["a starts", ...fails, "a stops: shutdown"]);
  assert.deepEqual(scene.system.inspect(), [], "a temporary root supervisor that gave up is gone");
});

test("supervisor: backoff doubles up to its bound and starts anew after a long enough life", () => {
  const scene = stage();
  const children = [
    { ...kept(scene.player("a")), backoff: { firstMs: 10, maxMs: 40 } },
    kept(scene.player("b")),
  ];
  const options = { name: "s", strategy: "one_for_one", intensity: GENEROUS, children } as const;
  scene.system.start(kept(supervisor(options)));
  const waits: number[] = [];
  const crash = () => {
    scene.at("s/a").tell("boom");
    scene.world.settle();
    const fromMs = scene.world.clock.now();
    scene.heard();
    while (!scene.heard().includes("a starts")) scene.world.advance(1);
    waits.push(scene.world.clock.now() - fromMs);
  };
  for (let count = 0; count < 4; count++) crash();
  scene.world.advance(40);
  crash();
  assert.deepEqual(waits, [10, 20, 40, 40, 10]);
});

test("supervisor: while one child waits for its backoff its siblings run and restart", () => {
  const scene = stage();
  const children = [
    { ...kept(scene.player("a")), backoff: { firstMs: 50, maxMs: 50 } },
    kept(scene.player("b")),
  ];
  const options = { name: "s", strategy: "one_for_one", intensity: GENEROUS, children } as const;
  scene.system.start(kept(supervisor(options)));
  scene.heard();
  scene.at("s/a").tell("boom");
  scene.at("s/b").tell("boom");
  scene.world.advance(49);
  assert.deepEqual(scene.heard(), ["b starts"]);
  scene.world.advance(1);
  assert.deepEqual(scene.heard(), ["a starts"]);
});

test("supervisor: rest_for_one with backoff holds the rest back too, and an earlier crash takes the wait over", () => {
  const scene = stage();
  const children = [
    kept(scene.player("a")),
    { ...kept(scene.player("b")), backoff: { firstMs: 50, maxMs: 50 } },
    kept(scene.player("c")),
  ];
  const options = { name: "s", strategy: "rest_for_one", intensity: GENEROUS, children } as const;
  scene.system.start(kept(supervisor(options)));
  scene.heard();
  scene.at("s/b").tell("boom");
  scene.world.advance(49);
  assert.deepEqual(scene.heard(), ["c stops: shutdown"]);
  scene.at("s/a").tell("boom");
  scene.world.settle();
  assert.deepEqual(scene.heard(), ["a starts", "b starts", "c starts"]);
  assert.equal(scene.world.clock.nextDeadlineMs, undefined, "no wait is left");
  scene.world.advance(100);
  assert.deepEqual(scene.heard(), [], "the wait of b is over with the restart that took it along");
});

test("supervisor: siblings that are taken along keep the mail that they had not yet received", () => {
  const scene = stage();
  const { system, world, player } = scene;
  const c = player("c", { stopping: () => void scene.at("s/c").tell("kept") });
  const children = [kept(player("a")), kept(c)];
  system.start(kept(supervisor({ name: "s", strategy: "one_for_all", intensity: GENEROUS, children })));
  scene.heard();
  scene.at("s/a").tell("boom");
  world.settle();
  assert.deepEqual(scene.heard(), ["c stops: shutdown", "a starts", "c starts", "c gets kept"]);
});

test("supervisor: a sibling that crashes while others are being stopped is not counted twice", async () => {
  const scene = stage();
  const { system, world, player } = scene;
  let release: () => void = () => {};
  const slow = player("slow", { stopping: () => new Promise<void>((resolve) => release = resolve) });
  const intensity = { restarts: 1, periodMs: 1_000 };
  const children = [kept(player("a")), kept(player("b")), kept(slow)];
  system.start(kept(supervisor({ name: "s", strategy: "one_for_all", intensity, children })));
  scene.heard();
  scene.at("s/a").tell("boom");
  world.settle();
  scene.at("s/b").tell("boom");
  await world.settleAwaiting();
  assert.deepEqual(scene.heard(), ["slow stops: shutdown"]);
  release();
  await world.settleAwaiting();
  assert.deepEqual(scene.heard(), ["a starts", "b starts", "slow starts"]);
  assert.equal(system.inspect("s")[0]?.restarts, 0);
});

async function command(
  scene: Stage,
  ref: Ref<SupervisorMessage>,
  make: (reply: ReplyTo<ChildOutcome>) => SupervisorMessage,
): Promise<string> {
  const answer = scene.system.ask<SupervisorMessage, ChildOutcome>(ref, make, 1_000);
  await scene.world.settleAwaiting();
  const outcome = await answer;
  assert.ok(outcome.ok);
  return outcome.value.ok ? "done" : outcome.value.error;
}

test("supervisor: children are terminated, restarted and deleted by command", async () => {
  const scene = stage();
  const ref = three(scene, "one_for_all");
  const name = "b";
  assert.equal(await command(scene, ref, (reply) => ({ kind: "restart_child", name, reply })), "running");
  assert.equal(await command(scene, ref, (reply) => ({ kind: "delete_child", name, reply })), "running");
  assert.equal(await command(scene, ref, (reply) => ({ kind: "terminate_child", name, reply })), "done");
  assert.deepEqual(scene.heard(), ["b stops: shutdown"]);
  assert.equal(scene.at("s/b").tell("x"), false);
  const report = scene.system.ask<SupervisorMessage, readonly ChildReport[]>(
    ref,
    (reply) => ({ kind: "which_children", reply }),
    100,
  );
  await scene.world.settleAwaiting();
  const children = await report;
  assert.deepEqual(children.ok && children.value.map((child) => [child.name, child.running]), [
    ["a", true],
    ["b", false],
    ["c", true],
  ]);
  assert.equal(await command(scene, ref, (reply) => ({ kind: "restart_child", name, reply })), "done");
  assert.deepEqual(scene.heard(), ["b starts"]);
  scene.at("s/b").tell("back");
  await scene.world.settleAwaiting();
  assert.deepEqual(scene.heard(), ["b gets back"]);
  await command(scene, ref, (reply) => ({ kind: "terminate_child", name, reply }));
  assert.equal(await command(scene, ref, (reply) => ({ kind: "delete_child", name, reply })), "done");
  assert.equal(await command(scene, ref, (reply) => ({ kind: "restart_child", name, reply })), "not_found");
  scene.heard();
  const child = kept(scene.player("d"));
  assert.equal(await command(scene, ref, (reply) => ({ kind: "start_child", child, reply })), "done");
  assert.equal(
    await command(scene, ref, (reply) => ({ kind: "start_child", child, reply })),
    "already_present",
  );
  assert.deepEqual(scene.heard(), ["d starts"]);
});

test("supervisor: unlike OTP's, a sibling's crash does not start again what was stopped by command", async () => {
  const scene = stage();
  const ref = three(scene, "one_for_all");
  await command(scene, ref, (reply) => ({ kind: "terminate_child", name: "c", reply }));
  scene.heard();
  scene.at("s/a").tell("boom");
  scene.world.settle();
  assert.deepEqual(scene.heard(), ["b stops: shutdown", "a starts", "b starts"]);
});

test("supervisor: a command that comes while siblings are being stopped waits until they run again", async () => {
  const scene = stage();
  const { system, world, player } = scene;
  let release: () => void = () => {};
  const slow = player("slow", { stopping: () => new Promise<void>((resolve) => release = resolve) });
  const options = { name: "s", strategy: "one_for_all", intensity: GENEROUS } as const;
  const ref = system.start(kept(supervisor({ ...options, children: [kept(player("a")), kept(slow)] })));
  scene.at("s/a").tell("boom");
  world.settle();
  scene.heard();
  ref.tell({ kind: "start_child", child: kept(player("new")) });
  await world.settleAwaiting();
  assert.deepEqual(scene.heard(), []);
  release();
  await world.settleAwaiting();
  assert.deepEqual(scene.heard(), ["a starts", "slow starts", "new starts"]);
});

test("dynamic supervisor: starts children on request up to its bound, and forgets those that ended for good", async () => {
  const scene = stage();
  const spec = dynamicSupervisor({ name: "d", intensity: GENEROUS, childrenMax: 2 });
  const ref = scene.system.start(kept(spec));
  const start = (name: string, restart: Restart = "transient") =>
    command(
      scene,
      ref,
      (reply) => ({ kind: "start_child", child: kept(scene.player(name), restart), reply }),
    );
  assert.deepEqual([await start("a"), await start("b"), await start("c")], [
    "done",
    "done",
    "too_many_children",
  ]);
  scene.at("d/a").tell("stop");
  scene.at("d/b").tell("boom");
  scene.world.settle();
  assert.deepEqual([await start("a")], ["done"]);
  assert.equal(await command(scene, ref, (reply) => ({ kind: "terminate_child", name: "b", reply })), "done");
  assert.equal(await start("b"), "done");
  const failing = kept(scene.player("c", { failingStarts: 1 }), "temporary");
  await command(scene, ref, (reply) => ({ kind: "terminate_child", name: "a", reply }));
  assert.equal(
    await command(scene, ref, (reply) => ({ kind: "start_child", child: failing, reply })),
    "start_failed",
  );
});

test("spawn: a child that keeps crashing takes its parent along, by default after three restarts in five seconds", () => {
  const scene = stage();
  const child = scene.player("child");
  const parent = scene.player("parent", { started: (context) => void context.spawn(kept(child)) });
  scene.system.start(kept(parent));
  for (let count = 0; count < 4; count++) {
    scene.at("parent/child").tell("boom");
    scene.world.settle();
  }
  assert.equal(scene.system.inspect("parent")[0]?.lastError, "restart intensity exceeded by child");
});

test("root: a root actor that exceeds its intensity is given up and logged, the others go on", () => {
  const scene = stage();
  const ref = scene.system.start(kept(scene.player("a")));
  const other = scene.system.start(kept(scene.player("b")));
  for (let count = 0; count < 4; count++) {
    ref.tell("boom");
    scene.world.settle();
  }
  assert.equal(ref.tell("x"), false);
  assert.equal(other.tell("x"), true);
  assert.deepEqual(scene.system.inspect().map((report) => report.path), ["b"]);
  assert.equal(scene.world.log.entries.at(-1)?.event, "actor_given_up");
});

test("root: two actors of one name, and names that are no path segment, are refused", () => {
  const { system, player } = stage();
  system.start(kept(player("a")));
  assert.throws(() => system.start(kept(player("a"))), /Cannot start actor "a"/);
  assert.throws(() => system.start(kept(player("a/b"))), /one path segment/);
  assert.throws(() => system.start(kept(player(""))), /one path segment/);
});

test("supervisor: its shutdown ends the waits for backoffs", () => {
  const scene = stage();
  const children = [{ ...kept(scene.player("a")), backoff: { firstMs: 50, maxMs: 50 } }];
  const options = { name: "s", strategy: "one_for_one", intensity: GENEROUS, children } as const;
  scene.system.start(kept(supervisor(options)));
  scene.at("s/a").tell("boom");
  scene.world.settle();
  void scene.system.shutdown();
  scene.world.settle();
  assert.equal(scene.world.clock.nextDeadlineMs, undefined);
});

test("supervisor: a temporary child that is taken along by a sibling's crash is forgotten", () => {
  const scene = stage();
  const children = [kept(scene.player("a")), kept(scene.player("t"), "temporary")];
  const options = { name: "s", strategy: "one_for_all", intensity: GENEROUS, children } as const;
  scene.system.start(kept(supervisor(options)));
  scene.at("s/a").tell("boom");
  scene.world.settle();
  assert.deepEqual(scene.system.inspect("s").map((report) => report.path), ["s", "s/a"]);
});

test("supervisor: one operation at a time: an earlier child's crash waits while the rest is being stopped", async () => {
  const scene = stage();
  const { system, world, player } = scene;
  const releases: (() => void)[] = [];
  const slow = player("slow", {
    stopping: () => new Promise<void>((resolve) => void releases.push(resolve)),
  });
  const children = [kept(player("first")), kept(player("second")), kept(slow)];
  system.start(kept(supervisor({ name: "s", strategy: "rest_for_one", intensity: GENEROUS, children })));
  scene.heard();
  scene.at("s/second").tell("boom");
  world.settle();
  scene.at("s/first").tell("boom");
  world.settle();
  releases[0]?.();
  await world.settleAwaiting();
  const first = ["slow stops: shutdown", "second starts", "slow starts"];
  assert.deepEqual(scene.heard(), [...first, "slow stops: shutdown"]);
  releases[1]?.();
  await world.settleAwaiting();
  assert.deepEqual(scene.heard(), ["second stops: shutdown", "first starts", "second starts", "slow starts"]);
});

test("supervisor: a child that is stopping by itself when it is terminated stays ended", async () => {
  const scene = stage();
  let release: () => void = () => {};
  const slow = scene.player("slow", { stopping: () => new Promise<void>((resolve) => release = resolve) });
  const options = {
    name: "s",
    strategy: "one_for_one",
    intensity: GENEROUS,
    children: [kept(slow)],
  } as const;
  const ref = scene.system.start(kept(supervisor(options)));
  scene.at("s/slow").tell("stop");
  scene.world.settle();
  ref.tell({ kind: "terminate_child", name: "slow" });
  scene.world.settle();
  release();
  await scene.world.settleAwaiting();
  assert.equal(scene.at("s/slow").tell("x"), false);
  assert.equal(scene.system.inspect("s/slow")[0]?.state, "stopped");
});

test("root: after the shutdown nothing is started, and a stopping actor's children are stillborn", async () => {
  const { world, system, player, heard } = stage();
  let late: Ref<string> | undefined;
  const parent = player("parent", {
    started: (context) => {
      late = undefined;
      stopping = () => void (late = context.spawn(kept(player("late"))));
    },
    stopping: () => stopping(),
  });
  let stopping: () => void = () => {};
  system.start(kept(parent));
  await Promise.all([system.shutdown(), world.settleAwaiting()]);
  assert.deepEqual(heard(), ["parent starts", "parent stops: shutdown"]);
  assert.equal(late?.tell("x"), false);
  assert.throws(() => system.start(kept(player("again"))), /the system is shut down/);
  await system.shutdown();
});

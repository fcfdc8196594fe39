/** What survives a crash and what must not: mail does; timers, watches, questions and callbacks of the dead incarnation do not. */
import assert from "node:assert/strict";
import test from "node:test";
import type { ActorContext, AskOutcome, Down, ReplyTo } from "../../runtime/mod.ts";
import { kept, stage } from "./stage.ts";

test("restart: the message that crashed is not redelivered, the rest of the mail is, in order", () => {
  const { world, system, player, heard } = stage();
  const ref = system.start(kept(player("a")));
  for (const message of ["1", "boom", "2", "3"]) ref.tell(message);
  world.settle();
  assert.deepEqual(heard(), ["a starts", "a gets 1", "a starts", "a gets 2", "a gets 3"]);
});

test("restart: mail told while the restart waits for its backoff is kept", () => {
  const { world, system, player, heard } = stage();
  const ref = system.start({
    spec: player("a"),
    restart: "permanent",
    backoff: { firstMs: 100, maxMs: 1_000 },
  });
  ref.tell("boom");
  world.settle();
  assert.equal(ref.tell("later"), true);
  world.advance(99);
  assert.deepEqual(heard(), ["a starts"]);
  world.advance(1);
  assert.deepEqual(heard(), ["a starts", "a gets later"]);
});

test("restart: every crash is logged once, with its reason and the restarts before it", () => {
  const { world, system, player } = stage();
  const ref = system.start(kept(player("a")));
  ref.tell("boom");
  world.settle();
  ref.tell("boom");
  world.settle();
  system.kill("a");
  world.settle();
  const lines = world.log.entries.filter((entry) => entry.event === "actor_crashed");
  assert.deepEqual(
    lines.map((
      { fields },
    ) => [fields.path, fields.reason, fields.error, fields.restarts, fields.incarnation]),
    [
      ["a", "crashed", "Error: boom", 0, 1],
      ["a", "crashed", "Error: boom", 1, 2],
      ["a", "killed", undefined, 2, 3],
    ],
  );
  assert.match(String(lines[0]?.fields.stack), /stage\.ts/);
});

test("restart: an orderly stop is no crash and is not logged as one", async () => {
  const { world, system, player } = stage();
  system.start(kept(player("a"), "transient")).tell("stop");
  await world.settleAwaiting();
  assert.deepEqual(world.log.entries, []);
  assert.deepEqual(system.inspect(), []);
});

test("restart: timers die with their incarnation", () => {
  const { world, system, player, heard } = stage();
  let starts = 0;
  const ref = system.start(kept(player("a", {
    started: (context) => {
      starts += 1;
      context.after(50, `once of ${starts}`);
      context.every(40, `each of ${starts}`);
    },
  })));
  world.advance(10);
  ref.tell("boom");
  world.advance(100);
  const got = heard().filter((line) => line.startsWith("a gets"));
  assert.deepEqual(got, ["a gets each of 2", "a gets once of 2", "a gets each of 2"]);
});

test("restart: every function of a dead context is a no-op", async () => {
  const { world, system, player, heard } = stage();
  const contexts: ActorContext<string>[] = [];
  const ref = system.start(kept(player("a", { started: (context) => void contexts.push(context) })));
  const target = system.start<ReplyTo<string>>(
    kept({ name: "t", start: () => ({ receive: (to) => to.reply("late") }) }),
  );
  const [old] = contexts;
  assert.ok(old !== undefined);
  let guarded = 0;
  const guard = old.guard(() => guarded += 1);
  let resolve: (text: string) => void = () => {};
  const downs: Down[] = [];
  old.pipe(new Promise<string>((done) => resolve = done), (text) => text, (error) => error.message);
  old.watch(target, (down) => {
    downs.push(down);
    return "down";
  });
  ref.tell("boom");
  world.settle();
  heard();
  assert.equal(old.incarnation, 1);
  resolve("piped");
  guard();
  old.after(1, "after");
  old.every(1, "every");
  old.ask(
    target,
    (reply: ReplyTo<string>) => reply,
    10,
    (outcome: AskOutcome<string>) => JSON.stringify(outcome),
  );
  old.watch("nobody", () => "watched");
  old.link(target);
  old.stopSelf();
  const stillborn = old.spawn(kept(player("child")));
  system.kill("t");
  await world.advanceAwaiting(100);
  assert.deepEqual(heard(), []);
  assert.equal(guarded, 0);
  assert.deepEqual(downs, []);
  assert.equal(stillborn.tell("x"), false);
  assert.equal(system.inspect("a")[0]?.incarnation, 2);
});

test("restart: a question asked before the crash has no outcome after it", () => {
  const { world, system, player, heard } = stage();
  const held: ReplyTo<string>[] = [];
  const target = system.start<ReplyTo<string>>(
    kept({ name: "t", start: () => ({ receive: (to) => void held.push(to) }) }),
  );
  const ref = system.start(kept(player("a", {
    received: (message, context) => {
      if (message === "ask") {
        context.ask(
          target,
          (to: ReplyTo<string>) => to,
          1_000,
          (outcome) => `outcome ${outcome.ok}`,
        );
      }
    },
  })));
  ref.tell("ask");
  world.settle();
  ref.tell("boom");
  world.settle();
  held[0]?.reply("x");
  world.advance(2_000);
  assert.deepEqual(heard(), ["a starts", "a gets ask", "a starts"]);
});

test("guard: a throw in a foreign callback is a crash of the actor that guarded it", () => {
  const { world, system, player, heard } = stage();
  let callback: () => void = () => {};
  let first = true;
  system.start(kept(player("a", {
    started: (context) => {
      if (first) {
        callback = context.guard(() => {
          throw new Error("from a socket");
        });
      }
      first = false;
    },
  })));
  callback();
  world.settle();
  assert.deepEqual(heard(), ["a starts", "a starts"]);
  assert.equal(system.inspect("a")[0]?.lastError, "crashed: Error: from a socket");
});

test("guard: a crash inside a nested callback ends the actor after the message under way, once", () => {
  const { world, system, player, heard } = stage();
  const states: unknown[] = [];
  const ref = system.start(kept(player("a", {
    received: (message, context) => {
      if (message === "nest") {
        context.guard(() => {
          throw new Error("nested");
        })();
        states.push(system.inspect("a")[0]?.state);
      }
    },
  })));
  ref.tell("nest");
  ref.tell("next");
  world.settle();
  assert.deepEqual(heard(), ["a starts", "a gets nest", "a starts", "a gets next"]);
  assert.equal(world.log.entries.length, 1);
  assert.deepEqual(states, ["stopping"], "it does not end while its code is on the stack");
});

test("pipe: both outcomes of foreign work become messages", async () => {
  const { world, system, player, heard } = stage();
  system.start(kept(player("a", {
    started: (context) => {
      context.pipe(Promise.resolve(7), (value) => `value ${value}`, (error) => error.message);
      context.pipe(Promise.reject("no"), () => "never", (error) => `error ${error.message}`);
    },
  })));
  await world.settleAwaiting();
  assert.deepEqual(heard().slice(1).sort(), ["a gets error no", "a gets value 7"]);
});

test("kill: like kill -9: `stopping` is not called, children die too, the supervisor acts", () => {
  const { world, system, player, heard } = stage();
  const child = player("child");
  system.start(kept(player("a", { started: (context) => void context.spawn(kept(child)) })));
  heard();
  assert.equal(system.kill("a"), true);
  world.settle();
  assert.deepEqual(heard(), ["a starts", "child starts"]);
  assert.equal(system.kill("nobody"), false);
});

test("kill: an actor may be killed while its `stopping` hangs; when that returns later, nothing happens", async () => {
  const { world, system, player, heard } = stage();
  const releases: (() => void)[] = [];
  const ref = system.start(
    kept(player("a", { stopping: () => new Promise((resolve) => void releases.push(resolve)) })),
  );
  ref.tell("stop");
  world.settle();
  assert.equal(system.inspect("a")[0]?.state, "stopping");
  assert.equal(system.kill("a"), true);
  await world.settleAwaiting();
  assert.deepEqual(heard(), ["a starts", "a stops: normal", "a starts"]);
  ref.tell("stop");
  world.settle();
  releases[0]?.();
  await world.settleAwaiting();
  assert.equal(system.inspect("a")[0]?.state, "stopping", "the new incarnation's stop is its own");
});

test("stop: one that took its time within its bound is not timed out later", async () => {
  const { world, system, player } = stage();
  const stopping = () => new Promise<void>((resolve) => void world.clock.after(4_999, resolve));
  system.start(kept(player("a", { stopping }))).tell("stop");
  await world.advanceAwaiting(20_000);
  assert.deepEqual(world.log.entries, []);
  assert.equal(system.inspect("a")[0]?.incarnation, 2);
});

test("restart: between the crash and the end of its children a crashed actor runs no callback and gets no timer", async () => {
  const { world, system, player, heard } = stage();
  const hanging = player("child", { stopping: () => new Promise(() => {}) });
  let callback: () => void = () => {};
  let ran = 0;
  const ref = system.start(kept(player("a", {
    started: (context) => {
      context.spawn({ ...kept(hanging), shutdownMs: 1_000 });
      if (context.incarnation > 1) return;
      callback = context.guard(() => ran += 1);
      context.after(500, "late");
    },
  })));
  heard();
  ref.tell("boom");
  await world.advanceAwaiting(600);
  callback();
  await world.advanceAwaiting(600);
  assert.equal(ran, 0);
  assert.deepEqual(heard(), ["child stops: shutdown", "a starts", "child starts"]);
});

test("restart: callbacks of an actor that is gone for good do not run either", () => {
  const { world, system, player } = stage();
  let ran = 0;
  let callback: () => void = () => {};
  system.start(
    kept(player("a", { started: (context) => callback = context.guard(() => ran += 1) }), "temporary"),
  );
  system.kill("a");
  world.settle();
  callback();
  assert.equal(ran, 0);
});

test("timers: a late period fires once and keeps its phase", () => {
  const { world, system, player } = stage();
  const times: number[] = [];
  system.start(kept(player("a", {
    started: (context) => void context.every(10, "each"),
    received: (_message, context) => void times.push(context.now()),
  })));
  world.clock.moveTo(25);
  world.advance(15);
  assert.deepEqual(times, [25, 30, 40]);
});

/** Monitors and links: exactly one down per watch, and pairs that fall together. */
import assert from "node:assert/strict";
import test from "node:test";
import { type ActorContext, describeReason, type Ref, type WatchHandle } from "../../runtime/mod.ts";
import { kept, type Stage, stage } from "./stage.ts";

function watcher(scene: Stage, act: (context: ActorContext<string>) => void): Ref<string> {
  return scene.system.start(kept(scene.player("w", { started: act })));
}

const say = ({ path, reason }: { path: string; reason: Parameters<typeof describeReason>[0] }) =>
  `down ${path}: ${describeReason(reason)}`;

const ENDS: { how: string; reason: string }[] = [
  { how: "boom", reason: "crashed: Error: boom" },
  { how: "stop", reason: "normal" },
  { how: "kill", reason: "killed" },
];
for (const { how, reason } of ENDS) {
  for (const restart of ["permanent", "temporary"] as const) {
    test(`watch: one down when a ${restart} actor ends by ${how}, and none for what comes after`, async () => {
      const scene = stage();
      const ref = scene.system.start(kept(scene.player("a"), restart));
      watcher(scene, (context) => void context.watch(ref, say));
      scene.heard();
      const end = () => how === "kill" ? scene.system.kill("a") : ref.tell(how);
      end();
      await scene.world.settleAwaiting();
      end();
      await scene.world.settleAwaiting();
      assert.deepEqual(scene.heard().filter((line) => line.startsWith("w")), [`w gets down a: ${reason}`]);
    });
  }
}

test("watch: the already dead and those who never lived are down at once, once", async () => {
  const scene = stage();
  const ref = scene.system.start(kept(scene.player("a"), "temporary"));
  ref.tell("stop");
  await scene.world.settleAwaiting();
  scene.heard();
  watcher(scene, (context) => {
    context.watch(ref, say);
    context.watch("nobody/here", say);
  });
  scene.world.settle();
  assert.deepEqual(scene.heard(), [
    "w starts",
    "w gets down a: not_running",
    "w gets down nobody/here: not_running",
  ]);
});

test("watch: two watches are two downs, and a target may be named by its path", () => {
  const scene = stage();
  const ref = scene.system.start(kept(scene.player("a")));
  watcher(scene, (context) => {
    context.watch(ref, say);
    context.watch("a", say);
  });
  scene.heard();
  ref.tell("boom");
  scene.world.settle();
  assert.equal(scene.heard().filter((line) => line.startsWith("w gets down")).length, 2);
});

test("watch: during the wait for a restart it is for the incarnation to come", () => {
  const scene = stage();
  const a = { ...kept(scene.player("a")), backoff: { firstMs: 100, maxMs: 100 } };
  const ref = scene.system.start(a);
  ref.tell("boom");
  scene.world.settle();
  watcher(scene, (context) => void context.watch(ref, say));
  scene.world.advance(100);
  assert.deepEqual(scene.heard(), ["a starts", "w starts", "a starts"]);
  ref.tell("boom");
  scene.world.settle();
  assert.deepEqual(scene.heard(), ["w gets down a: crashed: Error: boom"]);
});

test("watch: when the restart that was waited for never comes there is one down", () => {
  const scene = stage();
  const a = { ...kept(scene.player("a")), backoff: { firstMs: 100, maxMs: 100 } };
  const parent = scene.system.start(
    kept(scene.player("p", { started: (context) => void context.spawn(a) }), "temporary"),
  );
  scene.at("p/a").tell("boom");
  scene.world.settle();
  watcher(scene, (context) => void context.watch("p/a", say));
  parent.tell("stop");
  scene.world.advance(1_000);
  assert.deepEqual(scene.heard().filter((line) => line.startsWith("w gets")), [
    "w gets down p/a: not_running",
  ]);
});

test("unwatch: no down is delivered any more", () => {
  const scene = stage();
  const ref = scene.system.start(kept(scene.player("a")));
  let handle: WatchHandle | undefined;
  watcher(scene, (context) => {
    handle = context.watch(ref, say);
    context.unwatch(handle);
    context.unwatch(handle);
  });
  scene.heard();
  ref.tell("boom");
  scene.world.settle();
  assert.deepEqual(scene.heard(), ["a starts"]);
});

test("watch: a watcher's death forgets its watches on the target", () => {
  const scene = stage();
  const ref = scene.system.start(kept(scene.player("a")));
  let first = true;
  const w = watcher(scene, (context) => {
    if (first) context.watch(ref, say);
    first = false;
  });
  w.tell("boom");
  scene.world.settle();
  ref.tell("boom");
  scene.world.settle();
  assert.equal(scene.heard().some((line) => line.startsWith("w gets")), false);
});

test("watch: a down comes after everything that the dead had told before, in the same lane", () => {
  const scene = stage();
  const w = scene.system.start(kept(scene.player("w", {
    received: (message, context) => void (message === "watch" && context.watch("a", say)),
  })));
  const ref = scene.system.start(
    kept(scene.player("a", { received: (message) => void w.tell(`last words ${message}`) })),
  );
  w.tell("watch");
  scene.world.settle();
  scene.heard();
  ref.tell("1");
  ref.tell("boom");
  scene.world.settle();
  const heard = scene.heard().filter((line) => line.startsWith("w gets"));
  assert.deepEqual(heard, ["w gets last words 1", "w gets down a: crashed: Error: boom"]);
});

const LINKED: { how: string; falls: boolean }[] = [
  { how: "boom", falls: true },
  { how: "kill", falls: true },
  { how: "stop", falls: false },
];
for (const { how, falls } of LINKED) {
  for (const direction of ["linked", "linking"] as const) {
    test(`link: when the ${direction} one ends by ${how} the other ${falls ? "falls too" : "stays"}`, async () => {
      const scene = stage();
      const a = scene.system.start(kept(scene.player("a"), "temporary"));
      const b = scene.system.start(
        kept(scene.player("b", { started: (context) => context.link(a) }), "temporary"),
      );
      const [dying, other] = direction === "linked" ? [a, b] : [b, a];
      if (how === "kill") scene.system.kill(dying.path);
      else dying.tell(how);
      await scene.world.settleAwaiting();
      assert.equal(dying.tell("x"), false);
      assert.equal(other.tell("x"), !falls);
    });
  }
}

test("link: to one that is gone crashes the linking actor", async () => {
  const scene = stage();
  const a = scene.system.start(kept(scene.player("a"), "temporary"));
  a.tell("stop");
  await scene.world.settleAwaiting();
  const b = scene.system.start(
    kept(scene.player("b", { started: (context) => context.link(a) }), "temporary"),
  );
  scene.world.settle();
  assert.equal(b.tell("x"), false);
  assert.match(String(scene.world.log.entries[0]?.fields.error), /linked actor .* not_running/);
});

test("link: is of one incarnation: after both restarted they no longer fall together", () => {
  const scene = stage();
  const a = scene.system.start(kept(scene.player("a")));
  let first = true;
  scene.system.start(kept(scene.player("b", {
    started: (context) => {
      if (first) context.link(a);
      first = false;
    },
  })));
  a.tell("boom");
  scene.world.settle();
  a.tell("boom");
  scene.world.settle();
  assert.equal(scene.system.inspect("a")[0]?.restarts, 2);
  assert.equal(scene.system.inspect("b")[0]?.restarts, 1);
});

test("link: an incarnation that ended normally takes its links with it", () => {
  const scene = stage();
  const a = scene.system.start(kept(scene.player("a")));
  const started = (context: ActorContext<string>) => context.incarnation === 1 && context.link(a);
  const b = scene.system.start(kept(scene.player("b", { started: (context) => void started(context) })));
  b.tell("stop");
  scene.world.settle();
  a.tell("boom");
  scene.world.settle();
  assert.equal(scene.system.inspect("b")[0]?.incarnation, 2);
});

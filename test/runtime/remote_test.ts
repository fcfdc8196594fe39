/** Remote tells and watches over a link: one down per watch, whatever happens to the link or the node. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { describeReason, type RemoteEnvelope, type RemoteLink, RemoteNode } from "../../runtime/mod.ts";
import { kept, type Stage, stage } from "./stage.ts";

/** Two ends of a link on which envelopes wait until they are let through. */
function linkPair(): { here: RemoteLink; there: RemoteLink; pass(): void; open: boolean } {
  const toHere: RemoteEnvelope[] = [];
  const toThere: RemoteEnvelope[] = [];
  const pair = {
    open: true,
    here: end(toThere),
    there: end(toHere),
    pass() {
      while (toHere.length + toThere.length > 0) {
        for (const envelope of toThere.splice(0)) pair.there.onEnvelope?.(structuredClone(envelope));
        for (const envelope of toHere.splice(0)) pair.here.onEnvelope?.(structuredClone(envelope));
      }
    },
  };
  function end(out: RemoteEnvelope[]): RemoteLink {
    return {
      onEnvelope: null,
      send: (envelope) => {
        if (pair.open) out.push(envelope);
        return pair.open;
      },
    };
  }
  return pair;
}

interface Two {
  readonly scene: Stage;
  readonly alpha: RemoteNode;
  readonly beta: RemoteNode;
  readonly violations: string[];
}

/** `alpha` and `beta` are each the other node as seen by one; both live in one system, which does not know that. */
function two(options: { watchesMax?: number } = {}): Two {
  const scene = stage();
  const { system } = scene;
  const violations: string[] = [];
  const onViolation = (detail: string) => void violations.push(detail);
  const exposes = (name: string) => !name.startsWith("private");
  const beta = new RemoteNode({ system, node: "beta", exposes, onViolation });
  const alpha = new RemoteNode({ system, node: "alpha", exposes, onViolation, ...options });
  return { scene, alpha, beta, violations };
}

function connect({ alpha, beta }: Two, incarnation = "1"): ReturnType<typeof linkPair> {
  const pair = linkPair();
  beta.linked(pair.here, incarnation);
  alpha.linked(pair.there, "a");
  return pair;
}

function watching({ scene, beta }: Two, name: string): void {
  scene.system.start(kept(scene.player("w", {
    received: (message, context) => {
      if (message !== "watch") return;
      context.watch(beta.ref(name), ({ path, reason }) => `down ${path}: ${describeReason(reason)}`);
    },
  })));
  scene.at("w").tell("watch");
  scene.world.settle();
  scene.heard();
}

function downs({ scene }: Two): string[] {
  scene.world.settle();
  return scene.heard().filter((line) => line.startsWith("w gets down")).map((line) =>
    line.replace("w gets ", "")
  );
}

test("remote: a tell reaches the actor registered under that name, if it is exposed", () => {
  const both = two();
  const { scene, beta } = both;
  for (const name of ["mirror", "private"]) {
    scene.system.registry.register(name, scene.system.start(kept(scene.player(name))));
  }
  assert.equal(beta.ref<string>("mirror").tell("lost"), false, "no link yet");
  const pair = connect(both);
  assert.equal(beta.ref<string>("mirror").tell("hello"), true);
  beta.ref<string>("private").tell("hidden");
  beta.ref<string>("nobody").tell("nothing");
  pair.pass();
  scene.world.settle();
  assert.deepEqual(scene.heard(), ["mirror starts", "private starts", "mirror gets hello"]);
});

test("remote watch: one down with the reason, without its stack", () => {
  const both = two();
  const { scene } = both;
  const ref = scene.system.start(kept(scene.player("m")));
  scene.system.registry.register("m", ref);
  const pair = connect(both);
  const sent: RemoteEnvelope[] = [];
  const { send } = pair.there;
  pair.there.send = (envelope) => (sent.push(envelope), send(envelope));
  watching(both, "m");
  pair.pass();
  ref.tell("boom");
  scene.world.settle();
  pair.pass();
  ref.tell("boom");
  scene.world.settle();
  pair.pass();
  assert.deepEqual(downs(both), ["down beta!m: crashed: Error: boom"]);
  assert.deepEqual(sent, [{ kind: "down", watch: 1, reason: { kind: "crashed", error: "Error: boom" } }]);
});

test("remote watch: of a name that nobody has is down at once", () => {
  const both = two();
  const pair = connect(both);
  watching(both, "nobody");
  pair.pass();
  assert.deepEqual(downs(both), ["down beta!nobody: not_running"]);
});

test("remote watch: without a link it is down at once; a lost link is a down; a late down after it changes nothing", () => {
  const both = two();
  const { scene, alpha, beta } = both;
  const ref = scene.system.start(kept(scene.player("m")));
  scene.system.registry.register("m", ref);
  watching(both, "m");
  assert.deepEqual(downs(both).length, 0, "it was delivered before");
  const pair = connect(both);
  watching2(scene);
  pair.pass();
  beta.unlinked(pair.here);
  beta.unlinked(pair.here);
  assert.deepEqual(downs(both), ["down beta!m: node beta is down"]);
  ref.tell("boom");
  scene.world.settle();
  pair.pass();
  assert.deepEqual(downs(both), []);
  alpha.unlinked(pair.there);
  function watching2(on: Stage): void {
    on.at("w").tell("watch");
    on.world.settle();
    on.heard();
  }
});

test("remote watch: a new incarnation of the node is a down for every watch of the old one", () => {
  const both = two();
  const { scene } = both;
  scene.system.registry.register("m", scene.system.start(kept(scene.player("m"))));
  const pair = connect(both, "1");
  watching(both, "m");
  pair.pass();
  const next = connect(both, "2");
  assert.deepEqual(downs(both), ["down beta!m: node beta is down"]);
  assert.equal(both.beta.incarnation, "2");
  pair.pass();
  next.pass();
  scene.at("m").tell("boom");
  assert.deepEqual(downs(both), []);
});

test("remote watch: unwatch and the watcher's death take it off at the other end", () => {
  const both = two();
  const { scene } = both;
  const ref = scene.system.start(kept(scene.player("m")));
  scene.system.registry.register("m", ref);
  const pair = connect(both);
  watching(both, "m");
  pair.pass();
  scene.at("w").tell("boom");
  scene.world.settle();
  pair.pass();
  const sent: RemoteEnvelope[] = [];
  pair.there.send = (envelope) => sent.push(envelope) > 0;
  ref.tell("boom");
  scene.world.settle();
  assert.deepEqual(sent, []);
});

test("remote watch: a node that sets too many, or one number twice, breaks the rules", () => {
  const both = two({ watchesMax: 1 });
  const { scene, violations } = both;
  scene.system.registry.register("m", scene.system.start(kept(scene.player("m"))));
  const pair = connect(both);
  pair.there.onEnvelope?.({ kind: "watch", watch: 1, name: "m" });
  pair.there.onEnvelope?.({ kind: "watch", watch: 1, name: "m" });
  pair.there.onEnvelope?.({ kind: "watch", watch: 2, name: "m" });
  pair.there.onEnvelope?.({ kind: "nonsense" } as unknown as RemoteEnvelope);
  assert.equal(violations.length, 3);
});

test("remote watch: whatever order crashes, losses and reconnects come in, each watch has at most one down, at last exactly one", () => {
  const act = fc.constantFrom("watch", "crash", "pass", "lose", "connect", "restart");
  fc.assert(fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
    const both = two();
    const { scene, alpha, beta } = both;
    scene.system.registry.register(
      "m",
      scene.system.start({ ...kept(scene.player("m")), intensity: { restarts: 100, periodMs: 1 } }),
    );
    const counts: number[] = [];
    scene.system.start<number>(kept({
      name: "w",
      start: (context) => ({
        receive(message) {
          if (message >= 0) counts[message] = (counts[message] ?? 0) + 1;
          else {
            const index = counts.push(0) - 1;
            context.watch(beta.ref("m"), () => index);
          }
        },
      }),
    }));
    let pair = connect(both);
    let incarnation = 1;
    for (const name of [...acts, "pass", "crash", "pass", "lose"]) {
      if (name === "watch") (scene.at("w") as unknown as { tell(message: number): void }).tell(-1);
      if (name === "crash") scene.at("m").tell("boom");
      if (name === "pass") pair.pass();
      if (name === "lose") {
        pair.open = false;
        beta.unlinked(pair.here);
        alpha.unlinked(pair.there);
      }
      if (name === "connect") pair = connect(both, String(incarnation));
      if (name === "restart") pair = connect(both, String(++incarnation));
      scene.world.settle();
      assert.ok(counts.every((count) => count <= 1), "never two downs");
    }
    assert.ok(counts.every((count) => count === 1), "every watch has its down");
  }));
});

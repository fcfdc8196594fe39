/** The promises of a mailbox: order within a lane, control before data, and what happens at each bound. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { Lane } from "../../runtime/mod.ts";
import { kept, stage } from "./stage.ts";

const laneOf = (message: string): Lane => message.startsWith("d") ? "data" : "control";

test("mailbox: control is served before data that came earlier, each in order", () => {
  const { world, system, player, heard } = stage();
  const ref = system.start(kept(player("a", { mailbox: { lane: laneOf } })));
  heard();
  for (const message of ["d1", "c1", "d2", "c2"]) ref.tell(message);
  world.settle();
  assert.deepEqual(heard(), ["a gets c1", "a gets c2", "a gets d1", "a gets d2"]);
});

test("mailbox: any sequence comes out as all control in order, then all data in order, none lost or doubled", () => {
  fc.assert(fc.property(fc.array(fc.boolean(), { maxLength: 300 }), fc.nat(1e6), (kinds, seed) => {
    const { world, system, player, heard } = stage({ seed, shuffled: true });
    const ref = system.start(kept(player("a", { mailbox: { lane: laneOf } })));
    heard();
    const told = kinds.map((isData, index) => `${isData ? "d" : "c"}${index}`);
    for (const message of told) assert.equal(ref.tell(message), true);
    world.settle();
    const expected = [...told.filter((text) => text[0] === "c"), ...told.filter((text) => text[0] === "d")];
    assert.deepEqual(heard(), expected.map((text) => `a gets ${text}`));
  }));
});

test("mailbox: messages told while it is served keep their order in their lane", () => {
  fc.assert(fc.property(fc.array(fc.array(fc.boolean(), { maxLength: 20 }), { maxLength: 20 }), (bursts) => {
    const { world, system, player, heard } = stage();
    const ref = system.start(kept(player("a", { mailbox: { lane: laneOf } })));
    heard();
    let index = 0;
    const told: string[] = [];
    const sender = system.start<boolean[]>(kept({
      name: "sender",
      start: () => ({
        receive: (burst) => {
          for (const isData of burst) {
            told.push(`${isData ? "d" : "c"}${index++}`);
            ref.tell(told.at(-1) ?? "");
          }
        },
      }),
    }));
    for (const burst of bursts) sender.tell(burst);
    world.settle();
    const got = heard().map((line) => line.replace("a gets ", ""));
    for (const lane of ["c", "d"]) {
      assert.deepEqual(got.filter((text) => text[0] === lane), told.filter((text) => text[0] === lane));
    }
  }));
});

test("mailbox: a full data lane refuses, and accepts again once served", () => {
  const { world, system, player, heard } = stage();
  const ref = system.start(kept(player("a", { mailbox: { lane: laneOf, dataMax: 2 } })));
  assert.deepEqual(["d1", "d2", "d3"].map((message) => ref.tell(message)), [true, true, false]);
  assert.equal(ref.tell("c1"), true, "control has its own room");
  world.settle();
  assert.equal(ref.tell("d4"), true);
  world.settle();
  assert.deepEqual(heard(), ["a starts", "a gets c1", "a gets d1", "a gets d2", "a gets d4"]);
  assert.equal(system.inspect("a")[0]?.shed, 1);
});

test("mailbox: drop_oldest keeps the newest", () => {
  const { world, system, player, heard } = stage();
  const ref = system.start(
    kept(player("a", { mailbox: { lane: laneOf, dataMax: 2, atDataMax: "drop_oldest" } })),
  );
  assert.deepEqual(["d1", "d2", "d3"].map((message) => ref.tell(message)), [true, true, true]);
  world.settle();
  assert.deepEqual(heard(), ["a starts", "a gets d2", "a gets d3"]);
});

test("mailbox: policy crash crashes the receiver and keeps the mail it had", () => {
  const { world, system, player, heard } = stage();
  const ref = system.start(kept(player("a", { mailbox: { lane: laneOf, dataMax: 2, atDataMax: "crash" } })));
  assert.deepEqual(["d1", "d2", "d3"].map((message) => ref.tell(message)), [true, true, false]);
  world.settle();
  assert.deepEqual(heard(), ["a starts", "a starts", "a gets d1", "a gets d2"]);
  assert.match(system.inspect("a")[0]?.lastError ?? "", /data lane is full/);
});

test("mailbox: a control lane at its bound is a bug of the actor: it crashes", () => {
  const { world, system, player, heard } = stage();
  const ref = system.start(kept(player("a", { mailbox: { controlMax: 3 } })));
  assert.deepEqual(["1", "2", "3", "4"].map((message) => ref.tell(message)), [true, true, true, false]);
  world.settle();
  assert.deepEqual(heard(), ["a starts", "a starts", "a gets 1", "a gets 2", "a gets 3"]);
  assert.match(system.inspect("a")[0]?.lastError ?? "", /control lane is full/);
});

test("mailbox: the default control bound is 65 536", () => {
  const { system, player } = stage();
  const ref = system.start(kept(player("a")));
  for (let count = 0; count < 65_536; count++) assert.equal(ref.tell("x"), true);
  assert.equal(ref.tell("x"), false);
});

test("mailbox: tell never throws: a lane function that throws crashes its own actor, not the teller", () => {
  const { world, system, player, heard } = stage();
  const ref = system.start(kept(player("a", {
    mailbox: {
      lane: (message) => {
        if (message === "bad") throw new Error("no lane");
        return "control";
      },
    },
  })));
  assert.equal(ref.tell("bad"), false);
  ref.tell("good");
  world.settle();
  assert.deepEqual(heard(), ["a starts", "a starts", "a gets good"]);
});

test("mailbox: system mail is served before control and data that were there first", () => {
  const { world, system, player, heard } = stage();
  const child = kept(player("child"));
  const parent = system.start(kept(player("parent", {
    mailbox: { lane: laneOf },
    started: (context) => void context.spawn(child),
  })));
  parent.tell("c1");
  system.kill("parent/child");
  world.settle();
  assert.deepEqual(heard(), ["parent starts", "child starts", "child starts", "parent gets c1"]);
});

test("mailbox: a dead actor's ref answers false", async () => {
  const { world, system, player } = stage();
  const ref = system.start(kept(player("a"), "temporary"));
  ref.tell("stop");
  await world.settleAwaiting();
  assert.equal(ref.tell("x"), false);
});

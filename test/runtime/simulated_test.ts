/** The simulated siblings: what they promise beyond their contracts, chiefly that a seed is a history on every runtime. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { SimulatedClock, SimulatedRandom, SimulatedScheduler, SimulatedWorld } from "../../runtime/mod.ts";
import { kept, stage } from "./stage.ts";

test("simulated clock: timers fire in order of deadline, equal ones in order of arming, cancelled ones not", () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.nat(20), fc.boolean()), { maxLength: 60 }), (timers) => {
    const clock = new SimulatedClock();
    const fired: number[] = [];
    const handles = timers.map(([delayMs], index) => clock.after(delayMs, () => fired.push(index)));
    timers.forEach(([, cancelled], index) => cancelled && clock.cancel(handles[index] ?? { deadlineMs: 0 }));
    while (clock.fireNext(Infinity)) assert.ok(clock.now() <= 20);
    const expected = timers.map(([delayMs, cancelled], index) => ({ delayMs, cancelled, index }))
      .filter(({ cancelled }) => !cancelled)
      .sort((left, right) => left.delayMs - right.delayMs || left.index - right.index);
    assert.deepEqual(fired, expected.map(({ index }) => index));
  }));
});

test("simulated clock: time moves only when moved, and never backwards; the wall clock may jump", () => {
  const clock = new SimulatedClock({ wallMs: 1_000 });
  clock.moveTo(50);
  clock.moveTo(20);
  assert.deepEqual([clock.now(), clock.wall()], [50, 1_050]);
  clock.jumpWall(-500);
  assert.deepEqual([clock.now(), clock.wall()], [50, 550]);
});

test("simulated random: a seed is this sequence, on every runtime", () => {
  const random = new SimulatedRandom(42);
  const drawn = [random.uint32(), random.uint32(), random.uint32(), random.hex(7), random.float(), [
    ...random.bytes(3),
  ]];
  assert.deepEqual(drawn, DRAWN_FROM_42);
});

test("simulated random: numbers spread evenly, and a fork does not disturb its parent", () => {
  const random = new SimulatedRandom(7);
  const counts = new Array<number>(16).fill(0);
  for (let draw = 0; draw < 16_000; draw++) {
    const index = Math.floor(random.float() * 16);
    counts[index] = (counts[index] ?? 0) + 1;
  }
  assert.ok(counts.every((count) => count > 850 && count < 1_150), `${counts}`);
  const one = new SimulatedRandom(9);
  const other = new SimulatedRandom(9);
  one.fork().uint32();
  other.fork();
  assert.equal(one.uint32(), other.uint32());
});

test("simulated scheduler: posted work keeps its order; what asks for the end of the turn runs at its end", () => {
  const scheduler = new SimulatedScheduler({ random: new SimulatedRandom(1) });
  const ran: string[] = [];
  scheduler.post(() => {
    ran.push("1");
    scheduler.atTurnEnd(() => ran.push("end"));
    scheduler.post(() => ran.push("next turn"));
  });
  scheduler.post(() => ran.push("2"));
  assert.equal(scheduler.turn(), true);
  assert.deepEqual(ran, ["1", "2", "end"]);
  assert.equal(scheduler.turn(), true);
  assert.equal(scheduler.turn(), false);
  assert.deepEqual(ran, ["1", "2", "end", "next turn"]);
});

const DRAWN_FROM_42 = [660444221, 3652823732, 77678286, "a11365f", 0.9420278042089194, [201, 235, 125]];
const GAME_OF_5 = "123220444422331444004322110333304111422443320011114403313332234410201344240";

/** Five actors that throw a ball around at random; who got it in which order. */
function game(seed: number): string {
  const world = new SimulatedWorld({ seed });
  const system = world.createSystem();
  const order: number[] = [];
  const players = Array.from({ length: 5 }, (_, index) =>
    system.start<number>(kept({
      name: `p${index}`,
      start: (context) => ({
        receive(left) {
          order.push(index);
          if (left > 0) players[context.random.uint32() % 5]?.tell(left - 1);
          if (left % 7 === 3) context.after(left, 0);
        },
      }),
    })));
  for (const player of players) player.tell(12);
  world.advance(100);
  return order.join("");
}

test("simulated world: the same seed is the same order of actors, on every runtime; another seed another", () => {
  assert.equal(game(5), game(5));
  assert.equal(game(5), GAME_OF_5);
  assert.notEqual(game(5), game(6));
});

test("simulated world: time passes timer by timer, and everything due settles before the next", () => {
  const { world, system, player, heard } = stage();
  const b = system.start(kept(player("b")));
  system.start(kept(player("a", {
    started: (context) => {
      context.after(10, "ten");
      context.after(20, "twenty");
    },
    received: (message, context) => void b.tell(`${message} at ${context.now()}`),
  })));
  heard();
  world.advance(25);
  assert.deepEqual(heard(), ["a gets ten", "b gets ten at 10", "a gets twenty", "b gets twenty at 20"]);
  assert.equal(world.clock.now(), 25);
});

test("timers: a period has no drift, cancelled timers are silent, delays below zero are none", () => {
  const { world, system, player } = stage();
  const got: string[] = [];
  system.start(kept(player("a", {
    started: (context) => {
      const period = context.every(10, "each");
      context.cancel(context.after(5, "never"));
      context.after(-5, "at once");
      context.after(35, "stop it");
      context.cancel(period);
      context.every(10, "each");
    },
    received: (message, context) => void got.push(`${message} ${context.now()}`),
  })));
  world.advance(35);
  assert.deepEqual(got, ["at once 0", "each 10", "each 20", "each 30", "stop it 35"]);
});

test("simulated world: timers that arm each other at one moment for ever are found out", () => {
  const { world } = stage();
  const again = () => void world.clock.after(0, again);
  again();
  assert.throws(() => world.advance(1), /does not come to rest/);
});

/** The history as an actor: kept over kills, followed by a bounded number, alive without its folder. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventsActor, FOLLOWERS_MAX } from "../../../actors/events/actor.ts";
import { type EventFiles, memoryEventFiles } from "../../../actors/events/event_files.ts";
import type {
  EventAnswer,
  EventFollower,
  EventQuery,
  EventsMessage,
} from "../../../actors/events/messages.ts";
import { type ActorSystem, type Ref, SimulatedWorld } from "../../../runtime/mod.ts";

class Bench {
  readonly world = new SimulatedWorld();
  readonly system: ActorSystem;
  readonly events: Ref<EventsMessage>;

  constructor(files: EventFiles = memoryEventFiles()) {
    this.system = this.world.createSystem();
    this.events = this.system.start({ spec: eventsActor({ node: "alpha", files }), restart: "permanent" });
  }

  happened(name: string): void {
    this.events.tell({ kind: "event_happened", name, fields: { cause: "a test" } });
  }

  query(query: EventQuery = {}): EventAnswer {
    let answer: EventAnswer | null = null;
    this.events.tell({ kind: "events_requested", query, reply: { reply: (given) => answer = given } });
    this.world.settle();
    assert.ok(answer !== null);
    return answer;
  }

  follow(follower: EventFollower): boolean {
    let taken = false;
    this.events.tell({ kind: "follow_requested", follower, reply: { reply: (given) => taken = given } });
    this.world.settle();
    return taken;
  }
}

test("events: a killed history goes on where it was", () => {
  const bench = new Bench();
  bench.happened("one");
  bench.world.settle();
  bench.system.kill("events");
  bench.happened("two");
  assert.deepEqual(bench.query().events.map(({ seq, kind }) => `${seq} ${kind}`), ["1 one", "2 two"]);
});

test("events: followers hear each event once, until they have had enough", () => {
  const bench = new Bench();
  const heard: string[] = [];
  bench.follow(({ kind }) => heard.push(kind) < 2);
  for (const name of ["one", "two", "three"]) bench.happened(name);
  bench.world.settle();
  assert.deepEqual(heard, ["one", "two"]);
});

test("events: followers are bounded, and one that ends makes room", () => {
  const bench = new Bench();
  const followers = Array.from({ length: FOLLOWERS_MAX }, () => () => true);
  assert.equal(followers.every((follower) => bench.follow(follower)), true);
  assert.equal(bench.follow(() => true), false);
  bench.events.tell({ kind: "follow_ended", follower: followers[0] ?? (() => true) });
  assert.equal(bench.follow(() => true), true);
});

test("events: a folder that cannot be written costs the files, not the history, and is logged once", () => {
  const failure = { kind: "event_files_failure", detail: "no space" } as const;
  const bench = new Bench({ ...memoryEventFiles(), append: () => failure });
  for (const name of ["one", "two", "three"]) bench.happened(name);
  assert.equal(bench.query().events.length, 3);
  assert.equal(bench.world.log.entries.filter(({ event }) => event === "events_not_kept").length, 1);
});

/** Which messages a person may send by hand: only whole ones, of the list. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeMessage } from "../../../actors/admin/sendable.ts";

const MIRROR = "node/groups/group:db/mirror";

const ROWS: readonly [string, string, unknown, RegExp | "ok"][] = [
  ["a question", MIRROR, { kind: "status_requested" }, "ok"],
  ["an order with its field", MIRROR, { kind: "leg_pause_requested", node: "beta" }, "ok"],
  ["an order to all legs", MIRROR, { kind: "leg_pause_requested", node: null }, "ok"],
  ["a note", "node/events", { kind: "event_happened", name: "noted", fields: { text: "x" } }, "ok"],
  ["a field too few", MIRROR, { kind: "leg_resync_requested", node: null }, /full is not true or false/],
  ["a field of another kind", MIRROR, { kind: "leg_pause_requested", node: 3 }, /node is not a name or null/],
  ["a field too many", MIRROR, { kind: "status_requested", x: 1 }, /has no field x/],
  ["a reply smuggled in", MIRROR, { kind: "status_requested", reply: {} }, /has no field reply/],
  ["the actor's own timer", MIRROR, { kind: "tick" }, /mirror takes status_requested/],
  ["another actor's message", "node/events", { kind: "status_requested" }, /events takes event_happened/],
  ["an actor that takes none", "node/peers/peer:beta", { kind: "tick" }, /nothing can be sent to peer:beta/],
  ["no object", MIRROR, "status_requested", /a message is an object/],
  ["a kind of the language", MIRROR, { kind: "constructor" }, /mirror takes/],
];

for (const [what, path, message, expected] of ROWS) {
  test(`message by hand: ${what}`, () => {
    const judged = judgeMessage(path, message);
    if (expected === "ok") assert.equal(judged.ok, true, JSON.stringify(judged));
    else assert.match(judged.ok ? "it passed" : judged.cause, expected);
  });
}

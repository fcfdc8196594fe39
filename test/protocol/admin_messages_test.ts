import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type AdminCommand,
  parseActorKill,
  parseAdminAnswer,
  parseAdminCommand,
} from "../../protocol/admin_messages.ts";

const commands: readonly AdminCommand[] = [
  { kind: "mirror_pause", group: "db" },
  { kind: "mirror_resume", group: "db", leg: "beta" },
  { kind: "mirror_resync", group: "db", volume: "data", leg: "beta", full: true },
  { kind: "switchover", group: "db", to: "beta" },
];
for (const command of commands) {
  test(`admin: ${command.kind} survives the wire`, () => {
    assert.deepEqual(parseAdminCommand(JSON.parse(JSON.stringify(command))), command);
  });
}

const wrong: readonly [unknown, string][] = [
  [null, "the command is not an object"],
  [["mirror_pause"], "the command is not an object"],
  [{ kind: "mirror_explode" }, 'no command is named "mirror_explode"'],
  [{}, "no command is named null"],
  [{ kind: "switchover", group: "db" }, "switchover needs to"],
  [{ kind: "mirror_pause" }, "mirror_pause needs group"],
  [{ kind: "mirror_pause", group: "" }, "mirror_pause: group is not a name"],
  [{ kind: "mirror_pause", group: "db", leg: 3 }, "mirror_pause: leg is not a name"],
  [{ kind: "mirror_pause", group: "db", force: true }, 'mirror_pause has no field "force"'],
  [{ kind: "mirror_resync", group: "db", full: "yes" }, "mirror_resync: full is not a boolean"],
];
for (const [value, expected] of wrong) {
  test(`admin: ${JSON.stringify(value)} is refused: ${expected}`, () => {
    assert.deepEqual(parseAdminCommand(value), { wrong: expected });
  });
}

test("admin: answers of every kind are read, and what is none is told apart", () => {
  const refusal = {
    kind: "refused",
    message: "Cannot move db: the leg is offline",
    override: "holdfast force-online db",
  } as const;
  assert.deepEqual(parseAdminAnswer({ ok: false, refusal }), { ok: false, refusal });
  assert.deepEqual(parseAdminAnswer({ ok: true, result: { generation: 4 } }), {
    ok: true,
    result: { generation: 4 },
  });
  assert.deepEqual(parseAdminAnswer({ ok: true }), { ok: true, result: {} });
  for (const none of [null, 3, {}, { ok: false }, { ok: false, refusal: { kind: "odd", message: "x" } }]) {
    assert.equal(parseAdminAnswer(none), undefined);
  }
});

test("admin: no JSON whatever makes the parsers throw", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    parseAdminCommand(value);
    parseAdminAnswer(value);
  }));
});

test("admin: an order to kill an actor is read, and anything beside its path is refused", () => {
  assert.deepEqual(parseActorKill({ kill: "node/admin" }), { kill: "node/admin" });
  assert.deepEqual(parseActorKill({ kill: "" }), { wrong: "kill is not the path of an actor" });
  assert.deepEqual(parseActorKill({ kill: "node", force: true }), {
    wrong: 'an order to actors has no field "force"',
  });
  assert.deepEqual(parseActorKill(["node"]), { wrong: "the order is not an object" });
});

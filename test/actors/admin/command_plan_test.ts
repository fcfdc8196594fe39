/** What becomes of a command, as a table. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { planCommand } from "../../../actors/admin/command_plan.ts";
import type { AdminCommand } from "../../../protocol/admin_messages.ts";
import { twoVolumes } from "./sample_config.ts";

function plan(
  command: AdminCommand,
  situation: { readonly source?: string | null; readonly passedOn?: boolean } = {},
): string {
  const { source = "alpha", passedOn = false } = situation;
  const made = planCommand(command, { config: twoVolumes, node: "alpha", source: () => source, passedOn });
  switch (made.kind) {
    case "refuse":
      return `${made.refusal.kind}: ${made.refusal.message} (try: ${made.refusal.remedy})`;
    case "pass_on":
      return `pass on to ${made.to}`;
    case "mirror":
      return `mirror ${made.group} ${made.leg ?? "all legs"}`;
    case "switchover":
      return `switchover ${made.group} to ${made.to}`;
  }
}

const pause = (fields: { leg?: string; volume?: string; group?: string } = {}): AdminCommand => ({
  kind: "mirror_pause",
  group: "db",
  ...fields,
});

const ROWS: readonly [string, string, RegExp][] = [
  ["a leg of this source", plan(pause({ leg: "beta" })), /^mirror db beta$/],
  ["all legs", plan(pause()), /^mirror db all legs$/],
  ["the only volume of its group", plan(pause({ group: "web", volume: "www" })), /^mirror web all legs$/],
  [
    "one of several volumes",
    plan(pause({ volume: "data" })),
    /^usage: Cannot pause the mirror: volume "data" shares its stream/,
  ],
  ["an unknown volume", plan(pause({ volume: "x" })), /^usage: .*no volume "x" \(try: one of: data, log\)/],
  ["an unknown group", plan(pause({ group: "x" })), /^usage: .*no group "x" \(try: one of: db, web\)/],
  ["an unknown leg", plan(pause({ leg: "x" })), /^usage: .*"x" holds no replica.*alpha, beta/],
  ["the source as a leg", plan(pause({ leg: "alpha" })), /^usage: .*is the source and has no leg/],
  ["a source elsewhere", plan(pause(), { source: "beta" }), /^pass on to beta$/],
  [
    "a source that moved while it was passed on",
    plan(pause(), { source: "beta", passedOn: true }),
    /^failed: .*moved to "beta" meanwhile/,
  ],
  ["no source", plan(pause(), { source: null }), /^refused: .*has no source at the moment/],
  ["a switchover", plan({ kind: "switchover", group: "db", to: "beta" }), /^switchover db to beta$/],
  ["a switchover to the source", plan({ kind: "switchover", group: "db", to: "alpha" }), /^usage: .*already/],
  [
    "a switchover to a stranger",
    plan({ kind: "switchover", group: "db", to: "x" }),
    /^usage: Cannot switch over: node "x"/,
  ],
];

for (const [situation, made, expected] of ROWS) {
  test(`command plan: ${situation}`, () => assert.match(made, expected));
}

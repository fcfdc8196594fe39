/** The order of a swap carries the safety. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { planSwap, type Swap } from "../../../actors/node/role_swap.ts";
import type { Opening } from "../../../actors/failover/messages.ts";
import type { Role } from "../../../actors/node/role_table.ts";

const opening = {} as Opening;
const MIRROR: Role = { kind: "mirror", opening };
const TARGET: Role = { kind: "target" };

function steps(swap: Swap, current: Role): string {
  return planSwap(swap, current).map((step) => {
    switch (step.kind) {
      case "stop":
      case "start":
        return `${step.kind} ${step.child}`;
      case "hold":
        return `hold ${step.role.kind}`;
      case "answer":
        return "answer";
    }
  }).join(", ");
}

test("role swap: a demotion is answered when the mirror is stopped, and not before (I1)", () => {
  assert.equal(
    steps({ kind: "to_target" }, MIRROR),
    "stop export, stop mirror, hold target, answer, start target, start export",
  );
});

test("role swap: a target that shall be target is answered at once", () => {
  assert.equal(steps({ kind: "to_target" }, TARGET), "answer");
});

test("role swap: a promotion stops the target first and starts the export last", () => {
  assert.equal(
    steps({ kind: "to_source", opening }, TARGET),
    "stop export, stop target, hold mirror, start mirror, start export, answer",
  );
});

test("role swap: each opening gets a mirror of its own", () => {
  assert.equal(
    steps({ kind: "to_source", opening }, MIRROR),
    "stop export, stop mirror, hold mirror, start mirror, start export, answer",
  );
});

test("role swap: what was left half done is started again, whatever the state was", () => {
  assert.equal(steps({ kind: "settle" }, TARGET), "start target, start export, answer");
  assert.equal(steps({ kind: "settle" }, MIRROR), "start mirror, start export, answer");
});

/** Why a group is as it is, said as a chain. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { whyOf } from "../../cli/why_chain.ts";
import type { ClusterStatus, EventLine } from "../../protocol/admin_messages.ts";
import { group, replica, up } from "./sample_status.ts";

const EVENT: EventLine = {
  seq: 1,
  at: "2026-11-22T13:00:00.000Z",
  node: "alpha",
  kind: "leg_changed",
  group: "db",
  cause: "a person asked for it",
  fields: { target: "gamma" },
};

function cluster(changes: Partial<ClusterStatus["groups"][string]>, beta = up): ClusterStatus {
  return {
    cluster: "demo",
    at: "",
    nodes: { alpha: up, beta, gamma: up },
    groups: { db: { ...group, ...changes } },
  };
}

test("why: a group that is fine says where its data is, and nothing else", () => {
  const why = whyOf("db", {
    status: cluster({ state: "in_service", cause: null, remedy: null }),
    events: [EVENT],
  });
  assert.match(why?.links[0]?.says ?? "", /^db is in service and is served by alpha/);
  assert.deepEqual(why?.lately, []);
});

test("why: a paused leg names the command that resumes it, and the event that explains it", () => {
  const status = cluster({
    state: "degraded",
    cause: "leg gamma: paused by an operator",
    remedy: null,
    replicas: {
      ...group.replicas,
      gamma: {
        ...replica,
        role: "target",
        leg: "paused",
        dirtyBytes: 2 ** 20,
        cause: "paused by an operator",
      },
    },
  });
  const why = whyOf("db", { status, events: [EVENT] });
  const leg = why?.links.find(({ says }) => says.includes("gamma is paused"));
  assert.equal(leg?.mend, "holdfast mirror resume db --leg gamma");
  assert.match(leg?.says ?? "", /1 MiB are to be shipped/);
  assert.equal(why?.lately.length, 1);
});

test("why: behind a leg stands its node, behind the node its paths, and no remedy is said twice", () => {
  const mend = "holdfast node start --node beta";
  const status = cluster({
    state: "degraded",
    cause: "leg beta: nothing was heard from it",
    remedy: mend,
    replicas: {
      ...group.replicas,
      beta: { ...replica, role: "target", leg: "offline", cause: "x", remedy: mend },
    },
  }, {
    ...up,
    state: "down",
    cause: "refused",
    remedy: mend,
    paths: [{ address: "tcp://b:1", state: "down", rttMs: null }, {
      address: "tcp://b:1",
      state: "down",
      rttMs: null,
    }],
  });
  const links = whyOf("db", { status, events: [] })?.links ?? [];
  assert.equal(links.filter((link) => link.mend === mend).length, 1);
  assert.equal(links.filter(({ says }) => says.includes("the path tcp://b:1")).length, 1);
  assert.deepEqual([...new Set(links.map(({ depth }) => depth))].sort(), [0, 1, 2, 3]);
});

test("why: a group that is not there has no answer", () => {
  assert.equal(whyOf("x", { status: cluster({}), events: [] }), undefined);
});

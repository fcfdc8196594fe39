/** The mirror's decisions about its legs, as transcripts of the diagram in `machine.ts`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { legStateName, type MirrorEvent, MirrorMachine, RETRY_MS } from "../../../actors/mirror/machine.ts";
import type { LegMode, MemberMode } from "../../../protocol/member_set.ts";

const GRACE_MS = 3_000;

function machineOf(
  options: { members?: readonly string[]; modes?: Readonly<Record<string, LegMode>> } = {},
): MirrorMachine {
  const modes = options.modes ?? { beta: "sync" };
  return new MirrorMachine({
    self: "alpha",
    record: {
      groupId: "a".repeat(32),
      generation: { number: 1, id: "b".repeat(32) },
      source: "alpha",
      version: 1,
      members: [
        { node: "alpha", mode: "sync" },
        ...(options.members ?? []).map((node) => ({ node, mode: modes[node] as MemberMode })),
      ],
      voters: ["alpha"],
      replicas: ["alpha", ...Object.keys(modes)],
    },
    legs: Object.entries(modes).map(([node, mode]) => ({ node, mode })),
    nowMs: 0,
    memberGraceMs: GRACE_MS,
  });
}

/** The events one after the other; each line: what came, the leg's state after it, what is to be done. */
function transcript(
  machine: MirrorMachine,
  events: readonly (MirrorEvent | [MirrorEvent, number])[],
): string[] {
  return events.map((each) => {
    const [event, now] = Array.isArray(each) ? each : [each, 0];
    const effects = machine.step(event, now).flatMap((effect) => {
      if (effect.kind === "set_floors" || effect.kind === "leg_changed") return [];
      if (effect.kind === "request_record") return [`record ${effect.members.map((m) => m.node).join("+")}`];
      return [`${effect.kind} ${effect.node}`];
    });
    const state = machine.legs.get("beta")?.state.kind;
    return [event.kind, state, ...effects].join(" · ");
  });
}

const node = "beta";
const end = { kind: "leg_ended", node, cause: "reset", remedy: null, lasting: false } as const;
const UP: readonly MirrorEvent[] = [
  { kind: "gate_opened" },
  { kind: "peer_up", node },
  { kind: "channel_opened", node },
  { kind: "leg_judged", node },
  { kind: "leg_joining", node },
  { kind: "leg_up_to_date", node },
];

test("mirror machine: from a peer that comes up to a member", () => {
  const machine = machineOf();
  assert.deepEqual(transcript(machine, [...UP, { kind: "record_in_force", version: 2 }]), [
    "gate_opened · offline",
    "peer_up · connecting · open_channel beta",
    "channel_opened · handshaking",
    "leg_judged · resyncing",
    "leg_joining · joining",
    "leg_up_to_date · replicating · record alpha+beta",
    "record_in_force · replicating",
  ]);
  assert.deepEqual(machine.membership.recorded.map((m) => m.node), ["alpha", "beta"]);
});

test("mirror machine: I11: every way out of replicating asks for the smaller set first", () => {
  const ways: MirrorEvent[] = [
    end,
    { ...end, lasting: true },
    { kind: "peer_down", node, cause: "not heard of" },
    { kind: "pause_requested", node },
    { kind: "resync_requested", node, full: true },
  ];
  for (const way of ways) {
    const machine = machineOf({ members: ["beta"] });
    transcript(machine, UP);
    assert.equal(machine.membership.requested, null, "it is a member already");
    assert.match(transcript(machine, [way]).join(), /record alpha$/, way.kind);
    assert.deepEqual(machine.membership.required.map((m) => m.node), ["beta"], "and it counts until then");
  }
});

test("mirror machine: I11: a leg that is lost while it joins counts until the answer too", () => {
  const machine = machineOf();
  transcript(machine, UP);
  assert.deepEqual(transcript(machine, [end]), ["leg_ended · offline"], "the addition is under way");
  assert.deepEqual(machine.membership.required.map((m) => m.node), ["beta"]);
  assert.deepEqual(transcript(machine, [{ kind: "record_in_force", version: 2 }]), [
    "record_in_force · offline · record alpha",
  ]);
});

test("mirror machine: a lost leg is tried again after a while, one that comes up at once, an absent one not at all", () => {
  const machine = machineOf();
  transcript(machine, UP.slice(0, 3));
  assert.deepEqual(
    transcript(machine, [
      [end, 1_000],
      [{ kind: "tick" }, 1_000 + RETRY_MS - 1],
      [{ kind: "tick" }, 1_000 + RETRY_MS],
      [{ kind: "channel_failed", node, cause: "refused" }, 2_000],
      [{ kind: "peer_down", node, cause: "gone" }, 2_100],
      [{ kind: "tick" }, 2_900],
      [{ kind: "peer_up", node }, 2_950],
    ]),
    [
      "leg_ended · offline",
      "tick · offline",
      "tick · connecting · open_channel beta",
      "channel_failed · offline",
      "peer_down · offline",
      "tick · offline",
      "peer_up · connecting · open_channel beta",
    ],
  );
});

test("mirror machine: a member that does not appear within its grace leaves the set, and not before", () => {
  const machine = machineOf({ members: ["beta"] });
  assert.deepEqual(
    transcript(machine, [{ kind: "gate_opened" }, [{ kind: "tick" }, GRACE_MS - 1], [
      { kind: "tick" },
      GRACE_MS,
    ]]),
    ["gate_opened · offline", "tick · offline", "tick · offline · record alpha"],
  );
});

test("mirror machine: paused, it stays so whatever comes, until it is resumed", () => {
  const machine = machineOf({ members: ["beta"] });
  transcript(machine, UP);
  assert.deepEqual(
    transcript(machine, [
      { kind: "pause_requested", node },
      { kind: "peer_down", node, cause: "gone" },
      { kind: "peer_up", node },
      [{ kind: "tick" }, 10_000],
      { kind: "resync_requested", node, full: true },
      { kind: "resume_requested", node },
    ]),
    [
      "pause_requested · paused · close_session beta · record alpha",
      "peer_down · paused",
      "peer_up · paused",
      "tick · paused",
      "resync_requested · paused",
      "resume_requested · connecting · open_channel beta",
    ],
  );
  assert.equal(machine.legs.get("beta")?.fullRequested, true, "what was asked for is not forgotten");
});

test("mirror machine: diverged waits for a person, with cause and remedy", () => {
  const machine = machineOf();
  transcript(machine, UP.slice(0, 3));
  const lasting = { ...end, cause: "split_brain", remedy: "compare both disks", lasting: true };
  assert.deepEqual(
    transcript(machine, [lasting, [{ kind: "tick" }, 60_000], { kind: "peer_up", node }, {
      kind: "resync_requested",
      node,
      full: false,
    }]),
    [
      "leg_ended · diverged",
      "tick · diverged",
      "peer_up · diverged",
      "resync_requested · connecting · open_channel beta",
    ],
  );
});

test("mirror machine: a resync by command ends what runs and begins anew in one step", () => {
  const machine = machineOf({ members: ["beta"] });
  transcript(machine, UP);
  assert.deepEqual(transcript(machine, [{ kind: "resync_requested", node, full: true }]), [
    "resync_requested · connecting · close_session beta · open_channel beta · record alpha",
  ]);
});

test("mirror machine: an async leg is no member, whatever it does", () => {
  const machine = machineOf({ modes: { beta: "async" } });
  const lines = transcript(machine, [...UP, end]);
  assert.equal(lines.some((line) => line.includes("record")), false);
  assert.deepEqual(machine.membership.required, []);
});

test("mirror machine: an old or unasked-for version changes nothing", () => {
  const machine = machineOf();
  transcript(machine, [{ kind: "record_in_force", version: 7 }]);
  assert.equal(machine.membership.version, 1);
  transcript(machine, UP);
  transcript(machine, [{ kind: "record_in_force", version: 1 }]);
  assert.equal(machine.membership.requested?.length, 2);
});

test("mirror machine: I12: nobody is up to date who did not join, nobody joins out of nothing (bugs of ours else)", () => {
  assert.throws(() => machineOf().step({ kind: "leg_up_to_date", node }, 0), /I12/);
  assert.throws(() => machineOf().step({ kind: "leg_joining", node }, 0), /resync window/);
  assert.throws(() => machineOf().step({ kind: "peer_up", node: "delta" }, 0), /replica of the group/);
});

test("mirror machine (property): whatever happens, a leg that is recorded and not lost for good is tried again (I10)", () => {
  const outside = fc.constantFrom<MirrorEvent>(
    { kind: "peer_up", node },
    { kind: "peer_down", node, cause: "gone" },
    { kind: "pause_requested", node },
    { kind: "resume_requested", node },
    { kind: "resync_requested", node, full: false },
    { kind: "resync_requested", node, full: true },
    { kind: "tick" },
  );
  const next: Readonly<Record<string, MirrorEvent>> = {
    connecting: { kind: "channel_opened", node },
    handshaking: { kind: "leg_judged", node },
    resyncing: { kind: "leg_joining", node },
    joining: { kind: "leg_up_to_date", node },
    replicating: end,
  };
  const step = fc.oneof(outside, fc.constantFrom("advance" as const, "fail" as const));
  fc.assert(fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
    const machine = machineOf({ members: ["beta"] });
    const state = () => machine.legs.get("beta")?.state.kind ?? "";
    let now = 0;
    let version = 1;
    const feed = (event: MirrorEvent) => {
      now += 100;
      machine.step(event, now);
      if (machine.membership.requested !== null) {
        version += 1;
        machine.step({ kind: "record_in_force", version }, now);
      }
      const counts = machine.membership.required.some((member) => member.node === "beta");
      if (state() === "joining" || state() === "replicating") assert.equal(counts, true, state());
    };
    for (const each of steps) {
      if (each === "fail") {
        feed(state() === "connecting" ? { kind: "channel_failed", node, cause: "no" } : end);
      } else if (each === "advance") {
        const event = next[state()];
        if (event !== undefined) feed(event);
      } else feed(each);
    }
    // Peace: it gets there.
    feed({ kind: "resume_requested", node });
    feed({ kind: "peer_up", node });
    for (let tries = 0; tries < 20 && state() !== "replicating"; tries += 1) {
      feed(next[state()] ?? { kind: "tick" });
    }
    assert.equal(state(), "replicating");
    assert.equal(machine.membership.recorded.length, 2);
  }));
});

test("mirror machine: status uses the words of the glossary", () => {
  const words = ["connecting", "handshaking", "resyncing", "joining", "replicating"] as const;
  assert.deepEqual(words.map((kind) => legStateName({ kind })), [
    "handshaking",
    "handshaking",
    "resyncing",
    "resyncing",
    "replicating",
  ]);
});

/** Versions and features: settled symmetrically, or refused with what to upgrade. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isProtocolRefusal, OUR_PROTOCOL, type ProtocolOffer, settle } from "../../protocol/version.ts";

function offer(
  oldest: number,
  newest: number,
  features: string[] = [],
  required: string[] = [],
): ProtocolOffer {
  return { versions: { oldest, newest }, features, required };
}

const ROWS: readonly { ours: ProtocolOffer; theirs: ProtocolOffer; outcome: unknown }[] = [
  { ours: offer(1, 1), theirs: offer(1, 1), outcome: { version: 1, features: [] } },
  { ours: offer(1, 3), theirs: offer(2, 5), outcome: { version: 3, features: [] } },
  {
    ours: offer(1, 9, ["b", "a", "c"]),
    theirs: offer(4, 5, ["a", "b"]),
    outcome: { version: 5, features: ["a", "b"] },
  },
  {
    ours: offer(1, 2),
    theirs: offer(3, 4),
    outcome:
      "this node speaks protocol versions 1 to 2, the other node versions 3 to 4 (try: upgrade this node)",
  },
  {
    ours: offer(3, 3),
    theirs: offer(1, 2),
    outcome:
      "this node speaks protocol version 3, the other node versions 1 to 2 (try: upgrade the other node)",
  },
  {
    ours: offer(1, 1, ["zstd"], ["zstd"]),
    theirs: offer(1, 1),
    outcome: "the other node lacks zstd (try: upgrade the other node)",
  },
  {
    ours: offer(1, 1),
    theirs: offer(1, 1, ["x"], ["x"]),
    outcome: "this node lacks x (try: upgrade this node)",
  },
];

test("version: every row of the table", () => {
  for (const { ours, theirs, outcome } of ROWS) {
    const settled = settle(ours, theirs);
    assert.deepEqual(isProtocolRefusal(settled) ? settled.detail : settled, outcome);
  }
});

test("version: both sides settle the same", () => {
  const names = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d"), { maxLength: 4 });
  const anyOffer = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.nat(3), names, names).map((
    [oldest, more, has, wants],
  ) => offer(oldest, oldest + more, has, wants.filter((feature) => has.includes(feature))));
  fc.assert(
    fc.property(anyOffer, anyOffer, (one, other) => {
      const here = settle(one, other);
      const there = settle(other, one);
      assert.equal(isProtocolRefusal(here), isProtocolRefusal(there));
      if (!isProtocolRefusal(here)) assert.deepEqual(here, there);
    }),
    { numRuns: 1_000, seed: 20_261_122 },
  );
});

test("version: this program agrees with itself on everything it has", () => {
  assert.deepEqual(settle(OUR_PROTOCOL, OUR_PROTOCOL), {
    version: OUR_PROTOCOL.versions.newest,
    features: [...OUR_PROTOCOL.features].sort(),
  });
});

/**
 * The rejoin table in a small world that keeps its word: only recorded members are promoted, and a write completes when
 * every recorded member holds it. Its truth is known, so every verdict can be judged: nothing completed is overwritten,
 * and nobody is called a rival.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { HistoryEntry } from "../../protocol/position.ts";
import { judgeRejoin, type ReplicaView } from "../../protocol/rejoin_table.ts";
import { SimulatedRandom } from "../../runtime/mod.ts";

function entryOf(number: number, baseSeq: number): HistoryEntry {
  const id = number.toString(16).padStart(32, "0");
  return { generation: { number, id }, source: "alpha", baseSeq, lossless: true };
}

class Replica {
  /** The writes whose blocks it has. */
  holds: string[] = [];
  seq = 0;
  history: readonly HistoryEntry[] = [];
  joined = true;
  inconsistent = false;
  exact = true;

  get view(): ReplicaView {
    return {
      groupId: "a".repeat(32),
      history: this.history,
      position: { generation: this.history.at(-1)?.generation.number ?? 0, seq: this.seq },
      positionExact: this.exact,
      disk: this.inconsistent ? "inconsistent" : "up_to_date",
      zero: false,
    };
  }
}

class HonestWorld {
  readonly replicas: readonly Replica[] = [new Replica(), new Replica(), new Replica()];
  source = 0;
  generation = 0;
  writes = 0;
  members = new Set([0, 1, 2]);
  readonly completed = new Set<string>();

  constructor() {
    this.promote(0);
    for (const replica of this.replicas) {
      replica.history = this.of(0).history;
      replica.joined = true;
    }
  }

  of(index: number): Replica {
    const replica = this.replicas[index];
    assert.ok(replica !== undefined);
    return replica;
  }

  /** After a crash it is promoted at what it remembers; what lies beyond stays on its disk, marked. */
  promote(index: number): void {
    const replica = this.of(index);
    if (!this.members.has(index) || replica.inconsistent) return;
    this.generation += 1;
    const history = JSON.stringify(replica.history);
    // The position may be a lower bound with more behind it, so only who was bound to hold that too is a member at once.
    const equal = [...this.members].filter((i) => {
      const other = this.of(i);
      return JSON.stringify(other.history) === history && other.seq === replica.seq && !other.inconsistent;
    });
    this.source = index;
    this.members = new Set([index, ...equal]);
    replica.exact = true;
    replica.history = [...replica.history, entryOf(this.generation, replica.seq)];
    for (const [i, other] of this.replicas.entries()) other.joined = i === index;
  }

  write(reached: number): void {
    this.writes += 1;
    const id = `w${this.writes}`;
    for (const [index, replica] of this.replicas.entries()) {
      if (!replica.joined) continue;
      if (index === this.source || (reached >> index & 1) === 1) {
        replica.holds.push(id);
        replica.seq += 1;
        // Who missed one is behind; its session is over.
      } else replica.joined = false;
    }
    if ([...this.members].every((member) => this.of(member).holds.at(-1) === id)) {
      for (const known of this.of(this.source).holds) this.completed.add(known);
    }
  }

  leave(index: number): void {
    if (index !== this.source && !this.of(index).joined) this.members.delete(index);
  }

  /** Killed and restarted: it remembers a lower bound, though its disk holds more. */
  restart(index: number, remembered: number): void {
    const replica = this.of(index);
    if (index === this.source) return;
    const atLeast = replica.history.at(-1)?.baseSeq ?? 0;
    replica.joined = false;
    replica.exact = false;
    if (replica.seq > atLeast) replica.seq = atLeast + remembered % (replica.seq - atLeast + 1);
  }

  rejoin(index: number, interrupted: boolean): string {
    if (index === this.source) return "";
    const target = this.of(index);
    const source = this.of(this.source);
    const judged = judgeRejoin({ source: source.view, target: target.view, founding: false });
    assert.notEqual(judged.action, "refuse", `${judged.rule}: ${judged.explanation}`);
    const lost = target.holds.filter((id) => this.completed.has(id) && !source.holds.includes(id));
    assert.deepEqual(lost, [], `I2: ${judged.rule} overwrites a completed write`);
    target.history = source.history;
    target.inconsistent = interrupted;
    target.joined = !interrupted;
    if (interrupted) return judged.rule;
    target.holds = [...source.holds];
    target.seq = source.seq;
    target.exact = true;
    this.members.add(index);
    return judged.rule;
  }
}

test("rejoin (property): among honest replicas nobody is refused and nothing completed is overwritten", () => {
  const met = new Map<string, number>();
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const dice = new SimulatedRandom(seed);
      const world = new HonestWorld();
      for (let step = 0; step < 40; step += 1) {
        const index = dice.uint32() % 3;
        switch (dice.uint32() % 6) {
          case 0:
          case 1:
            world.write(dice.uint32() % 3 === 0 ? dice.uint32() : 7);
            break;
          case 2:
            world.promote(index);
            break;
          case 3:
            world.leave(index);
            break;
          case 4: {
            const rule = world.rejoin(index, dice.uint32() % 4 === 0);
            met.set(rule, (met.get(rule) ?? 0) + 1);
            break;
          }
          default:
            world.restart(index, dice.uint32());
        }
      }
    }),
    { numRuns: 4_000 },
  );
  for (const rule of ["same_position", "target_behind", "unacknowledged_tail", "target_inconsistent"]) {
    assert.ok((met.get(rule) ?? 0) > 20, `${rule} was met ${met.get(rule) ?? 0} times`);
  }
});

test("rejoin: interrupted while its tail was rolled back, a target has the new history and its old position: it goes on", () => {
  const target = new Replica();
  target.history = [entryOf(1, 0), entryOf(2, 50)];
  target.seq = 57;
  target.inconsistent = true;
  const source = new Replica();
  source.history = target.history;
  source.seq = 50;
  const judged = judgeRejoin({ source: source.view, target: target.view, founding: false });
  assert.deepEqual([judged.rule, judged.action], ["target_inconsistent", "resync"]);
});

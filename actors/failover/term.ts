/**
 * A generation as its source holds it: the record it wants in force, who holds which version of it, and its lease. Pure.
 *
 * It lives from the moment a majority promised until the gate is closed for good, through the states promoting and
 * in_service. Every voter is asked again each interval until it has answered, so that a voter that was away has the
 * newest record as soon as it is back; only the newest proposal is ever sent.
 */
import { type GroupRecord, majorityOf } from "../../protocol/member_set.ts";
import { type Generation, sameGeneration } from "../../protocol/position.ts";
import { LeaseBook, type Look, wasStopped } from "./lease.ts";
import type { RemoteFailover } from "./remote_messages.ts";

export type SendTo = (node: string, body: RemoteFailover) => void;

export class Term {
  readonly generation: Generation;
  readonly #group: string;
  /** Proposed last, in force or not. */
  #proposed: GroupRecord;
  #inForce: GroupRecord | null = null;
  readonly #versionHeldBy = new Map<string, number>();
  readonly #forgotten = new Set<string>();
  readonly #book: LeaseBook;
  #round = 0;
  #look: Look;
  readonly #intervalMs: number;
  /** The highest number that stands against this generation; 0: none. */
  higher = 0;

  constructor(options: {
    readonly group: string;
    readonly record: GroupRecord;
    readonly leaseMs: number;
    readonly intervalMs: number;
    readonly look: Look;
  }) {
    this.#group = options.group;
    this.#proposed = options.record;
    this.generation = options.record.generation;
    this.#book = new LeaseBook({ voters: options.record.voters, leaseMs: options.leaseMs });
    this.#intervalMs = options.intervalMs;
    this.#look = options.look;
  }

  get proposed(): GroupRecord {
    return this.#proposed;
  }

  /** The newest record known to be held by a majority. */
  get inForce(): GroupRecord | null {
    return this.#inForce;
  }

  get voters(): readonly string[] {
    return this.#proposed.voters;
  }

  get leaseUntilMs(): number {
    return this.#book.untilMs;
  }

  /** Voters that have not confirmed the newest proposal. */
  get unrecorded(): readonly string[] {
    return this.voters.filter((voter) => (this.#versionHeldBy.get(voter) ?? 0) < this.#proposed.version);
  }

  /** Voters that lost their memory: they count for nothing until they are enrolled again. */
  get forgotten(): readonly string[] {
    return [...this.#forgotten];
  }

  unleased(nowMs: number): readonly string[] {
    return this.#book.missing(nowMs);
  }

  propose(record: GroupRecord, send: SendTo): void {
    this.#proposed = record;
    this.sendRecord(send);
  }

  /** To every voter that has not confirmed it. */
  sendRecord(send: SendTo): void {
    for (const voter of this.unrecorded) {
      send(voter, { kind: "record_requested", group: this.#group, record: this.#proposed });
    }
  }

  renew(nowMs: number, send: SendTo): void {
    this.#round += 1;
    this.#book.asked({ round: this.#round, sentAtMs: nowMs });
    for (const voter of this.voters) {
      send(voter, {
        kind: "lease_requested",
        group: this.#group,
        generation: this.generation,
        round: this.#round,
      });
    }
  }

  /** Drops the lease when this process may have been stopped since the last look; true: it did. */
  look(look: Look): boolean {
    const stopped = wasStopped(this.#look, look, this.#intervalMs);
    this.#look = look;
    if (stopped) this.#book.drop();
    return stopped;
  }

  /** Takes an answer of a voter; anything of another generation is not for this term. */
  answered(from: string, body: RemoteFailover): void {
    if (!this.voters.includes(from)) return;
    switch (body.kind) {
      case "recorded":
        if (!sameGeneration(body.generation, this.generation)) return;
        this.#forgotten.delete(from);
        this.#versionHeldBy.set(from, Math.max(body.version, this.#versionHeldBy.get(from) ?? 0));
        this.#count();
        return;
      case "record_refused":
        if (!sameGeneration(body.generation, this.generation)) return;
        if (body.reason === "forgotten") this.#forgotten.add(from);
        else if (body.reason !== "unavailable") this.#against(body.number, body.reason === "rival");
        return;
      case "lease_granted":
        if (!sameGeneration(body.generation, this.generation)) return;
        this.#book.granted({ voter: from, round: body.round, durationMs: body.durationMs });
        return;
      case "lease_refused":
        if (!sameGeneration(body.generation, this.generation)) return;
        this.#book.refused(from);
        // It may have been away, or have lost its file: what it confirmed before counts no more.
        if (body.reason === "record_missing") this.#versionHeldBy.delete(from);
        if (body.reason === "higher_promised") this.#against(body.number, false);
        return;
      default:
        return;
    }
  }

  #against(number: number, rival: boolean): void {
    if (number > this.generation.number || rival) {
      this.higher = Math.max(this.higher, number, this.generation.number);
    }
  }

  #count(): void {
    const holders = this.voters.filter((voter) =>
      (this.#versionHeldBy.get(voter) ?? 0) >= this.#proposed.version
    );
    if (holders.length >= majorityOf(this.voters.length)) this.#inForce = this.#proposed;
  }
}

/**
 * A voter without a clock of its own, as a contract: a register with compare-and-set.
 *
 * Redis, etcd and a shared file cannot grant a lease: none of them may be trusted to let it run out (a Redis that was
 * stopped, a file server whose clock jumps). So they only keep the vote: what was promised, what is recorded, and a
 * renewal counter that the source moves. Whoever wants to unseat it watches the counter stand still for a whole lease plus
 * margin on its own monotonic clock (`counter_watch.ts`), then sets the vote against the very version it watched: if
 * the source renewed in between, the versions differ and nothing happens.
 *
 * An answer may be lost. Each write carries an id of its own, so that whoever got `unknown` reads again and sees
 * whether its write is there. An order that timed out may still be carried out later, by a server that was stopped:
 * always only against the version that it named, so it can never undo what came after.
 *
 * Stores forget. `version` counts writes and only grows, `incarnation` is minted when a witness is enrolled, and
 * `doubtful` says that the store itself knows it may have lost writes: `memory_table.ts` tells a voter from a stranger by these.
 *
 * Siblings: `memory.ts` (simulated), `shared_file.ts`, `redis.ts`, `etcd.ts`. One suite over all: `test/conformance/witness_suite.ts`.
 */
import type { GroupRecord } from "../../protocol/member_set.ts";
import type { Generation } from "../../protocol/position.ts";

/** The sign of life of a source. */
export interface WitnessLease {
  /** The source's node. */
  readonly holder: string;
  readonly generation: Generation;
  /** Grows by one with each renewal. */
  readonly counter: number;
}

export interface WitnessVote {
  /** 32 hexadecimal digits: this witness's life as a voter of this group; a new one each time it is enrolled. */
  readonly incarnation: string;
  /** No lower generation is accepted any more. Number 0: nothing promised yet. */
  readonly promised: Generation;
  readonly record: GroupRecord | null;
  /** Null: nobody holds one, or the holder resigned. */
  readonly lease: WitnessLease | null;
  /** 32 hexadecimal digits, new for each write: by this a writer knows its own. */
  readonly writeId: string;
}

export type WitnessRead =
  | {
    readonly kind: "found";
    readonly vote: WitnessVote;
    /** ≥ 1; grows by one with each write. */
    readonly version: number;
    /** The store restarted, or was replaced by its replica, since this was written and may have lost later writes. */
    readonly doubtful: boolean;
  }
  /** Reachable, and nothing is kept there. */
  | { readonly kind: "empty" }
  /** Something is there that is no vote of ours. */
  | { readonly kind: "damaged"; readonly cause: string }
  | { readonly kind: "unreachable"; readonly cause: string; readonly timedOut: boolean };

export type WitnessWrite =
  /** Durable as far as the store goes. */
  | { readonly kind: "set"; readonly version: number }
  /** Another version is there: nothing was changed. */
  | { readonly kind: "conflict" }
  /** What is there is doubtful, and the write would have kept its incarnation: nothing was changed. */
  | { readonly kind: "forgotten" }
  /** Nothing was changed, and nothing will be. */
  | { readonly kind: "unreachable"; readonly cause: string; readonly timedOut: boolean }
  /** It may have been done, or be done later. Read again and look for the write's id. */
  | { readonly kind: "unknown"; readonly cause: string; readonly timedOut: boolean };

export interface WitnessCall {
  /** ≥ 1. The answer is there by then, whatever the store does. */
  readonly timeoutMs: number;
}

export interface WitnessChange extends WitnessCall {
  /** The version that was read; 0 for `empty`. */
  readonly expected: number;
  readonly next: WitnessVote;
}

/** One group's register in one store. Never rejects. */
export interface WitnessRegister {
  /** For people: `redis at 10.0.0.5:6379`. */
  readonly name: string;
  /** What a write that was answered before this call began left there, or something later. */
  read(call: WitnessCall): Promise<WitnessRead>;
  /** Sets all of the vote, if the version is still the expected one. Atomic. */
  compareAndSet(change: WitnessChange): Promise<WitnessWrite>;
  /** Callable twice. Calls under way end as `unreachable` or `unknown`. */
  close(): Promise<void>;
}

/** Where one group's register lies in a store shared by many. Names hold no separator (`protocol/ids.ts`). */
export interface RegisterPlace {
  readonly cluster: string;
  readonly group: string;
}

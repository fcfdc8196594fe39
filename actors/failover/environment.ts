/**
 * What the failover actor needs from the rest of its node: the only way it touches anything.
 *
 * `actors/node/` builds one of these out of refs; the simulator and the tests build another. No method waits and
 * none throws; an outcome comes back through the `reply` that went along, or as a message of `messages.ts`.
 */
import type { ReplyTo } from "../../runtime/mod.ts";
import type {
  FailoverToMirror,
  GroupSummary,
  Opening,
  ReplicaPlan,
  SealAnswer,
  VoteOpened,
} from "./messages.ts";

export interface PeerState {
  readonly node: string;
  readonly state: "up" | "suspected" | "down";
  /** Of the process that was last heard; null: never heard. */
  readonly incarnation: string | null;
}

export interface FailoverEnvironment {
  /**
   * Hands a message to the failover actor of another node over the control connection. False when it was not even
   * accepted. It may be lost, late, doubled or out of order; the receiver sees it as `remote`.
   */
  send(node: string, body: unknown): boolean;
  /** All other nodes that hold a replica of some group of this node, as they are now. */
  peers(): readonly PeerState[];
  /** Opens the durable vote of a group, creating an empty one on the first start. Called once per group and start. */
  openVote(group: string): Promise<VoteOpened>;
  /**
   * The local target refuses every stream of a generation below `number` from now on, until it is sealed higher;
   * then it reports its facts, whose position is final for lower generations. Callable again with the same number.
   * While the node is still source: `{ ok: false }`.
   */
  seal(group: string, number: number, reply: ReplyTo<SealAnswer>): void;
  /**
   * Replaces the target by the mirror, which makes the history entry durable and opens the gate: `gate_opened`; or
   * `gate_closed` with its cause. An opening is good for one gate: a mirror that ends is reported as `mirror_down`
   * and its successor waits for an opening of its own.
   */
  becomeSource(group: string, opening: Opening): void;
  /**
   * Stops the mirror, if there is one, and starts the target. `reply` is given when the mirror IS stopped, so that
   * nothing of this node completes any more; at once when there was none. Callable twice.
   */
  becomeTarget(group: string, cause: string, reply: ReplyTo<void>): void;
  /** Never refused: a mirror that is not there any more has its end reported. */
  tellMirror(group: string, message: FailoverToMirror): void;
  /** What the heartbeats of this node should say of the group from now on. */
  summaryChanged(summary: GroupSummary): void;
  /** The main loop and every disk answered within their stall limit. False: leases are not renewed. */
  healthy(): boolean;
  /** For the event history and the log: facts in the past tense. */
  event(kind: string, fields: Readonly<Record<string, unknown>>): void;
}

/** One group as the configuration has it; `replicas` in the order of priority, this node among them. */
export interface GroupPlan {
  readonly group: string;
  readonly replicas: readonly ReplicaPlan[];
}

export interface FailoverOptions {
  readonly node: string;
  /** Of this process; a later process of the same node has another. */
  readonly incarnation: string;
  readonly groups: readonly GroupPlan[];
  /** How often a source renews its lease and everybody looks around. */
  readonly intervalMs: number;
  /** How long a voter's grant lasts on the voter's own clock. At least four intervals. */
  readonly leaseMs: number;
  readonly environment: FailoverEnvironment;
}

/**
 * Pure: what this node makes of one other node, and of the control connection to it.
 *
 * Two questions are kept apart. *The connection*: of each pair of nodes the one with the alphabetically lower name
 * dials and the other accepts, so that two nodes never end up with two connections and two opinions. *The opinion*:
 * up, suspected or down, which failover and the mirrors act on. A connection may be lost and made again within the
 * bound of the fault detector without anybody's opinion changing: a switch that was rebooted is no failover.
 *
 * ```text
 *  connection                                     opinion
 *                                                 unknown ──connected──▶ up ◀──heard── suspected
 *   waiting ──retry──▶ dialing                       │                   │ silent, connected ▲
 *      ▲                 │  connected                │ silent            ├───────────────────┘
 *      └─────ended───────┴────────▶ connected        └───────▶ down ◀────┘ silent, not connected
 * ```
 *
 * The latest handshake wins. A connection of the same process replaces one that must be dead; a connection of another
 * incarnation means that the node restarted: what was promised by the old process is void, so the opinion goes through
 * down to up, however short the absence was.
 */
import { assertNever, invariant } from "../../runtime/invariant.ts";
import { type DetectorTimes, FaultDetector } from "./fault_detector.ts";

export interface PeerOptions extends DetectorTimes {
  readonly self: string;
  readonly peer: string;
  /** Of the peer, in the order in which they are tried. */
  readonly addresses: readonly string[];
}

export type Opinion = "unknown" | "up" | "suspected" | "down";

export type PeerEvent =
  /** Each heartbeat interval. */
  | { readonly kind: "ticked" }
  /** The time for the next attempt has come. */
  | { readonly kind: "retry_due" }
  /** This node dialled, and the other end took the handshake. */
  | { readonly kind: "dialed"; readonly connection: number; readonly incarnation: string }
  | { readonly kind: "dial_failed"; readonly cause: string }
  /** The other end dialled, and the handshake went well. */
  | { readonly kind: "accepted"; readonly connection: number; readonly incarnation: string }
  /** Anything came over the connection. */
  | { readonly kind: "heard"; readonly connection: number }
  | { readonly kind: "connection_ended"; readonly connection: number; readonly cause: string };

export type PeerEffect =
  | { readonly kind: "dial"; readonly address: string }
  | { readonly kind: "retry_in"; readonly delayMs: number }
  | { readonly kind: "send_heartbeat"; readonly connection: number }
  | { readonly kind: "close_connection"; readonly connection: number; readonly reason: string }
  /** Remote monitors and remote mail: from now on over this connection. */
  | { readonly kind: "link_up"; readonly connection: number; readonly incarnation: string }
  | { readonly kind: "link_down"; readonly cause: string }
  | { readonly kind: "tell_up"; readonly incarnation: string }
  | { readonly kind: "tell_suspected"; readonly cause: string }
  | { readonly kind: "tell_down"; readonly cause: string };

/** The moment of a step, and a number in [0, 1) for the jitter of retries. */
export interface Moment {
  readonly nowMs: number;
  readonly chance: number;
}

type Connection =
  | { readonly kind: "waiting" }
  | { readonly kind: "dialing"; readonly addressIndex: number }
  | { readonly kind: "connected"; readonly connection: number };

/** The first retry follows soon: most lost connections come back at once, when a process restarts. */
export const RETRY_FIRST_MS = 100;
/** A node that returns is seen within this. A refused dial costs one packet, so it need not be longer. */
export const RETRY_MAX_MS = 1_000;

/** Of two nodes, the one that dials. Each end computes the same answer. */
export function dials(self: string, peer: string): boolean {
  invariant(self !== peer, "a node is no peer of itself");
  return self < peer;
}

export class PeerMachine {
  readonly #options: PeerOptions;
  readonly #detector: FaultDetector;
  #connection: Connection = { kind: "waiting" };
  #opinion: Opinion = "unknown";
  /** Of the process that was heard last. */
  #incarnation: string | null = null;
  /** Rounds over all addresses that failed in a row. */
  #failedRounds = 0;
  #cause: string;

  constructor(options: PeerOptions, nowMs: number) {
    invariant(options.addresses.length > 0, "a node has an address to be dialled at");
    this.#options = options;
    this.#detector = new FaultDetector(options, nowMs);
    this.#cause = "it has not been reached yet";
  }

  get opinion(): Opinion {
    return this.#opinion;
  }
  get incarnation(): string | null {
    return this.#incarnation;
  }
  /** The connection in use, `null` when there is none. */
  get connection(): number | null {
    return this.#connection.kind === "connected" ? this.#connection.connection : null;
  }
  /** Why it is not up; `null` when it is. */
  get cause(): string | null {
    return this.#opinion === "up" ? null : this.#cause;
  }
  get lastHeardMs(): number {
    return this.#detector.lastHeardMs;
  }

  step(event: PeerEvent, moment: Moment): PeerEffect[] {
    switch (event.kind) {
      case "ticked":
        return this.#ticked(moment.nowMs);
      case "retry_due":
        return this.#connection.kind === "waiting" ? this.#dial(0) : [];
      case "dialed":
        return this.#connected(event, moment.nowMs);
      case "dial_failed":
        return this.#dialFailed(event.cause, moment);
      case "accepted":
        return this.#connected(event, moment.nowMs);
      case "heard":
        return this.#heard(event.connection, moment.nowMs);
      case "connection_ended":
        return this.#ended(event, moment);
      default:
        return assertNever(event);
    }
  }

  /** Dialling begins at once; whoever is dialled waits. */
  start(): PeerEffect[] {
    return dials(this.#options.self, this.#options.peer) ? this.#dial(0) : [];
  }

  #ticked(nowMs: number): PeerEffect[] {
    const effects: PeerEffect[] = [];
    if (this.#connection.kind === "connected") {
      effects.push({ kind: "send_heartbeat", connection: this.#connection.connection });
    }
    if (!this.#detector.isSuspect(nowMs)) return effects;
    const silence = `nothing was heard from it for ${Math.round(this.#detector.silenceMs(nowMs))} ms`;
    if (this.#connection.kind !== "connected") {
      if (this.#opinion !== "down") {
        effects.push(this.#down(`${silence} and there is no connection: ${this.#cause}`));
      }
      return effects;
    }
    if (this.#opinion === "up") {
      this.#opinion = "suspected";
      this.#cause = silence;
      effects.push({ kind: "tell_suspected", cause: silence });
    }
    if (this.#detector.isHopeless(nowMs)) {
      // The end of the connection is reported like any other, and turns suspicion into «down».
      effects.push({ kind: "close_connection", connection: this.#connection.connection, reason: silence });
    }
    return effects;
  }

  #dial(addressIndex: number): PeerEffect[] {
    const address = this.#options.addresses[addressIndex];
    invariant(address !== undefined, "only addresses of the peer are dialled");
    this.#connection = { kind: "dialing", addressIndex };
    return [{ kind: "dial", address }];
  }

  #dialFailed(cause: string, moment: Moment): PeerEffect[] {
    // A connection was accepted meanwhile: nothing is missing.
    if (this.#connection.kind !== "dialing") return [];
    this.#cause = cause;
    const next = this.#connection.addressIndex + 1;
    if (next < this.#options.addresses.length) return this.#dial(next);
    this.#connection = { kind: "waiting" };
    this.#failedRounds += 1;
    return [this.#retry(moment)];
  }

  #retry(moment: Moment): PeerEffect {
    const backoffMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(this.#failedRounds, 30));
    // Half fixed, half by chance: nodes that lost one switch together do not come back in step.
    return { kind: "retry_in", delayMs: backoffMs * (0.5 + moment.chance / 2) };
  }

  #connected(
    { connection, incarnation }: { readonly connection: number; readonly incarnation: string },
    nowMs: number,
  ): PeerEffect[] {
    const effects: PeerEffect[] = [];
    if (this.#connection.kind === "connected") {
      const reason = "a newer connection of the same node took its place";
      effects.push({ kind: "close_connection", connection: this.#connection.connection, reason });
      effects.push({ kind: "link_down", cause: reason });
    }
    const restarted = this.#incarnation !== null && this.#incarnation !== incarnation;
    if (restarted && this.#opinion !== "down") effects.push(this.#down("its process was restarted"));
    this.#connection = { kind: "connected", connection };
    this.#incarnation = incarnation;
    this.#failedRounds = 0;
    this.#detector.heard(nowMs);
    effects.push({ kind: "link_up", connection, incarnation });
    effects.push({ kind: "send_heartbeat", connection });
    return [...effects, ...this.#up()];
  }

  #heard(connection: number, nowMs: number): PeerEffect[] {
    // A connection that was replaced proves nothing about the one in use.
    if (this.connection !== connection) return [];
    this.#detector.heard(nowMs);
    return this.#up();
  }

  #ended(event: { readonly connection: number; readonly cause: string }, moment: Moment): PeerEffect[] {
    if (this.connection !== event.connection) return [];
    this.#connection = { kind: "waiting" };
    this.#cause = event.cause;
    const effects: PeerEffect[] = [{ kind: "link_down", cause: event.cause }];
    if (this.#detector.isSuspect(moment.nowMs) && this.#opinion !== "down") {
      effects.push(this.#down(event.cause));
    }
    if (dials(this.#options.self, this.#options.peer)) effects.push(this.#retry(moment));
    return effects;
  }

  #up(): PeerEffect[] {
    if (this.#opinion === "up") return [];
    this.#opinion = "up";
    invariant(this.#incarnation !== null, "a node that is up has been heard");
    return [{ kind: "tell_up", incarnation: this.#incarnation }];
  }

  #down(cause: string): PeerEffect {
    this.#opinion = "down";
    this.#cause = cause;
    return { kind: "tell_down", cause };
  }
}

/**
 * One other node as this node knows it: keeps the control connection, sends and answers heartbeats, carries mail
 * between actors of the two nodes, and says up, suspected or down to those who act on it.
 *
 * `machine.ts` decides; here connections are numbered, opened and closed. Channels outlive an incarnation that is
 * killed, so the next one begins by closing what the dead one left: a connection that nobody reads would look alive
 * to the other end for two leases.
 */
import type { ActorContext, ActorSpec, Behavior, RemoteLink } from "../../runtime/mod.ts";
import { assertNever } from "../../runtime/invariant.ts";
import type { FrameChannel, FrameSink } from "../../protocol/frame_channel.ts";
import { type Envelope, packEnvelope, unpackEnvelope } from "../../protocol/messages.ts";
import { isShapeFailure } from "../../protocol/shape.ts";
import type { DialOutcome } from "./dial.ts";
import type { PeerEnvironment } from "./environment.ts";
import { type PeerEffect, type PeerEvent, PeerMachine } from "./machine.ts";
import type { PeerMessage } from "./messages.ts";
import { checkRemoteEnvelope } from "./remote_envelope.ts";

/** Beyond this nothing more is queued on a control connection: mail is lost, as it may be, and heartbeats wait. */
export const QUEUED_BYTES_MAX = 4 * 1024 * 1024;
/** The weight of a new round trip in the average. */
const RTT_WEIGHT = 1 / 8;

export function peerActor(environment: PeerEnvironment): ActorSpec<PeerMessage> {
  const leftovers = new Set<FrameChannel>();
  return {
    name: `peer:${environment.peer}`,
    start: (context) => new Peer(environment, context, leftovers),
  };
}

interface Connection {
  readonly id: number;
  readonly channel: FrameChannel;
  readonly incarnation: string;
  heartbeats: number;
  link: RemoteLink | null;
}

class Peer implements Behavior<PeerMessage> {
  readonly #environment: PeerEnvironment;
  readonly #context: ActorContext<PeerMessage>;
  readonly #machine: PeerMachine;
  /** Every channel that is open, also of incarnations of this actor that are dead. */
  readonly #open: Set<FrameChannel>;
  readonly #connections = new Map<number, Connection>();
  #connectionIds = 0;
  #rttMs: number | null = null;
  #mailLost = 0;

  constructor(
    environment: PeerEnvironment,
    context: ActorContext<PeerMessage>,
    leftovers: Set<FrameChannel>,
  ) {
    this.#environment = environment;
    this.#context = context;
    this.#open = leftovers;
    for (const channel of leftovers) channel.destroy("the actor of this peer was restarted");
    leftovers.clear();
    this.#machine = new PeerMachine(environment, context.now());
    context.every(environment.heartbeatIntervalMs, { kind: "tick" });
    this.#perform(this.#machine.start());
    this.#writeBoard();
  }

  receive(message: PeerMessage): void {
    switch (message.kind) {
      case "tick":
        return this.#step({ kind: "ticked" });
      case "retry_due":
        return this.#step({ kind: "retry_due" });
      case "dial_ended":
        return this.#dialEnded(message.outcome);
      case "connection_accepted": {
        const { channel, incarnation } = message;
        return this.#begin({ kind: "accepted", channel, incarnation });
      }
      case "tell_requested":
        return this.#tell(message);
      default:
        assertNever(message);
    }
  }

  stopping(): void {
    for (const channel of this.#open) channel.end();
    this.#open.clear();
  }

  inspect(): unknown {
    return {
      state: this.#machine.opinion,
      cause: this.#machine.cause,
      incarnation: this.#machine.incarnation,
      connection: this.#inUse()?.channel.remoteAddress ?? null,
      rttMs: this.#rttMs,
      silentForMs: Math.round(this.#context.now() - this.#machine.lastHeardMs),
      mailLost: this.#mailLost,
    };
  }

  #step(event: PeerEvent): void {
    const moment = { nowMs: this.#context.now(), chance: this.#context.random.float() };
    this.#perform(this.#machine.step(event, moment));
    this.#writeBoard();
  }

  #perform(effects: readonly PeerEffect[]): void {
    for (const effect of effects) this.#performOne(effect);
  }

  #performOne(effect: PeerEffect): void {
    const environment = this.#environment;
    const node = environment.peer;
    switch (effect.kind) {
      case "dial":
        return this.#dial(effect.address);
      case "retry_in":
        this.#context.after(effect.delayMs, { kind: "retry_due" });
        return;
      case "send_heartbeat":
        return this.#sendHeartbeat(effect.connection);
      case "close_connection":
        this.#connections.get(effect.connection)?.channel.destroy(effect.reason);
        return;
      case "link_up":
        return this.#linkUp(effect.connection);
      case "link_down":
        return this.#linkDown();
      case "tell_up":
        environment.event("peer_up", { peer: node, cause: "it was heard", incarnation: effect.incarnation });
        return environment.up(effect.incarnation);
      case "tell_suspected":
        environment.event("peer_suspected", { peer: node, cause: effect.cause });
        return environment.suspected(effect.cause);
      case "tell_down":
        environment.event("peer_down", { peer: node, cause: effect.cause });
        return environment.down(effect.cause);
      default:
        assertNever(effect);
    }
  }

  // ---- connections ----

  #dial(address: string): void {
    const dialled = this.#environment.dial(address).then((outcome) => {
      // Also when this incarnation has died meanwhile: the next one closes it.
      if (outcome.ok) this.#open.add(outcome.channel);
      return outcome;
    });
    this.#context.pipe(
      dialled,
      (outcome) => ({ kind: "dial_ended", outcome }),
      (error) => ({ kind: "dial_ended", outcome: { ok: false, cause: error.message, refused: false } }),
    );
  }

  #dialEnded(outcome: DialOutcome): void {
    if (!outcome.ok) return this.#step({ kind: "dial_failed", cause: outcome.cause });
    const { channel, peer } = outcome;
    this.#begin({ kind: "dialed", channel, incarnation: peer.incarnation });
  }

  #begin(
    begun: {
      readonly kind: "dialed" | "accepted";
      readonly channel: FrameChannel;
      readonly incarnation: string;
    },
  ): void {
    const { kind, channel, incarnation } = begun;
    this.#connectionIds += 1;
    const id = this.#connectionIds;
    this.#open.add(channel);
    this.#connections.set(id, { id, channel, incarnation, heartbeats: 0, link: null });
    this.#step({ kind, connection: id, incarnation });
    channel.receive(this.#sink(id, channel));
    channel.resume();
  }

  #sink(connection: number, channel: FrameChannel): FrameSink {
    const context = this.#context;
    return {
      frame: context.guard(() => this.#violated(channel, "it sent data on a control connection")),
      message: context.guard((value: unknown) => this.#message(connection, value)),
      drained: () => {},
      ended: context.guard((end: { readonly detail: string }) => {
        this.#open.delete(channel);
        this.#step({ kind: "connection_ended", connection, cause: end.detail });
        this.#connections.delete(connection);
      }),
    };
  }

  #inUse(): Connection | undefined {
    const id = this.#machine.connection;
    return id === null ? undefined : this.#connections.get(id);
  }

  /** The other end broke the rules: the session ends, and both ends say why. */
  #violated(channel: FrameChannel, detail: string): void {
    this.#environment.event("peer_violated", { peer: this.#environment.peer, cause: detail });
    channel.destroy(detail);
  }

  // ---- what comes ----

  #message(connection: number, value: unknown): void {
    const from = this.#connections.get(connection);
    if (from === undefined || this.#machine.connection !== connection) return;
    const envelope = unpackEnvelope(value);
    if (isShapeFailure(envelope)) return this.#violated(from.channel, envelope.detail);
    this.#step({ kind: "heard", connection });
    this.#received(from, envelope);
  }

  #received(from: Connection, envelope: Envelope): void {
    const environment = this.#environment;
    switch (envelope.kind) {
      case "heartbeat":
        this.#send(from, { kind: "heartbeat_ack", sentAt: envelope.sentAt, seq: envelope.seq });
        return environment.heard(envelope.groups);
      case "heartbeat_ack":
        return this.#noteRtt(this.#context.now() - envelope.sentAt);
      case "tell": {
        const mail = { to: envelope.to, from: envelope.from, body: envelope.body };
        if (!environment.deliver({ ...mail, node: environment.peer, incarnation: from.incarnation })) {
          this.#context.log.warn("mail_not_deliverable", {
            from: environment.peer,
            to: envelope.to.slice(0, 64),
          });
        }
        return;
      }
      case "link": {
        const inner = checkRemoteEnvelope(envelope.body);
        if (isShapeFailure(inner)) return this.#violated(from.channel, inner.detail);
        from.link?.onEnvelope?.(inner);
        return;
      }
      default:
        assertNever(envelope);
    }
  }

  #noteRtt(rttMs: number): void {
    // An answer from before a pause of this process, or an invented one, says nothing about the way.
    if (rttMs < 0 || rttMs > this.#environment.leaseMs) return;
    this.#rttMs = this.#rttMs === null ? rttMs : this.#rttMs + (rttMs - this.#rttMs) * RTT_WEIGHT;
    this.#environment.rtt.set(this.#rttMs / 1_000, { peer: this.#environment.peer });
  }

  // ---- what goes ----

  #send(connection: Connection, envelope: Envelope): boolean {
    if (connection.channel.queuedBytes > QUEUED_BYTES_MAX) return false;
    return connection.channel.sendMessage(packEnvelope(envelope)) > 0;
  }

  #sendHeartbeat(id: number): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    connection.heartbeats += 1;
    const groups = this.#environment.summaries();
    this.#send(connection, {
      kind: "heartbeat",
      sentAt: this.#context.now(),
      seq: connection.heartbeats,
      groups,
    });
  }

  #tell({ to, from, body }: { readonly to: string; readonly from: string; readonly body: unknown }): void {
    const connection = this.#inUse();
    if (connection === undefined || !this.#send(connection, { kind: "tell", to, from, body })) {
      this.#mailLost += 1;
    }
  }

  #linkUp(id: number): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    const link: RemoteLink = {
      send: (envelope) => this.#send(connection, { kind: "link", body: envelope }),
      onEnvelope: null,
    };
    connection.link = link;
    this.#environment.remote.linked(link, connection.incarnation);
  }

  #linkDown(): void {
    for (const connection of this.#connections.values()) {
      if (connection.link !== null) this.#environment.remote.unlinked(connection.link);
      connection.link = null;
    }
  }

  #writeBoard(): void {
    const { opinion, incarnation, cause, lastHeardMs } = this.#machine;
    const connection = this.#inUse();
    const address = connection?.channel.remoteAddress ?? this.#environment.addresses[0] ?? "";
    const state = connection === undefined ? "down" : opinion === "suspected" ? "suspected" : "up";
    this.#environment.board.put({
      node: this.#environment.peer,
      opinion,
      incarnation,
      cause,
      lastHeardMs,
      paths: [{ address, state, rttMs: connection === undefined ? null : this.#rttMs }],
    });
  }
}

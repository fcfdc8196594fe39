/**
 * A source that says whatever the test wants, to a real target over a simulated network: the other half of a
 * conversation, and a hostile stranger.
 */
import assert from "node:assert/strict";
import { FrameChannel } from "../../../../protocol/frame_channel.ts";
import { type FrameFields, SESSION_LIMITS } from "../../../../protocol/frame_header.ts";
import type { LegToTarget } from "../../../../protocol/leg_messages.ts";
import type { HistoryEntry } from "../../../../protocol/position.ts";
import type { ReplicaView } from "../../../../protocol/rejoin_table.ts";
import { SlabPool } from "../../../../runtime/mod.ts";
import { isStreamEnd } from "../../../../transports/transport.ts";
import { Cluster, type ClusterOptions } from "../../mirror/support/cluster.ts";

export const GROUP_ID = "a".repeat(32);

export function entryOf(number: number, baseSeq = 0, lossless = true): HistoryEntry {
  return {
    generation: { number, id: String(number % 10).repeat(32) },
    source: "alpha",
    baseSeq,
    lossless,
  };
}

export function sourceView(history: readonly HistoryEntry[], seq: number): ReplicaView {
  return {
    groupId: GROUP_ID,
    history,
    position: { generation: history.at(-1)?.generation.number ?? 0, seq },
    positionExact: true,
    disk: "up_to_date",
    zero: false,
  };
}

/** beta runs with a real target, alpha is the test. */
export async function targetAlone(options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = new Cluster({ volumeBytes: 1024 * 1024, ...options });
  await cluster.node("beta").start();
  await cluster.pass(20);
  return cluster;
}

export class RawSource {
  readonly cluster: Cluster;
  readonly channel: FrameChannel;
  readonly messages: Record<string, unknown>[] = [];
  readonly acks: { readonly applied: number; readonly stable: number }[] = [];
  ended: string | null = null;

  private constructor(cluster: Cluster, channel: FrameChannel) {
    this.cluster = cluster;
    this.channel = channel;
    channel.receive({
      frame: (frame) => void this.acks.push({ applied: frame.seq, stable: frame.offset }),
      message: (value) => void this.messages.push(value as Record<string, unknown>),
      drained: () => {},
      ended: (end) => this.ended = end.detail,
    });
    channel.resume();
  }

  static async connect(cluster: Cluster, from = "alpha"): Promise<RawSource> {
    const connecting = cluster.network.transport(from).connect({ scheme: "memory", name: "beta" }, {
      timeoutMs: 1_000,
    });
    await cluster.pass(5);
    const stream = await connecting;
    assert.ok(!isStreamEnd(stream));
    const nobody = { frame: () => {}, message: () => {}, drained: () => {}, ended: () => {} };
    const pool = new SlabPool({ slabBytes: 256 * 1024, idleMax: 2 });
    return new RawSource(cluster, new FrameChannel(stream, { pool, sink: nobody, limits: SESSION_LIMITS }));
  }

  say(message: LegToTarget): Promise<void> {
    this.channel.sendMessage(message);
    return this.cluster.pass(5);
  }

  /** Anything at all. */
  sayRaw(value: unknown): Promise<void> {
    this.channel.sendMessage(value);
    return this.cluster.pass(5);
  }

  frame(fields: FrameFields, payload?: Uint8Array): Promise<void> {
    this.channel.sendFrame(fields, payload);
    return this.cluster.pass(5);
  }

  write(at: { seq: number; offset: number; byte: number; length?: number; fua?: boolean }): Promise<void> {
    const payload = new Uint8Array(at.length ?? 512).fill(at.byte);
    const flags = at.fua === true ? 1 : 0;
    return this.frame(
      { kind: "write", seq: at.seq, offset: at.offset, span: payload.length, flags },
      payload,
    );
  }

  open(view: ReplicaView, more: { founding?: boolean; full?: boolean } = {}): Promise<void> {
    const { volumes, regionBytes } = this.cluster.node("beta").plan;
    return this.say({
      kind: "leg_open",
      group: "db",
      view,
      founding: more.founding ?? false,
      full: more.full ?? false,
      volumes: volumes.map(({ name, size }) => ({ name, size, regionBytes })),
    });
  }

  /** Up to a stream that replicates from `seq` on, without a window. */
  async replicate(view: ReplicaView): Promise<void> {
    await this.open(view, { founding: true });
    await this.say({ kind: "leg_plan", rule: "founding_replica" });
    await this.say({ kind: "resync_end", seq: view.position.seq });
    assert.deepEqual(this.last("up_to_date"), { kind: "up_to_date", seq: view.position.seq });
  }

  last(kind: string): Record<string, unknown> | undefined {
    return this.messages.findLast((message) => message.kind === kind);
  }
}

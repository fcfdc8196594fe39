/**
 * One node of a simulated group: the "process" (an actor system with the group's real supervisor, intent_log and mirror
 * or target) over disks that outlive it. What the real node would wire is wired here with as little as possible.
 */
import {
  type ActorSystem,
  type Crash,
  type Ref,
  type ReplyTo,
  SimulatedWorld,
  SlabPool,
  supervisor,
  type SupervisorMessage,
} from "../../../../runtime/mod.ts";
import { intentLogActor } from "../../../../actors/intent_log/actor.ts";
import type { IntentLogMessage } from "../../../../actors/intent_log/messages.ts";
import { mirrorActor } from "../../../../actors/mirror/actor.ts";
import type { MirrorReplica } from "../../../../actors/mirror/environment.ts";
import type {
  GateOpenForExport,
  LegChannelOutcome,
  MirrorMessage,
  MirrorStatus,
} from "../../../../actors/mirror/messages.ts";
import { targetActor } from "../../../../actors/target/actor.ts";
import type { TargetMessage, TargetStatus } from "../../../../actors/target/messages.ts";
import type { FailoverMessage, Opening } from "../../../../actors/failover/messages.ts";
import { FrameChannel } from "../../../../protocol/frame_channel.ts";
import { SESSION_LIMITS } from "../../../../protocol/frame_header.ts";
import type { ByteStream } from "../../../../runtime/byte_stream.ts";
import type { SimulatedNetwork } from "../../../../transports/memory.ts";
import { isStreamEnd } from "../../../../transports/transport.ts";
import type { MemoryDisk } from "../../../../volume/memory_device.ts";
import { MemoryShelf } from "../../../../volume/memory_shelf.ts";
import type { GroupStore } from "../../../../volume/group_store.ts";
import { openGroupStore } from "../../../../volume/open_group_store.ts";
import { OpenFailure } from "../../../../volume/open_failure.ts";

export const GROUP = "db";

export interface NodePlan {
  readonly name: string;
  readonly volumes: readonly { readonly name: string; readonly size: number }[];
  /** The other replicas as this node's mirror knows them. */
  readonly others: readonly MirrorReplica[];
  readonly memberGraceMs: number;
  readonly errorsAfterMs?: number | null;
  /** Disks answer after up to so many virtual ms; 0: within the call. */
  readonly diskDelayMs: number;
  readonly regionBytes: number;
  readonly hotRegionBytes: number;
  readonly hotCapacity: number;
}

/** What a node tells the world around it. */
export interface NodeSurroundings {
  readonly world: SimulatedWorld;
  readonly network: SimulatedNetwork;
  heard(node: ReplicaNode, message: FailoverMessage): void;
  reachable(from: string): readonly string[];
  gateOpened(node: ReplicaNode, gate: GateOpenForExport): void;
  gateClosed(node: ReplicaNode, cause: string): void;
  writable(node: ReplicaNode): void;
}

export class ReplicaNode {
  readonly name: string;
  readonly plan: NodePlan;
  readonly shelf: MemoryShelf;
  readonly events: { readonly kind: string; readonly fields: Readonly<Record<string, unknown>> }[] = [];
  /** Every actor that ended abnormally, kills by the test aside. */
  readonly crashes: string[] = [];
  /** The store as its owner holds it. */
  store: GroupStore | null = null;
  /** Since the node was last fully in sync its disks lost what was not flushed. */
  lostCache = false;
  role: "target" | "mirror" = "target";
  readonly #around: NodeSurroundings;
  readonly #pool = new SlabPool({ slabBytes: 1024 * 1024, idleMax: 8 });
  #system: ActorSystem | null = null;
  #group: Ref<SupervisorMessage> | null = null;

  constructor(plan: NodePlan, around: NodeSurroundings) {
    this.name = plan.name;
    this.plan = plan;
    this.#around = around;
    const { clock, random } = around.world;
    this.shelf = new MemoryShelf(
      plan.diskDelayMs === 0
        ? {}
        : { later: (work) => void clock.after(random.float() * plan.diskDelayMs, work) },
    );
  }

  get running(): boolean {
    return this.#system !== null;
  }
  get system(): ActorSystem {
    if (this.#system === null) throw new Error(`${this.name} is not running`);
    return this.#system;
  }

  /** The data disk of a volume. */
  disk(index = 0): MemoryDisk {
    const disk = this.shelf.disks.get(this.#diskPath(index));
    if (disk === undefined) throw new Error(`${this.name} has no disk yet`);
    return disk;
  }

  async start(): Promise<void> {
    const system = this.#around.world.createSystem({ onCrash: (crash) => this.#crashed(crash) });
    this.#system = system;
    this.role = "target";
    await this.#around.network.transport(this.name).listen(
      { scheme: "memory", name: this.name },
      (stream) => this.#accepted(stream),
    );
    this.#group = system.start({
      spec: supervisor({
        name: "group",
        strategy: "rest_for_one",
        intensity: { restarts: 1_000, periodMs: 1_000 },
        children: [{ spec: this.#intentLog(), restart: "permanent" }, this.#target()] as never,
      }),
      restart: "temporary",
    });
  }

  /** The process is gone. `power_lost`: the machine with it, and what its disks had not made stable. */
  crash(kind: "killed" | "power_lost"): void {
    this.#around.network.crash(this.name, kind);
    this.#system?.kill("group");
    this.#system = null;
    this.#group = null;
    this.store = null;
    if (kind === "power_lost") {
      this.shelf.crash(() => this.#around.world.random.uint32());
      this.lostCache = true;
    } else this.shelf.abandon();
  }

  /** In good order, as a node that is told to stop. */
  async stop(): Promise<void> {
    const stopping = this.#system?.shutdown();
    let over = false;
    void stopping?.then(() => over = true);
    while (!over && stopping !== undefined) await this.#around.world.advanceAwaiting(10);
    this.#around.network.crash(this.name, "killed");
    this.#system = null;
    this.#group = null;
    this.store = null;
  }

  /** Kills one actor, as `kill -9` would a process; its supervisor acts. */
  kill(actor: "intent_log" | "mirror" | "target"): boolean {
    return this.system.kill(`group/${actor}`);
  }

  toMirror(message: MirrorMessage): boolean {
    return this.#system?.registry.lookup<MirrorMessage>(`mirror:${GROUP}`)?.tell(message) ?? false;
  }
  toTarget(message: TargetMessage): boolean {
    return this.#system?.registry.lookup<TargetMessage>(`target:${GROUP}`)?.tell(message) ?? false;
  }

  mirrorStatus(): Promise<MirrorStatus> {
    return this.#answer((reply) => this.toMirror({ kind: "status_requested", reply }));
  }
  targetStatus(): Promise<TargetStatus> {
    return this.#answer((reply) => this.toTarget({ kind: "status_requested", reply }));
  }

  async becomeMirror(opening: Opening): Promise<void> {
    this.role = "mirror";
    await this.#swap(["target", "mirror"], this.#mirror(opening));
  }
  async becomeTarget(): Promise<void> {
    this.role = "target";
    await this.#swap(["mirror", "target"], this.#target());
  }

  eventsOf(kind: string): readonly Readonly<Record<string, unknown>>[] {
    return this.events.filter((event) => event.kind === kind).map((event) => event.fields);
  }

  // ---- the wiring ---------------------------------------------------------------------------------------------

  async #swap(before: readonly string[], child: unknown): Promise<void> {
    const group = this.#group;
    if (group === null) return;
    for (const name of before) {
      // A child that is not there answers so; the one that is, is stopped in good order.
      await this.#answer((reply) => group.tell({ kind: "terminate_child", name, reply }));
      await this.#answer((reply) => group.tell({ kind: "delete_child", name, reply }));
    }
    await this.#answer((reply) => group.tell({ kind: "start_child", child: child as never, reply }));
  }

  #intentLog() {
    const { name, others, volumes, regionBytes, hotRegionBytes, hotCapacity } = this.plan;
    return intentLogActor({
      group: GROUP,
      environment: {
        open: async () => {
          const opened = await openGroupStore({
            group: GROUP,
            node: name,
            peers: others.map((other) => other.node),
            volumes: volumes.map((volume, index) => ({ ...volume, disk: this.#diskPath(index) })),
            opener: this.shelf,
            regionBytes,
            hotRegionBytes,
            hotCapacity,
          });
          if (opened instanceof OpenFailure) {
            return { ok: false, cause: opened.toString(), remedy: "see the test" };
          }
          this.store = opened;
          return { ok: true, store: opened };
        },
        event: (kind, fields) => this.events.push({ kind, fields }),
      },
    });
  }

  #target() {
    const spec = targetActor({
      environment: {
        node: this.name,
        group: GROUP,
        intentLog: this.#refOf<IntentLogMessage>(`intent_log:${GROUP}`),
        failover: this.#failover(),
        event: (kind, fields) => {
          this.events.push({ kind, fields });
          if (kind === "target_changed" && fields.state === "replicating") this.lostCache = false;
        },
      },
    });
    return { spec, restart: "permanent" as const };
  }

  #mirror(opening: Opening) {
    const spec = mirrorActor({
      opening,
      environment: {
        node: this.name,
        group: GROUP,
        others: this.plan.others,
        memberGraceMs: this.plan.memberGraceMs,
        errorsAfterMs: this.plan.errorsAfterMs ?? null,
        intentLog: this.#refOf<IntentLogMessage>(`intent_log:${GROUP}`),
        failover: this.#failover(),
        reachable: () => this.#around.reachable(this.name),
        openLeg: (node) => this.#openLeg(node),
        gateOpened: (gate) => this.#around.gateOpened(this, gate),
        gateClosed: (cause) => this.#around.gateClosed(this, cause),
        writable: () => this.#around.writable(this),
        event: (kind, fields) => this.events.push({ kind, fields }),
      },
    });
    return { spec, restart: "permanent" as const };
  }

  #failover(): Ref<FailoverMessage> {
    const life = this.#system;
    return {
      path: "failover",
      tell: (message) => {
        if (life === this.#system) this.#around.heard(this, message);
        return true;
      },
    };
  }

  #refOf<M>(name: string): Ref<M> {
    const system = this.#system;
    return { path: name, tell: (message) => system?.registry.lookup<M>(name)?.tell(message) ?? false };
  }

  async #openLeg(node: string): Promise<LegChannelOutcome> {
    const address = { scheme: "memory", name: node } as const;
    const stream = await this.#around.network.transport(this.name).connect(address, { timeoutMs: 2_000 });
    if (isStreamEnd(stream)) return { ok: false, cause: stream.detail };
    return { ok: true, channel: this.#channel(stream) };
  }

  #accepted(stream: ByteStream): void {
    const channel = this.#channel(stream);
    const from = stream.remoteAddress.replace("memory://", "");
    if (!this.toTarget({ kind: "leg_offered", channel, from })) channel.destroy("there is no target here");
  }

  /** As after a handshake: paused, and nobody's yet. */
  #channel(stream: ByteStream): FrameChannel {
    const nobody = { frame: () => {}, message: () => {}, drained: () => {}, ended: () => {} };
    const channel = new FrameChannel(stream, { pool: this.#pool, sink: nobody, limits: SESSION_LIMITS });
    channel.pause();
    return channel;
  }

  #diskPath(index: number): string {
    return `/disks/${this.plan.volumes[index]?.name}`;
  }

  #crashed(crash: Crash): void {
    const { reason } = crash;
    if (reason.kind === "crashed") this.crashes.push(`${crash.path}: ${reason.error}\n${reason.stack ?? ""}`);
  }

  async #answer<T>(ask: (reply: ReplyTo<T>) => boolean): Promise<T> {
    let answer: { readonly value: T } | null = null;
    ask({ reply: (value) => answer = { value } });
    for (let waits = 0; waits < 200; waits += 1) {
      await this.#around.world.settleAwaiting();
      if (answer !== null) return (answer as { readonly value: T }).value;
      await this.#around.world.advanceAwaiting(50);
    }
    throw new Error(`${this.name} did not answer within 10 s`);
  }
}

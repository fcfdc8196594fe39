/**
 * A node over any world: builds its tree, starts it, and says when its doors are open. `start.ts` is this over the
 * real world; the simulator starts and kills whole nodes through it.
 */
import { describeReason } from "../../runtime/mod.ts";
import type { AskOutcome, Behavior, Ref, ReplyTo } from "../../runtime/mod.ts";
import type { Crash } from "../../runtime/mod.ts";
import type { AdminMessage } from "../admin/messages.ts";
import type { NbdListenerMessage } from "../export/messages.ts";
import type { FailoverMessage, StopOutcome } from "../failover/messages.ts";
import type { ListenerMessage } from "./listener.ts";
import { createParts, type NodeIdentity, type NodeParts } from "./parts.ts";
import { nodeTree } from "./tree.ts";
import type { NodeWorld } from "./world.ts";

export interface ReadyNode {
  readonly listen: readonly string[];
  readonly nbd: readonly string[];
  readonly admin: readonly string[];
}

export type ReadyOutcome =
  | { readonly ok: true; readonly ready: ReadyNode }
  /** "nodes.alpha.nbd: Cannot listen on …: … (try: …)" */
  | { readonly ok: false; readonly detail: string };

export interface BuiltNode {
  readonly parts: NodeParts;
  /** Once all doors are open, or the first is known not to open. */
  ready(): Promise<ReadyOutcome>;
  /** Hands over what it serves and stops; bounded. */
  stop(): Promise<StopOutcome>;
  /** Stops without handing over: a node that never was ready, or has fallen. */
  abandon(): Promise<void>;
  /** The tree has fallen and stays down, with the reason. */
  readonly fallen: Promise<string>;
}

const DOORS_MS = 15_000;
/** Draining waits for writes under way and for another node to take over. */
const HAND_OVER_MS = 10_000;

export function buildNode(world: NodeWorld, identity: NodeIdentity): BuiltNode {
  const { system } = world;
  const parts = createParts(world, identity);
  world.crashes.listen((crash) => reportCrash(parts, crash));
  let fell = (_reason: string) => {};
  const fallen = new Promise<string>((resolve) => {
    fell = resolve;
  });
  // A node whose tree has fallen is of no use: the process ends, and the service manager starts a new one.
  system.start({ spec: nodeTree(parts), restart: "temporary", shutdownMs: 60_000 });
  system.start({ spec: guardian((reason) => fell(reason)), restart: "permanent" });
  parts.event("node_started", {
    cause: "its process was started",
    incarnation: identity.incarnation,
    version: identity.version,
    runtime: identity.runtime,
  });
  return {
    parts,
    ready: () => doorsReady(parts),
    stop: () => stop(parts),
    abandon: () => shutdown(parts),
    fallen,
  };
}

/** Watches the tree from outside. */
function guardian(fell: (reason: string) => void) {
  return {
    name: "guardian",
    start(
      context: {
        watch(
          path: string,
          onDown: (down: { reason: Parameters<typeof describeReason>[0] }) => string,
        ): unknown;
      },
    ): Behavior<string> {
      context.watch("node", ({ reason }) => describeReason(reason));
      return { receive: (reason) => fell(reason) };
    },
  };
}

function reportCrash(parts: NodeParts, crash: Crash): void {
  parts.event("actor_crashed", {
    actor: crash.path,
    cause: describeReason(crash.reason),
    restarts: crash.restarts,
  });
}

type DoorAnswer = { readonly ok: true; readonly addresses: readonly string[] } | {
  readonly ok: false;
  readonly detail: string;
};

async function doorsReady(parts: NodeParts): Promise<ReadyOutcome> {
  const { names, node } = parts;
  const listen = await askDoor<ListenerMessage>(parts, names.listener(), listening);
  if (!listen.ok) return { ok: false, detail: `nodes.${node}.listen: ${listen.detail}` };
  const nbd = await askDoor<NbdListenerMessage>(parts, names.nbdListener(), listening);
  if (!nbd.ok) return { ok: false, detail: `nodes.${node}.nbd: ${nbd.detail}` };
  const admin = await askDoor<AdminMessage>(parts, names.admin(), listening);
  if (!admin.ok) return { ok: false, detail: `nodes.${node}.http: ${admin.detail}` };
  return { ok: true, ready: { listen: listen.addresses, nbd: nbd.addresses, admin: admin.addresses } };
}

function listening(reply: ReplyTo<DoorAnswer>): {
  readonly kind: "listening_requested";
  readonly reply: ReplyTo<DoorAnswer>;
} {
  return { kind: "listening_requested", reply };
}

async function askDoor<M>(
  parts: NodeParts,
  door: Ref<M> | undefined,
  question: (reply: ReplyTo<DoorAnswer>) => M,
): Promise<DoorAnswer> {
  if (door === undefined) return { ok: false, detail: "its actor did not start (see the log)" };
  const outcome: AskOutcome<DoorAnswer> = await parts.world.system.ask(door, question, DOORS_MS);
  return outcome.ok ? outcome.value : { ok: false, detail: `its actor does not answer: ${outcome.error}` };
}

async function stop(parts: NodeParts): Promise<StopOutcome> {
  const { system } = parts.world;
  const failover = parts.names.failover();
  const abandoned = { resigned: [], abandoned: parts.groups.map(({ name }) => name) };
  parts.exports.stopping();
  const outcome = failover === undefined ? null : await system.ask<FailoverMessage, StopOutcome>(
    failover,
    (reply) => ({ kind: "stop_gracefully", reply }),
    HAND_OVER_MS,
  );
  const stopped: StopOutcome = outcome?.ok === true ? outcome.value : abandoned;
  parts.event("node_stopping", { cause: "it was told to stop", ...stopped });
  await shutdown(parts);
  return stopped;
}

async function shutdown({ world, metrics }: NodeParts): Promise<void> {
  metrics.stop();
  await world.system.shutdown();
}

/** Hangs the admin actor and its doors into the node: the questions of a door, put to the actors that know. */
import type { ActorSpec, ActorSystem, AskOutcome, ReplyTo } from "../../runtime/mod.ts";
import type { ActorsReport, AdminAnswer, AdminCommand } from "../../protocol/admin_messages.ts";
import type { AdminQuestion, QuestionAnswer } from "../../protocol/admin_questions.ts";
import { UNIX_PATH_BYTES_MAX } from "../../transports/address.ts";
import { adminActor } from "../admin/actor.ts";
import { answerStatus } from "../admin/answers.ts";
import type { AdminEnvironment, MirrorCommand } from "../admin/environment.ts";
import { createHttpApp } from "../admin/http_app.ts";
import type { DoorAddress, DoorOutcome } from "../admin/http_server.ts";
import type { AdminMessage, OpenDoor } from "../admin/messages.ts";
import type { ReplicaAnswer } from "../admin/status_facts.ts";
import type { EventAnswer, EventsMessage } from "../events/messages.ts";
import type { FailoverMessage, FailoverStatus, SwitchoverOutcome } from "../failover/messages.ts";
import type { CommandOutcome, MirrorMessage, MirrorStatus } from "../mirror/messages.ts";
import type { TargetMessage, TargetStatus } from "../target/messages.ts";
import { named } from "./actor_names.ts";
import { insights } from "./insights.ts";
import type { NodeParts } from "./parts.ts";
import { type ReplPaths, replSessions } from "./repl_wiring.ts";

/** An actor that has not answered a question by then is reported as silent. */
const QUESTION_MS = 2_000;

export function adminSpec(parts: NodeParts): ActorSpec<AdminMessage> {
  return named("admin", adminActor(adminEnvironment(parts)));
}

function adminEnvironment(parts: NodeParts): AdminEnvironment {
  const { world, names, config, node } = parts;
  const { system } = world;
  const environment: AdminEnvironment = {
    config,
    node,
    incarnation: parts.incarnation,
    version: parts.version,
    runtime: parts.runtime,
    uptimeSeconds: () => Math.round((system.clock.now() - parts.startedAtMs) / 1_000),
    wallMs: () => system.clock.wall(),
    health: () => parts.vitals.verdict(system.clock.now()),
    nodes: () =>
      parts.others.map(({ name, listen }) =>
        parts.peers.row(name) ?? {
          node: name,
          opinion: "unknown",
          cause: "it has not been looked for yet",
          paths: listen.map(({ text }) => ({ address: text, state: "down", rttMs: null })),
        }
      ),
    heard: (group) => parts.board.heardOf(group),
    nbdUris: (of, volume) => parts.nbdUris(of, volume),
    failoverStatus: async () => {
      const failover = names.failover();
      if (failover === undefined) return null;
      return valueOf(
        await system.ask<FailoverMessage, readonly FailoverStatus[]>(
          failover,
          (reply) => ({ kind: "status_requested", reply }),
          QUESTION_MS,
        ),
      );
    },
    replicaStatus: (group) => replicaStatus(parts, group),
    ...eventQuestions(parts),
    wait: (delayMs, cancelled) => wait(system, delayMs, cancelled),
    actors: () => actorsReport(system, node),
    killActor: (path) => {
      system.log.warn("actor_killed", { path, cause: "a person or a test asked for it" });
      return system.kill(path);
    },
    metricsText: async () => {
      parts.metrics.show(await answerStatus(environment));
      return await system.metrics.text();
    },
    ...insights(parts),
    source: (group) => parts.board.source(group),
    commandMirror: (command) => commandMirror(parts, command),
    switchover: async ({ group, to, deadlineMs }) => {
      const failover = names.failover();
      if (failover === undefined) return null;
      return valueOf(
        await system.ask<FailoverMessage, SwitchoverOutcome>(
          failover,
          (reply) => ({ kind: "switchover", group, to, reply }),
          deadlineMs,
        ),
      );
    },
    send: (to, body) => {
      if (parts.peers.row(to)?.opinion !== "up") return false;
      return names.peer(to)?.tell({ kind: "tell_requested", to: "admin", from: "admin", body }) ?? false;
    },
    openDoors: doorsOf(parts, () => environment),
  };
  return environment;
}

function valueOf<A>(outcome: AskOutcome<A>): A | null {
  return outcome.ok ? outcome.value : null;
}

function eventQuestions(
  { names, world }: NodeParts,
): Pick<AdminEnvironment, "events" | "follow" | "unfollow"> {
  const { system } = world;
  return {
    events: async (query) => {
      const events = names.events();
      if (events === undefined) return null;
      return valueOf(
        await system.ask<EventsMessage, EventAnswer>(
          events,
          (reply) => ({ kind: "events_requested", query, reply }),
          QUESTION_MS,
        ),
      );
    },
    follow: async (follower) => {
      const events = names.events();
      if (events === undefined) return false;
      const asked = system.ask<EventsMessage, boolean>(
        events,
        (reply) => ({ kind: "follow_requested", follower, reply }),
        QUESTION_MS,
      );
      return valueOf(await asked) ?? false;
    },
    unfollow: (follower) => void names.events()?.tell({ kind: "follow_ended", follower }),
  };
}

async function replicaStatus(parts: NodeParts, group: string): Promise<ReplicaAnswer> {
  const { roles, names, world } = parts;
  if (!roles.has(group)) return { kind: "none" };
  const { kind } = roles.role(group);
  const silent = { kind: "silent", cause: `the ${kind} of this node does not answer` } as const;
  if (kind === "mirror") {
    const mirror = names.mirror(group);
    if (mirror === undefined) return silent;
    const outcome = await world.system.ask<MirrorMessage, MirrorStatus>(
      mirror,
      (reply) => ({ kind: "status_requested", reply }),
      QUESTION_MS,
    );
    return outcome.ok ? { kind, status: outcome.value } : silent;
  }
  const target = names.target(group);
  if (target === undefined) return silent;
  const outcome = await world.system.ask<TargetMessage, TargetStatus>(
    target,
    (reply) => ({ kind: "status_requested", reply }),
    QUESTION_MS,
  );
  return outcome.ok ? { kind, status: outcome.value } : silent;
}

async function commandMirror(
  { names, world }: NodeParts,
  { command, leg, deadlineMs }: MirrorCommand,
): Promise<CommandOutcome | null> {
  const mirror = names.mirror(command.group);
  if (mirror === undefined) return { ok: false, kind: "failed", message: "the mirror is being restarted" };
  const message = (reply: ReplyTo<CommandOutcome>): MirrorMessage => {
    switch (command.kind) {
      case "mirror_pause":
        return { kind: "leg_pause_requested", node: leg, reply };
      case "mirror_resume":
        return { kind: "leg_resume_requested", node: leg, reply };
      case "mirror_resync":
        return { kind: "leg_resync_requested", node: leg, full: command.full, reply };
    }
  };
  return valueOf(await world.system.ask(mirror, message, deadlineMs));
}

function wait(system: ActorSystem, delayMs: number, cancelled: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = system.clock.after(delayMs, resolve);
    cancelled.then(() => {
      system.clock.cancel(timer);
      resolve();
    });
  });
}

function actorsReport(system: ActorSystem, node: string): ActorsReport {
  return {
    node,
    actors: system.inspect().map((report) => ({
      path: report.path,
      kind: report.kind === "supervisor" ? "supervisor" : "actor",
      state: stateName(system.peek(report.path)) ?? report.state,
      depth: report.depth,
      messages: report.messages,
      restarts: report.restarts,
      lastError: report.lastError,
      since: new Date(report.since).toISOString(),
    })),
  };
}

/** What an actor calls its own state, if it does; a mirror's is its gate. */
function stateName(inspected: unknown): string | null {
  if (typeof inspected !== "object" || inspected === null) return null;
  const { state, gate } = inspected as Readonly<Record<string, unknown>>;
  if (typeof state === "string") return state;
  return typeof gate === "string" ? `gate ${gate}` : null;
}

/** Opens the doors; a restart closes what the incarnation before left open. */
function doorsOf(parts: NodeParts, environment: () => AdminEnvironment): () => Promise<DoorOutcome> {
  const { world, names } = parts;
  let open: OpenDoor | null = null;
  return async () => {
    if (world.openHttpDoors === null) {
      return { ok: true, door: { addresses: [], close: () => Promise.resolve() } };
    }
    await open?.close();
    open = null;
    const command = async (wanted: AdminCommand, deadlineMs: number): Promise<AdminAnswer> => {
      const admin = names.admin();
      const outcome = admin === undefined ? null : valueOf(
        await world.system.ask<AdminMessage, AdminAnswer>(
          admin,
          (reply) => ({ kind: "command_requested", command: wanted, deadlineMs, reply }),
          deadlineMs + QUESTION_MS,
        ),
      );
      return outcome ?? {
        ok: false,
        refusal: {
          kind: "failed",
          message: "Cannot do it: the admin actor is being restarted",
          remedy: "once more",
        },
      };
    };
    const ask = (to: string, question: AdminQuestion, deadlineMs: number) =>
      askNode(parts, { to, question, deadlineMs });
    const handler = createHttpApp({ environment: environment(), command, ask });
    const outcome = await world.openHttpDoors(handler, doorAddresses(parts));
    if (!outcome.ok) return outcome;
    open = await withRepl(parts, outcome.door, { environment: environment(), command, ask });
    return { ok: true, door: open };
  };
}

/** The shell's door opens and closes with the others; a node whose path is too long for it does without. */
async function withRepl(parts: NodeParts, door: OpenDoor, paths: ReplPaths): Promise<OpenDoor> {
  const { world } = parts;
  const path = `${world.stateDir}/repl.sock`;
  if (world.openReplDoor === undefined) return door;
  const opened = new TextEncoder().encode(path).length > UNIX_PATH_BYTES_MAX
    ? { ok: false, detail: "the path is too long" } as const
    : await world.openReplDoor(path, replSessions(parts, paths));
  if (!opened.ok) {
    world.system.log.warn("repl_socket_left_out", { path, cause: opened.detail });
    return door;
  }
  return {
    addresses: door.addresses,
    close: async () => {
      await Promise.all([door.close(), opened.door.close()]);
    },
  };
}

/** A question about another node goes through the admin actor, which owns the wait. */
async function askNode(
  { names, world }: NodeParts,
  { to, question, deadlineMs }: {
    readonly to: string;
    readonly question: AdminQuestion;
    readonly deadlineMs: number;
  },
): Promise<QuestionAnswer> {
  const admin = names.admin();
  const outcome = admin === undefined ? null : valueOf(
    await world.system.ask<AdminMessage, QuestionAnswer>(
      admin,
      (reply) => ({ kind: "question_requested", to, question, deadlineMs, reply }),
      deadlineMs + QUESTION_MS,
    ),
  );
  return outcome ?? { ok: false, kind: "silent", cause: "the admin actor is being restarted" };
}

function doorAddresses({ own, world }: NodeParts): readonly DoorAddress[] {
  const socket = { scheme: "unix", path: `${world.stateDir}/admin.sock` } as const;
  if (own.http === undefined) return [socket];
  // The kernel takes only short paths; a node with an HTTP address does without the socket then.
  const tooLong = new TextEncoder().encode(socket.path).length > UNIX_PATH_BYTES_MAX;
  if (tooLong) {
    world.system.log.warn("admin_socket_left_out", { path: socket.path, cause: "the path is too long" });
  }
  return tooLong ? [own.http] : [own.http, socket];
}

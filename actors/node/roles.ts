/**
 * Changes the role of this node's replicas when failover orders it, and reports when local recovery has failed.
 *
 * It swaps the actor in the replica slot through the group's own supervisor, one swap at a time per group, and watches
 * two ends: of a mirror (its gate is closed, whatever the reason) and of a whole group (its supervisor restarted its
 * children too often: failover is escalation, design §3). Both mean that this node is no fit source any more; the
 * group's tree is started again after a pause, as target.
 */
import type {
  ActorContext,
  ActorSpec,
  AskOutcome,
  Behavior,
  ChildOutcome,
  ReplyTo,
  StopReason,
  SupervisorMessage,
  WatchHandle,
} from "../../runtime/mod.ts";
import { assertNever, describeReason } from "../../runtime/mod.ts";
import type { ReportEvent } from "../events/messages.ts";
import type { FailoverMessage, Opening } from "../failover/messages.ts";
import type { ActorNames } from "./actor_names.ts";
import { planSwap, type Swap, type SwapStep } from "./role_swap.ts";
import type { RoleTable } from "./role_table.ts";

export type RolesMessage =
  | { readonly kind: "become_source"; readonly group: string; readonly opening: Opening }
  /** `reply` when nothing of this node completes any more. */
  | {
    readonly kind: "become_target";
    readonly group: string;
    readonly cause: string;
    readonly reply: ReplyTo<void>;
  }
  | { readonly kind: "step_ended"; readonly group: string; readonly outcome: AskOutcome<ChildOutcome> }
  | { readonly kind: "mirror_ended"; readonly group: string; readonly reason: StopReason }
  | { readonly kind: "group_ended"; readonly group: string; readonly reason: StopReason }
  | { readonly kind: "look_at_group"; readonly group: string };

export interface RolesEnvironment {
  readonly groups: readonly string[];
  readonly table: RoleTable;
  readonly names: ActorNames;
  /** Path of the group's supervisor. */
  groupPath(group: string): string;
  tellFailover(message: FailoverMessage): void;
  readonly event: ReportEvent;
}

/** A child stops within its `shutdownMs`; longer means that the group's supervisor itself does not run. */
const STEP_DEADLINE_MS = 15_000;
const LOOK_AGAIN_MS = 250;

interface Job {
  readonly swap: Swap;
  readonly cause: string;
  readonly reply: ReplyTo<void> | null;
}

interface GroupSwaps {
  readonly jobs: Job[];
  current: { readonly job: Job; readonly steps: SwapStep[] } | null;
  mirrorWatch: WatchHandle | null;
}

export function rolesActor(environment: RolesEnvironment): ActorSpec<RolesMessage> {
  return { name: "roles", start: (context) => new Roles(environment, context) };
}

class Roles implements Behavior<RolesMessage> {
  readonly #environment: RolesEnvironment;
  readonly #context: ActorContext<RolesMessage>;
  readonly #groups = new Map<string, GroupSwaps>();

  constructor(environment: RolesEnvironment, context: ActorContext<RolesMessage>) {
    this.#environment = environment;
    this.#context = context;
    for (const group of environment.groups) {
      this.#groups.set(group, { jobs: [], current: null, mirrorWatch: null });
      // By mail, which is read when the groups have started too.
      context.self.tell({ kind: "look_at_group", group });
      // A swap that an earlier incarnation left half done is brought to an end.
      if (context.incarnation > 1) {
        this.#enqueue(group, { swap: { kind: "settle" }, cause: "roles was restarted", reply: null });
      }
    }
  }

  receive(message: RolesMessage): void {
    switch (message.kind) {
      case "become_source": {
        const cause = `generation ${message.opening.generation.number} was recorded for this node`;
        const swap: Swap = { kind: "to_source", opening: message.opening };
        return this.#enqueue(message.group, { swap, cause, reply: null });
      }
      case "become_target":
        return this.#enqueue(message.group, {
          swap: { kind: "to_target" },
          cause: message.cause,
          reply: message.reply,
        });
      case "step_ended":
        return this.#stepEnded(message.group, message.outcome);
      case "mirror_ended":
        return this.#mirrorEnded(message.group, message.reason);
      case "group_ended":
        return this.#groupEnded(message.group, message.reason);
      case "look_at_group":
        return this.#watchGroup(message.group);
      default:
        assertNever(message);
    }
  }

  inspect(): unknown {
    return [...this.#groups].map(([group, { jobs, current }]) => ({
      group,
      role: this.#environment.table.role(group).kind,
      swapping: current?.job.swap.kind ?? null,
      step: current?.steps[0] ?? null,
      waiting: jobs.length,
    }));
  }

  // ---- swaps ----

  #enqueue(group: string, job: Job): void {
    const swaps = this.#groups.get(group);
    if (swaps === undefined) return;
    swaps.jobs.push(job);
    if (swaps.current === null) this.#begin(group, swaps);
  }

  #begin(group: string, swaps: GroupSwaps): void {
    const job = swaps.jobs.shift();
    if (job === undefined) return;
    const before = this.#environment.table.role(group);
    const steps = [...planSwap(job.swap, before)];
    swaps.current = { job, steps };
    if (steps.length > 1 && job.swap.kind !== "settle") {
      const role = job.swap.kind === "to_source" ? "source" : "target";
      this.#environment.event("role_changed", { group, role, cause: job.cause });
      this.#unwatchMirror(swaps);
    }
    this.#next(group, swaps);
  }

  #next(group: string, swaps: GroupSwaps): void {
    for (;;) {
      const step = swaps.current?.steps.shift();
      if (step === undefined) {
        swaps.current = null;
        return this.#begin(group, swaps);
      }
      switch (step.kind) {
        case "answer":
          swaps.current?.job.reply?.reply();
          break;
        case "hold":
          this.#environment.table.set(group, step.role);
          break;
        case "stop":
          return this.#order(group, (reply) => ({ kind: "terminate_child", name: step.child, reply }));
        case "start":
          return this.#order(group, (reply) => ({ kind: "restart_child", name: step.child, reply }));
        default:
          assertNever(step);
      }
    }
  }

  #order(group: string, order: (reply: ReplyTo<ChildOutcome>) => SupervisorMessage): void {
    const supervisor = this.#environment.names.group(group);
    if (supervisor === undefined) return this.#stepEnded(group, { ok: false, error: "not_running" });
    this.#context.ask(
      supervisor,
      order,
      STEP_DEADLINE_MS,
      (outcome) => ({ kind: "step_ended", group, outcome }),
    );
  }

  #stepEnded(group: string, outcome: AskOutcome<ChildOutcome>): void {
    const swaps = this.#groups.get(group);
    if (swaps?.current == null) return;
    const { table } = this.#environment;
    if (!outcome.ok && outcome.error !== "not_running") {
      // The supervisor is about to be restarted, with the order still in its mail. Nothing of the group runs meanwhile,
      // and what the late order stops is started again behind it.
      this.#context.system.kill(`${this.#environment.groupPath(group)}/mirror`);
      swaps.jobs.unshift({ swap: { kind: "settle" }, cause: "an order was lost", reply: null });
    }
    if (table.role(group).kind === "mirror" && swaps.mirrorWatch === null) this.#watchMirror(group, swaps);
    this.#next(group, swaps);
  }

  // ---- ends ----

  #watchMirror(group: string, swaps: GroupSwaps): void {
    const path = `${this.#environment.groupPath(group)}/mirror`;
    swaps.mirrorWatch = this.#context.watch(path, ({ reason }) => ({ kind: "mirror_ended", group, reason }));
  }

  #unwatchMirror(swaps: GroupSwaps): void {
    if (swaps.mirrorWatch !== null) this.#context.unwatch(swaps.mirrorWatch);
    swaps.mirrorWatch = null;
  }

  #mirrorEnded(group: string, reason: StopReason): void {
    const swaps = this.#groups.get(group);
    if (swaps === undefined) return;
    const cause = `the mirror ended: ${describeReason(reason)}`;
    this.#environment.tellFailover({ kind: "mirror_down", group, cause });
  }

  #watchGroup(group: string): void {
    const path = this.#environment.groupPath(group);
    if (this.#environment.names.group(group) === undefined) {
      this.#context.after(LOOK_AGAIN_MS, { kind: "look_at_group", group });
      return;
    }
    this.#context.watch(path, ({ reason }) => ({ kind: "group_ended", group, reason }));
  }

  #groupEnded(group: string, reason: StopReason): void {
    if (reason.kind === "shutdown") return;
    const cause = reason.kind === "intensity_exceeded"
      ? `local recovery failed: ${reason.child} was restarted too often`
      : `the actors of the group ended: ${describeReason(reason)}`;
    this.#environment.event("local_recovery_failed", { group, cause });
    this.#environment.tellFailover({ kind: "mirror_down", group, cause });
    this.#watchGroup(group);
  }
}

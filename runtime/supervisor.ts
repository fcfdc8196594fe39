/**
 * The supervisor: an actor that does nothing but keep its children, by OTP's rules.
 *
 * Children are started in the order of the list and stopped in reverse. A crash is answered by the strategy; too many
 * crashes in too short a time mean that restarting does not help: the supervisor stops all children and crashes with
 * `intensity_exceeded`, and the question goes to *its* supervisor. A supervisor is an actor spec like any other, so trees
 * are nested specs.
 */
import type { ActorSpec, Ref, ReplyTo } from "./actor.ts";
import { type Cell, RUNNING } from "./cell.ts";
import type { ChildSpec, Intensity, Strategy } from "./child_spec.ts";
import { Context } from "./context.ts";
import { Family, type FamilyOptions } from "./family.ts";
import { assertNever, invariant } from "./invariant.ts";

export type ChildOutcome =
  | { readonly ok: true; readonly ref: Ref<never> }
  | {
    readonly ok: false;
    /** `running`: stop it first. `start_failed`: `start` threw; the restart rules go on from there. */
    readonly error:
      | "already_present"
      | "not_found"
      | "running"
      | "start_failed"
      | "too_many_children"
      | "busy";
    readonly detail: string;
  };

export interface ChildReport {
  readonly name: string;
  readonly path: string;
  readonly running: boolean;
}

export type SupervisorMessage =
  | { readonly kind: "start_child"; readonly child: ChildSpec<never>; readonly reply?: ReplyTo<ChildOutcome> }
  /** The child is stopped and stays known (a temporary one is forgotten). */
  | { readonly kind: "terminate_child"; readonly name: string; readonly reply?: ReplyTo<ChildOutcome> }
  /** Forgets a child that has ended. */
  | { readonly kind: "delete_child"; readonly name: string; readonly reply?: ReplyTo<ChildOutcome> }
  /** Starts a child that has ended. */
  | { readonly kind: "restart_child"; readonly name: string; readonly reply?: ReplyTo<ChildOutcome> }
  | { readonly kind: "which_children"; readonly reply: ReplyTo<readonly ChildReport[]> };

/** A supervisor as another supervisor's child. */
export type SupervisorChild = ChildSpec<SupervisorMessage>;

export interface SupervisorOptions {
  readonly name: string;
  readonly strategy: Strategy;
  /** Of all children together; a child's own counts besides. */
  readonly intensity: Intensity;
  /** In order of start. */
  readonly children: readonly (ChildSpec<never> | SupervisorChild)[];
}

export interface DynamicSupervisorOptions {
  readonly name: string;
  readonly intensity: Intensity;
  /** Default 10 000. */
  readonly childrenMax?: number;
}

/** Commands that may wait for an operation under way. */
const WAITING_MAX = 1_024;
const CHILDREN_MAX_DEFAULT = 10_000;

/** A supervisor with a list of children. */
export function supervisor(options: SupervisorOptions): ActorSpec<SupervisorMessage> {
  const { name, strategy, intensity, children } = options;
  return spec({
    name,
    children,
    childrenMax: CHILDREN_MAX_DEFAULT,
    family: { strategy, intensity, keepsEnded: true },
  });
}

/** A supervisor whose children are started by `start_child`, each for itself, and forgotten when they end for good. */
export function dynamicSupervisor(options: DynamicSupervisorOptions): ActorSpec<SupervisorMessage> {
  const { name, intensity, childrenMax = CHILDREN_MAX_DEFAULT } = options;
  return spec({
    name,
    children: [],
    childrenMax,
    family: { strategy: "one_for_one", intensity, keepsEnded: false },
  });
}

function spec(options: {
  readonly name: string;
  readonly children: readonly (ChildSpec<never> | SupervisorChild)[];
  readonly childrenMax: number;
  readonly family: FamilyOptions;
}): ActorSpec<SupervisorMessage> {
  return {
    name: options.name,
    kind: "supervisor",
    start(context) {
      invariant(context instanceof Context, "a supervisor's context is the runtime's own");
      const family = new Family(context.cell, options.family);
      context.cell.family = family;
      family.start(options.children.map((child) => family.enlist(child as ChildSpec<unknown>)));
      return {
        receive: (message) => obey(family, message, options.childrenMax),
        inspect: () => ({
          strategy: options.family.strategy,
          children: family.size,
          running: family.running,
        }),
      };
    },
  };
}

function refused(
  error: (ChildOutcome & { ok: false })["error"],
  detail: string,
): ChildOutcome {
  return { ok: false, error, detail };
}

function outcomeOf(cell: Cell, started: boolean | undefined): ChildOutcome {
  if (started === true) return { ok: true, ref: cell };
  if (started === undefined) return refused("running", `${cell.path} has not ended`);
  return refused("start_failed", cell.rare?.lastError ?? `${cell.path} did not start`);
}

function obey(family: Family, message: SupervisorMessage, childrenMax: number): void {
  if (message.kind === "which_children") {
    message.reply.reply(
      family.inOrder().map((cell) => ({ name: cell.name, path: cell.path, running: cell.state === RUNNING })),
    );
    return;
  }
  const { reply } = message;
  if (family.waiting >= WAITING_MAX) {
    reply?.reply(refused("busy", `${family.waiting} commands are waiting`));
    return;
  }
  if (message.kind === "start_child") {
    const { name } = message.child.spec;
    if (family.child(name) !== undefined) {
      reply?.reply(refused("already_present", `a child "${name}" exists`));
    } else if (family.size >= childrenMax) {
      reply?.reply(refused("too_many_children", `${childrenMax} children exist`));
    } else {family.startChild(message.child as ChildSpec<unknown>, (cell, ok) =>
        reply?.reply(outcomeOf(cell, ok)));}
    return;
  }
  const cell = family.child(message.name);
  if (cell === undefined) {
    reply?.reply(refused("not_found", `no child "${message.name}"`));
    return;
  }
  switch (message.kind) {
    case "terminate_child":
      family.terminateChild(cell, () => reply?.reply({ ok: true, ref: cell }));
      return;
    case "delete_child":
      reply?.reply(family.deleteChild(cell) ? { ok: true, ref: cell } : outcomeOf(cell, undefined));
      return;
    case "restart_child":
      family.restartChild(cell, (started) => reply?.reply(outcomeOf(cell, started)));
      return;
    default:
      assertNever(message);
  }
}

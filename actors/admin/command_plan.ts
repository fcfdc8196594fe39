/**
 * Pure: what becomes of a command: done here, passed on to the source, or refused, and in which words.
 *
 * Only the source can pause a leg or hand over, so any node takes a command and one that is not the source passes it
 * on. Passing on happens once: the source may have moved meanwhile, and a command that chases it in circles would be
 * done at a moment that nobody expects.
 */
import type { AdminCommand, AdminCommandKind, Refusal } from "../../protocol/admin_messages.ts";
import { type ClusterConfig, type GroupConfig, groupNamed } from "../../config/cluster_config.ts";

export type CommandPlan =
  | { readonly kind: "refuse"; readonly refusal: Refusal }
  | { readonly kind: "pass_on"; readonly to: string }
  /** `leg` null: all legs. */
  | { readonly kind: "mirror"; readonly group: string; readonly leg: string | null }
  | { readonly kind: "switchover"; readonly group: string; readonly to: string };

export interface CommandSituation {
  readonly config: ClusterConfig;
  readonly node: string;
  /** Who is source of a group, as far as this node knows. */
  source(group: string): string | null;
  /** True when another node passed the command on. */
  readonly passedOn: boolean;
}

/** «Cannot …»: what was wanted, for people. */
export const INTENTS: Readonly<Record<AdminCommandKind, string>> = {
  mirror_pause: "pause the mirror",
  mirror_resume: "resume the mirror",
  mirror_resync: "resync the mirror",
  switchover: "switch over",
};

export function planCommand(command: AdminCommand, situation: CommandSituation): CommandPlan {
  const intent = INTENTS[command.kind];
  const group = groupNamed(situation.config, command.group);
  if (group === undefined) {
    const known = situation.config.groups.map(({ name }) => name).join(", ");
    return usage(`Cannot ${intent}: there is no group "${shown(command.group)}"`, `one of: ${known}`);
  }
  const problem = command.kind === "switchover"
    ? replicaProblem(command.to, group, intent)
    : selectionProblem(command, group, intent);
  if (problem !== null) return problem;
  const source = situation.source(group.name);
  if (source === null) {
    const message = `Cannot ${intent}: group "${group.name}" has no source at the moment`;
    return {
      kind: "refuse",
      refusal: { kind: "refused", message, remedy: "holdfast status, then once more" },
    };
  }
  if (source !== situation.node) {
    if (!situation.passedOn) return { kind: "pass_on", to: source };
    const message = `Cannot ${intent}: the source of "${group.name}" moved to "${source}" meanwhile`;
    return { kind: "refuse", refusal: { kind: "failed", message, remedy: "the same command once more" } };
  }
  return local(command, group, source);
}

function local(command: AdminCommand, group: GroupConfig, source: string): CommandPlan {
  const intent = INTENTS[command.kind];
  if (command.kind === "switchover") {
    return command.to === source
      ? usage(`Cannot ${intent}: "${source}" is the source of "${group.name}" already`, "another node")
      : { kind: "switchover", group: group.name, to: command.to };
  }
  if (command.leg === source) {
    return usage(`Cannot ${intent}: "${source}" is the source and has no leg`, "the name of a target");
  }
  return { kind: "mirror", group: group.name, leg: command.leg ?? null };
}

function replicaProblem(node: string, group: GroupConfig, intent: string): CommandPlan | null {
  if (group.replicas.some((replica) => replica.node === node)) return null;
  const known = group.replicas.map((replica) => replica.node).join(", ");
  return usage(
    `Cannot ${intent}: node "${shown(node)}" holds no replica of group "${group.name}"`,
    `one of: ${known}`,
  );
}

function selectionProblem(
  { volume, leg }: { readonly volume?: string; readonly leg?: string },
  group: GroupConfig,
  intent: string,
): CommandPlan | null {
  if (leg !== undefined) {
    const problem = replicaProblem(leg, group, intent);
    if (problem !== null) return problem;
  }
  if (volume === undefined) return null;
  if (!group.volumes.some(({ name }) => name === volume)) {
    const known = group.volumes.map(({ name }) => name).join(", ");
    return usage(
      `Cannot ${intent}: group "${group.name}" has no volume "${shown(volume)}"`,
      `one of: ${known}`,
    );
  }
  if (group.volumes.length === 1) return null;
  // One ordered stream carries the whole group: a part of it that stood still would be no consistency group.
  return usage(
    `Cannot ${intent}: volume "${volume}" shares its stream with the other volumes of group "${group.name}"`,
    `without the volume: the whole group`,
  );
}

function usage(message: string, remedy: string): CommandPlan {
  return { kind: "refuse", refusal: { kind: "usage", message, remedy } };
}

function shown(name: string): string {
  return name.slice(0, 64);
}

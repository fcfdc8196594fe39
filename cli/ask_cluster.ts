/** Asks all selected nodes at once; the slowest decides no more than its own line. */
import {
  ADMIN_PATHS,
  type AdminCommand,
  type ClusterStatus,
  type NodeReport,
  parseAdminAnswer,
} from "../protocol/admin_messages.ts";
import { askJson, askNode, type Unanswered } from "./admin_client.ts";
import type { SharedOptions } from "./command.ts";
import { EXIT, Failure } from "./failure.ts";
import { mergeStatus } from "../protocol/merge_status.ts";
import { type Target, targetsOf, unknownName } from "./target.ts";

/** A status is for now: a node that needs longer than this is as good as silent. */
const STATUS_TIMEOUT_MAX_MS = 3_000;

export interface Gathered<T> {
  readonly answers: readonly { readonly target: Target; readonly value: T }[];
  /** By node: why it did not answer. */
  readonly unreachable: ReadonlyMap<string, string>;
}

/** The same GET to each target, concurrently. Fails when not one answers. */
export async function gather<T>(
  targets: readonly Target[],
  question: { readonly path: string; readonly timeoutMs: number; readonly doing: string },
): Promise<Gathered<T>> {
  const { path, timeoutMs } = question;
  const outcomes = await Promise.all(
    targets.map(async (target) => ({ target, outcome: await askJson(target, { path, timeoutMs }) })),
  );
  const answers: { target: Target; value: T }[] = [];
  const unreachable = new Map<string, string>();
  for (const { target, outcome } of outcomes) {
    // The node is ours and speaks our version of these shapes; what it leaves out shows as absent.
    if (outcome.ok && outcome.status === 200) answers.push({ target, value: outcome.value as T });
    else {unreachable.set(
        target.node,
        outcome.ok ? `it answered with status ${outcome.status}` : outcome.cause,
      );}
  }
  if (answers.length === 0) throw nothingReachable(question.doing, unreachable);
  return { answers, unreachable };
}

/** The merged picture of the cluster. */
export async function clusterStatus(shared: SharedOptions, doing: string): Promise<ClusterStatus> {
  const { targets } = targetsOf(shared);
  const timeoutMs = Math.min(shared.timeoutMs, STATUS_TIMEOUT_MAX_MS);
  const { answers, unreachable } = await gather<NodeReport>(targets, {
    path: ADMIN_PATHS.status,
    timeoutMs,
    doing,
  });
  const nodes = targets.map(({ node }) => node).filter((node) => node !== "");
  return mergeStatus(answers.map(({ value }) => value), { nodes, unreachable });
}

/** Prometheus text and the like, from the first node that answers. */
export async function firstText(shared: SharedOptions, path: string, doing: string): Promise<string> {
  const unreachable = new Map<string, string>();
  for (const target of targetsOf(shared).targets) {
    const answer = await askNode(target, { path, timeoutMs: shared.timeoutMs });
    if (answer.ok && answer.status === 200) return answer.text;
    unreachable.set(target.node, answer.ok ? `it answered with status ${answer.status}` : answer.cause);
  }
  throw nothingReachable(doing, unreachable);
}

/** Gives a command to the group's source, or where none is known to any node that answers; a node hands it on. */
export async function command(
  shared: SharedOptions,
  asked: AdminCommand,
  doing: string,
): Promise<Readonly<Record<string, unknown>>> {
  const { targets, config } = targetsOf(shared);
  if (config !== undefined && !config.groups.some(({ name }) => name === asked.group)) {
    throw unknownName("group", asked.group, config.groups.map(({ name }) => name));
  }
  const ordered = targets.length === 1 ? targets : await sourceFirst(targets, asked.group);
  const unreachable = new Map<string, string>();
  for (const target of ordered) {
    const outcome = await askJson(target, {
      path: ADMIN_PATHS.commands,
      body: asked,
      timeoutMs: shared.timeoutMs,
    });
    if (outcome.ok) return resultOf(outcome.value, doing);
    if (outcome.kind !== "refused") throw perhapsDone(doing, target, outcome);
    unreachable.set(target.node, outcome.cause);
  }
  throw nothingReachable(doing, unreachable);
}

/** Posts to the one node that was named. */
export async function order(
  shared: SharedOptions,
  asked: { readonly path: string; readonly body: unknown; readonly doing: string },
): Promise<Readonly<Record<string, unknown>>> {
  const [target] = targetsOf(shared).targets;
  if (target === undefined) throw nothingReachable(asked.doing, new Map());
  const { path, body, doing } = asked;
  const outcome = await askJson(target, { path, body, timeoutMs: shared.timeoutMs });
  if (outcome.ok) return resultOf(outcome.value, doing);
  if (outcome.kind !== "refused") throw perhapsDone(doing, target, outcome);
  throw nothingReachable(doing, new Map([[target.node, outcome.cause]]));
}

async function sourceFirst(targets: readonly Target[], group: string): Promise<readonly Target[]> {
  const question = {
    path: ADMIN_PATHS.status,
    timeoutMs: STATUS_TIMEOUT_MAX_MS,
    doing: "find the group's source",
  };
  const { answers, unreachable } = await gather<NodeReport>(targets, question);
  const source = mergeStatus(answers.map(({ value }) => value), { nodes: [], unreachable }).groups[group]
    ?.source;
  const reachable = answers.map(({ target }) => target);
  return [
    ...reachable.filter(({ node }) => node === source),
    ...reachable.filter(({ node }) => node !== source),
  ];
}

function resultOf(value: unknown, doing: string): Readonly<Record<string, unknown>> {
  const answer = parseAdminAnswer(value);
  if (answer === undefined) {
    throw new Failure(`${doing}: the node's answer makes no sense`, { exitCode: EXIT.failed });
  }
  if (answer.ok) return answer.result;
  const { kind, message, remedy, override } = answer.refusal;
  const exitCode =
    { refused: EXIT.refused, failed: EXIT.failed, usage: EXIT.usage, timed_out: EXIT.timedOut }[kind];
  const hint = override ?? remedy;
  throw new Failure(message.replace(/^Cannot /, ""), {
    exitCode,
    ...(hint === undefined ? {} : { remedy: hint }),
  });
}

/** The command may have arrived: saying that it failed would be a lie, and asking another node would do it twice. */
function perhapsDone(doing: string, target: Target, outcome: Unanswered): Failure {
  const exitCode = outcome.kind === "timed_out" ? EXIT.timedOut : EXIT.failed;
  const message = `say whether it was done: ${doing}: ${
    target.node === "" ? "the node" : target.node
  }: ${outcome.cause}`;
  return new Failure(message, { exitCode, remedy: "holdfast status" });
}

export function nothingReachable(doing: string, unreachable: ReadonlyMap<string, string>): Failure {
  const causes = [...unreachable].map(([node, cause]) => node === "" ? cause : `${node}: ${cause}`).join(
    "; ",
  );
  return new Failure(`${doing}: no node answers: ${causes}`, {
    exitCode: EXIT.unreachable,
    remedy: "holdfast node start --node NAME on one of them",
  });
}

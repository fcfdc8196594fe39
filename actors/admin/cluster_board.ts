/**
 * The whole cluster as one node can tell it: what every node said last of itself, how old that is, and all of it
 * merged into one picture.
 *
 * Whoever looks makes the questions go out; nobody looking costs nothing. Many lookers share one round. A node that
 * stands still holds the answer up for `ROUND_MS` and no longer: its last word stays, with its age, and leaves the
 * picture when it is too old to be true.
 */
import type { AdminQuestion, ClusterReport, QuestionAnswer } from "../../protocol/admin_questions.ts";
import type { NodeReport } from "../../protocol/admin_messages.ts";
import { mergeStatus } from "../../protocol/merge_status.ts";

/** A round that takes longer is answered with what is there. */
export const ROUND_MS = 800;
/** Who looks again within this sees the same round. */
const SHARED_MS = 300;
/** The word of a node that is older no longer counts. */
export const TRUSTED_MS = 5_000;

export interface ClusterBoardEnvironment {
  readonly node: string;
  readonly nodes: readonly string[];
  /** Monotonic ms. */
  now(): number;
  /** Where the door of a node is; null: it has none. */
  httpOf(node: string): string | null;
  ask(node: string, question: AdminQuestion, deadlineMs: number): Promise<QuestionAnswer>;
}

interface Word {
  readonly report: NodeReport | null;
  readonly receivedAtMs: number;
  readonly cause: string | null;
}

export class ClusterBoard {
  readonly #environment: ClusterBoardEnvironment;
  readonly #words = new Map<string, Word>();
  #round: { readonly startedAtMs: number; readonly ended: Promise<void> } | null = null;

  constructor(environment: ClusterBoardEnvironment) {
    this.#environment = environment;
  }

  async report(): Promise<ClusterReport> {
    const { now } = this.#environment;
    if (this.#round === null || now() - this.#round.startedAtMs > SHARED_MS) {
      this.#round = { startedAtMs: now(), ended: this.#ask() };
    }
    await this.#round.ended;
    return this.#compose();
  }

  async #ask(): Promise<void> {
    const { node: self, nodes } = this.#environment;
    await Promise.all(nodes.map(async (node) => {
      // Its own status waits for no network, only for its actors.
      const deadlineMs = node === self ? ROUND_MS * 4 : ROUND_MS;
      const answer = await this.#environment.ask(node, { kind: "status" }, deadlineMs);
      const nowMs = this.#environment.now();
      const before = this.#words.get(node);
      this.#words.set(
        node,
        answer.ok && isReport(answer.value) ? { report: answer.value, receivedAtMs: nowMs, cause: null } : {
          report: before?.report ?? null,
          receivedAtMs: before?.receivedAtMs ?? nowMs,
          cause: answer.ok ? "its answer makes no sense" : answer.cause,
        },
      );
    }));
  }

  #compose(): ClusterReport {
    const { node: self, nodes, httpOf } = this.#environment;
    const nowMs = this.#environment.now();
    const sources: Record<string, ClusterReport["sources"][string]> = {};
    const trusted: NodeReport[] = [];
    const unreachable = new Map<string, string>();
    for (const node of nodes) {
      const { report = null, receivedAtMs = 0, cause = "it was not asked yet" } = this.#words.get(node) ?? {};
      const ageMs = report === null ? null : Math.round(nowMs - receivedAtMs);
      if (cause !== null) unreachable.set(node, cause);
      // A node that is known to be gone must not speak from the grave; one that is merely slow may, for a while.
      if (report !== null && ageMs !== null && ageMs <= (cause === null ? TRUSTED_MS : 0)) {
        trusted.push(report);
      }
      sources[node] = {
        ageMs,
        cause,
        http: httpOf(node),
        uptimeSeconds: report?.reporter.uptimeSeconds ?? null,
      };
    }
    return { servedBy: self, status: mergeStatus(trusted, { nodes, unreachable }), sources };
  }
}

/** Shaped by a node of the same version; a page that meets another shows what it finds. */
function isReport(value: unknown): value is NodeReport {
  if (typeof value !== "object" || value === null) return false;
  const { reporter, nodes, groups } = value as Readonly<Record<string, unknown>>;
  return [reporter, nodes, groups].every((part) => typeof part === "object" && part !== null);
}

/**
 * What is said about each group at this moment: by this node's own failover, and by the others in their heartbeats.
 * Readable without asking, for heartbeats, for the refusal of an NBD client, and for status. Nothing is decided by it.
 */
import type { GroupSummary } from "../failover/messages.ts";

export class GroupBoard {
  readonly #own = new Map<string, GroupSummary>();
  /** Group → node → what it said last. */
  readonly #heard = new Map<string, Map<string, GroupSummary>>();

  /** From failover, whenever it changes. */
  publish(summary: GroupSummary): void {
    this.#own.set(summary.group, summary);
  }

  /** For the heartbeats of this node. */
  summaries(): readonly GroupSummary[] {
    return [...this.#own.values()];
  }

  heard(from: string, groups: readonly GroupSummary[]): void {
    for (const summary of groups) {
      let nodes = this.#heard.get(summary.group);
      if (nodes === undefined) this.#heard.set(summary.group, nodes = new Map());
      nodes.set(from, summary);
    }
  }

  /** What a node that is down said last is no news any more. */
  silent(node: string): void {
    for (const nodes of this.#heard.values()) nodes.delete(node);
  }

  heardOf(group: string): ReadonlyMap<string, GroupSummary> {
    return this.#heard.get(group) ?? new Map();
  }

  /** Who is source, as far as this node knows: by its own failover, else by the highest generation heard of. */
  source(group: string): string | null {
    const own = this.#own.get(group);
    if (own?.source != null) return own.source;
    let best: GroupSummary | null = null;
    for (const summary of this.heardOf(group).values()) {
      if (summary.source === null || summary.generation < (own?.generation ?? 0)) continue;
      if (best === null || summary.generation > best.generation) best = summary;
    }
    return best?.source ?? null;
  }
}

/** Watching: somebody else is source, or nobody has claimed it for long enough. Pure. */
import type { GroupEvent } from "../effects.ts";
import { lostBecause } from "../explain.ts";
import type { Explanation } from "../messages.ts";
import { type GroupState, type Scene, suspect, suspectAt, type Transition } from "./scene.ts";

export class Watching implements GroupState {
  readonly kind = "watching";
  /** After this node made way for another: it stands again only if that one does not. */
  readonly #holdBackUntilMs: number;

  constructor(options: { readonly holdBackUntilMs: number }) {
    this.#holdBackUntilMs = options.holdBackUntilMs;
  }

  enter(scene: Scene): Transition | null {
    return this.#look(scene);
  }

  on(event: GroupEvent, scene: Scene): Transition | null {
    if (event.kind === "remote") {
      const { body } = event;
      // Only nodes that hold nothing back obey an offer; one that is told of a successor gives it a lease's time.
      if (body.kind === "candidacy_offered" && mayStand(scene)) {
        return suspectAt(`the candidacy was offered by ${event.from}`, scene.nowMs, null);
      }
      const waitsForAnother = body.kind === "resigned" && body.successor !== null &&
        body.successor !== scene.known.node && scene.known.heard?.generationId === body.generation.id;
      if (waitsForAnother) return { to: "watching", holdBackUntilMs: scene.nowMs + scene.known.leaseMs };
    }
    return this.#look(scene);
  }

  #look(scene: Scene): Transition | null {
    if (!mayStand(scene) || scene.nowMs < this.#holdBackUntilMs) return null;
    const verdict = scene.known.judgeSource(scene.voter, scene.nowMs);
    return verdict.lost ? suspect(scene, lostBecause(verdict.row, scene.known.heard?.node ?? null)) : null;
  }

  wakeAtMs(scene: Scene): number {
    if (!mayStand(scene)) return Infinity;
    return Math.max(this.#holdBackUntilMs, scene.known.judgeSource(scene.voter, scene.nowMs).lookAgainAtMs);
  }

  explain({ voter, known }: Scene): Explanation {
    if (voter.failure !== null) return { state: "blocked", ...voter.failure };
    if (known.stopping) return { state: this.kind, cause: "this node is stopping", remedy: null };
    if (!voter.ready) return { state: this.kind, cause: "the vote file is being opened", remedy: null };
    if (known.facts === null && known.refused !== null) return { state: "blocked", ...known.refused };
    if (known.facts === null) {
      return { state: this.kind, cause: "the replica of this node has not reported yet", remedy: null };
    }
    return { state: this.kind, cause: null, remedy: null };
  }
}

/** A vote that can be relied on, a replica that speaks, and a node that stays. */
export function mayStand({ voter, known }: Scene): boolean {
  return voter.ready && known.facts !== null && !known.stopping;
}

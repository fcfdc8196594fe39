/**
 * Blocked: nobody is source and this node cannot become it now. It says why and what would mend it, and looks again when
 * something changes, or after a while that doubles up to a lease. Pure.
 */
import type { GroupEvent } from "../effects.ts";
import type { Explanation } from "../messages.ts";
import { type GroupState, type Scene, suspect, suspectAt, type Transition } from "./scene.ts";
import { mayStand } from "./watching.ts";

export class Blocked implements GroupState {
  readonly kind = "blocked";
  readonly #cause: string;
  readonly #remedy: string;
  #retryAtMs = Infinity;

  constructor(options: { readonly cause: string; readonly remedy: string }) {
    this.#cause = options.cause;
    this.#remedy = options.remedy;
  }

  enter({ known, nowMs }: Scene): Transition | null {
    const patience = known.intervalMs * 2 ** Math.min(known.attempts, 6);
    this.#retryAtMs = nowMs + Math.min(patience, known.leaseMs) * (1 + known.jitter() / 2);
    return null;
  }

  on(event: GroupEvent, scene: Scene): Transition | null {
    if (!mayStand(scene)) return { to: "watching", holdBackUntilMs: 0 };
    switch (event.kind) {
      case "peer_up":
        return suspect(scene, this.#cause, { before: this.explain() });
      case "remote":
        if (
          event.body.kind === "lease_requested" && !scene.known.judgeSource(scene.voter, scene.nowMs).lost
        ) {
          return { to: "watching", holdBackUntilMs: 0 };
        }
        if (event.body.kind === "candidacy_offered") {
          return suspectAt(this.#cause, scene.nowMs, this.explain());
        }
        return null;
      case "wake":
        return scene.nowMs >= this.#retryAtMs
          ? { to: "electing", ids: event.ids, before: this.explain() }
          : null;
      default:
        return null;
    }
  }

  wakeAtMs(): number {
    return this.#retryAtMs;
  }

  explain(): Explanation {
    return { state: this.kind, cause: this.#cause, remedy: this.#remedy };
  }
}

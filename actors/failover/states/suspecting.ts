/** Suspecting: the source is lost; this node waits until it is its turn to stand. Pure. */
import type { GroupEvent } from "../effects.ts";
import type { Explanation } from "../messages.ts";
import type { GroupState, Scene, Transition } from "./scene.ts";
import { mayStand } from "./watching.ts";

export class Suspecting implements GroupState {
  readonly kind = "suspecting";
  readonly #cause: string;
  readonly #before: Explanation | null;
  #standAtMs: number;

  constructor(
    options: { readonly cause: string; readonly standAtMs: number; readonly before: Explanation | null },
  ) {
    this.#cause = options.cause;
    this.#standAtMs = options.standAtMs;
    this.#before = options.before;
  }

  enter(): Transition | null {
    return null;
  }

  on(event: GroupEvent, scene: Scene): Transition | null {
    if (!mayStand(scene)) return { to: "watching", holdBackUntilMs: 0 };
    if (event.kind === "remote") {
      const { body } = event;
      if (body.kind === "lease_requested" && !scene.known.judgeSource(scene.voter, scene.nowMs).lost) {
        return { to: "watching", holdBackUntilMs: 0 };
      }
      if (body.kind === "candidacy_offered") this.#standAtMs = scene.nowMs;
      if (body.kind === "resigned") {
        const { known } = scene;
        const mine = body.successor === null || body.successor === known.node;
        const standAtMs = scene.nowMs + (mine ? known.staggerMs(scene.voter) : known.leaseMs);
        this.#standAtMs = mine ? Math.min(this.#standAtMs, standAtMs) : standAtMs;
      }
      // Somebody stands already, with a majority in sight: let it.
      if (body.kind === "promise_requested" && !body.probe && event.from !== scene.known.node) {
        this.#standAtMs = Math.max(this.#standAtMs, scene.nowMs + scene.known.leaseMs / 2);
      }
    }
    if (event.kind !== "wake" || scene.nowMs < this.#standAtMs) return null;
    return { to: "electing", ids: event.ids, before: this.#before };
  }

  wakeAtMs(): number {
    return this.#standAtMs;
  }

  explain(): Explanation {
    return this.#before ?? { state: this.kind, cause: this.#cause, remedy: null };
  }
}

/**
 * Demoting: the gate of this node is being closed for good. Only when nothing completes here any more are the voters told
 * that the lease is free; until then the lease must run out by itself (I1). Pure.
 */
import { sameGeneration } from "../../../protocol/position.ts";
import type { GroupEvent } from "../effects.ts";
import type { Explanation } from "../messages.ts";
import type { Demotion, GroupState, Scene, Transition } from "./scene.ts";

export class Demoting implements GroupState {
  readonly kind = "demoting";
  readonly #demotion: Demotion;
  #deadlineMs = Infinity;

  constructor(options: { readonly demotion: Demotion }) {
    this.#demotion = options.demotion;
  }

  enter(scene: Scene): Transition | null {
    const { cause, generation } = this.#demotion;
    const { known } = scene;
    scene.emit({
      kind: "note",
      event: "demoted",
      fields: { group: known.group, generation: generation.number, cause },
    });
    scene.emit({ kind: "become_target", cause });
    // The lease is not renewed in this state: by then it has run out, whatever the mirror does.
    this.#deadlineMs = scene.nowMs + 2 * known.leaseMs;
    return this.#demotion.gateClosed ? this.#resign(scene) : null;
  }

  on(event: GroupEvent, scene: Scene): Transition | null {
    switch (event.kind) {
      case "became_target":
      case "mirror_down":
        return this.#resign(scene);
      case "gate_closed":
        return sameGeneration(event.generation, this.#demotion.generation) ? this.#resign(scene) : null;
      case "wake":
        return scene.nowMs >= this.#deadlineMs ? this.#abandon(scene) : null;
      default:
        return null;
    }
  }

  #resign(scene: Scene): Transition {
    const { known, nowMs, voter } = scene;
    const { generation, successor, reply } = this.#demotion;
    for (const node of known.electorate(voter.vote.record)) {
      scene.send(node, { kind: "resigned", group: known.group, generation, successor });
    }
    if (successor !== null) {
      scene.send(successor, { kind: "candidacy_offered", group: known.group, number: generation.number });
      known.awaited = {
        node: successor,
        above: generation.number,
        deadlineMs: nowMs + 4 * known.leaseMs,
        reply,
      };
    }
    if (known.stopping) scene.emit({ kind: "stopped", resigned: true });
    const patience = successor === null ? known.intervalMs : 2 * known.leaseMs;
    return { to: "watching", holdBackUntilMs: nowMs + patience };
  }

  #abandon(scene: Scene): Transition {
    const { known } = scene;
    scene.emit({
      kind: "note",
      event: "lease_abandoned",
      fields: { group: known.group, cause: "the mirror does not stop" },
    });
    const { reply } = this.#demotion;
    if (reply !== null) {
      const outcome = {
        ok: false,
        reason: "the mirror does not stop",
        remedy: `restart ${known.node}`,
      } as const;
      scene.emit({ kind: "answer_switchover", reply, outcome });
    }
    if (known.stopping) scene.emit({ kind: "stopped", resigned: false });
    return { to: "watching", holdBackUntilMs: 0 };
  }

  wakeAtMs(): number {
    return this.#deadlineMs;
  }

  explain(): Explanation {
    return { state: this.kind, cause: this.#demotion.cause, remedy: null };
  }
}

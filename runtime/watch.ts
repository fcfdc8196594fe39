/**
 * Monitors: exactly one `down` per watch, whatever ends first.
 *
 * A watch is for one incarnation. It is delivered once and then forgotten on both sides; for a target that is already
 * gone it is delivered at once, so that a watcher never waits for an event that was yesterday.
 */
import type { Down, WatchHandle } from "./actor.ts";
import { type Cell, STOPPED } from "./cell.ts";
import type { Context } from "./context.ts";

/** Who wants to hear of an end. */
export interface Watcher {
  /** At most once per registration. */
  down(down: Down): void;
}

/** Something remote that can be watched: see `remote.ts`. */
export interface RemoteTarget {
  readonly path: string;
  /** `watcher.down` is called exactly once unless the answered function is called before. */
  watchRemote(watcher: Watcher): () => void;
}

export function isRemoteTarget(target: object): target is RemoteTarget {
  return "watchRemote" in target;
}

/** Puts `watcher` on a cell; `undefined` stands for an actor that does not exist. Answers how to take it off. */
export function watchCell(cell: Cell | undefined, path: string, watcher: Watcher): () => void {
  if (cell === undefined || cell.state === STOPPED) {
    watcher.down({ path, reason: { kind: "not_running" } });
    return () => {};
  }
  const { watchers } = cell.needRare();
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** One actor's watch: turns the down into a message of its own. */
export class ActorWatch implements Watcher, WatchHandle {
  readonly path: string;
  readonly #context: Context;
  readonly #toMessage: (down: Down) => unknown;
  #done = false;
  #takeOff: (() => void) | null = null;

  constructor(path: string, context: Context, toMessage: (down: Down) => unknown) {
    this.path = path;
    this.#context = context;
    this.#toMessage = toMessage;
  }

  /** How the target forgets this watch. */
  set takeOff(takeOff: () => void) {
    if (!this.#done) this.#takeOff = takeOff;
  }

  down(down: Down): void {
    if (this.#done) return;
    this.#done = true;
    this.#takeOff = null;
    this.#context.forget(this);
    if (this.#context.alive) this.#context.cell.translate(this.#toMessage, down);
  }

  /** The watcher died or wants to know no more. */
  dispose(): void {
    this.#done = true;
    this.#takeOff?.();
    this.#takeOff = null;
  }
}

/**
 * Actors of another node: tells by registered name, and watches that cannot hang.
 *
 * One `RemoteNode` stands for one other node as seen from here. Whoever owns the connection hands it a link when there is
 * one and takes it away when it is lost; this file sends envelopes and knows no socket. Every watch on that node lives
 * exactly as long as one link to one incarnation of it: when the link is lost, or the node comes back as a new incarnation, each
 * gets its one `down` with the reason `node_down`. So a watcher never waits for a down that a dead process will not
 * send, and a down of yesterday's process cannot hit today's watch. A lost link does not prove that the node died: what
 * to conclude from it is the watcher's decision.
 *
 * ```text
 *  here                        wire                          there
 *  watch(ref) ───────────────▶ watch 7 "counter:b" ────────▶ put on the local actor of that name
 *  onDown     ◀─────────────── down 7 crashed ◀───────────── its incarnation ends
 *  onDown     ◀── link lost, or the node's incarnation changed
 * ```
 *
 * Rejected: refs that carry a path on the other node (the other end decides what it exposes, by name), remote links (a
 * network fault would kill healthy actors in pairs), and watches that survive a lost link (nobody could say which
 * incarnation they mean).
 */
import type { Ref, StopReason } from "./actor.ts";
import { Cell } from "./cell.ts";
import type { ActorSystem } from "./system.ts";
import { type RemoteTarget, watchCell, type Watcher } from "./watch.ts";

/** What goes over a link. Plain data; messages are whatever the link's codec can carry. */
export type RemoteEnvelope =
  | { readonly kind: "tell"; readonly name: string; readonly message: unknown }
  | { readonly kind: "watch"; readonly watch: number; readonly name: string }
  | { readonly kind: "unwatch"; readonly watch: number }
  | { readonly kind: "down"; readonly watch: number; readonly reason: StopReason };

/** One connection to the other node: ordered, and either delivers or is lost as a whole. */
export interface RemoteLink {
  /** False when the envelope was not taken (full or closing). Never throws. */
  send(envelope: RemoteEnvelope): boolean;
  /** Set by `RemoteNode.linked`; the link's owner calls it for each envelope that arrives. */
  onEnvelope: ((envelope: RemoteEnvelope) => void) | null;
}

export interface RemoteNodeOptions {
  readonly system: ActorSystem;
  /** The other node's name. */
  readonly node: string;
  /** Which registered names the other node may tell to and watch. */
  readonly exposes: (name: string) => boolean;
  /** The other node broke the rules, in words; its session should end. */
  readonly onViolation?: (detail: string) => void;
  /** Watches that the other node may hold here at a time; default 1 024. One more is a violation. */
  readonly watchesMax?: number;
}

const WATCHES_MAX_DEFAULT = 1_024;
const ERROR_TEXT_MAX = 512;

interface OutgoingWatch {
  readonly path: string;
  readonly watcher: Watcher;
}

/** A ref to a registered actor of another node. */
class RemoteRef<M> implements Ref<M>, RemoteTarget {
  readonly path: string;
  readonly #name: string;
  readonly #node: RemoteNode;

  constructor(node: RemoteNode, name: string) {
    this.path = `${node.node}!${name}`;
    this.#name = name;
    this.#node = node;
  }

  tell(message: M): boolean {
    return this.#node.tell(this.#name, message);
  }

  watchRemote(watcher: Watcher): () => void {
    return this.#node.watch(this.#name, { path: this.path, watcher });
  }
}

export class RemoteNode {
  readonly node: string;
  readonly #options: RemoteNodeOptions;
  #link: RemoteLink | null = null;
  #incarnation: string | null = null;
  #lastWatch = 0;
  /** Ours on their actors. */
  readonly #outgoing = new Map<number, OutgoingWatch>();
  /** Theirs on our actors: how to take each off. */
  readonly #incoming = new Map<number, () => void>();

  constructor(options: RemoteNodeOptions) {
    this.node = options.node;
    this.#options = options;
  }

  /** The incarnation of the node at the other end of the link, if there is one. */
  get incarnation(): string | null {
    return this.#link === null ? null : this.#incarnation;
  }

  /** A ref that is good for ever; while there is no link its `tell` answers false. */
  ref<M>(name: string): Ref<M> {
    return new RemoteRef<M>(this, name);
  }

  /**
   * There is a link. A link that was there before is dropped first. `incarnation` is what the other process minted when it
   * started: a new one means that all its actors of before are gone.
   */
  linked(link: RemoteLink, incarnation: string): void {
    if (this.#link !== null) this.unlinked(this.#link);
    this.#link = link;
    this.#incarnation = incarnation;
    link.onEnvelope = (envelope) => {
      if (this.#link === link) this.#received(envelope);
    };
  }

  /** That link is lost; a late call for an older link changes nothing. */
  unlinked(link: RemoteLink): void {
    if (this.#link !== link) return;
    link.onEnvelope = null;
    this.#link = null;
    for (const takeOff of [...this.#incoming.values()]) takeOff();
    this.#incoming.clear();
    const lost = [...this.#outgoing.values()];
    this.#outgoing.clear();
    for (const { path, watcher } of lost) {
      watcher.down({ path, reason: { kind: "node_down", node: this.node } });
    }
  }

  /** For `RemoteRef`. */
  tell(name: string, message: unknown): boolean {
    return this.#link?.send({ kind: "tell", name, message }) ?? false;
  }

  /** For `RemoteRef`: exactly one down, or none after the answered function was called. */
  watch(name: string, outgoing: OutgoingWatch): () => void {
    this.#lastWatch += 1;
    const watch = this.#lastWatch;
    if (!(this.#link?.send({ kind: "watch", watch, name }) ?? false)) {
      outgoing.watcher.down({ path: outgoing.path, reason: { kind: "node_down", node: this.node } });
      return () => {};
    }
    this.#outgoing.set(watch, outgoing);
    return () => {
      if (this.#outgoing.delete(watch)) this.#link?.send({ kind: "unwatch", watch });
    };
  }

  #received(envelope: RemoteEnvelope): void {
    switch (envelope.kind) {
      case "tell":
        this.#local(envelope.name)?.tell(envelope.message);
        return;
      case "watch":
        this.#watched(envelope.watch, envelope.name);
        return;
      case "unwatch":
        this.#incoming.get(envelope.watch)?.();
        this.#incoming.delete(envelope.watch);
        return;
      case "down": {
        const outgoing = this.#outgoing.get(envelope.watch);
        this.#outgoing.delete(envelope.watch);
        outgoing?.watcher.down({ path: outgoing.path, reason: envelope.reason });
        return;
      }
      default:
        this.#options.onViolation?.("an envelope of no known kind");
    }
  }

  #local(name: string): Cell | undefined {
    if (!this.#options.exposes(name)) return undefined;
    const ref = this.#options.system.registry.lookup<unknown>(name);
    return ref instanceof Cell ? ref : undefined;
  }

  #watched(watch: number, name: string): void {
    if (this.#incoming.has(watch)) {
      this.#options.onViolation?.(`watch ${watch} was set twice`);
      return;
    }
    if (this.#incoming.size >= (this.#options.watchesMax ?? WATCHES_MAX_DEFAULT)) {
      this.#options.onViolation?.(`more than ${this.#incoming.size} watches`);
      return;
    }
    const link = this.#link;
    const watcher: Watcher = {
      down: ({ reason }) => {
        this.#incoming.delete(watch);
        if (this.#link === link) link?.send({ kind: "down", watch, reason: forTheWire(reason) });
      },
    };
    // The entry is there before a down can be, which for an actor that is gone comes at once.
    this.#incoming.set(watch, () => {});
    const takeOff = watchCell(this.#local(name), name, watcher);
    if (this.#incoming.has(watch)) this.#incoming.set(watch, takeOff);
  }
}

/** Stacks stay at home and texts are bounded. */
function forTheWire(reason: StopReason): StopReason {
  if (reason.kind !== "crashed") return reason;
  return { kind: "crashed", error: reason.error.slice(0, ERROR_TEXT_MAX) };
}

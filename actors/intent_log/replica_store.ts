/**
 * The store that is lent: the group's disks with what is known of them only as long as this process runs.
 *
 * Two facts live here and nowhere on disk. Where the replica *stands*: a running target counts what it applied, while
 * after a restart only the last stable position that was recorded is certain. And that a disk has *failed*: from the
 * first error on nothing is read, written or flushed through this store any more (design §4.3 rule 7).
 */
import type { DiskFailure, DiskOutcome } from "../../volume/block_device.ts";
import type { GroupStore, GroupView, SuperblockChange, VolumeStore } from "../../volume/group_store.ts";
import type { Position } from "../../protocol/position.ts";
import { LentVolume } from "./lent_volume.ts";
import type { ReplicaStore } from "./messages.ts";

export class LentStore implements ReplicaStore {
  readonly #store: GroupStore;
  readonly #volumes: readonly LentVolume[];
  readonly #onFailure: (failure: DiskFailure) => void;
  readonly #now: () => number;
  #generation: number;
  #seq: number;
  #exact: boolean;
  #failure: DiskFailure | null = null;
  #closed = false;
  /** When each operation under way began; a handful at most, since flushes and superblocks are few. */
  readonly #waiting = new Set<{ readonly since: number }>();

  constructor(options: { store: GroupStore; onFailure: (failure: DiskFailure) => void; now: () => number }) {
    this.#store = options.store;
    this.#volumes = options.store.volumes.map((volume) => new LentVolume(volume));
    this.#onFailure = options.onFailure;
    this.#now = options.now;
    const view = options.store.view();
    this.#generation = view.position.generation;
    this.#seq = view.position.seq;
    this.#exact = view.cleanBefore;
  }

  get volumes(): readonly VolumeStore[] {
    return this.#volumes;
  }
  get position(): Position {
    return { generation: this.#generation, seq: this.#seq };
  }
  get positionExact(): boolean {
    return this.#exact;
  }
  get failure(): DiskFailure | null {
    return this.#failure;
  }
  get closed(): boolean {
    return this.#closed;
  }
  get waitingSince(): number | null {
    for (const { since } of this.#waiting) return since;
    return null;
  }

  /** Something that a borrower asked of a disk is under way. */
  get busy(): boolean {
    return this.#volumes.some(({ device }) => device.busy);
  }

  async settled(): Promise<void> {
    while (this.busy) await Promise.all(this.#volumes.map(({ device }) => device.settled()));
  }

  view(): GroupView {
    return this.#store.view();
  }

  stands(position: Position): void {
    this.#generation = position.generation;
    this.#seq = position.seq;
    this.#exact = true;
  }

  advance(seq: number): void {
    this.#seq = seq;
  }

  update(change: SuperblockChange): Promise<DiskOutcome> {
    return this.#timed(() => this.#store.update(change));
  }

  recordStable(stable: Position): Promise<DiskOutcome> {
    return this.#timed(async () => {
      const outcome = await this.#store.update({ stable });
      if (outcome !== null) return outcome;
      const persisted = await Promise.all(this.volumes.map(({ intentLog }) => intentLog.persist()));
      return persisted.find((failure) => failure !== null) ?? null;
    });
  }

  flush(): Promise<DiskOutcome> {
    return this.#timed(() => this.#store.flush());
  }

  fail(failure: DiskFailure): void {
    if (this.#failure !== null) return;
    this.#failure = failure;
    this.#onFailure(failure);
  }

  /** The owner has died or stopped: whoever still holds the handle finds it closed. */
  close(): void {
    this.#closed = true;
  }

  async #timed(work: () => Promise<DiskOutcome>): Promise<DiskOutcome> {
    if (this.#closed) return { kind: "closed", detail: "the store of this replica is closed" };
    if (this.#failure !== null) return this.#failure;
    const entry = { since: this.#now() };
    this.#waiting.add(entry);
    const outcome = await work();
    this.#waiting.delete(entry);
    return outcome;
  }
}

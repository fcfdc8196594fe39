/**
 * A store of a simulated world, and its registers: the sibling of the real witnesses, over a virtual clock.
 *
 * It forgets, hangs and loses answers exactly when it is told to.
 */
import type { Clock } from "../../runtime/clock.ts";
import type {
  WitnessCall,
  WitnessChange,
  WitnessRead,
  WitnessRegister,
  WitnessVote,
  WitnessWrite,
} from "./witness_register.ts";

interface Held {
  readonly vote: WitnessVote;
  readonly version: number;
  readonly life: number;
}

export class MemoryWitnessStore {
  readonly clock: Clock;
  /** A question takes this long to the store, and its answer as long back. */
  readonly latencyMs: number;
  #held: readonly Held[] = [];
  #life = 1;
  #durable = true;
  hanging = false;
  /** Of so many writes from now on the answer is lost. */
  answersToLose = 0;
  /** What arrived while it hung, done when it goes on. */
  #waiting: (() => void)[] = [];

  constructor(options: { readonly clock: Clock; readonly latencyMs?: number }) {
    this.clock = options.clock;
    this.latencyMs = options.latencyMs ?? 1;
  }

  /** One more client. */
  open(): WitnessRegister {
    return new MemoryRegister(this);
  }

  wipe(): void {
    this.#held = [];
  }

  /** A backup from `writes` writes ago is restored. */
  rollBack(writes: number): void {
    this.#held = this.#held.slice(0, Math.max(0, this.#held.length - writes));
  }

  /** `kept`: every answered write was durable, as with Redis' `appendfsync always`. Else the last `lost` are gone. */
  restart(how: { readonly kept: boolean; readonly lost?: number }): void {
    this.#life += 1;
    this.#durable = how.kept;
    if (!how.kept) this.rollBack(how.lost ?? 0);
  }

  resume(): void {
    this.hanging = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const work of waiting) work();
  }

  /** At the store: at once, or when it goes on. */
  perform(work: () => void): void {
    if (this.hanging) this.#waiting.push(work);
    else work();
  }

  read(): WitnessRead {
    const held = this.#held.at(-1);
    if (held === undefined) return { kind: "empty" };
    const { vote, version } = held;
    return { kind: "found", vote, version, doubtful: held.life !== this.#life && !this.#durable };
  }

  compareAndSet({ expected, next }: WitnessChange): WitnessWrite {
    const found = this.read();
    const version = found.kind === "found" ? found.version : 0;
    if (version !== expected) return { kind: "conflict" };
    if (found.kind === "found" && found.doubtful && found.vote.incarnation === next.incarnation) {
      return { kind: "forgotten" };
    }
    const held = { vote: next, version: version + 1, life: this.#life };
    this.#held = [...this.#held, held].slice(-HISTORY_MAX);
    return { kind: "set", version: held.version };
  }
}

/** So far back can be rolled. */
const HISTORY_MAX = 100;

class MemoryRegister implements WitnessRegister {
  readonly name = "memory";
  readonly #store: MemoryWitnessStore;
  #closed = false;

  constructor(store: MemoryWitnessStore) {
    this.#store = store;
  }

  read(call: WitnessCall): Promise<WitnessRead> {
    const late = { kind: "unreachable", cause: "no answer in time", timedOut: true } as const;
    return this.#ask<WitnessRead>(call, { ask: () => this.#store.read(), late, losable: false });
  }

  compareAndSet(change: WitnessChange): Promise<WitnessWrite> {
    const late = { kind: "unknown", cause: "no answer in time", timedOut: true } as const;
    return this.#ask<WitnessWrite>(change, {
      ask: () => this.#store.compareAndSet(change),
      late,
      losable: true,
    });
  }

  #ask<T>(
    { timeoutMs }: WitnessCall,
    { ask, late, losable }: { readonly ask: () => T; readonly late: T; readonly losable: boolean },
  ): Promise<T | { readonly kind: "unreachable"; readonly cause: string; readonly timedOut: boolean }> {
    const store = this.#store;
    const { clock, latencyMs } = store;
    if (this.#closed) return Promise.resolve({ kind: "unreachable", cause: "closed", timedOut: false });
    return new Promise((resolve) => {
      const timer = clock.after(timeoutMs, () => resolve(late));
      const work = () => {
        const answer = ask();
        if (losable && store.answersToLose > 0) {
          store.answersToLose -= 1;
          return;
        }
        clock.after(latencyMs, () => {
          clock.cancel(timer);
          resolve(answer);
        });
      };
      clock.after(latencyMs, () => store.perform(work));
    });
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }
}

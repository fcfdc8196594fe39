/**
 * Virtual time: it stands still until somebody moves it, then fires timers in order of deadline, equal deadlines in order
 * of arming. A binary heap; cancelled timers stay in it until their deadline.
 */
import type { Clock, TimerHandle } from "../clock.ts";

class SimulatedTimer implements TimerHandle {
  readonly deadlineMs: number;
  readonly order: number;
  callback: (() => void) | null;

  constructor(deadlineMs: number, order: number, callback: () => void) {
    this.deadlineMs = deadlineMs;
    this.order = order;
    this.callback = callback;
  }
}

function before(left: SimulatedTimer, right: SimulatedTimer): boolean {
  return left.deadlineMs === right.deadlineMs ? left.order < right.order : left.deadlineMs < right.deadlineMs;
}

export class SimulatedClock implements Clock {
  #nowMs = 0;
  #wallAtStart: number;
  #order = 0;
  readonly #heap: SimulatedTimer[] = [];

  /** @param options.wallMs Unix milliseconds at virtual time 0; default 2026-01-01 */
  constructor(options: { wallMs?: number } = {}) {
    this.#wallAtStart = options.wallMs ?? Date.UTC(2026, 0, 1);
  }

  now(): number {
    return this.#nowMs;
  }

  wall(): number {
    return this.#wallAtStart + this.#nowMs;
  }

  /** The wall clock jumps, as real ones do; `now` does not notice. */
  jumpWall(byMs: number): void {
    this.#wallAtStart += byMs;
  }

  after(delayMs: number, callback: () => void): TimerHandle {
    const timer = new SimulatedTimer(this.#nowMs + Math.max(0, delayMs), this.#order++, callback);
    this.#insert(timer);
    return timer;
  }

  cancel(handle: TimerHandle): void {
    if (handle instanceof SimulatedTimer) handle.callback = null;
  }

  /** Deadline of the next live timer. */
  get nextDeadlineMs(): number | undefined {
    let top = this.#heap[0];
    while (top !== undefined && top.callback === null) {
      this.#removeTop();
      top = this.#heap[0];
    }
    return top?.deadlineMs;
  }

  /** Moves time to the next timer and fires it; false when none is due by `limitMs`. */
  fireNext(limitMs: number): boolean {
    const deadlineMs = this.nextDeadlineMs;
    if (deadlineMs === undefined || deadlineMs > limitMs) return false;
    const timer = this.#removeTop();
    this.#nowMs = Math.max(this.#nowMs, deadlineMs);
    const callback = timer?.callback;
    if (timer !== undefined) timer.callback = null;
    callback?.();
    return true;
  }

  /** Time without events; never backwards and never past a live timer that is due. */
  moveTo(nowMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
  }

  #insert(timer: SimulatedTimer): void {
    const heap = this.#heap;
    let index = heap.push(timer) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as SimulatedTimer;
      if (!before(timer, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = timer;
  }

  #removeTop(): SimulatedTimer | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || top === last) return top;
    let index = 0;
    while (true) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && before(right, heap[child] as SimulatedTimer)) child += 1;
      const below = heap[child] as SimulatedTimer;
      if (!before(below, last)) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = last;
    return top;
  }
}

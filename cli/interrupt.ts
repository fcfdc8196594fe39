/** Ctrl-C as a question: commands that go on until a person has seen enough ask it between two steps. */
import process from "node:process";

export interface Interrupt {
  now(): boolean;
  /** Resolves after `ms`, or at once when interrupted. */
  within(ms: number): Promise<void>;
}

export function interrupted(): Interrupt {
  let came = false;
  let wake: () => void = () => undefined;
  const stop = () => {
    // A second one means it: back to the system's way of ending.
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
    came = true;
    wake();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  return {
    now: () => came,
    within: (ms) =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, came ? 0 : ms);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      }),
  };
}

/**
 * What each actor runtime under comparison must be able to do, and how the figures are made comparable.
 *
 * This machine is noisy and shared: a figure of one run says little. So the peers take turns (A B C, A B C, …), every
 * round measures each once, and the median of the rounds is reported with the best beside it. Everything is
 * measured with the features a user has by default: crash boundary, bounds, counters, inspection.
 */
export interface Peer {
  readonly name: string;
  /** One producer, one consumer: messages per second told and received. */
  tells?(messages: number): Promise<number>;
  /** Two actors, one ball: messages per second. */
  pingPong?(messages: number): Promise<number>;
  /** One actor asks another, sixteen questions under way: answered questions per second. */
  asks?(questions: number): Promise<number>;
  /** Bytes of heap per actor that has started and waits. */
  idleBytes?(actors: number): Promise<number>;
  /** What to scale the counts by, so that slow peers take no minutes; default 1. */
  readonly scale?: number;
  close?(): Promise<void>;
}

export type Question = "tells" | "pingPong" | "asks" | "idleBytes";

export const ROUNDS = 7;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

/** Messages per second of `work`, which calls back when the last one has arrived. */
export async function perSecond(count: number, work: (done: () => void) => void): Promise<number> {
  const startMs = performance.now();
  await new Promise<void>((resolve) => work(resolve));
  return count / ((performance.now() - startMs) / 1_000);
}

/** Asks every peer the same question in interleaved rounds and prints one row per peer. */
export async function compare(
  question: Question,
  options: {
    readonly peers: readonly (Peer | { readonly skipped: string })[];
    readonly count: number;
    readonly rounds?: number;
    readonly show: (figure: number) => string;
  },
): Promise<void> {
  const { peers, count, rounds = ROUNDS, show } = options;
  const runtime = "Deno" in globalThis ? "Deno" : "Node";
  const figures = new Map<Peer, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const peer of peers) {
      if ("skipped" in peer) continue;
      // What the peer before left behind is collected only after the promises and timers that hold it have run.
      if (question === "idleBytes") await new Promise((resolve) => setTimeout(resolve, 50));
      const figure = await peer[question]?.(Math.round(count * (peer.scale ?? 1)));
      if (figure === undefined) continue;
      const known = figures.get(peer) ?? [];
      known.push(figure);
      figures.set(peer, known);
    }
  }
  console.log(`| ${question} on ${runtime} | median | best |\n|---|---|---|`);
  for (const peer of peers) {
    if ("skipped" in peer) {
      console.log(`| ${peer.skipped} | skipped | |`);
      continue;
    }
    const known = figures.get(peer);
    if (known === undefined) {
      console.log(`| ${peer.name} | has none | |`);
      continue;
    }
    const best = question === "idleBytes" ? Math.min(...known) : Math.max(...known);
    console.log(`| ${peer.name} | ${show(median(known))} | ${show(best)} |`);
    await peer.close?.();
  }
}

export function millions(figure: number): string {
  return `${(figure / 1e6).toFixed(2)} M/s`;
}

/**
 * Counters, gauges and histograms, and their Prometheus text. The only file that knows prom-client.
 *
 * A metric is named where its fact happens. Asking twice for the same name answers the same metric, so a restarted
 * actor goes on counting where its last incarnation stopped.
 */
import client from "prom-client";

export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  /** `amount` ≥ 0, default 1. */
  add(amount?: number, labels?: Labels): void;
}
/** A counter that somebody else keeps: its value is read when the text is made. */
export interface Total {
  set(value: number, labels?: Labels): void;
  /** Forgets all label values, before they are set anew. */
  reset(): void;
}
export interface Gauge {
  set(value: number, labels?: Labels): void;
  /** Forgets all label values, before they are set anew. */
  reset(): void;
}
export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

export interface Metrics {
  counter(name: string, help: string, labels?: readonly string[]): Counter;
  gauge(name: string, help: string, labels?: readonly string[]): Gauge;
  /** For `beforeText`. A value that falls means, as always with counters, that the counting began anew. */
  total(name: string, help: string, labels?: readonly string[]): Total;
  /** @param options.buckets upper bounds, ascending */
  histogram(
    name: string,
    help: string,
    labels?: readonly string[],
    options?: { readonly buckets?: readonly number[] },
  ): Histogram;
  /** Called before each text is made: the place to set gauges that are cheap to read and dear to keep. */
  beforeText(collect: () => void): void;
  /** Prometheus text format 0.0.4. */
  text(): Promise<string>;
}

/** @param options.prefix put before every name, e.g. `holdfast_` */
export function createMetrics(options: { readonly prefix?: string } = {}): Metrics {
  const registry = new client.Registry();
  const prefix = options.prefix ?? "";
  const known = new Map<string, Counter | Gauge | Histogram | Total>();
  const collectors: (() => void)[] = [];

  function once<T extends Counter | Gauge | Histogram | Total>(kind: string, name: string, make: () => T): T {
    const key = `${kind} ${name}`;
    const found = known.get(key);
    if (found !== undefined) return found as T;
    const made = make();
    known.set(key, made);
    return made;
  }

  return {
    counter: (name, help, labels = []) =>
      once("counter", name, () => {
        const config = { name: prefix + name, help, labelNames: [...labels], registers: [registry] };
        const counter = new client.Counter(config);
        return { add: (amount = 1, values = {}) => counter.inc(values, amount) };
      }),
    gauge: (name, help, labels = []) =>
      once("gauge", name, () => {
        const config = { name: prefix + name, help, labelNames: [...labels], registers: [registry] };
        const gauge = new client.Gauge(config);
        return { set: (value, values = {}) => gauge.set(values, value), reset: () => gauge.reset() };
      }),
    total: (name, help, labels = []) =>
      once("total", name, () => {
        const config = { name: prefix + name, help, labelNames: [...labels], registers: [registry] };
        const counter = new client.Counter(config);
        return { set: (value, values = {}) => counter.inc(values, value), reset: () => counter.reset() };
      }),
    histogram: (name, help, labels = [], { buckets } = {}) =>
      once("histogram", name, () => {
        const histogram = new client.Histogram({
          name: prefix + name,
          help,
          labelNames: [...labels],
          registers: [registry],
          ...(buckets === undefined ? {} : { buckets: [...buckets] }),
        });
        return { observe: (value, values = {}) => histogram.observe(values, value) };
      }),
    beforeText: (collect) => {
      collectors.push(collect);
    },
    text: () => {
      for (const collect of collectors) collect();
      return registry.metrics();
    },
  };
}
